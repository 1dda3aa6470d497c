"""The structure matched to episodic memory."""

from __future__ import annotations

from motley.agents.areas import BasalGangliaGate, EpisodicMemory
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def episodic_memory(
    senses: Sizes, prior: str = "learnt_value", completion: bool = False
) -> Blueprint:
    """An episodic memory; ``.learnt_gate`` wants ``--costs heterogeneous+saliency``.

    It keeps what was seen with each cue; ``prior`` is its rung. Where the gate is learnt it is an
    area of its own, so that it can have a cost of its own. With ``completion`` a part of a cue is
    enough to find what was seen with the whole.
    """
    require(senses, ("cue", "vision"), "episodic_memory")
    inputs = ("cue", "vision", "go") if "go" in senses else ("cue", "vision")
    modules = {}
    if prior == "learnt_gate":
        modules["gate"] = Node(BasalGangliaGate, inputs, "gate", {"size": 1, "openness": 1.0})
        inputs = ("cue", "vision", "gate")
    options = {"prior": prior, "capacity": 32, "completion": completion}
    return assemble(senses, {**modules, "memory": Node(EpisodicMemory, inputs, "memory", options)})


register(
    episodic_memory,
    priors("exact", "learnt_key", "learnt_gate") | {"completion": {"completion": True}},
    problem="episodic memory",
    mismatched="path_integration",
)
