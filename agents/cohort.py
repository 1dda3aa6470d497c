"""Cohort: several seeds of one agent, trained together as one batch of stacked parameters.

On a GPU a small network's step takes as long as starting its kernels does, so that ten seeds side
by side take hardly longer than one. The worlds of all seeds stand side by side, seed by seed; areas
and costs' heads, stacked, run once for all (:func:`torch.func.vmap`); what each seed learns, draws
and normalises by is its own, so that it ends as if it had been trained alone, but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_map

from motley.agents.agent import Agent
from motley.agents.areas import State
from motley.agents.batch import Batch
from motley.agents.brain import Brain, join_states
from motley.agents.credit import Backprop, TruncatedBackprop
from motley.agents.gradients import Tape
from motley.agents.rollout import Present, collect
from motley.agents.update import Learner

Tensors = dict[str, Tensor]
SAME = (
    *("blueprint", "width", "costs", "settings", "development", "n_steps", "n_envs", "clip_range"),
    *("observation_space", "action_space", "num_timesteps", "device"),
)
"""What the agents of a cohort have in common."""


class Cohort:
    """Agents that differ in their seed alone, to be trained together.

    Each stays an agent of its own: its weights, optimiser, worlds and callbacks are what they
    would be had it learnt alone, during :meth:`learn` as well as after it::

        agents = [Agent("matched", "motley/DarkHome-v0", "heterogeneous", seed=seed)
                  for seed in range(10)]
        Cohort(agents).learn(500_000)

    Args:
        agents: at least one.

    Raises:
        ValueError: they differ in more than their seed, or something in them cannot be done for
            several at once; the message names it.
    """

    def __init__(self, agents: Sequence[Agent]):
        self.agents = tuple(agents)
        if not self.agents or len(set(map(id, agents))) < len(self.agents):
            raise ValueError("a cohort takes at least one agent, and each once")
        first = self.agents[0]
        for agent in self.agents:
            if agent.env is None:
                raise ValueError("an agent of a cohort has no worlds; give it some: set_env")
            for name in SAME:
                if getattr(agent, name) != getattr(first, name):
                    raise ValueError(
                        f"the agents of a cohort differ in {name}; they may in their seed alone"
                    )
            if any(agent.lr_schedule(x) != first.lr_schedule(x) for x in (1.0, 0.5, 0.0)):
                raise ValueError("the agents of a cohort differ in learning_rate or final_rate")
            self._refuse(agent)
        if len({id(agent.env) for agent in agents}) < len(self.agents):
            raise ValueError("two agents of a cohort share their worlds; give each its own")

    @staticmethod
    def _refuse(agent: Agent) -> None:
        """Raise where an agent does what can only be done for one at a time."""
        learner, alone = agent.learner, "train its seeds one by one"
        if learner.lessons:
            raise ValueError(f"cost {next(iter(learner.lessons))!r} draws lessons anew; {alone}")
        if type(learner.credit) not in (Backprop, TruncatedBackprop):
            raise ValueError(f"credit rule {agent.settings.credit!r} is not for several; {alone}")
        if agent.settings.routing == "shuffled":
            raise ValueError(f"routing 'shuffled' differs from seed to seed; {alone}")
        if agent.settings.target_kl is not None:
            raise ValueError(f"target_kl stops each seed at another step; {alone}")
        schedules = [cost.schedule for cost in learner.costs.values()]
        if learner.development.triggers or any(s.since is not None for s in schedules):
            raise ValueError(f"development by competence takes each seed its own time; {alone}")
        if agent.brain.held:
            raise ValueError(f"area {next(iter(agent.brain.held))!r} is lesioned; heal it first")

    def learn(
        self,
        total_timesteps: int,
        callbacks: Sequence[MaybeCallback] | None = None,
        log_interval: int | None = 1,
        tb_log_name: str = "Agent",
        reset_num_timesteps: bool = True,
    ) -> Cohort:
        """Train every agent for at least ``total_timesteps`` more steps; see :meth:`Agent.learn`.

        Args:
            total_timesteps: of each agent, in all its worlds.
            callbacks: one for each agent, or None; where one stops, all stop.
            log_interval: see SB3.
            tb_log_name: likewise.
            reset_num_timesteps: likewise.

        Raises:
            ValueError: a wrong number of callbacks.
            FloatingPointError: a cost is not finite; the message names it and the seed.
        """
        given = [None] * len(self.agents) if callbacks is None else list(callbacks)
        if len(given) != len(self.agents):
            raise ValueError(f"{len(given)} callbacks for {len(self.agents)} agents")
        heard: list[BaseCallback] = []
        for agent, one in zip(self.agents, given, strict=True):
            end, callback = agent.begin(
                total_timesteps, one, tb_log_name, reset_num_timesteps, progress_bar=False
            )
            heard.append(callback)
        first, worlds = self.agents[0], _SideBySide([cast(VecEnv, a.env) for a in self.agents])

        def on_step(facts: dict[str, Any]) -> bool:
            go_on = True
            for i, (agent, callback) in enumerate(zip(self.agents, heard, strict=True)):
                go_on = agent.on_step(callback, worlds.part(i, facts)) and go_on
            return go_on

        for callback in heard:
            callback.on_training_start(locals(), globals())
        with _stacked(self.agents) as learner:
            while first.num_timesteps < end:
                age = first.num_timesteps
                for callback in heard:
                    callback.on_rollout_start()
                present = Present.side_by_side([cast(Present, a._present) for a in self.agents])
                rollout = collect(
                    worlds,
                    learner.brain,
                    learner.distribution,
                    first.policy.senses,
                    present,
                    torch.cat([agent.noise() for agent in self.agents], 1),
                    on_step,
                )
                for i, agent in enumerate(self.agents):
                    agent._present = present.of(*worlds.span(i))
                for callback in heard:
                    callback.on_rollout_end()
                if rollout is None:
                    break
                weighed = [
                    agent.weigh(rollout.of(*worlds.span(i)), age, end)
                    for i, agent in enumerate(self.agents)
                ]
                learnt = learner.update_all(
                    [batch for batch, _ in weighed],
                    age,
                    first.clip_range,
                    [agent._generator for agent in self.agents],
                    first.n_updates,
                    first.policy.optimizer.param_groups[0]["lr"],
                )
                for agent, (_, facts), more in zip(self.agents, weighed, learnt, strict=True):
                    agent.note(facts | more, log_interval)
        for callback in heard:
            callback.on_training_end()
        return self


class _SideBySide:
    """The worlds of several VecEnvs of equal size, as those of one."""

    def __init__(self, envs: Sequence[VecEnv]):
        self.envs, self.each = envs, envs[0].num_envs
        self.num_envs = self.each * len(envs)

    def span(self, i: int) -> tuple[int, int]:
        """Return the first world of one, and the one after its last."""
        return i * self.each, (i + 1) * self.each

    def step(self, actions: npt.NDArray[Any]) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Take a step in every world."""
        for i, env in enumerate(self.envs):
            env.step_async(actions[slice(*self.span(i))])
        found = [env.step_wait() for env in self.envs]
        observations, rewards, dones, infos = zip(*found, strict=True)
        self._seen = observations
        joined: Any = (
            {name: np.concatenate([o[name] for o in observations]) for name in observations[0]}
            if isinstance(observations[0], dict)
            else np.concatenate(observations)
        )
        return (
            joined,
            np.concatenate(rewards),
            np.concatenate(dones),
            [info for some in infos for info in some],
        )

    def part(self, i: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is told of a step for one."""
        here = slice(*self.span(i))
        told = {name: facts[name][here] for name in ("rewards", "dones", "infos")}
        return told | {"new_obs": self._seen[i]}


class _Brains(Brain):
    """The brains of several agents, whose worlds stand side by side.

    Its own areas only say what is done, with the weights of all agents. What an area is drawn with
    has to be a parameter or a buffer, as its files want too.

    Args:
        agents: of equal structure.

    Attributes:
        weights: parameters and buffers of each area, each with the agents as first axis.
    """

    def __init__(self, agents: Sequence[Agent]):
        first = agents[0]
        super().__init__(
            first.blueprint, first.policy.senses.sizes, first.policy.distribution, width=first.width
        )
        self.n, self.weights = len(agents), dict[str, tuple[Tensors, Tensors]]()

    def log_std_of(self, worlds: int) -> Tensor:
        """See :class:`Brain`; (worlds, deviations)."""
        log_std = self.weights[self.roles["actor"]][0]["log_std"]
        return log_std.repeat_interleave(worlds // self.n, 0)

    def _area(
        self, name: str, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """Run one area of all brains."""
        area, (parameters, buffers) = self.areas[name], self.weights[name]
        if not parameters and not buffers:
            return super()._area(name, inputs, state, episode_start)

        def run(
            parameters: Tensors, buffers: Tensors, inputs: Any, state: State, start: Tensor
        ) -> tuple[Tensor, State]:
            def one(*given: Any) -> tuple[Tensor, State]:
                found: tuple[Tensor, State] = functional_call(area, (parameters, buffers), given)
                return found

            return self.credit.run(one, inputs, state, start)

        try:
            output, after = vmap(run, in_dims=(0, 0, 1, 0, 1), out_dims=(1, 0))(
                parameters,
                buffers,
                tuple(self.apart(x, 1) for x in inputs),
                {key: self.apart(x, 0) for key, x in state.items()},
                self.apart(episode_start, 1),
            )
        except RuntimeError as error:
            raise ValueError(
                f"area {name!r} ({type(area).__name__}) cannot run for several agents at once, "
                f"train its seeds one by one: {error}"
            ) from error
        return output.flatten(1, 2), {key: x.flatten(0, 1) for key, x in after.items()}

    def apart(self, x: Tensor, axis: int) -> Tensor:
        """Return a tensor with an axis for the agents before that of each one's worlds."""
        return torch.unflatten(x, axis, (self.n, -1))


class _Learners(Learner):
    """The learners of several agents, whose weights are stacked.

    Its own heads only say what is done, as the areas of :class:`_Brains` do.
    """

    def __init__(self, agents: Sequence[Agent]):
        first = agents[0].learner
        brain = _Brains(agents)
        rate = first.optimizer.param_groups[0]["lr"]
        super().__init__(
            brain,
            first.distribution,
            list(first.costs.values()),
            first.settings,
            rate,
            first.seed,
            first.development,
        )
        self.to(agents[0].device)
        self.n, self.learners = len(agents), [agent.learner for agent in agents]
        self.stacked = dict[str, nn.Parameter]()
        """Parameters by name, each with the agents as first axis."""
        self._stack()
        named = {id(p): name for name, p in self.named_parameters()}

        def of(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
            return [self.stacked[named[id(p)]] for p in parameters]

        self.area_parameters = {a: of(ps) for a, ps in self.area_parameters.items()}
        self.followers = self.area_parameters
        self.head_parameters = {c: of(ps) for c, ps in self.head_parameters.items()}
        groups = [{**group, "params": of(group["params"])} for group in self.optimizer.param_groups]
        self.optimizer = torch.optim.Adam(groups, lr=rate, eps=1e-5, fused=True)
        self._stack_moments()
        for name in brain.areas:
            path = f"brain.areas.{name}."
            brain.weights[name] = _below(path, self.stacked), _below(path, self._own_buffers())

    def _own_buffers(self) -> Tensors:
        """Return the learners' buffers, stacked by name."""
        each = [dict(learner.named_buffers()) for learner in self.learners]
        return {name: torch.stack([found[name] for found in each]) for name in each[0]}

    def _stack(self) -> None:
        """Stack the learners' parameters, and let each learner's own be a part of the whole."""
        for name, p in self.learners[0].named_parameters():
            each = [learner.get_parameter(name) for learner in self.learners]
            whole = torch.stack([one.detach() for one in each])
            self.stacked[name] = nn.Parameter(whole, requires_grad=p.requires_grad)
            for one, part in zip(each, self.stacked[name].detach(), strict=True):
                one.data = part

    def _stack_moments(self) -> None:
        """Stack the state of the learners' optimisers likewise."""
        for name, whole in self.stacked.items():
            if not whole.requires_grad:
                continue
            states = [one.optimizer.state[one.get_parameter(name)] for one in self.learners]
            made: dict[str, Tensor] = {"step": torch.zeros((), device=whole.device)}
            if states[0]:
                made["step"] = states[0]["step"].clone()
            for key in ("exp_avg", "exp_avg_sq"):
                found = [s[key] if s else torch.zeros_like(whole[0]) for s in states]
                made[key] = torch.stack(found)
            self.optimizer.state[whole] = made
            for i, state in enumerate(states):
                moments = {key: made[key][i] for key in ("exp_avg", "exp_avg_sq")}
                state.update(moments | {"step": made["step"]})

    def release(self) -> None:
        """Give each learner weights and an optimiser's state of its own again."""
        for learner in self.learners:
            for p in learner.parameters():
                p.data = p.data.clone()
                if p in learner.optimizer.state:
                    state = learner.optimizer.state[p]
                    state.update({name: x.clone() for name, x in state.items()})

    def update_all(
        self,
        batches: Sequence[Batch],
        age: int,
        clip_range: float,
        generators: Sequence[torch.Generator],
        n_update: int,
        rate: float,
    ) -> list[dict[str, float]]:
        """Do as :meth:`Learner.update` for each learner, and look at no number before the end.

        Args:
            batches: of each learner.
            age: see there.
            clip_range: likewise.
            generators: of each learner's minibatches.
            n_update: likewise.
            rate: of learning.

        Returns:
            What to log, of each learner.
        """
        settings, weights, plasticity = self.settings, self.weights(age), self.plasticity(age)
        log: dict[str, Any] = {f"weight/{name}": weight for name, weight in weights.items()}
        log |= {f"plasticity/{name}": gate for name, gate in plasticity.items()}
        shut = frozenset(name for name, gate in plasticity.items() if gate == 0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * (plasticity[group["area"]] if "area" in group else group["rate"])
        keep_order, cut = self.plan(weights, shut)
        buffers = self._own_buffers()
        sums, count = dict[str, Tensor](), 0
        for _ in range(settings.n_epochs):
            each = [
                batch.minibatches(settings.n_minibatches, keep_order, generator)
                for batch, generator in zip(batches, generators, strict=True)
            ]
            for parts in zip(*each, strict=True):
                tape = Tape(self.brain.inputs) if cut else None
                losses, facts = self._losses_of(parts, buffers, weights, clip_range, tape)
                if count == 0 and n_update % settings.log_gradients_every == 0:
                    log |= self._norms(losses, shut, tape)
                self._zero_grad()
                self.route({name: x.sum() for name, x in losses.items()}, shut, tape=tape)
                self.clip()
                self.optimizer.step()
                count += 1
                found = {f"cost/{name}": x.detach() for name, x in losses.items()} | facts
                for name, x in found.items():
                    sums[name] = sums[name] + x if name in sums else x
        log |= {name: total / count for name, total in sums.items()} | {"gradient_steps": count}
        return self._checked(log, n_update)

    def _checked(self, log: Mapping[str, Any], n_update: int) -> list[dict[str, float]]:
        """Return each learner's part of a log, where all costs were finite."""
        tensors = {name: x for name, x in log.items() if isinstance(x, Tensor)}
        numbers = torch.stack([*tensors.values()], 1).tolist()
        found = []
        for learner, row in zip(self.learners, numbers, strict=True):
            own = dict(log) | dict(zip(tensors, row, strict=True))
            for name, value in own.items():
                if name.startswith("cost/") and not math.isfinite(value):
                    raise FloatingPointError(
                        f"cost {name.removeprefix('cost/')!r} of seed {learner.seed} is not finite "
                        f"in update {n_update}; look for a root or a logarithm of zero in it, or "
                        f"lower the learning rate"
                    )
            found.append(own)
        return found

    def _losses_of(
        self,
        parts: Sequence[Batch],
        buffers: Tensors,
        weights: Mapping[str, float],
        clip_range: float,
        tape: Tape | None,
    ) -> tuple[Tensors, Tensors]:
        """Return the mean loss of each cost on minibatches, and PPO's facts: (learners,) each.

        Args:
            parts: a minibatch of each learner.
            buffers: of all, stacked by name.
            weights: of the costs.
            clip_range: of PPO's probability ratio.
            tape: cut the graph at the areas' borders and note here how it went on.
        """
        brain, whole = cast(_Brains, self.brain), _join(parts)
        starts = whole.tensors["episode_start"]
        outputs, _ = brain(whole.tensors, whole.state, starts, brain.learning, tape)
        read: Tensors = {
            name: p
            for name, p in self.stacked.items()
            if p is self.log_std or not name.startswith("brain.areas.")
        }

        def one(
            read: Tensors,
            buffers: Tensors,
            outputs: Tensors,
            tensors: Tensors,
            actions: Tensor,
            log_prob: Tensor,
            advantages: Tensors,
        ) -> tuple[Tensors, Tensors]:
            # No area runs here, so that no state is asked for.
            part = Batch(tensors, actions, log_prob, advantages, {})
            arguments = (outputs, part, weights, clip_range)
            losses, facts = functional_call(self, (read, buffers), arguments)
            return {name: loss.mean() for name, loss in losses.items()}, facts

        given = (whole.tensors, whole.actions, whole.log_prob, whole.advantages)
        apart = tree_map(partial(brain.apart, axis=1), (outputs, *given))
        try:
            found: tuple[Tensors, Tensors] = vmap(one, in_dims=(0, 0, *(1 for _ in apart)))(
                read, buffers, *apart
            )
        except RuntimeError as error:
            raise ValueError(
                f"a cost of {', '.join(self.costs)} cannot be computed for several agents at once, "
                f"train their seeds one by one: {error}"
            ) from error
        return found

    @property
    def log_std(self) -> nn.Parameter:
        """See :class:`Learner`; (learners, deviations)."""
        return self.stacked[f"brain.areas.{self.brain.roles['actor']}.log_std"]

    def _norms(
        self, losses: Mapping[str, Tensor], shut: frozenset[str], tape: Tape | None
    ) -> Tensors:
        """Return ``grad/<cost>/<area>``, (learners,); see :meth:`Learner.gradient_norms`."""
        nothing = torch.zeros(self.n, device=self.log_std.device)
        cells = (f"grad/{name}/{area}" for name in self.routes for area in self.area_parameters)
        norms = dict.fromkeys(cells, nothing)
        for name, loss in losses.items():
            self._zero_grad()
            self.route({name: loss.sum()}, shut, retain_graph=True, tape=tape)
            for area, parameters in self.area_parameters.items():
                squares = [
                    p.grad.reshape(self.n, -1).square().sum(1)
                    for p in parameters
                    if p.grad is not None
                ]
                if squares:
                    norms[f"grad/{name}/{area}"] = torch.stack(squares).sum(0).sqrt()
        return norms

    @torch.no_grad()
    def clip(self) -> None:
        """Clip gradients learner by learner; see :meth:`Learner.clip`."""
        for group in self.clipped_together():
            found = [p for p in group if p.grad is not None]
            if not found:
                continue
            flat = torch.cat([cast(Tensor, p.grad).reshape(self.n, -1) for p in found], 1)
            norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
            flat *= (self.settings.max_grad_norm / (norm + 1e-6)).clamp(max=1.0)
            sizes = [p[0].numel() for p in found]
            for p, part in zip(found, torch.split(flat, sizes, 1), strict=True):
                # The fused optimiser reads memory as it lies.
                p.grad = part.contiguous().view_as(p)


def _below(path: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Return the tensors whose names begin with ``path``, by the rest of their names."""
    return {k.removeprefix(path): x for k, x in tensors.items() if k.startswith(path)}


@contextmanager
def _stacked(agents: Sequence[Agent]) -> Iterator[_Learners]:
    """Stack the weights of agents, and give each its own again."""
    learners = _Learners(agents)
    try:
        yield learners
    finally:
        learners.release()


def _join(parts: Sequence[Batch]) -> Batch:
    """Return the minibatches of several learners side by side."""

    def cat(each: Sequence[Tensor]) -> Tensor:
        return torch.cat([*each], 1)

    first = parts[0]
    return Batch(
        {name: cat([p.tensors[name] for p in parts]) for name in first.tensors},
        cat([p.actions for p in parts]),
        cat([p.log_prob for p in parts]),
        {name: cat([p.advantages[name] for p in parts]) for name in first.advantages},
        join_states([p.state for p in parts]),
    )


__all__ = ["Cohort"]
