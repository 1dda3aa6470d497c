"""Episodic memory: store once what was seen with a key, find it again by the key."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, check_prior
from motley.agents.layers import Linear

PRIORS = ("exact", "learnt_value", "learnt_key", "learnt_gate")


class EpisodicMemory(Area):
    """A key-value store of an episode, read by similarity (Pritzel et al. 2017; Wayne et al. 2018).

    A step is written where its gate is open and read from in the same step: the store is
    written first. Reading attends to the stored keys by squared distance to the present key,
    softmax(-sharpness |q - k|^2), with an empty entry at distance ``tolerance`` that wins
    where nothing matches. What is stored is what was sensed; keys, values and gates are
    computed when reading, so that their weights learn from every read, also of entries from
    before the rollout.

    Its rungs of prior strength, each with everything learnt of the one before:

    - ``exact``: raw key, fixed value (the mean colour seen, centred), fixed gate.
    - ``learnt_value``: raw key, linear value, fixed gate.
    - ``learnt_key``: linear key as well.
    - ``learnt_gate``: the gate is another area, which the third input is: it opens above 1/2, and
      its logarithm is added to the match of what it let in. What it learns by is its own cost
      (`motley.costs.Saliency`), and the reads of the same rollout.

    The fixed gate opens while the body is held and sees something, which the third input (the sense
    ``go``) tells; in an episode in which the body was not held so far, or without that input, where
    the view changed by more than 1 in the sum of absolute differences (a saliency).

    A key that is not given whole finds little: the features that it lacks, zeros, count as zeros.
    With ``completion`` they are not compared, and the distance in those given is counted as if the
    others were as far off, so that ``tolerance`` means the same: pattern completion, which is
    ascribed to the hippocampus' CA3 (Marr 1971; Treves & Rolls 1994), though there recurrent
    connections do it, and here a rule. A key of zeros alone is compared whole, and finds nothing.
    It is for keys in which a zero says nothing, not for ones such as one-hot. Measured with 8
    numbers drawn from -1 to 1 of which half are erased, among 4, 8 and 16 entries: the right entry
    is the one read in 0.34, 0.21 and 0.11 of the cases without it (chance: 0.25, 0.13 and 0.06),
    and in 0.99 or more with it, where half of a key that was never stored is found by 0.06, 0.10
    and 0.21, and a whole one by 0.02 at most (bounded for 4 and 16 entries by
    ``test_a_memory_that_completes_finds_the_whole_by_half_of_it`` in tests/test_areas.py).

    Args:
        sizes: features of the key's sense, the value's sense and, optionally, of ``go``; for
            ``learnt_gate`` the third is the gate, one number.
        size: features of a learnt value.
        prior: the rung.
        capacity: entries kept; the oldest is overwritten.
        sharpness: initial inverse temperature, learnt.
        tolerance: squared distance of the empty entry.
        channels: channels of a ray of the value's sense, for the fixed value.
        completion: whether features that a key does not give, zeros, are left out of comparison.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 16,
        prior: str = "learnt_value",
        capacity: int = 16,
        sharpness: float = 8.0,
        tolerance: float = 0.5,
        channels: int = 4,
        completion: bool = False,
    ):
        check_prior("EpisodicMemory", prior, PRIORS)
        if len(sizes) not in (2, 3):
            raise ValueError(f"EpisodicMemory wants key, value and perhaps go, not {len(sizes)}")
        rung = PRIORS.index(prior)
        self.gated = prior == "learnt_gate"
        if self.gated and sizes[2:] != (1,):
            raise ValueError(
                f"EpisodicMemory(prior='learnt_gate') wants a gate of one number as its third "
                f"input, not sizes {sizes[2:]}"
            )
        super().__init__(sizes, (size if rung else channels - 1) + 1)
        self.capacity, self.channels, self.tolerance = capacity, channels, tolerance
        self.completion = completion
        self.log_sharpness = nn.Parameter(torch.tensor(float(sharpness)).log())
        self.value = Linear(sizes[1], size, bias=False) if rung >= 1 else None
        self.key = Linear(sizes[0], sizes[0], bias=False) if rung >= 2 else None

    def initial_state(self, n: int) -> State:
        """Return an empty store and a blank last view."""
        device = self.log_sharpness.device
        return {
            "stored": torch.zeros(n, self.capacity, sum(self.sizes), device=device),
            "used": torch.zeros(n, self.capacity, device=device),
            "view": torch.zeros(n, self.sizes[1], device=device),
            "held": torch.zeros(n, device=device),
        }

    def _candidates(
        self, inputs: tuple[Tensor, ...], state: State, start: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return which steps are written, and whether the body was held in this episode so far.

        Both are (time, worlds) bool.
        """
        view = inputs[1]
        if self.gated:
            return inputs[2][..., 0] > 0.5, torch.zeros_like(start)
        before = torch.cat((state["view"].unsqueeze(0), view[:-1]))
        before = before * (~start).unsqueeze(-1)
        salient = (view - before).abs().sum(-1) > 1.0
        if len(inputs) == 2:
            return salient, torch.zeros_like(start)
        held = inputs[2][..., 0] < 0.5
        # The last step at which it was held, and the last start: whichever is later.
        steps = torch.arange(1, len(start) + 1, device=start.device).unsqueeze(-1)
        last_held = torch.where(held, steps, 0).cummax(0).values
        last_start = torch.where(start, steps, 0).cummax(0).values
        carried = (state["held"] > 0.5) & (last_start == 0)
        ever = (last_held > 0) & (last_held >= last_start) | carried
        return torch.where(ever, held & (view.abs().sum(-1) > 0), salient), ever

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the value read and how well its key matched."""
        steps, capacity = len(episode_start), self.capacity
        written, held = self._candidates(inputs, state, episode_start)
        sensed = torch.cat(inputs, -1).transpose(0, 1)  # worlds first from here on
        entries = torch.cat((state["stored"], sensed), 1)
        used = torch.cat((state["used"] > 0.5, written.t()), 1)
        may_read = self._may_read(used, episode_start.t(), steps)

        logits = self._match(sensed, entries).masked_fill(~may_read, -torch.inf)
        nothing = -self.tolerance * self.log_sharpness.exp() * torch.ones_like(logits[..., :1])
        attention = torch.softmax(torch.cat((nothing, logits), -1), -1)[..., 1:]
        found = attention.sum(-1, keepdim=True)
        recalled = torch.cat((self._read(attention, entries), found), -1).transpose(0, 1)

        # Keep the newest entries that the last step may read, oldest first.
        order = torch.arange(1, entries.shape[1] + 1, device=entries.device)
        age = torch.where(may_read[:, -1], order, torch.zeros_like(order))
        kept, index = age.topk(capacity, dim=1)
        stored = entries.gather(1, index.flip(1).unsqueeze(-1).expand(-1, -1, entries.shape[2]))
        return recalled, {
            "stored": stored,
            "used": (kept.flip(1) > 0).to(stored.dtype),
            "view": inputs[1][-1],
            "held": held[-1].to(stored.dtype),
        }

    def _may_read(self, used: Tensor, start: Tensor, steps: int) -> Tensor:
        """Return which entries each step may read, (worlds, time, capacity + time) bool.

        An entry must be written, not later than the step, of the same episode, and among the
        newest ``capacity``.
        """
        carried = used.shape[1] - steps
        episode = start.long().cumsum(1)
        of_entry = torch.cat((torch.zeros_like(used[:, :carried], dtype=torch.long), episode), 1)
        count = used.long().cumsum(1)
        step = torch.arange(steps, device=used.device) + carried
        entry = torch.arange(used.shape[1], device=used.device)
        past = entry <= step.unsqueeze(-1)
        same = of_entry.unsqueeze(1) == episode.unsqueeze(2)
        recent = count[:, carried:].unsqueeze(2) - count.unsqueeze(1) < self.capacity
        return used.unsqueeze(1) & past & same & recent

    def _match(self, sensed: Tensor, entries: Tensor) -> Tensor:
        """Return the logit of each entry at each step, (worlds, time, entries)."""
        queries, keys = sensed[..., : self.sizes[0]], entries[..., : self.sizes[0]]
        compare = self._compare_given if self.completion else self._compare
        logits = -self.log_sharpness.exp() * compare(queries, keys).clamp(min=0.0)
        if self.gated:
            # What is not above 1/2 was not written; its logarithm is masked, and has to be finite.
            logits = logits + entries[..., -1:].clamp(min=0.5).log().transpose(1, 2)
        return logits

    def _compare(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the squared distance of each key to each query, (worlds, time, entries)."""
        if self.key is not None:
            queries, keys = self.key(queries), self.key(keys)
        return (
            queries.square().sum(-1, keepdim=True)
            + keys.square().sum(-1).unsqueeze(1)
            - 2 * queries @ keys.transpose(1, 2)
        )

    def _compare_given(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Do as :meth:`_compare` in the features that a query gives, as if all were so far off."""
        given = queries != 0
        given = given | ~given.any(-1, keepdim=True)
        off = (queries.unsqueeze(2) - keys.unsqueeze(1)) * given.unsqueeze(2)
        if self.key is not None:
            off = self.key(off)
        share = given.to(off.dtype).mean(-1, keepdim=True)
        return off.square().sum(-1) / share

    def _read(self, attention: Tensor, entries: Tensor) -> Tensor:
        """Return the values attended to, (worlds, time, features)."""
        seen = entries[..., self.sizes[0] : self.sizes[0] + self.sizes[1]]
        if self.value is not None:
            # The value is linear, so the sensed can be mixed first and encoded once.
            value: Tensor = self.value(attention @ seen)
            return value
        rays = torch.unflatten(seen, -1, (-1, self.channels))
        lit = (rays[..., :1] > 0).to(seen.dtype)
        color = ((rays[..., 1:] - 0.5) * lit).sum(-2) / lit.sum(-2).clamp(min=1.0)
        return attention @ (2 * color)
