"""The structure matched to several problems in one life: the areas of their parts."""

from __future__ import annotations

from motley.agents.areas import EpisodicMemory, MotorHead, PathIntegrator
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require
from motley.agents.structures.drives import with_drives


def homestead(senses: Sizes, swapped: bool = False, prior: str = "learnt_value") -> Blueprint:
    """A path integrator, an episodic memory, a head for each need, and one for the way home.

    The caches fill one need, and which of them does changes: what is looked for is what memory
    recalls of the item that is asked for.

    Args:
        senses: size of each sense.
        swapped: see :class:`Arbiter`.
        prior: rung of the memory.
    """
    require(senses, ("egomotion", "cue", "vision", "go", "interoception"), "homestead")
    memory = {"prior": prior, "capacity": 32}
    modules = {
        "integrator": Node(PathIntegrator, ("egomotion",), "integrator", {"prior": "learnt"}),
        "memory": Node(EpisodicMemory, ("cue", "vision", "go"), "memory", memory),
    }
    home = {"home": Node(MotorHead, ("integrator",), "motor")}
    return with_drives(
        assemble(senses, modules), senses["interoception"], swapped, home, ("memory",)
    )


register(
    homestead,
    {"swapped": {"swapped": True}, **priors("exact")},
    problem="path integration + episodic memory + competing drives",
    mismatched="homestead.swapped",
)
