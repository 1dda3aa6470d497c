"""Agent: areas that learn, as an algorithm of Stable-Baselines3."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import LinearSchedule
from torch import Tensor

from motley.agents import checks, files, storage
from motley.agents.actions import action_distribution
from motley.agents.batch import Batch
from motley.agents.blueprints import Blueprint, structure
from motley.agents.brain import Brain, width_for
from motley.agents.diary import Diary, record, without_folder
from motley.agents.layers import seed_of
from motley.agents.lesion import Lesion
from motley.agents.policy import BrainPolicy, RecurrentState
from motley.agents.remarks import remarks
from motley.agents.rollout import Present, Rollout, collect
from motley.agents.scoring import scored
from motley.agents.spaces import Senses
from motley.agents.update import Learner, Settings
from motley.agents.wiring import needed_by
from motley.agents.worlds import check_truths, delay_of, problem_of, worlds_of
from motley.costs import Cost, Development, cost_set
from motley.costs import routing as routes
from motley.costs.controls import ROUTINGS, shuffled
from motley.costs.registry import unknown

MARKS = (
    "x: the cost may train the area. Where it does not depend on the area, its gradient is zero "
    "all the same: grad/<cost>/<area> in the logs is what was measured."
)
"""What the marks of :meth:`Agent.describe` mean."""


class Agent(BaseAlgorithm):
    """Recurrent PPO over a brain of areas, each trained by the costs that are routed to it.

    Mirrors ``PPO("MlpPolicy", env)``: :meth:`learn`, :meth:`predict`, callbacks,
    ``evaluate_policy``, :meth:`save` and :meth:`load` work as in SB3.

    Args:
        structure: a name (``uniform``, ``matched``, ``mismatched``, ``path_integration`` ...)
            or a Blueprint.
        env: an id, an environment or a VecEnv.
        costs: a cost set's name, names joined by ``+``, or a list of names and costs; a cost's name
            may have its weight, as in ``"reward+rnd=0.1"``.
        learning_rate: of Adam; a number, or a function of the remaining share of training.
        final_rate: what share of a numeric ``learning_rate`` is left when :meth:`learn` ends; it
            falls linearly, since agents that had solved a task were seen to lose it again at
            a constant rate. 1 keeps it constant.
        n_steps: steps a rollout, in each world.
        n_epochs: passes over a rollout.
        n_minibatches: parts a pass; whole sequences of some worlds where there is a memory.
        gamma: discount per step, for costs that do not state their own.
        gae_lambda: weight of longer advantage estimates.
        clip_range: of PPO's probability ratio.
        target_kl: an update stops beyond 1.5 times this; None never stops, so that arms take
            equally many gradient steps.
        max_grad_norm: gradients are clipped to this norm.
        clip_by_area: clip each area by itself; False clips all together, as SB3 does, and lets
            one area's large gradient shrink another's.
        normalise_returns: give every critic returns of mean 0 and deviation 1, and every score
            advantages in units of that deviation.
        normalise_advantages: give each minibatch advantages of mean 0 and deviation 1. With both
            False a score keeps its own unit, so that one that dwindles leads less and less; else
            what is left of it, noise at last, leads as strongly as all of it did.
        budget: parameters of all areas; the core's width is solved for. None takes ``width``.
        width: width of the core where ``budget`` is None.
        n_envs: worlds, where ``env`` is an id.
        routing: ``matched``, as the costs say; ``shuffled``, those that are neither score nor
            value each applied to areas that are not its own, drawn by ``seed``; ``global``, every
            cost trains all.
        development: how costs' weights and areas' plasticity change with age: a Development or its
            JSON values, as in ``{"weights": {"entropy": [[0, 0.01], [100000, 0]]}}``.
        credit: how an error changes weights: ``backprop``, ``bptt_4`` (through 4 steps of time),
            ``feedback_alignment``, ``sign_concordant``, ``direct_feedback`` or
            ``node_perturbation``; see :mod:`motley.agents.credit`.
        log_gradients_every: updates between two measurements of ``grad/<cost>/<area>``.
        seed: of weights, exploration and, where ``env`` is an id, the worlds.
        device: of the tensors.
        tensorboard_log: folder of TensorBoard's files.
        verbose: 0 prints nothing, 1 prints SB3's tables.
        env_kwargs: constructor arguments of the environment, where ``env`` is an id.

    Raises:
        ValueError: an unknown name (the nearest are named), a number, environment or device that
            cannot be, an area without the sense it needs, or a cost that asks of the worlds what
            they cannot tell.
    """

    policy_aliases: ClassVar[dict[str, Any]] = {}
    policy: BrainPolicy

    def __init__(
        self,
        structure: str | Blueprint,
        env: GymEnv | str | None,
        costs: str | Sequence[str | Cost] = "reward",
        *,
        learning_rate: float | Schedule = 2e-3,
        final_rate: float = 0.1,
        n_steps: int = 32,
        n_epochs: int = 3,
        n_minibatches: int = 4,
        gamma: float = 0.98,
        gae_lambda: float = 0.9,
        clip_range: float = 0.2,
        target_kl: float | None = None,
        max_grad_norm: float = 0.5,
        clip_by_area: bool = True,
        normalise_returns: bool = True,
        normalise_advantages: bool = True,
        budget: int | None = 40_000,
        width: int = 64,
        n_envs: int = 64,
        routing: str = "matched",
        development: Development | Mapping[str, Any] | None = None,
        credit: str = "backprop",
        log_gradients_every: int = 10,
        seed: int | None = None,
        device: torch.device | str = "cpu",
        tensorboard_log: str | None = None,
        verbose: int = 0,
        env_kwargs: Mapping[str, Any] | None = None,
        _init_setup_model: bool = True,
    ):
        if not isinstance(structure, str | Blueprint):
            raise ValueError(f"structure must be a name or a Blueprint, not {structure!r}")
        checks.whole(
            1,
            n_steps=n_steps,
            n_epochs=n_epochs,
            n_minibatches=n_minibatches,
            log_gradients_every=log_gradients_every,
            n_envs=n_envs,
            width=width,
        )
        checks.share(gamma=gamma, gae_lambda=gae_lambda, final_rate=final_rate)
        checks.amount(clip_range=clip_range, max_grad_norm=max_grad_norm)
        if not callable(learning_rate):
            checks.amount(learning_rate=learning_rate)
        if target_kl is not None:
            checks.amount(target_kl=target_kl)
        if budget is not None:
            checks.whole(1, budget=budget)
        if seed is not None:
            checks.whole(0, seed=seed)
        if routing not in ROUTINGS:
            raise ValueError(unknown("routing", routing, ROUTINGS))
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        device = checks.device(device)
        env = worlds_of(env, n_envs, seed, env_kwargs)
        if isinstance(learning_rate, int | float) and final_rate != 1:
            learning_rate = LinearSchedule(learning_rate, final_rate * learning_rate, 1.0)
        self._structure, self._costs = structure, costs
        self.n_steps, self.clip_range = n_steps, clip_range
        self.budget, self.width = budget, width
        self.settings = Settings(
            n_epochs=n_epochs,
            n_minibatches=n_minibatches,
            gamma=gamma,
            gae_lambda=gae_lambda,
            target_kl=target_kl,
            max_grad_norm=max_grad_norm,
            clip_by_area=clip_by_area,
            normalise_returns=normalise_returns,
            normalise_advantages=normalise_advantages,
            log_gradients_every=log_gradients_every,
            routing=routing,
            credit=credit,
        )
        self.development = (
            development
            if isinstance(development, Development)
            else Development.from_json({} if development is None else development)
        )
        self.n_updates = self._iteration = 0
        self._diary = Diary()
        super().__init__(
            policy=BrainPolicy,
            env=env,
            learning_rate=learning_rate,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            support_multi_env=True,
            monitor_wrapper=True,
            seed=seed,
        )
        if _init_setup_model:
            if env is None:
                raise ValueError("env is None; give an id, an environment or a VecEnv")
            self._setup_model()

    def _setup_model(self) -> None:
        assert self.seed is not None
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        senses = Senses(self.observation_space).sizes
        problem = problem_of(self.env)
        if isinstance(self._structure, str):
            self.blueprint = structure(self._structure, senses, problem)
        else:
            self.blueprint = self._structure
        distribution = action_distribution(self.action_space, self.blueprint.choices)
        self.costs = cost_set(self._costs, senses, problem, delay_of(self.env))
        if self.budget is not None:
            self.width = width_for(self.budget, self.blueprint, senses, distribution)
        brain = Brain(self.blueprint, senses, distribution, self.seed, self.width)
        if self.env is not None:
            check_truths(self.costs, self.env, brain)
        learner = Learner(
            brain,
            distribution,
            self._dealt(brain),
            self.settings,
            self.lr_schedule(1.0),
            self.seed,
            self.development,
        )
        self.policy = BrainPolicy(
            self.observation_space, self.action_space, learner, seed_of(self.seed, "predict")
        ).to(self.device)
        self._generator = torch.Generator(self.device).manual_seed(seed_of(self.seed, "explore"))
        self._present: Present | None = None

    def _dealt(self, brain: Brain) -> tuple[Cost, ...]:
        """Return the costs as the routing has them: as written, or each applied elsewhere."""
        if self.settings.routing != "shuffled":
            return self.costs
        assert self.seed is not None
        areas = {name: node.role for name, node in brain.blueprint.items()}
        learning = {
            name
            for name, area in brain.areas.items()
            if any(p.requires_grad for p in area.parameters())
        }
        above = {name: needed_by([name], brain.inputs) & learning for name in areas}
        return shuffled(self.costs, areas, above, self.seed)

    @property
    def learner(self) -> Learner:
        """What learning changes: areas, the costs' heads, normalisers."""
        return self.policy.learner

    @property
    def brain(self) -> Brain:
        """The areas."""
        return self.learner.brain

    @property
    def n_parameters(self) -> int:
        """Trainable numbers in the areas, without the heads of costs."""
        return self.brain.n_parameters

    def describe(self) -> str:
        """Return the areas, their wiring, the routing and what may not work here, as text."""
        lines = [str(self.brain), routes.table(self.learner.routes, list(self.blueprint)), MARKS]
        return "\n".join(lines + [f"note: {text}" for text in remarks(self)])

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int | None = 1,
        tb_log_name: str = "Agent",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Train for at least ``total_timesteps`` more environment steps; see SB3.

        Raises:
            ValueError: ``total_timesteps`` is no number of at least 0.
        """
        # Callbacks read the last step under SB3's name for it.
        total_timesteps, callback = self.begin(
            total_timesteps, callback, tb_log_name, reset_num_timesteps, progress_bar
        )
        assert self.env is not None
        assert self._present is not None
        callback.on_training_start(locals(), globals())
        while self.num_timesteps < total_timesteps:
            age = self.num_timesteps
            callback.on_rollout_start()
            rollout = collect(
                self.env,
                self.brain,
                self.learner.distribution,
                self.policy.senses,
                self._present,
                self.noise(),
                partial(self._on_step, callback),
                self.learner.truths,
            )
            callback.on_rollout_end()
            if rollout is None:
                break
            batch, facts = self.weigh(rollout, age, total_timesteps)
            facts |= self.learner.update(
                batch, age, self.clip_range, self._generator, self.n_updates
            )
            self.note(facts, log_interval)
        callback.on_training_end()
        return self

    def begin(
        self,
        total_timesteps: int,
        callback: MaybeCallback,
        tb_log_name: str,
        reset_num_timesteps: bool,
        progress_bar: bool,
    ) -> tuple[int, BaseCallback]:
        """Make ready to learn; returns the step to learn until, and the callbacks as one.

        This and what follows are :meth:`learn` in parts, for whoever trains several agents at once.
        """
        checks.amount(total_timesteps=total_timesteps)
        if self.env is None:
            raise ValueError("the agent has no environment to learn in; give it one: set_env")
        fresh = reset_num_timesteps or self._last_obs is None or self._present is None
        with without_folder(self):
            end, found = self._setup_learn(
                total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
            )
        if fresh:
            self._present = self._stand()
        self._iteration = 0
        return end, found

    def noise(self) -> Tensor:
        """Draw the exploration of a rollout, (time, worlds, numbers)."""
        return self.learner.distribution.draw((self.n_steps, self.n_envs), self._generator)

    def _on_step(self, callback: BaseCallback, facts: dict[str, Any]) -> bool:
        """Count a step of every world, and tell the callback; False stops."""
        self.count(facts)
        callback.update_locals(facts)
        return callback.on_step()

    def count(self, facts: dict[str, Any]) -> None:
        """Count a step of every world; ``facts`` are rewards, dones, infos and new_obs of it."""
        self.num_timesteps += self.n_envs
        if facts["dones"].any():
            self._update_info_buffer(facts["infos"], facts["dones"])
            self._diary.note_ends(facts["infos"], facts["dones"], self.learner.competence)

    def weigh(self, rollout: Rollout, age: int, end: int) -> tuple[Batch, dict[str, float]]:
        """Return what to learn from a rollout, and to log; moves the schedules on.

        Args:
            rollout: what happened.
            age: steps lived before it.
            end: the step to learn until.

        Raises:
            FloatingPointError: a score, or what the environment gave, is not finite; the message
                names the cost, or the reward or sense.
        """
        self._update_current_progress_remaining(self.num_timesteps, end)
        self._update_learning_rate(self.policy.optimizer)
        self.learner.look(age)
        batch, facts = scored(self.learner, rollout, age)
        senses = tuple(self.policy.senses.entries)
        given = [(name, rollout.tensors[name]) for name in ("reward", *senses)]
        given += [(name, rollout.after[0][name]) for name in senses]
        # One look at the numbers: each makes Python wait for the device.
        numbers = torch.stack([*facts.values(), *(x.sum() for _, x in given)]).tolist()
        found = dict(zip(facts, numbers, strict=False))
        # What comes in counts first: every cost would seem to be the culprit.
        for (name, x), total in zip(given, numbers[len(facts) :], strict=True):
            if not math.isfinite(total) and not x.isfinite().all():
                raise FloatingPointError(
                    f"the environment's {name} is not finite, within {self.n_steps} steps of each "
                    f"world after {age:,} steps in all"
                )
        for cost in self.learner.scores:
            # All scores share one surrogate: later every one of them would seem to be the culprit.
            if not math.isfinite(found[f"score/{cost.name}"]):
                raise FloatingPointError(
                    f"cost {cost.name!r} gave a score that is not finite at {age:,} steps; look "
                    f"for a root, a logarithm or a division by zero in it"
                )
        return batch, found

    def note(self, facts: Mapping[str, float], log_interval: int | None) -> None:
        """Count an update, and log what it told."""
        self.n_updates += 1
        self._iteration += 1
        self._diary.facts |= facts
        record(self, facts, log_interval is not None and self._iteration % log_interval == 0)

    def _stand(self) -> Present:
        """Return where the worlds stand after a reset."""
        assert self._last_obs is not None
        return Present.at_start(
            self.policy.senses(self._last_obs),
            self.brain.initial_state(self.n_envs),
            self.learner.distribution.features,
            self.device,
        )

    def diagnostics(self) -> dict[str, float]:
        """Return what happened since the last call.

        ``return``, ``score01`` and ``success`` are means over the episodes that ended, NaN
        where none did; ``cost/``, ``value/`` and ``grad/`` are of the newest update that measured
        them.
        """
        return self._diary.take()

    def predict(
        self,
        observation: Any,
        state: RecurrentState | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, RecurrentState | None]:
        """See :meth:`BrainPolicy.predict`."""
        return self.policy.predict(observation, state, episode_start, deterministic)

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Give the agent other worlds of the same spaces: an id, an environment or a VecEnv.

        Raises:
            ValueError: there is no such environment, its spaces are others, or it cannot tell what
                a cost asks of the worlds.
        """
        worlds = worlds_of(env, self.n_envs, self.seed or 0)
        if worlds is None:
            raise ValueError("set_env needs an environment, not None")
        worlds = self._wrap_env(worlds, self.verbose)
        check_truths(self.costs, worlds, self.brain)
        super().set_env(worlds, force_reset)

    def lesion(self, *areas: str, at: npt.ArrayLike = 0.0) -> Lesion:
        """Hold the output of areas still, whatever their input; until healed.

        It counts in :meth:`predict`, evaluation and recording, and in learning too, where a held
        area learns nothing; saving leaves it out. ``with agent.lesion("core"): ...`` heals at the
        block's end, ``agent.heal("core")`` at any time.

        Args:
            *areas: names, as :meth:`describe` shows them.
            at: what the output is held at: a number, or one for each unit, such as the mean over
                a recorded trace, ``trace["area/core"].mean(0)``.

        Raises:
            ValueError: no such area (the nearest are named), or numbers of another size.
        """
        return Lesion(self.brain, dict.fromkeys(areas, at))

    def heal(self, *areas: str) -> None:
        """Let lesioned areas work again; without names, all of them.

        Raises:
            ValueError: no such area; the nearest are named.
        """
        for area in areas:
            if area not in self.brain.areas:
                raise ValueError(unknown("area", area, list(self.brain.areas)))
        for lesion in self.brain.lesions:
            for area in areas or tuple(lesion):
                lesion.pop(area, None)
        self.brain.lesions = [lesion for lesion in self.brain.lesions if lesion]

    def save(
        self,
        path: storage.PathLike,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """Write the agent, without its worlds, as a zip of JSON and tensors.

        Args:
            path: the file; ``.zip`` is added where it has no ending.
            exclude: for SB3's signature only: there are no attributes to leave out.
            include: likewise.
        """
        storage.write(path, files.facts_of(self), files.tensors_of(self))

    @classmethod
    def load(
        cls,
        path: storage.PathLike,
        env: GymEnv | str | None = None,
        device: torch.device | str = "cpu",
        custom_objects: Mapping[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Read an agent that :meth:`save` wrote; none of the file's content is run as code.

        Args:
            path: the file.
            env: worlds to act or go on learning in, as the constructor takes them; their spaces
                must be the agent's. Where it is an id, ``n_envs`` is the file's unless given.
            device: of the tensors.
            custom_objects: refused, since nothing in the file is pickled.
            print_system_info: for SB3's signature only.
            force_reset: begin new episodes; the worlds are not in the file.
            **kwargs: settings to change, as the constructor takes them. The learning rate is the
                one that was reached, and stays; give ``final_rate`` to let it fall again.

        Raises:
            ValueError: not an agent's file, other spaces, an unregistered area or cost, or
                ``env`` or ``device`` cannot be.
        """
        if custom_objects is not None:
            raise ValueError(
                "an agent's file holds JSON and tensors, so there are no custom_objects to "
                "replace; give settings as keyword arguments"
            )
        return files.load(cls, path, env, device, kwargs)

    def get_parameters(self) -> dict[str, dict[str, Any]]:
        """Return the state dicts of the policy and of its optimiser."""
        return {
            "policy": self.learner.state_dict(),
            "policy.optimizer": self.policy.optimizer.state_dict(),
        }

    def set_parameters(
        self,
        load_path_or_dict: Any,
        exact_match: bool = True,
        device: torch.device | str = "auto",
    ) -> None:
        """Take over the parameters of a file or of :meth:`get_parameters`; see SB3."""
        files.set_parameters(self, load_path_or_dict, exact_match)

    def checkpoint(self, path: str | Path) -> None:
        """Write everything that going on bit for bit takes, worlds included where they can tell.

        Worlds of other environments have no state to write; there a restored run goes on with
        new episodes.
        """
        files.write_checkpoint(self, path)

    def restore(self, path: str | Path) -> None:
        """Go on from what :meth:`checkpoint` wrote, in an agent built with the same arguments.

        Raises:
            ValueError: the file is of an agent with other areas, costs or settings.
        """
        files.read_checkpoint(self, path)
