"""Exact routing of losses to the parameters that they train, and clipping.

:func:`one_by_one` is the plain form: a backward pass for each set of losses that trains the same
areas. :func:`sweep` does the same in about one pass in all, and is tested against it: the graph is
cut at the areas' borders, and each area is gone through once for all losses that agree on it, since
the gradients of losses that train the same areas from there on backwards are added before they are
sent on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from motley.agents.wiring import Inputs, needed_by, source_of


class Share(NamedTuple):
    """Losses that train the same areas.

    Attributes:
        areas: those that they train.
        total: their sum.
        heads: the parameters that only they train.
    """

    areas: frozenset[str]
    total: Tensor
    heads: Sequence[Tensor]


def one_by_one(
    shares: Sequence[Share],
    parameters: Mapping[str, Sequence[Tensor]],
    retain_graph: bool = False,
) -> None:
    """Add to every parameter's gradient that of the losses that train its area.

    A gradient passes through an area that it may not train.

    Args:
        shares: no two with the same areas.
        parameters: of each area.
        retain_graph: keep the graph for another pass.
    """
    for i, share in enumerate(shares):
        inputs = [p for area in share.areas for p in parameters[area]] + [*share.heads]
        if inputs and share.total.requires_grad:
            keep = retain_graph or i + 1 < len(shares)
            torch.autograd.backward(share.total, inputs=inputs, retain_graph=keep)


@dataclass
class Passage:
    """Areas that ran together, over a sequence.

    Attributes:
        given: the outputs with their graph, by area.
        seen: the same numbers as everything after sees them: leaves of the next graph.
        read: the leaves of earlier areas that went in, by area.
    """

    given: dict[str, Tensor]
    seen: dict[str, Tensor]
    read: dict[str, Tensor]


class Tape:
    """The passages of one or several runs of a brain, in order.

    Args:
        inputs: of each area.
    """

    def __init__(self, inputs: Inputs):
        self.inputs = inputs
        self.upstream = {name: frozenset(needed_by([name], inputs)) for name in inputs}
        self.passages: list[Passage] = []
        self._seen: dict[str, Tensor] = {}

    def begin(self) -> None:
        """Begin a run."""
        self._seen = {}

    def cut(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take areas' outputs, and return them as leaves; without a gradient, as they are."""
        given = {name: x for name, x in outputs.items() if x.requires_grad}
        seen = {name: x.detach().requires_grad_() for name, x in given.items()}
        sources = {source_of(source) for name in given for source in self.inputs[name]}
        read = {name: x for name, x in self._seen.items() if name in sources}
        if given:
            self.passages.append(Passage(given, seen, read))
        self._seen |= seen
        return {**outputs, **seen}


def sweep(
    tape: Tape,
    shares: Sequence[Share],
    parameters: Mapping[str, Sequence[Tensor]],
    direct: Mapping[str, Sequence[Tensor]],
    retain_graph: bool = False,
) -> None:
    """Do as :func:`one_by_one`, in about one pass.

    Args:
        tape: of the runs that the losses are of.
        shares: no two with the same areas.
        parameters: of each area.
        direct: parameters of an area that losses also read past its output.
        retain_graph: keep the graphs for another sweep.
    """
    # What arrived at each leaf: a gradient for each set of shares that travels together.
    arrived: dict[Tensor, dict[frozenset[int], Tensor]] = {}
    leaves = [leaf for passage in tape.passages for leaf in passage.seen.values()]
    for i, share in enumerate(shares):
        own = [*share.heads, *(p for area in share.areas for p in direct.get(area, ()))]
        if not share.total.requires_grad:
            continue
        keep = retain_graph or i + 1 < len(shares)
        found = torch.autograd.grad(
            share.total, [*own, *leaves], retain_graph=keep, allow_unused=True
        )
        _add(own, found[: len(own)])
        for leaf, gradient in zip(leaves, found[len(own) :], strict=True):
            if gradient is not None:
                arrived.setdefault(leaf, {})[frozenset((i,))] = gradient
    for passage in reversed(tape.passages):
        here = {name: arrived.pop(leaf, {}) for name, leaf in passage.seen.items()}
        present = {i for parts in here.values() for among in parts for i in among}
        # Which shares, added up, are wanted at which parameters and which earlier leaves.
        wanted: dict[frozenset[int], tuple[list[Tensor], list[Tensor]]] = {}
        for name in passage.given:
            among = frozenset(i for i in present if name in shares[i].areas)
            if among and parameters[name]:
                wanted.setdefault(among, ([], []))[0].extend(parameters[name])
        for name, leaf in passage.read.items():
            alike: dict[frozenset[str], set[int]] = {}
            for i in present:
                further = shares[i].areas & tape.upstream[name]
                if further:
                    alike.setdefault(further, set()).add(i)
            for together in alike.values():
                wanted.setdefault(frozenset(together), ([], []))[1].append(leaf)
        for n, (among, (own, before)) in enumerate(wanted.items()):
            sums = {name: _sum(parts, among) for name, parts in here.items()}
            ends = [name for name, x in sums.items() if x is not None]
            found = torch.autograd.grad(
                [passage.given[name] for name in ends],
                [*own, *before],
                [sums[name] for name in ends],
                retain_graph=retain_graph or n + 1 < len(wanted),
                allow_unused=True,
            )
            _add(own, found[: len(own)])
            for leaf, gradient in zip(before, found[len(own) :], strict=True):
                if gradient is not None:
                    parts = arrived.setdefault(leaf, {})
                    parts[among] = parts[among] + gradient if among in parts else gradient


def _sum(parts: Mapping[frozenset[int], Tensor], among: frozenset[int]) -> Tensor | None:
    """Return the sum of what arrived for ``among``, None where nothing did."""
    found = [x for these, x in parts.items() if these <= among]
    return sum(found[1:], found[0]) if found else None


def _add(parameters: Iterable[Tensor], gradients: Iterable[Tensor | None]) -> None:
    """Add gradients to parameters' own."""
    for p, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            p.grad = gradient if p.grad is None else p.grad + gradient


@torch.no_grad()
def clip(groups: Sequence[Sequence[Tensor]], max_norm: float) -> None:
    """Scale the gradients of each group of parameters down to a norm of at most ``max_norm``.

    The same as :func:`torch.nn.utils.clip_grad_norm_` on one group after the other, in a handful
    of operations for all. Every gradient is a new tensor afterwards: autograd may have given two
    parameters the same one (those of a sum), or one that is stretched over a single number.
    """
    followers = [[p for p in group if p.grad is not None] for group in groups]
    parameters = [p for group in followers for p in group]
    if not parameters:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    # As one vector, so that a group is a part of it and takes one operation.
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    parts = torch.split(flat, [sum(p.numel() for p in group) for group in followers if group])
    norms = torch.stack(torch._foreach_norm(parts)).tolist()
    for part, norm in zip(parts, norms, strict=True):
        part *= min(max_norm / (norm + 1e-6), 1.0)
    for p, gradient in zip(
        parameters, torch.split(flat, [p.numel() for p in parameters]), strict=True
    ):
        p.grad = gradient.view_as(p)
