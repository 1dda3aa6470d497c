"""The control that forgets: what can be had from one observation."""

from __future__ import annotations

from dataclasses import replace

from motley.agents.areas import Perceptron
from motley.agents.blueprints import Blueprint, Sizes, assemble, register


def memoryless(senses: Sizes) -> Blueprint:
    """The uniform structure with a core that forgets, and without the previous action.

    The previous action would be a memory of one step, which a chain of actions can make longer.
    """
    frame = assemble(senses, {}, core=Perceptron)
    inputs = tuple(name for name in frame["core"].inputs if name != "previous_action")
    return Blueprint({**frame, "core": replace(frame["core"], inputs=inputs)})


register(memoryless)
