"""The brain as SB3 sees it: a policy object."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs

from motley.agents.actions import ActionDistribution
from motley.agents.brain import BrainState
from motley.agents.spaces import Senses
from motley.agents.update import Learner

RecurrentState = tuple[npt.NDArray[Any], ...]


class BrainPolicy(BasePolicy):
    """A learner's brain behind SB3's interface of policies.

    Args:
        observation_space: of one environment.
        action_space: of one environment.
        learner: the brain, the costs' heads and the optimiser.
        seed: of the samples that :meth:`predict` draws.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        learner: Learner,
        seed: int,
    ):
        super().__init__(observation_space, action_space)
        self.learner = learner
        self.optimizer = learner.optimizer
        self.senses = Senses(observation_space)
        # Not the generator of training: watching an agent must not change how it learns.
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def distribution(self) -> ActionDistribution:
        """The distribution over actions."""
        return self.learner.distribution

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        """Act on the first step of an episode; :meth:`predict` is the one that remembers."""
        arrays = (
            {k: x.cpu().numpy() for k, x in observation.items()}
            if isinstance(observation, dict)
            else observation.cpu().numpy()
        )
        return torch.as_tensor(self.predict(arrays, deterministic=deterministic)[0])

    def predict(
        self,
        observation: Any,
        state: RecurrentState | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], RecurrentState | None]:
        """Return actions, and the state to give back with the next observation.

        Args:
            observation: of one environment, or a batch.
            state: what the last call returned; None at the start of every episode.
            episode_start: (worlds,) bool, where an episode starts; one may stand for all worlds.
            deterministic: the mean or most likely action instead of a sample.

        Raises:
            ValueError: a sense is missing or unknown, has another shape than the agent's, or
                holds what is not finite; or ``state`` is not what the last call returned, or it or
                ``episode_start`` is of other worlds; the message names it.
        """
        only = self.learner.brain.acting
        return self.observe(observation, state, episode_start, deterministic, only)[:2]

    @torch.no_grad()
    def observe(
        self,
        observation: Any,
        state: RecurrentState | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        only: tuple[str, ...] | None = None,
    ) -> tuple[npt.NDArray[Any], RecurrentState | None, dict[str, npt.NDArray[np.float32]]]:
        """Return what :meth:`predict` does, and the areas' activity.

        Args:
            observation: see :meth:`predict`.
            state: likewise.
            episode_start: likewise.
            deterministic: likewise.
            only: the areas to run; None runs all, also those that no action depends on.

        Returns:
            Actions, the state, and the output of each area that ran, (worlds, size).
        """
        arrays, single = self.senses.checked(observation)
        n = len(next(iter(arrays.values())))
        brain, distribution = self.learner.brain, self.distribution
        if state is None:
            before, action = brain.initial_state(n), torch.zeros(n, distribution.features)
            start = torch.ones(n, dtype=torch.bool)
        else:
            action, before = self._unpack(state, n)
            start = torch.zeros(n, dtype=torch.bool)
        if episode_start is not None:
            begun = np.asarray(episode_start, bool).reshape(-1)
            if len(begun) not in (1, n):
                raise ValueError(f"episode_start is of {len(begun)} worlds, the observation of {n}")
            start = start | torch.as_tensor(begun)
        device = self.device
        start = start.to(device)
        known = {name: torch.as_tensor(x, device=device).unsqueeze(0) for name, x in arrays.items()}
        action = action.to(device) * (~start).unsqueeze(-1)
        known["previous_action"] = action.unsqueeze(0)
        outputs, after = brain(known, before, start.unsqueeze(0), only)
        x = outputs[brain.roles["actor"]][0]
        noise = None if deterministic else distribution.draw((n,), self._generator).to(device)
        chosen = distribution.sample(x, brain.actor.log_std, noise)
        done = distribution.to_environment(chosen)
        activity = {name: output[0].cpu().numpy() for name, output in outputs.items()}
        packed = self._pack(distribution.encode(chosen), after)
        return done[0] if single else done, packed, activity

    def _pack(self, action: torch.Tensor, state: BrainState) -> RecurrentState:
        parts = [x for area in sorted(state) for _, x in sorted(state[area].items())]
        return tuple(x.cpu().numpy() for x in (action, *parts))

    def _unpack(self, packed: RecurrentState, n: int) -> tuple[torch.Tensor, BrainState]:
        template = self.learner.brain.initial_state(1)
        names = [(area, name) for area in sorted(template) for name in sorted(template[area])]
        given: Any = packed
        if not isinstance(given, tuple) or len(given) != 1 + len(names):
            raise ValueError("state must be what the last call returned, or None at a start")
        shapes: list[tuple[int, ...]] = [(self.distribution.features,)]
        shapes += [tuple(template[area][name].shape[1:]) for area, name in names]
        for part, shape in zip(packed, shapes, strict=True):
            if np.ndim(part) == 0 or np.shape(part)[1:] != shape:
                raise ValueError(
                    f"state must be what the last call returned, with a part of shape "
                    f"{(n, *shape)}, not {np.shape(part)}"
                )
            if len(part) != n:
                raise ValueError(
                    f"state is of {len(part)} worlds, the observation of {n}: give None where "
                    f"other worlds begin"
                )
        action, *parts = (torch.as_tensor(x, device=self.device) for x in packed)
        state: BrainState = {}
        for (area, name), x in zip(names, parts, strict=True):
            state.setdefault(area, {})[name] = x
        return action, state
