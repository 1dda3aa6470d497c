"""Brain: runs a blueprint over time and worlds."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from motley.agents.actions import ActionDistribution
from motley.agents.areas import Actor, Area, State
from motley.agents.blueprints import Blueprint, Node
from motley.agents.credit import Backprop, CreditRule, detached
from motley.agents.gradients import Tape
from motley.agents.layers import seeded
from motley.agents.wiring import DELAY, delayed, groups, is_loop, needed_by, source_of
from motley.costs.registry import unknown

Outputs = dict[str, Tensor]
BrainState = dict[str, dict[str, Tensor]]
"""State by area and name; every tensor has the worlds as first axis.

What was given one step before, for those who read it late, stands under ``"<name>@-1"``.
"""

NOTED = frozenset(
    ("action", "reward", "episode_start", "terminated", "entropy", "log_prob", "taught")
)
NOTED |= {"previous_action"}
"""What no sense can be called: names of a trace's other tensors."""
TAKEN = NOTED | {*dir(nn.ModuleDict())}
"""What no area can be called: these, and torch's own names of modules."""


class Brain(nn.Module):
    """The areas of a blueprint, built for an environment's senses and actions.

    Args:
        blueprint: areas and wiring.
        senses: features of each sense.
        actions: the distribution over actions.
        seed: each area's initial weights depend on this and its name only.
        width: the width for options that leave it open.

    Attributes:
        acting: areas that acting takes; watching: the others, which see a whole rollout at once.
        fixed: areas whose output no learning changes; learning: the others.
        lesions: outputs (size,) of lesioned areas, which their input does not change, as they were
            made one after the other. held: the outputs that hold now.

    Raises:
        ValueError: an input is no sense and no earlier area, nor one that is read a step late, a
            sense or an area has a name that is taken, or the actor is none; the message names it.
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
        for name in senses:
            if name in NOTED:
                raise ValueError(
                    f"no sense can be called {name!r}, which is what a trace calls something else: "
                    f"rename it in the observation space"
                )
        self.blueprint, self.width = blueprint, width
        self.sizes: dict[str, int] = {**senses, "previous_action": actions.features}
        self.inputs = {name: node.inputs for name, node in blueprint.items()}
        for name, sources in self.inputs.items():
            if name in self.sizes:
                raise ValueError(f"area {name!r} has the name of a sense; call it something else")
            if name in TAKEN:
                raise ValueError(
                    f"no area can be called {name!r}, which is Motley's or torch's own"
                )
            for source in map(source_of, sources):
                if source not in self.sizes and source not in blueprint:
                    known = (*self.sizes, *blueprint)
                    raise ValueError(f"area {name!r}: " + unknown("input", source, known))
        self.groups = groups(self.inputs)
        self.delayed = delayed(self.inputs)
        self._loops = {group for group in self.groups if is_loop(group, self.inputs)}
        built: dict[str, Area] = {}
        for group in self.groups:
            for name in group:
                sizes = tuple(self._size(source_of(s), actions) for s in self.inputs[name])
                with seeded(seed, name):
                    built[name] = area = self._build(blueprint[name], sizes, actions, width)
                if area.size != self.sizes.setdefault(name, area.size):
                    raise ValueError(f"area {name!r} has another size than its option says")
        self.areas = nn.ModuleDict({name: built[name] for name in blueprint})
        self.roles = blueprint.roles
        actor = self.areas[self.roles["actor"]]
        if not isinstance(actor, Actor):
            raise ValueError(
                f"area {self.roles['actor']!r} has the role of the actor and is a "
                f"{type(actor).__name__}: give it a subclass of Actor"
            )
        self.actor = actor
        # A memory must see every step, whoever reads it.
        remembers = [name for name, area in built.items() if area.initial_state(1)]
        late = [name for name in self.delayed if name in built]
        acting = needed_by([self.roles["actor"], *remembers, *late], self.inputs)
        self.acting = tuple(name for name in blueprint if name in acting)
        self.watching = tuple(name for name in blueprint if name not in acting)
        # What learning cannot change need not be run again to learn from a rollout.
        fixed: set[str] = set()
        for name, area in built.items():
            learns = any(p.requires_grad for p in area.parameters())
            if not learns and all(
                source_of(s) not in built or s in fixed for s in self.inputs[name]
            ):
                fixed.add(name)
        self.fixed = tuple(name for name in blueprint if name in fixed)
        self.learning = tuple(name for name in blueprint if name not in fixed)
        self.lesions: list[dict[str, Tensor]] = []
        self.credit: CreditRule = Backprop()

    @property
    def held(self) -> dict[str, Tensor]:
        """Outputs of lesioned areas; a later lesion of an area stands before an earlier one."""
        return {name: output for lesion in self.lesions for name, output in lesion.items()}

    def _size(self, name: str, actions: ActionDistribution) -> int:
        """Return the size of a sense or an area, which in a loop may not have been built yet."""
        if name in self.sizes:
            return self.sizes[name]
        node = self.blueprint[name]
        default = inspect.signature(node.area).parameters.get("size")
        size = node.options_at(self.width).get("size", default and default.default)
        if node.area.of_action:
            size = _numbers(node, actions)
        if not isinstance(size, int):
            raise ValueError(
                f"area {name!r} is read before it is built, and {node.area.__name__} takes no "
                f"size to go by; close the loop through another area, such as a Perceptron"
            )
        self.sizes[name] = size
        return size

    def _build(
        self, node: Node, sizes: tuple[int, ...], actions: ActionDistribution, width: int
    ) -> Area:
        options = node.options_at(width)
        if node.area.of_action:
            options = {"size": _numbers(node, actions)} | options
        if issubclass(node.area, Actor):
            options = {"deviations": actions.deviations} | options
        return node.area(sizes, **options)

    def log_std_of(self, worlds: int) -> Tensor:
        """Return the logarithm of the deviations of actions in so many worlds, to broadcast."""
        return self.actor.log_std

    def initial_state(self, n: int) -> BrainState:
        """Return the state of ``n`` worlds before an episode, areas with a memory only."""
        device = self.actor.log_std.device
        states = {
            # An area with nothing to learn does not know where it is.
            name: {k: x.to(device) for k, x in cast(Area, area).initial_state(n).items()}
            for name, area in self.areas.items()
        }
        for name in self.delayed:
            states[name + DELAY] = {"output": torch.zeros(n, self.sizes[name], device=device)}
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
        tape: Tape | None = None,
    ) -> tuple[Outputs, BrainState]:
        """Run areas over a sequence.

        Args:
            known: senses, ``previous_action`` and areas that ran already, each
                (time, worlds, features).
            state: the state before the first step.
            episode_start: (time, worlds) bool.
            only: the areas to run, in the order data flows; None runs all.
            tape: cut the graph at the areas' borders and note here how it went on.

        Returns:
            The outputs of the areas that ran, each (time, worlds, size), and the state after the
            last step (as it was for areas that did not run).

        Raises:
            ValueError: an area's output has another size than it states.
        """
        outputs: Outputs = {}
        after = dict(state)
        wanted = set(self.areas if only is None else only)
        if tape is not None:
            tape.begin()
        for group in self.groups:
            if wanted.isdisjoint(group):
                continue
            if group in self._loops:
                new = self._step_together(group, {**known, **outputs}, state, episode_start)
            else:
                new = self._at_once(group[0], {**known, **outputs}, state, episode_start)
            outputs |= new[0] if tape is None else tape.cut(new[0])
            after |= new[1]
        for name in self.delayed:
            if name in outputs or name in known:
                given = outputs[name] if name in outputs else known[name]
                after[name + DELAY] = {"output": given[-1]}
        return outputs, after

    def _at_once(
        self, name: str, known: Mapping[str, Tensor], state: BrainState, episode_start: Tensor
    ) -> tuple[Outputs, BrainState]:
        """Run an area over the whole sequence; returns its output and its state, if it has one."""
        inputs = tuple(self._input(s, known, state, episode_start) for s in self.inputs[name])
        output, after = self._area(name, inputs, state.get(name, {}), episode_start)
        return {name: output}, {name: after} if after else {}

    def _area(
        self, name: str, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """Run one area; the output of a lesioned one is what it is held at."""
        output, after = self.credit.run(self.areas[name], inputs, state, episode_start)
        self._check_size(name, output)
        if self.lesions and name in self.held:
            output = self.held[name].expand_as(output)
        return output, after

    def _check_size(self, name: str, output: Tensor) -> None:
        """Raise where an area's output (..., size) has another size than it states."""
        if output.shape[-1] != self.sizes[name]:
            raise ValueError(
                f"area {name!r} gave {output.shape[-1]} numbers a step, and its size says "
                f"{self.sizes[name]}: let them agree"
            )

    def _step_together(
        self,
        group: tuple[str, ...],
        known: Mapping[str, Tensor],
        state: BrainState,
        episode_start: Tensor,
    ) -> tuple[Outputs, BrainState]:
        """Run the areas of a loop step by step; see :meth:`_at_once`."""
        sources = {source for name in group for source in self.inputs[name]}
        given = {
            source: torch.split(self._input(source, known, state, episode_start), 1)
            for source in sources
            if source_of(source) not in group
        }
        late = [source_of(source) for source in sources - given.keys() if source.endswith(DELAY)]
        last = {name: state[name + DELAY]["output"].unsqueeze(0) for name in late}
        after = {name: state.get(name, {}) for name in group}
        taken: dict[str, list[Tensor]] = {name: [] for name in group}
        for t, start in enumerate(torch.split(episode_start, 1)):
            if self._cuts(t):
                last = detached(last)
                after = {name: detached(x) for name, x in after.items()}
            now = {source: steps[t] for source, steps in given.items()}
            now |= {name + DELAY: _forget(x, start) for name, x in last.items()}
            for name in group:
                inputs = tuple(now[source] for source in self.inputs[name])
                now[name], after[name] = self._area(name, inputs, after[name], start)
                taken[name].append(now[name])
            last = {name: now[name] for name in last}
        outputs = {name: torch.cat(steps) for name, steps in taken.items()}
        return outputs, {name: x for name, x in after.items() if x}

    def _input(
        self, source: str, known: Mapping[str, Tensor], state: BrainState, episode_start: Tensor
    ) -> Tensor:
        """Return an input over the sequence; a late one is zero where an episode starts."""
        if not source.endswith(DELAY):
            return known[source]
        before = state[source]["output"].unsqueeze(0)
        late = torch.cat((before, known[source_of(source)][:-1]))
        if self.credit.steps is not None:
            cut = torch.arange(len(late), device=late.device) % self.credit.steps == 0
            late = torch.where(cut.view(-1, 1, 1), late.detach(), late)
        return _forget(late, episode_start)

    def _cuts(self, t: int) -> bool:
        """Whether the credit rule lets no error from step ``t`` back to the one before."""
        return self.credit.steps is not None and t % self.credit.steps == 0

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


