"""The structure matched to competing drives."""

from __future__ import annotations

from collections.abc import Mapping

from motley.agents.areas import Arbiter, DriveHead, FoodFinder, NeedCritic
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require


def with_drives(
    frame: Mapping[str, Node],
    needs: int,
    swapped: bool = False,
    others: Mapping[str, Node] | None = None,
    recalled: tuple[str, ...] = (),
) -> Blueprint:
    """Return a frame whose actor selects between a head for each need.

    The critic sees the needs as the arbiter does: what a meal eaten unripe costs later depends on
    all of them.

    Args:
        frame: areas as :func:`assemble` wires them where there is vision.
        needs: how many.
        swapped: see :class:`Arbiter`.
        others: further heads, for what is no need.
        recalled: a memory that knows what food looks like; see :class:`FoodFinder`.
    """
    areas = {name: node for name, node in frame.items() if node.role not in ("actor", "critic")}
    areas.pop("search", None)  # which nobody would read: food is looked for by its own area
    areas["food"] = Node(FoodFinder, ("interoception", "vision", *recalled), "food")
    for need in range(needs):
        areas[f"drive_{need}"] = Node(DriveHead, ("food",), "drive", {"need": need})
    areas |= others or {}
    heads = (*(f"drive_{need}" for need in range(needs)), *(others or {}))
    known = ("interoception", "core", "food")
    areas["actor"] = Node(Arbiter, (*known, *heads), "actor", {"swapped": swapped})
    areas["critic"] = Node(NeedCritic, known, "critic")
    return Blueprint(areas)


def drives(senses: Sizes, swapped: bool = False) -> Blueprint:
    """A head and a value for each need, of which one acts; Dulberg et al. (2023) sum instead."""
    require(senses, ("interoception", "vision"), "drives")
    return with_drives(assemble(senses, {}), senses["interoception"], swapped)


register(
    drives,
    {"swapped": {"swapped": True}},
    problem="competing drives",
    mismatched="drives.swapped",
)
