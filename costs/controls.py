"""Controls: permutations of the routing's axes, which cost trains which area and when."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, permutations

from motley.costs.base import Cost
from motley.costs.development import Development, Schedule, constant, ramp
from motley.costs.registry import unknown
from motley.costs.routing import Routing
from motley.costs.value import Value

ROUTINGS = ("matched", "shuffled", "global")
"""Which cost trains which area: as written, dealt out anew, or each cost every area."""

Norms = Mapping[str, Mapping[str, float]]
"""Gradient norm by cost and area, each cost training every area."""


def own(costs: Mapping[str, Cost]) -> list[str]:
    """Return the names of the costs that are neither a score nor a value: those that may move."""
    return [n for n, cost in costs.items() if not cost.scores and not isinstance(cost, Value)]


def derangements(routes: Routing, movable: Sequence[str], norms: Norms) -> Iterator[Routing]:
    """Yield the routings in which every movable cost trains the areas of another one.

    Each cost still reads what it reads. Only those routings count that change every movable cost's
    areas and in which each reaches, with a gradient that is not zero, some area that it trains.

    Args:
        routes: as written.
        movable: names of the costs whose areas are dealt out anew.
        norms: what each cost's gradient would be in each area.
    """
    seen = set()
    for order in permutations(movable):
        dealt = {name: routes[other] for name, other in zip(movable, order, strict=True)}
        moved = all(dealt[name] != routes[name] for name in movable)
        reaching = all(any(norms[n][area] > 0 for area in dealt[n]) for n in movable)
        key = tuple(dealt.values())
        if moved and reaching and key not in seen:
            seen.add(key)
            yield {**routes, **dealt}


def shuffled(routes: Routing, movable: Sequence[str], norms: Norms, seed: int) -> Routing:
    """Return one of the :func:`derangements`, drawn by a seed.

    Raises:
        ValueError: there are fewer than three, too few to tell anything of routing.
    """
    found = list(derangements(routes, movable, norms))
    if len(found) < 3:
        raise ValueError(
            f"routing='shuffled' needs three ways to deal out the areas of the costs "
            f"({', '.join(movable) or 'none can be moved'}) so that each still trains something, "
            f"and there are {len(found)}; take a structure with more areas that have costs of "
            f"their own"
        )
    return random.Random(seed).choice(found)


def everywhere(routes: Routing, areas: Sequence[str]) -> Routing:
    """Return the routing in which every cost trains every area: the global sum."""
    return {name: frozenset(areas) for name in routes}


def reversed_time(development: Development, horizon: int) -> Development:
    """Return the development run backwards within ``horizon`` steps."""
    return _retimed(development, horizon, lambda pieces: [_backwards(p) for p in pieces[::-1]], 1)


def permuted_time(development: Development, horizon: int, seed: int, parts: int = 4) -> Development:
    """Return the development with equal parts of its first ``horizon`` steps in another order.

    The order is the same for every schedule, is drawn by the seed, and leaves no part in place.
    """
    rng, order = random.Random(seed), list(range(parts))
    while parts > 1 and any(i == j for i, j in enumerate(order)):
        rng.shuffle(order)
    return _retimed(development, horizon, lambda pieces: [pieces[i] for i in order], parts)


def simultaneous(development: Development, horizon: int) -> Development:
    """Return the development with every schedule at its mean over ``horizon`` steps."""

    def mean(schedule: Schedule) -> Schedule:
        (piece,) = _pieces(schedule, horizon, 1)
        area = sum((b - a) * (x + y) / 2 for (a, x), (b, y) in pairwise(piece))
        return constant(area / horizon)

    return _each(development, mean)


TIMES = ("staged", "reversed", "permuted", "simultaneous")
"""What may be done with a development; ``staged`` leaves it as written."""


def retimed(development: Development, time: str, horizon: int, seed: int) -> Development:
    """Return the development under one of :data:`TIMES`, each with the same total exposure.

    Args:
        development: as written.
        time: what to do with it.
        horizon: steps of the whole run.
        seed: of the permutation.

    Raises:
        ValueError: there is no such time, or a schedule waits for a competence.
    """
    if time not in TIMES:
        raise ValueError(unknown("time", time, TIMES))
    if time == "reversed":
        return reversed_time(development, horizon)
    if time == "permuted":
        return permuted_time(development, horizon, seed)
    return simultaneous(development, horizon) if time == "simultaneous" else development


Piece = list[tuple[int, float]]
"""Points from 0 to the length of a part of the horizon."""


def _pieces(schedule: Schedule, horizon: int, parts: int) -> list[Piece]:
    """Cut a schedule into equal parts; the value at a border belongs to both, without the jump."""
    if schedule.since is not None:
        raise ValueError(
            "a schedule that waits for a competence has no time of its own to permute: replay "
            "a run's log first, Development.replayed(log)"
        )
    edges = [horizon * i // parts for i in range(parts + 1)]
    pieces = []
    for begin, end in pairwise(edges):
        inside = [(age - begin, value) for age, value in schedule.points if begin < age < end]
        last = [value for age, value in schedule.points if age == end][:1]
        before = last[0] if last else schedule.at(end)
        pieces.append([(0, schedule.at(begin)), *inside, (end - begin, before)])
    return pieces


def _backwards(piece: Piece) -> Piece:
    length = piece[-1][0]
    return [(length - age, value) for age, value in reversed(piece)]


def _each(development: Development, change: Callable[[Schedule], Schedule]) -> Development:
    return Development(
        {name: change(s) for name, s in development.weights.items()},
        {name: change(s) for name, s in development.plasticity.items()},
    )


def _retimed(
    development: Development,
    horizon: int,
    rearrange: Callable[[list[Piece]], list[Piece]],
    parts: int,
) -> Development:
    def change(schedule: Schedule) -> Schedule:
        points, begin = list[tuple[int, float]](), 0
        for piece in rearrange(_pieces(schedule, horizon, parts)):
            points += [(begin + age, value) for age, value in piece]
            begin += piece[-1][0]
        return Schedule(tuple(points))

    return _each(development, change)


def fade_to_reward(costs: Sequence[Cost], begin: int, finish: int) -> Development:
    """Return the development in which all costs but the reward and its value fade away.

    Args:
        costs: the agent's.
        begin: age at which fading begins, in environment steps.
        finish: age at which only the reward is left.
    """
    kept = ("reward", "value_reward")
    return Development(
        {
            cost.name: ramp(cost.schedule.at(begin), 0.0, begin, finish)
            for cost in costs
            if cost.name not in kept
        }
    )
