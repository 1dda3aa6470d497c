"""The structure matched to object permanence."""

from __future__ import annotations

from motley.agents.areas import ObjectTracker
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def object_tracking(senses: Sizes, prior: str = "noisy") -> Blueprint:
    """A slot that tracks a thing out of sight, beside the core; ``prior`` is its rung."""
    require(senses, ("vision", "egomotion"), "object_tracking")
    node = Node(ObjectTracker, ("vision", "egomotion"), "tracker", {"prior": prior})
    return assemble(senses, {"tracker": node})


register(
    object_tracking,
    priors("exact", "learnt"),
    problem="object permanence",
    mismatched="working_memory",
)
