"""The structure matched to gated working memory."""

from __future__ import annotations

from motley.agents.areas import BasalGangliaGate, WorkingMemory
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require

SLOTS, WIDTH_LEARNT = 4, 8
GAIN = 3.0
"""Of the gate's last layer: slots that begin as much the same average of what was shown hardly tell
apart what depends on several signs together."""


def working_memory(senses: Sizes, prior: str = "raw", hard: bool = False) -> Blueprint:
    """Slots for what is shown, and a gate that sees what they hold; ``prior`` is their rung."""
    require(senses, ("cue",), "working_memory")
    width = senses["cue"] if prior == "raw" else WIDTH_LEARNT
    gate = {"size": SLOTS, "hard": hard, "gain": GAIN}
    slots = {"size": SLOTS * width, "prior": prior}
    modules = {
        "gate": Node(BasalGangliaGate, ("cue", "memory@-1"), "gate", gate),
        "memory": Node(WorkingMemory, ("cue", "gate"), "memory", slots),
    }
    return assemble(senses, modules)


register(
    working_memory,
    {"learnt": {"prior": "learnt"}, "hard": {"hard": True}},
    problem="gated working memory",
    mismatched="motor_prediction",
)
