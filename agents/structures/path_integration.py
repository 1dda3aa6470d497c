"""The structure matched to path integration."""

from __future__ import annotations

from motley.agents.areas import HeadDirection, PathIntegrator, PlaceCode
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def path_integration(
    senses: Sizes, prior: str = "learnt", head_direction: bool = False, place: bool = False
) -> Blueprint:
    """A path integrator beside the core; ``prior`` is its rung.

    The ring's cost is added by name, ``heterogeneous+heading_integration``.

    Args:
        senses: size of each sense.
        prior: rung of the integrator, and of the ring.
        head_direction: add a ring of head-direction cells.
        place: add place cells, and the ring that they take the heading from.
    """
    require(senses, ("egomotion",), "path_integration")
    options = {"prior": prior}
    modules = {"integrator": Node(PathIntegrator, ("egomotion",), "integrator", options)}
    if head_direction or place:
        modules["ring"] = Node(HeadDirection, ("egomotion",), "head_direction", options)
    if place:
        modules["place"] = Node(PlaceCode, ("integrator", "ring"), "place")
    return assemble(senses, modules)


register(
    path_integration,
    {
        **priors("exact", "noisy"),
        "head_direction": {"head_direction": True},
        "place": {"place": True},
    },
    problem="path integration",
    mismatched="episodic_memory",
)
