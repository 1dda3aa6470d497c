"""What follows from a blueprint's wiring: the order to run areas in, and which form loops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

DELAY = "@-1"
"""Ends the name of an input that is to be a step old: ``"core@-1"``."""

Inputs = Mapping[str, Sequence[str]]
"""The inputs of each area, by its name."""


def source_of(name: str) -> str:
    """Return the sense or area that an input comes from, delayed or not.

    Raises:
        ValueError: a delay that is not one step.
    """
    source, at, _ = name.partition("@")
    if at and name != source + DELAY:
        raise ValueError(f"input {name!r}: a delay is one step, write {source + DELAY!r}")
    return source


def delayed(inputs: Inputs) -> tuple[str, ...]:
    """Return the senses and areas that some area reads a step late, each once."""
    names = (name for sources in inputs.values() for name in sources if name.endswith(DELAY))
    return tuple(dict.fromkeys(source_of(name) for name in names))


def needed_by(areas: Iterable[str], inputs: Inputs) -> set[str]:
    """Return the areas that ``areas`` depend on, themselves included, over any delay."""
    found: set[str] = set()
    waiting = list(areas)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [s for s in map(source_of, inputs[name]) if s in inputs]
    return found


def is_loop(group: Sequence[str], inputs: Inputs) -> bool:
    """Whether a group of :func:`groups` has to be taken step by step."""
    return len(group) > 1 or group[0] in map(source_of, inputs[group[0]])


def groups(inputs: Inputs) -> list[tuple[str, ...]]:
    """Return the areas in groups, in an order in which each can run over a whole sequence.

    A group is a loop (areas that depend on one another, of which at least one input is delayed),
    or a single area. Within a group the order is the blueprint's.

    Raises:
        ValueError: areas depend on one another without a delay.
    """
    order = list(inputs)
    for i, name in enumerate(order):
        for source in inputs[name]:
            if source in order[i:]:
                raise ValueError(
                    f"area {name!r} reads {source!r}, which does not come before it: move it "
                    f"ahead, or read what it gave one step before, {source + DELAY!r}"
                )
    above = {name: needed_by([name], inputs) for name in inputs}
    loops = (tuple(o for o in order if o in above[name] and name in above[o]) for name in order)
    # A group that depends on another has more areas above it.
    return sorted(dict.fromkeys(loops), key=lambda group: len(above[group[0]]))
