"""The structure matched to path integration."""

from __future__ import annotations

from motley.agents.areas import PathIntegrator
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def path_integration(senses: Sizes, prior: str = "learnt") -> Blueprint:
    """A path integrator beside the core; ``prior`` is its rung."""
    require(senses, ("egomotion",), "path_integration")
    node = Node(PathIntegrator, ("egomotion",), "integrator", {"prior": prior})
    return assemble(senses, {"integrator": node})


register(
    path_integration,
    priors("exact", "noisy"),
    problem="path integration",
    mismatched="episodic_memory",
)
