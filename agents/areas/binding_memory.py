"""Binding memory: which role is filled by the like of this, and never by what."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, check_prior
from motley.agents.areas.min_gru import linear_scan
from motley.agents.layers import Linear

PRIORS = ("exact", "learnt")


class BindingMemory(Area):
    """Contents with keys; what is sensed finds keys, and the keys are all that comes back.

    The external memory of the emergent symbol binding network (Webb, Sinha & Cohen 2021): what
    is sensed is stored with a key that the controller makes, and is compared with what was
    stored before; the controller gets the keys of what is alike, weighted by how much. Content
    never reaches it, so that a rule learnt on some contents holds for all. The key of a step is
    made when its comparison is known, so that it comes one step late: the controller is to be
    read as ``"core@-1"``.

    Likeness is the cosine, here with its sign, so that being the opposite is a relation as well as
    being the same (the original takes a softmax); its odd power leaves little of what is
    neither. A content of zeros is like nothing.

    Its rungs of prior strength: ``exact``, the key is the order in which things were shown, as
    one of ``size`` - 1 numbers; ``learnt``, it is a linear function of the controller.

    Args:
        sizes: features of the content and, for ``learnt``, of the controller.
        size: features of a key, and one more for how much was found in all.
        prior: the rung.
        capacity: steps that can be looked back.
        power: of the cosine, odd.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 17,
        prior: str = "learnt",
        capacity: int = 32,
        power: int = 5,
    ):
        check_prior("BindingMemory", prior, PRIORS)
        if len(sizes) != 1 + PRIORS.index(prior):
            wanted = "a content" if prior == "exact" else "a content and a controller"
            raise ValueError(f"BindingMemory(prior={prior!r}) wants {wanted}, not {len(sizes)}")
        if size < 2 or power % 2 == 0:
            raise ValueError(
                f"BindingMemory wants size >= 2, not {size}, and an odd power, not {power}"
            )
        super().__init__(sizes, size)
        self.capacity, self.power = capacity, power
        self.key = Linear(sizes[1], size - 1) if prior == "learnt" else None

    def initial_state(self, n: int) -> State:
        """Return an empty memory, and that nothing was shown."""
        device = self.key.weight.device if self.key is not None else None
        content, keys = self.sizes[0], self.size - 1
        state = {
            "contents": torch.zeros(n, self.capacity, content, device=device),
            "keys": torch.zeros(n, self.capacity, keys, device=device),
            "last": torch.zeros(n, content, device=device),
        }
        return state if self.key is not None else state | {"shown": torch.zeros(n)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the keys found, and how much in all."""
        content = inputs[0]
        last = state["last"].to(content)
        before = torch.cat((last.unsqueeze(0), content[:-1]))
        keys, notes = self._keys(inputs, before, state, episode_start)

        # Worlds first. Entry j is what was sensed a step before step j, and its key.
        contents = torch.cat((state["contents"].to(content), before.transpose(0, 1)), 1)
        keys = torch.cat((state["keys"].to(content), keys.transpose(0, 1)), 1)
        likeness = _cosine(content.transpose(0, 1), contents).pow(self.power)
        episode = episode_start.t().long().cumsum(1)
        likeness = likeness * self._may_read(episode).to(likeness)
        found = torch.cat((likeness @ keys, likeness.sum(-1, keepdim=True)), -1)

        # What is kept for the next sequence is of the episode that goes on.
        kept = (self._sensed_in(episode) == episode[:, -1:]).unsqueeze(-1)
        return found.transpose(0, 1), {
            "contents": (contents * kept)[:, -self.capacity :],
            "keys": (keys * kept)[:, -self.capacity :],
            "last": content[-1],
            **notes,
        }

    def _keys(
        self, inputs: tuple[Tensor, ...], before: Tensor, state: State, start: Tensor
    ) -> tuple[Tensor, State]:
        """Return the key of what was sensed a step before each, and further state."""
        if self.key is not None:
            return torch.tanh(self.key(inputs[1])), {}
        content = inputs[0]
        changed = (content != before * (~start).unsqueeze(-1)).any(-1)
        new = changed & (content != 0).any(-1)
        counted = linear_scan(
            (~start).to(content.dtype), new.to(content.dtype), state["shown"].to(content)
        )
        late = torch.cat((state["shown"].to(content).unsqueeze(0), counted[:-1]))
        place = (late.long() - 1).clamp(0, self.size - 2)
        return nn.functional.one_hot(place, self.size - 1).to(content), {"shown": counted[-1]}

    def _may_read(self, episode: Tensor) -> Tensor:
        """Return which entries each step may read, (worlds, time, capacity + time) bool.

        An entry must not be later, nor older than the capacity, and sensed in the same episode.

        Args:
            episode: of each step, counted from the sequence's beginning, (worlds, time).
        """
        step = torch.arange(episode.shape[1], device=episode.device).unsqueeze(-1)
        entry = torch.arange(self.capacity + episode.shape[1], device=episode.device)
        same = self._sensed_in(episode).unsqueeze(1) == episode.unsqueeze(2)
        return same & (entry <= step + self.capacity) & (entry > step)

    def _sensed_in(self, episode: Tensor) -> Tensor:
        """Return the episode in which each entry was sensed, (worlds, capacity + time).

        Args:
            episode: of each step, counted from the sequence's beginning, (worlds, time).
        """
        stored = torch.zeros_like(episode[:, :1]).expand(-1, self.capacity + 1)
        return torch.cat((stored, episode[:, :-1]), 1)


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosine of each of (worlds, a, features) to each of (worlds, b, features)."""
    a, b = (nn.functional.normalize(x, dim=-1, eps=1e-6) for x in (one, other))
    return a @ b.transpose(1, 2)
