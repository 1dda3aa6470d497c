"""Cohort: several seeds of one agent, trained together as one batch of stacked parameters.

It is for a GPU, where a small network's step takes about as long as starting its kernels does. The
worlds of all seeds stand side by side, seed by seed, while they act and learn
(:mod:`motley.agents.stacked`); worlds are stepped, and rollouts scored, one seed after another.
What each seed learns, draws and normalises by is its own, so that each update is the one that it
would make alone, but for rounding; over many, rounding adds up, as between two machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv

from motley.agents.agent import Agent
from motley.agents.credit import Backprop, TruncatedBackprop
from motley.agents.rollout import Present, Rollout, collect
from motley.agents.stacked import StackedLearner, stacked
from motley.agents.worlds import setting_of

SAME = (
    *("blueprint", "width", "costs", "settings", "development", "n_steps", "n_envs", "clip_range"),
    *("observation_space", "action_space", "num_timesteps", "n_updates", "device"),
)
"""What the agents of a cohort have in common."""


class Cohort:
    """Agents that differ in their seed alone, to be trained together.

    Each stays an agent of its own: between two rollouts its weights, optimiser and worlds are
    what they would be had it learnt alone, but for rounding, and so they are after :meth:`learn`::

        agents = [Agent("matched", "motley/DarkHome-v0", "heterogeneous", seed=seed)
                  for seed in range(0, 1_000, 100)]
        Cohort(agents).learn(500_000)

    World i of an agent has its seed plus i, as SB3 has it, so that seeds lie apart by the number
    of worlds or more.

    Within a rollout a checkpoint has no worlds in it, and goes on with new episodes.

    Args:
        agents: at least one.

    Raises:
        ValueError: they differ in more than their seed, or something in them cannot be done for
            several at once; the message names it.
    """

    def __init__(self, agents: Sequence[Agent]):
        given: Any = agents
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise ValueError(f"a cohort takes a list of agents, not {given!r}")
        self.agents = tuple(agents)
        self._check()

    def _check(self) -> None:
        agents = self.agents
        if not agents or len(set(map(id, agents))) < len(agents):
            raise ValueError("a cohort takes at least one agent, and each once")
        first = agents[0]
        for agent in agents:
            if not isinstance(agent, Agent):
                raise ValueError(f"a cohort takes agents, not {agent!r}")
            if agent.env is None:
                raise ValueError("an agent of a cohort has no worlds; give it some: set_env")
            for name in SAME:
                if getattr(agent, name) != getattr(first, name):
                    raise ValueError(
                        f"the agents of a cohort differ in {name}; they may in their seed alone"
                    )
            here, there = setting_of(first.env), setting_of(agent.env)
            if here != there:
                raise ValueError(f"the agents of a cohort differ in their task: {here} and {there}")
            if odd := sorted({*frozen(agent)} ^ {*frozen(first)}):
                raise ValueError(
                    f"the agents of a cohort differ in whether {odd[0]!r} is frozen; freeze the "
                    f"same in each"
                )
            if any(agent.lr_schedule(x) != first.lr_schedule(x) for x in (1.0, 0.5, 0.0)):
                raise ValueError("the agents of a cohort differ in learning_rate or final_rate")
            self._refuse(agent)
        seeds = sorted(cast(int, agent.seed) for agent in agents)
        for seed, following in pairwise(seeds):
            if following - seed < first.n_envs:
                raise ValueError(
                    f"agents of seeds {seed} and {following} share worlds, since world i has its "
                    f"agent's seed + i; give seeds that are {first.n_envs} or more apart"
                )
        if len({id(agent.env) for agent in agents}) < len(agents):
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
    ) -> Self:
        """Train every agent for at least ``total_timesteps`` more steps; see :meth:`Agent.learn`.

        Args:
            total_timesteps: of each agent, in all its worlds.
            callbacks: one for each agent, or None; where one stops, all stop.
            log_interval: see SB3.
            tb_log_name: likewise; the agent's seed is added.
            reset_num_timesteps: likewise.

        Raises:
            ValueError: a wrong number of callbacks, one given twice, or what the class refuses.
            FloatingPointError: a cost is not finite; the message names it and the seed. It is
                found at the end of an update, by which that seed's weights are spoilt: go on from
                a checkpoint.
        """
        self._check()
        given = [None] * len(self.agents) if callbacks is None else list(callbacks)
        own = [one for one in given if one is not None]
        if len(given) != len(self.agents) or len(set(map(id, own))) < len(own):
            raise ValueError(
                f"{len(self.agents)} agents take as many callbacks, each its own, not {given}"
            )
        heard: list[BaseCallback] = []
        for agent, one in zip(self.agents, given, strict=True):
            name = f"{tb_log_name}_{agent.seed}"
            end, callback = agent.begin(
                total_timesteps, one, name, reset_num_timesteps, progress_bar=False
            )
            heard.append(callback)
            callback.on_training_start({"self": agent, "total_timesteps": end}, globals())
        first, worlds = self.agents[0], SideBySide([cast(VecEnv, a.env) for a in self.agents])
        with stacked(self.agents) as learner:
            while first.num_timesteps < end:
                age = first.num_timesteps
                for callback in heard:
                    callback.on_rollout_start()
                rollout = self._collect(worlds, learner, heard)
                for callback in heard:
                    callback.on_rollout_end()
                if rollout is None:
                    break
                parts = [rollout.of(*worlds.span(i)) for i in range(len(self.agents))]
                weighed = [
                    agent.weigh(part, age, end)
                    for agent, part in zip(self.agents, parts, strict=True)
                ]
                rates = {a.policy.optimizer.param_groups[0]["lr"] for a in self.agents}
                if len(rates) > 1:
                    raise ValueError(f"the agents of a cohort differ in learning_rate: {rates}")
                learnt = learner.update_all(
                    [batch for batch, _ in weighed],
                    age,
                    first.clip_range,
                    [agent._generator for agent in self.agents],
                    first.n_updates,
                    rates.pop(),
                )
                for agent, (_, facts), more in zip(self.agents, weighed, learnt, strict=True):
                    agent.note(facts | more, log_interval)
        for callback in heard:
            callback.on_training_end()
        return self

    def _collect(
        self, worlds: SideBySide, learner: StackedLearner, heard: Sequence[BaseCallback]
    ) -> Rollout | None:
        """Act for a rollout in all worlds; None where a callback stopped it."""
        present = Present.side_by_side([cast(Present, agent._present) for agent in self.agents])

        def on_step(facts: dict[str, Any]) -> bool:
            parts = [worlds.part(i, facts) for i in range(len(self.agents))]
            for agent, part in zip(self.agents, parts, strict=True):
                agent.count(part)
            go_on = True
            for callback, part in zip(heard, parts, strict=True):
                callback.update_locals(part)
                go_on = callback.on_step() and go_on
            return go_on

        noise = torch.cat([agent.noise() for agent in self.agents], 1)
        senses = self.agents[0].policy.senses
        for agent in self.agents:
            agent._present = None
        try:
            return collect(
                worlds,
                learner.brain,
                learner.distribution,
                senses,
                present,
                noise,
                on_step,
                learner.truths,
            )
        finally:
            for i, agent in enumerate(self.agents):
                agent._present = present.of(*worlds.span(i))


class SideBySide:
    """The worlds of several VecEnvs of equal size, as those of one.

    Args:
        envs: at least one.
    """

    def __init__(self, envs: Sequence[VecEnv]):
        self.envs, self.each = envs, envs[0].num_envs
        self.num_envs = self.each * len(envs)
        self._seen: tuple[Any, ...] = ()

    def span(self, i: int) -> tuple[int, int]:
        """Return the first world of one, and the one after its last."""
        return i * self.each, (i + 1) * self.each

    def step(self, actions: npt.NDArray[Any]) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Take a step in every world."""
        for i, env in enumerate(self.envs):
            env.step_async(actions[slice(*self.span(i))])
        self._seen, rewards, dones, infos = zip(
            *(env.step_wait() for env in self.envs), strict=True
        )
        joined: Any = (
            {name: np.concatenate([o[name] for o in self._seen]) for name in self._seen[0]}
            if isinstance(self._seen[0], dict)
            else np.concatenate(self._seen)
        )
        return (
            joined,
            np.concatenate(rewards),
            np.concatenate(dones),
            [info for some in infos for info in some],
        )

    def env_method(self, method_name: str, *method_args: Any) -> list[Any]:
        """Call a method of every world."""
        return [x for env in self.envs for x in env.env_method(method_name, *method_args)]

    def part(self, i: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is told of the newest step for one."""
        here = slice(*self.span(i))
        told = {name: facts[name][here] for name in ("rewards", "dones", "infos")}
        return told | {"new_obs": self._seen[i]}


def frozen(agent: Agent) -> list[str]:
    """Return the names of an agent's parameters that do not learn."""
    return [name for name, p in agent.learner.named_parameters() if not p.requires_grad]
