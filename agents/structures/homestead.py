"""The structure matched to several problems in one life: the areas of their parts."""

from __future__ import annotations

from motley.agents.areas import EpisodicMemory, PathIntegrator
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require
from motley.agents.structures.drives import with_drives


def homestead(senses: Sizes, swapped: bool = False) -> Blueprint:
    """A path integrator, an episodic memory, and a head and a critic for each need."""
    require(senses, ("egomotion", "cue", "vision", "go", "interoception"), "homestead")
    memory = {"prior": "learnt_value", "capacity": 32}
    modules = {
        "integrator": Node(PathIntegrator, ("egomotion",), "integrator", {"prior": "learnt"}),
        "memory": Node(EpisodicMemory, ("cue", "vision", "go"), "memory", memory),
    }
    return with_drives(assemble(senses, modules), senses["interoception"], swapped)


register(
    homestead,
    {"swapped": {"swapped": True}},
    problem="path integration + episodic memory + competing drives",
    mismatched="homestead.swapped",
)
