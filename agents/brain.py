"""Brain: runs a blueprint over time and worlds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from motley.agents.actions import ActionDistribution
from motley.agents.areas import Actor, Area
from motley.agents.blueprints import Blueprint, Node
from motley.costs.registry import unknown

Outputs = dict[str, Tensor]
BrainState = dict[str, dict[str, Tensor]]
"""State by area and name; every tensor has the worlds as first axis."""


def seed_of(seed: int, name: str) -> int:
    """Return a seed that depends on a seed and a name only, 63 bits."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") & (2**63 - 1)


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Draw initial weights from a stream of their own, and leave torch's as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, name))
        yield


class Brain(nn.Module):
    """The areas of a blueprint, built for an environment's senses and actions.

    Args:
        blueprint: areas and wiring.
        senses: features of each sense.
        actions: the distribution over actions.
        seed: each area's initial weights depend on this and its name only.
        width: the width for options that leave it open.

    Attributes:
        held: outputs (size,) of lesioned areas, which their input does not change.

    Raises:
        ValueError: an input is no sense and no earlier area; the message names it.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        senses: Mapping[str, int],
        actions: ActionDistribution,
        seed: int = 0,
        width: int = 64,
    ):
        super().__init__()
        self.blueprint, self.width = blueprint, width
        self.sizes: dict[str, int] = {**senses, "previous_action": actions.features}
        self.areas = nn.ModuleDict()
        for name, node in blueprint.items():
            if name in self.sizes:
                raise ValueError(f"area {name!r} has the name of a sense; call it something else")
            sizes = tuple(self._size(name, source) for source in node.inputs)
            with seeded(seed, name):
                area = self._build(node, sizes, actions, width)
            self.areas[name] = area
            self.sizes[name] = area.size
        self.roles = blueprint.roles
        self.actor = cast(Actor, self.areas[self.roles["actor"]])
        self.acting = self._needed_by(self.roles["actor"])
        self.watching = tuple(name for name in blueprint if name not in self.acting)
        self.held: dict[str, Tensor] = {}

    def _size(self, area: str, source: str) -> int:
        if source not in self.sizes:
            raise ValueError(f"area {area!r}: " + unknown("input", source, self.sizes))
        return self.sizes[source]

    def _build(
        self, node: Node, sizes: tuple[int, ...], actions: ActionDistribution, width: int
    ) -> Area:
        options = node.options_at(width)
        if issubclass(node.area, Actor):
            options = {"size": actions.parameters, "deviations": actions.deviations} | options
        return node.area(sizes, **options)

    def _needed_by(self, area: str) -> tuple[str, ...]:
        """Return the areas that ``area`` depends on and itself, in the order data flows."""
        needed = {area}
        for name in reversed(list(self.blueprint)):
            if name in needed:
                needed |= set(self.blueprint[name].inputs)
        return tuple(name for name in self.blueprint if name in needed)

    def initial_state(self, n: int) -> BrainState:
        """Return the state of ``n`` worlds before an episode, areas with a memory only."""
        states = {name: cast(Area, area).initial_state(n) for name, area in self.areas.items()}
        return {name: state for name, state in states.items() if state}

    @property
    def has_memory(self) -> bool:
        """Whether any area carries a state."""
        return bool(self.initial_state(1))

    def forward(
        self,
        known: Mapping[str, Tensor],
        state: BrainState,
        episode_start: Tensor,
        only: tuple[str, ...] | None = None,
    ) -> tuple[Outputs, BrainState]:
        """Run areas over a sequence.

        Args:
            known: senses, ``previous_action`` and areas that ran already, each
                (time, worlds, features).
            state: the state before the first step.
            episode_start: (time, worlds) bool.
            only: the areas to run, in the order data flows; None runs all.

        Returns:
            The outputs of the areas that ran, each (time, worlds, size), and the state after the
            last step (as it was for areas that did not run).
        """
        outputs: Outputs = {}
        after = dict(state)
        for name in self.areas if only is None else only:
            inputs = tuple(
                outputs[source] if source in outputs else known[source]
                for source in self.blueprint[name].inputs
            )
            outputs[name], new = self.areas[name](inputs, state.get(name, {}), episode_start)
            if name in self.held:
                outputs[name] = self.held[name].expand_as(outputs[name])
            if new:
                after[name] = new
        return outputs, after

    def __str__(self) -> str:
        """Return a line for each area: role, class, sizes, inputs."""
        rows = [f"{self.blueprint.name}: {self.n_parameters:,} parameters"]
        for name, node in self.blueprint.items():
            count = sum(p.numel() for p in self.areas[name].parameters())
            rows.append(
                f"  {name} ({node.role}, {node.area.__name__} {self.sizes[name]}, {count:,}) "
                f"<- {', '.join(node.inputs)}"
            )
        return "\n".join(rows)

    @property
    def n_parameters(self) -> int:
        """Trainable numbers in the areas."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def width_for(
    budget: int, blueprint: Blueprint, senses: Mapping[str, int], actions: ActionDistribution
) -> int:
    """Return the width whose parameter count is nearest to the budget.

    Raises:
        ValueError: the areas besides the core are larger than the budget already.
    """

    def count(width: int) -> int:
        with torch.device("meta"):
            return Brain(blueprint, senses, actions, width=width).n_parameters

    if count(1) == count(2):  # nothing is open
        return 1
    if count(1) > budget:
        raise ValueError(
            f"structure {blueprint.name!r} has {count(1):,} parameters without its core; "
            f"give a budget above that, not {budget:,}"
        )
    low, high = 1, 2
    while count(high) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= budget else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - budget))


def gather_state(state: BrainState, worlds: Tensor) -> BrainState:
    """Return the state of some worlds, by index."""
    return {area: {name: x[worlds] for name, x in parts.items()} for area, parts in state.items()}
