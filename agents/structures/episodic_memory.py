"""The structure matched to episodic memory."""

from __future__ import annotations

from motley.agents.areas import EpisodicMemory
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def episodic_memory(senses: Sizes, prior: str = "learnt_value") -> Blueprint:
    """An episodic memory of what was seen with each cue; ``prior`` is its rung."""
    require(senses, ("cue", "vision"), "episodic_memory")
    inputs = ("cue", "vision", "go") if "go" in senses else ("cue", "vision")
    capacity = 64 if prior == "learnt_gate" else 32
    node = Node(EpisodicMemory, inputs, "memory", {"prior": prior, "capacity": capacity})
    return assemble(senses, {"memory": node})


register(
    episodic_memory,
    priors("exact", "learnt_key", "learnt_gate"),
    problem="episodic memory",
    mismatched="path_integration",
)
