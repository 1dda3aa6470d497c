"""The structure matched to competing drives."""

from __future__ import annotations

from collections.abc import Mapping

from motley.agents.areas import Arbiter, DriveHead, Perceptron
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require


def with_drives(frame: Mapping[str, Node], needs: int, swapped: bool = False) -> Blueprint:
    """Return a frame whose actor arbitrates between a head for each need.

    The heads share a trunk with each other, and the critics of the needs share the critic, so that
    they take little of the parameter budget.

    Args:
        frame: areas as :func:`assemble` wires them.
        needs: how many.
        swapped: see :class:`Arbiter`.
    """
    areas = {name: node for name, node in frame.items() if node.role not in ("actor", "critic")}
    areas["trunk"] = Node(Perceptron, frame["actor"].inputs, "readout", {"size": 64})
    heads = tuple(f"drive_{need}" for need in range(needs))
    for head in heads:
        areas[head] = Node(DriveHead, ("trunk", "vision"), "drive")
    arbiter = Node(Arbiter, ("interoception", *heads), "actor", {"swapped": swapped})
    return Blueprint({**areas, "actor": arbiter, "critic": frame["critic"]})


def drives(senses: Sizes, swapped: bool = False) -> Blueprint:
    """A head and a critic for each need, arbitrated by the drives (Dulberg et al. 2023)."""
    require(senses, ("interoception", "vision"), "drives")
    return with_drives(assemble(senses, {}), senses["interoception"], swapped)


register(
    drives,
    {"swapped": {"swapped": True}},
    problem="competing drives",
    mismatched="drives.swapped",
)
