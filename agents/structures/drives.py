"""The structure matched to competing drives."""

from __future__ import annotations

from collections.abc import Mapping

from motley.agents.areas import Arbiter, DriveHead, FoodFinder, NeedCritic
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def with_drives(
    frame: Mapping[str, Node],
    needs: int,
    swapped: bool = False,
    others: Mapping[str, Node] | None = None,
    recalled: tuple[str, ...] = (),
    prior: str = "weighed",
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
        prior: rung of the :class:`Arbiter`.
    """
    areas = {name: node for name, node in frame.items() if node.role not in ("actor", "critic")}
    areas.pop("search", None)  # which nobody would read: food is looked for by its own area
    areas["food"] = Node(FoodFinder, ("interoception", "vision", *recalled), "food")
    for need in range(needs):
        areas[f"drive_{need}"] = Node(DriveHead, ("food",), "drive", {"need": need})
    areas |= others or {}
    heads = (*(f"drive_{need}" for need in range(needs)), *(others or {}))
    # The given rule reads the needs alone, and no gradient is to seem to reach the core by it.
    other = "interoception" if prior == "exact" else "core"
    options = {"swapped": swapped, "prior": prior}
    areas["actor"] = Node(Arbiter, ("interoception", other, "food", *heads), "actor", options)
    areas["critic"] = Node(NeedCritic, ("interoception", "core", "food"), "critic")
    return Blueprint(areas)


def drives(senses: Sizes, swapped: bool = False, prior: str = "weighed") -> Blueprint:
    """A head and a value for each need, of which one acts; Dulberg et al. (2023) sum instead.

    Its rungs, ``prior``, are those of :class:`Arbiter`: how it is known whose turn it is. What
    a need knows of itself and its food is in all of them what :class:`FoodFinder` makes of the
    senses, a drive among it, with looks that are learnt from meals.
    """
    require(senses, ("interoception", "vision"), "drives")
    return with_drives(assemble(senses, {}), senses["interoception"], swapped, prior=prior)


register(
    drives,
    {"swapped": {"swapped": True}, **priors("exact", "learnt")},
    problem="competing drives",
    mismatched="drives.swapped",
)
