"""The structure matched to several problems in one life: the areas of their parts."""

from __future__ import annotations

from motley.agents.areas import EpisodicMemory, PathIntegrator
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require
from motley.agents.structures.drives import with_drives


def homestead(senses: Sizes, swapped: bool = False) -> Blueprint:
    """A path integrator, an episodic memory, a head for each need, and one for all else.

    The caches, of several colours, fill one need: its head knows one look, so that
    they are found by the head for all else.
    """
    require(senses, ("egomotion", "cue", "vision", "go", "interoception"), "homestead")
    memory = {"prior": "learnt_value", "capacity": 32}
    modules = {
        "integrator": Node(PathIntegrator, ("egomotion",), "integrator", {"prior": "learnt"}),
        "memory": Node(EpisodicMemory, ("cue", "vision", "go"), "memory", memory),
    }
    frame = assemble(senses, modules)
    return with_drives(frame, senses["interoception"], swapped, alone=False)


register(
    homestead,
    {"swapped": {"swapped": True}},
    problem="path integration + episodic memory + competing drives",
    mismatched="homestead.swapped",
)
