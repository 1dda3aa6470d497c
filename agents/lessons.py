"""Running an agent over what a teacher saw and did."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from motley.agents.actions import ActionDistribution
from motley.agents.brain import Brain
from motley.agents.gradients import Tape
from motley.costs import Trace


class Lessons:
    """A recording's episodes, as the agent would have lived them.

    Args:
        teaching: senses and ``action``, (time, episodes, ...); see
            :meth:`motley.costs.Cost.teaching`.
        count: how many episodes to give at once.
        brain: whose senses the recording must have.
        distribution: over its actions.

    Raises:
        ValueError: a sense or the action is missing or has another size.
    """

    def __init__(
        self,
        teaching: Mapping[str, Tensor],
        count: int,
        brain: Brain,
        distribution: ActionDistribution,
    ):
        self.count = count
        action = teaching["action"]
        action = action.reshape(*action.shape[:2], -1)
        others = {"previous_action", *brain.areas}
        wanted = {name: size for name, size in brain.sizes.items() if name not in others}
        found = {name: teaching[name].flatten(2).shape[-1] for name in wanted if name in teaching}
        if found != wanted or action.shape[-1] != distribution.size:
            raise ValueError(
                f"the recording has senses of sizes {found} and {action.shape[-1]} numbers an "
                f"action; the agent wants {wanted} and {distribution.size}"
            )
        self.taught = ~action.isnan().any(-1)
        chosen = distribution.from_environment(action)
        self.actions = torch.where(self.taught.unsqueeze(-1), chosen, torch.zeros_like(chosen))
        encoded = distribution.encode(self.actions)
        starts = torch.zeros_like(self.taught)
        starts[0] = True
        self.tensors = {
            **{name: teaching[name].flatten(2) for name in wanted},
            "action": encoded,
            "previous_action": torch.cat((torch.zeros_like(encoded[:1]), encoded[:-1])),
            "episode_start": starts,
            "taught": self.taught,
        }

    def draw(
        self, brain: Brain, distribution: ActionDistribution, seed: int, tape: Tape | None = None
    ) -> Trace:
        """Return the agent's trace on some episodes.

        Args:
            brain: runs, with its graph.
            distribution: over its actions.
            seed: of which episodes.
            tape: as in :meth:`Brain.forward`.
        """
        device = next(brain.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        which = torch.randperm(self.taught.shape[1], generator=generator)[: self.count]
        length = int(self.taught[:, which].any(1).nonzero().max()) + 1
        part = {name: x[:length, which].to(device) for name, x in self.tensors.items()}
        state, start = brain.initial_state(len(which)), part["episode_start"]
        outputs, _ = brain(part, state, start, tape=tape)
        x = outputs[brain.roles["actor"]]
        actions = self.actions[:length, which].to(device)
        log_prob = distribution.log_prob(x, brain.actor.log_std, actions) * part["taught"]
        return Trace({**part, **outputs, "log_prob": log_prob}, brain.roles)