def _numbers(node: Node, actions: ActionDistribution) -> int:
    """Return how many numbers an area of the action gives: the actor's tell of all choices."""
    return actions.parameters if issubclass(node.area, Actor) else actions.preference


def width_for(
    budget: int, blueprint: Blueprint, senses: Mapping[str, int], actions: ActionDistribution
) -> int:
    """Return the width whose parameter count is nearest to the budget.

    Raises:
        ValueError: the areas besides the core are larger than the budget already.
    """

    @cache
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
    # Counts are of second degree in the width where all layers are, so that three tell the rest.
    square = (count(3) - 2 * count(2) + count(1)) / 2
    linear = count(2) - count(1) - 3 * square
    roots = np.roots([square, linear, count(1) - square - linear - budget])
    low = max(1, int(max(roots.real, default=1.0)))
    if not count(low) <= budget < count(low + 1):
        low = 1
    high = low + 1
    while count(high) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= budget else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - budget))


def _forget(x: Tensor, episode_start: Tensor) -> Tensor:
    """Return ``x`` (time, worlds, features) with zeros where an episode starts."""
    return x.masked_fill(episode_start.unsqueeze(-1), 0.0)


def gather_state(state: BrainState, worlds: Tensor) -> BrainState:
    """Return the state of some worlds, by index."""
    return {area: {name: x[worlds] for name, x in parts.items()} for area, parts in state.items()}


def join_states(parts: Sequence[BrainState]) -> BrainState:
    """Return the state of several groups of worlds, one after the other."""
    return {
        area: {name: torch.cat([part[area][name] for part in parts]) for name in found}
        for area, found in parts[0].items()
    }
