"""Routing: which cost trains which area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from motley.costs.base import Cost, unfit
from motley.costs.registry import Registry

ROLES: Registry[str] = Registry("role")
"""Roles that a cost may name though an agent lacks them, and what has each.

A plug-in adds one by ``ROLES["whiskers"] = "senses touch"``.
"""
ROLES |= {
    "encoder": "turns a sense into features",
    "core": "the generic memory, whose width meets the parameter budget",
    "integrator": "keeps the way home",
    "head_direction": "keeps the heading",
    "place": "tells where the body is",
    "memory": "keeps what happened once",
    "drive": "wants what fills one need",
    "food": "finds what fills the needs",
    "gate": "decides what is let in",
    "binding": "ties fillers to roles",
    "tracker": "keeps what is out of sight",
    "forward_model": "predicts what an action does to the senses",
    "inverse_model": "finds the action for a wanted effect",
    "world_model": "predicts what is seen",
    "self_model": "predicts the world model's error",
    "detector": "finds something known from birth",
    "appearance": "tells a kind of thing by its looks",
    "gaze": "tells what another looks at",
    "readout": "finds in the senses what other areas look for",
    "motor": "finds the action that follows from what other areas know",
    "actor": "gives the action's distribution",
    "critic": "gives the features that values are read from",
}

Routing = dict[str, frozenset[str]]
"""For each cost, by name, the areas that it trains."""


def trained_areas(cost: Cost, areas: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the areas that a cost trains.

    Args:
        cost: its ``trains`` are names, roles, ``"a|b"`` (b where there is no a) or ``"all"``; what
            a ``"-"`` precedes is left out.
        areas: the role of each area, by the area's name.

    Raises:
        UnfitError: a name is no area, no role and not ``all``.
    """
    trained: set[str] = set()
    # What is left out comes last.
    for entry in sorted(cost.trains, key=lambda entry: entry.startswith("-")):
        for option in entry.removeprefix("-").split("|"):
            if option == "all":
                found = set(areas)
            elif option in areas:
                found = {option}
            else:
                found = {name for name, role in areas.items() if role == option}
                if not found and option not in ROLES:
                    lack = f"it trains {option!r}, which is no area and no role"
                    roles = ", ".join(dict.fromkeys(areas.values()))
                    known = f"{', '.join(areas)}, or a role, {roles}, or all"
                    raise unfit(cost.name, "this structure", f"{lack}; give an area, {known}")
            if found:
                trained = trained - found if entry.startswith("-") else trained | found
                break
    return frozenset(trained)


def routing(costs: Iterable[Cost], areas: Mapping[str, str]) -> Routing:
    """Return the routing of several costs; see :func:`trained_areas`.

    Raises:
        ValueError: two costs have the same name.
    """
    table: Routing = {}
    for cost in costs:
        if cost.name in table:
            raise ValueError(f"two costs are called {cost.name!r}; leave one out")
        table[cost.name] = trained_areas(cost, areas)
    return table


def table(routes: Routing, areas: Sequence[str]) -> str:
    """Return the routing as text: costs down, areas across."""
    width = max(len(name) for name in routes)
    lines = [" " * width + "  " + "  ".join(areas)]
    for name, trained in routes.items():
        marks = ("x" if area in trained else "." for area in areas)
        cells = "  ".join(mark.center(len(area)) for mark, area in zip(marks, areas, strict=True))
        lines.append(f"{name:<{width}}  {cells}")
    return "\n".join(lines)
