"""Collecting experience: whole sequences, with the state carried from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from motley.agents.actions import ActionDistribution
from motley.agents.brain import Brain, BrainState, gather_state, join_states
from motley.agents.spaces import Senses


class Worlds(Protocol):
    """What is needed of a VecEnv here."""

    num_envs: int

    def step(
        self, actions: npt.NDArray[Any], /
    ) -> tuple[Any, npt.NDArray[np.float32], npt.NDArray[np.bool_], list[dict[str, Any]]]:
        """Take a step in every world; see VecEnv."""
        ...

    def env_method(self, method_name: str, /, *method_args: Any) -> list[Any]:
        """Call a method of every world; see VecEnv."""
        ...


class Rollout(NamedTuple):
    """Experience of ``n_steps`` steps in every world.

    Attributes:
        tensors: senses, ``action``, ``previous_action``, ``reward``, ``episode_start``,
            ``terminated``, and the truths that costs ask for: a trace's tensors,
            (time, worlds, ...).
        outputs: areas' outputs while acting, (time, worlds, size).
        actions: as the distribution gave them, (time, worlds, numbers).
        state: the brain's state before the first step.
        ends: (time, worlds) bool, the episode ended with this step.
        terminated: (time, worlds) bool, and no value follows.
        truncated_at: (2, M) time and world of steps that were cut off.
        after: what followed, a sequence of one step: the senses, ``previous_action`` and state of
            every world after the last step, and then of each truncated step before its reset.
        truths_after: the truths after the last step, (1, worlds, ...).
    """

    tensors: dict[str, Tensor]
    outputs: dict[str, Tensor]
    actions: Tensor
    state: BrainState
    ends: Tensor
    terminated: Tensor
    truncated_at: Tensor
    after: tuple[dict[str, Tensor], BrainState]
    truths_after: dict[str, Tensor]

    def of(self, first: int, stop: int) -> Rollout:
        """Return the part of the worlds from ``first`` up to, but not with, ``stop``."""
        time, world = self.truncated_at
        here = (world >= first) & (world < stop)
        worlds = torch.arange(first, stop, device=world.device)
        followers = torch.cat((worlds, self.ends.shape[1] + torch.nonzero(here).flatten()))
        known, state = self.after
        return Rollout(
            {name: x[:, first:stop] for name, x in self.tensors.items()},
            {name: x[:, first:stop] for name, x in self.outputs.items()},
            self.actions[:, first:stop],
            gather_state(self.state, worlds),
            self.ends[:, first:stop],
            self.terminated[:, first:stop],
            torch.stack((time, world - first))[:, here],
            ({name: x[:, followers] for name, x in known.items()}, gather_state(state, followers)),
            {name: x[:, first:stop] for name, x in self.truths_after.items()},
        )


@dataclass
class Present:
    """Where every world stands between two steps: what the next rollout begins with.

    Attributes:
        senses: of every world, (worlds, features).
        start: (worlds,) bool, an episode starts.
        action: the action before, as areas see it, (worlds, features); zero at a start.
        state: the brain's.
    """

    senses: dict[str, Tensor]
    start: Tensor
    action: Tensor
    state: BrainState

    @classmethod
    def at_start(
        cls,
        senses: Mapping[str, npt.NDArray[np.float32]],
        state: BrainState,
        features: int,
        device: torch.device,
    ) -> Self:
        """Return where worlds stand before an episode.

        Args:
            senses: of every world, (worlds, features).
            state: the brain's.
            features: numbers of an action as areas see it.
            device: of the tensors.
        """
        worlds = len(next(iter(senses.values())))
        return cls(
            {name: torch.as_tensor(x, device=device) for name, x in senses.items()},
            torch.ones(worlds, dtype=torch.bool, device=device),
            torch.zeros(worlds, features, device=device),
            state,
        )

    @classmethod
    def side_by_side(cls, parts: Sequence[Self]) -> Self:
        """Return where the worlds of all parts stand."""
        return cls(
            {name: torch.cat([p.senses[name] for p in parts]) for name in parts[0].senses},
            torch.cat([p.start for p in parts]),
            torch.cat([p.action for p in parts]),
            join_states([p.state for p in parts]),
        )

    def of(self, first: int, stop: int) -> Self:
        """Return the part of the worlds from ``first`` up to, but not with, ``stop``."""
        worlds = torch.arange(first, stop, device=self.start.device)
        return type(self)(
            {name: x[first:stop] for name, x in self.senses.items()},
            self.start[first:stop],
            self.action[first:stop],
            gather_state(self.state, worlds),
        )


@torch.no_grad()
def collect(
    env: Worlds,
    brain: Brain,
    distribution: ActionDistribution,
    senses: Senses,
    present: Present,
    noise: Tensor,
    on_step: Callable[[dict[str, Any]], bool],
    truths: Sequence[str] = (),
) -> Rollout | None:
    """Act in every world, a step for each of the exploration's noise.

    Args:
        env: the worlds.
        brain: who acts.
        distribution: over its actions.
        senses: turns observations into numbers.
        present: where the worlds stand; moved on in place.
        noise: of the exploration, drawn for the whole rollout at once, (time, worlds, numbers).
        on_step: called after each step with what SB3's callbacks see; False stops.
        truths: names of what costs ask of the worlds, see :attr:`motley.costs.Cost.truths`.

    Returns:
        The rollout, or None where ``on_step`` stopped it.

    Raises:
        FloatingPointError: an action came of a sense, or of an area's output, that is not finite;
            the message names the first.
    """
    n_steps, n, device = len(noise), env.num_envs, present.start.device
    first_state, first_start = present.state, present.start.unsqueeze(0).clone()
    log_std = brain.log_std_of(n)
    known: list[dict[str, Tensor]] = []
    told: list[dict[str, Tensor]] = []
    outputs: list[dict[str, Tensor]] = []
    actions: list[Tensor] = []
    features: list[Tensor] = []
    rewards = np.empty((n_steps, n), np.float32)
    ends = np.empty((n_steps, n), bool)
    cut: list[tuple[int, int]] = []
    cut_observations: list[Any] = []
    cut_states: list[BrainState] = []

    for t in range(n_steps):
        now = {name: x.unsqueeze(0) for name, x in present.senses.items()}
        now["previous_action"] = present.action.unsqueeze(0)
        start = present.start.unsqueeze(0)
        if truths:
            told.append(_truths(env, truths, device))
        output, present.state = brain(now, present.state, start, brain.acting)
        action = distribution.sample(output[brain.roles["actor"]][0], log_std, noise[t])
        present.action = distribution.encode(action)
        actions.append(action)
        features.append(present.action)
        known.append(now)
        outputs.append(output)

        try:
            observation, reward, done, infos = env.step(distribution.to_environment(action))
        except ValueError:
            # Worlds refuse an action that is no number; where it comes from is what helps.
            _check_finite(now, output, t)
            raise
        rewards[t], ends[t] = reward, done
        ended = bool(done.any())
        if ended:
            here = [i for i in np.flatnonzero(done) if infos[i].get("TimeLimit.truncated", False)]
            if here:
                cut += [(t, int(i)) for i in here]
                cut_observations += [infos[i]["terminal_observation"] for i in here]
                cut_states.append(gather_state(present.state, torch.as_tensor(here, device=device)))
        present.senses = {
            name: torch.as_tensor(x, device=device) for name, x in senses(observation).items()
        }
        present.start = torch.as_tensor(done, device=device)
        if ended:
            present.action = present.action * (~present.start).unsqueeze(-1)
        if not on_step({"rewards": reward, "dones": done, "infos": infos, "new_obs": observation}):
            return None

    if not torch.cat([o[brain.roles["actor"]] for o in outputs]).isfinite().all():
        # A choice among several is an action whatever it was made of.
        for t, (now, output) in enumerate(zip(known, outputs, strict=True)):
            _check_finite(now, output, t)
    tensors = {name: torch.cat([k[name] for k in known]) for name in known[0]}
    tensors |= {name: torch.cat([now[name] for now in told]) for name in truths}
    tensors["action"] = encoded = torch.stack(features)
    tensors["reward"] = torch.as_tensor(rewards, device=device)
    end = torch.as_tensor(ends, device=device)
    tensors["episode_start"] = torch.cat((first_start, end[:-1]))
    truncated_at = torch.as_tensor(cut, dtype=torch.long, device=device).reshape(-1, 2).t()
    terminated = end.clone()
    terminated[truncated_at[0], truncated_at[1]] = False
    tensors["terminated"] = terminated
    return Rollout(
        tensors,
        {name: torch.cat([o[name] for o in outputs]) for name in outputs[0]},
        torch.stack(actions),
        first_state,
        end,
        terminated,
        truncated_at,
        _after(present, encoded, senses, truncated_at, cut_observations, cut_states),
        _truths(env, truths, device),
    )


def _check_finite(senses: Mapping[str, Tensor], output: Mapping[str, Tensor], t: int) -> None:
    """Raise by the first sense, or else the first area's output, that is not finite in a step.

    Raises:
        FloatingPointError: names it and the step.
    """
    for name, x in senses.items():
        if not x.isfinite().all():
            raise FloatingPointError(
                f"the environment's {name} is not finite before step {t + 1} of a rollout"
            ) from None
    for name, x in output.items():
        if not x.isfinite().all():
            raise FloatingPointError(
                f"the output of area {name!r} is not finite in step {t + 1} of a rollout; "
                f"look for a root, a logarithm or a division by zero in it"
            ) from None


def _truths(env: Worlds, names: Sequence[str], device: torch.device) -> dict[str, Tensor]:
    """Return what is so now, by name, (1, worlds, ...)."""
    told = {name: np.stack(env.env_method("truth", name)) for name in names}
    return {name: torch.as_tensor(x, device=device).unsqueeze(0) for name, x in told.items()}


def _after(
    present: Present,
    features: Tensor,
    senses: Senses,
    truncated_at: Tensor,
    observations: list[Any],
    states: list[BrainState],
) -> tuple[dict[str, Tensor], BrainState]:
    """Return the step that follows: of every world, then of each truncated episode."""
    known = {**present.senses, "previous_action": present.action}
    state = present.state
    if observations:
        first = observations[0]
        batch = (
            {name: np.stack([o[name] for o in observations]) for name in first}
            if isinstance(first, dict)
            else np.stack(observations)
        )
        last = {k: torch.as_tensor(x, device=features.device) for k, x in senses(batch).items()}
        last["previous_action"] = features[truncated_at[0], truncated_at[1]]
        known = {name: torch.cat((x, last[name])) for name, x in known.items()}
        state = join_states([state, *states])
    return {name: x.unsqueeze(0) for name, x in known.items()}, state
