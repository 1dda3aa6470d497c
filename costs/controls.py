"""Controls: permutations of the routing's axes, which cost trains which area and when."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations, pairwise

from motley.costs.base import Cost
from motley.costs.development import Development, Schedule, constant
from motley.costs.registry import unknown
from motley.costs.routing import Routing, trained_areas
from motley.costs.value import Value

ROUTINGS = ("matched", "shuffled", "global")
"""Which cost trains which area: as written, dealt out anew, or each cost every area."""

Areas = Mapping[str, Iterable[str]]
"""For each area, in the order of data flow, the areas with weights that its output depends on."""

Deal = dict[str, frozenset[str]]
"""For each cost that moves, by name, the areas that it trains."""


class Deals:
    """All ways to deal the areas of several costs out anew among these costs.

    A deal is a degree-preserving rewiring of the table cost x area in which no cost keeps any of
    its areas: every area is trained by as many costs as before, the sets have the sizes that they
    had (whose is which may change), and no entry of the table stays. Each set has a last area,
    which depends on all others of it, so that a cost that reads it reaches all that it trains.

    Deals are counted cost by cost, with what is left of areas and sizes as the state, and numbered
    in that order, so that one is drawn uniformly without any list of them.

    Args:
        written: the areas that each cost trains now.
        above: see :data:`Areas`.
    """

    def __init__(self, written: Deal, above: Areas):
        self.above = {area: frozenset(needed) for area, needed in above.items()}
        self.names = list(written)
        trained = frozenset[str]().union(*written.values())
        self.areas = [area for area in self.above if area in trained]
        self.sizes = tuple(sorted(len(areas) for areas in written.values()))
        self.degrees = tuple(sum(a in areas for areas in written.values()) for a in self.areas)
        self.options = [
            [
                chosen
                for size in sorted(set(self.sizes))
                for chosen in combinations([a for a in self.areas if a not in own], size)
                if self.last(chosen) is not None
            ]
            for own in written.values()
        ]
        self._count = cache(self._ways)

    def last(self, chosen: Collection[str]) -> str | None:
        """Return the area of a set that depends on all of it, or None; the later of two."""
        ends = [area for area in chosen if self.above[area] >= set(chosen)]
        return ends[-1] if ends else None

    def _taken(
        self, chosen: Collection[str], degrees: tuple[int, ...], sizes: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Return what is left of degrees and sizes after a choice; None where it does not fit."""
        left = tuple(n - (a in chosen) for a, n in zip(self.areas, degrees, strict=True))
        if min(left) < 0 or len(chosen) not in sizes:
            return None
        at = sizes.index(len(chosen))
        return left, sizes[:at] + sizes[at + 1 :]

    def _ways(self, cost: int, degrees: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        """Return in how many ways the costs from ``cost`` on can share what is left."""
        if cost == len(self.names):
            return 1
        left = (self._taken(chosen, degrees, sizes) for chosen in self.options[cost])
        return sum(self._count(cost + 1, *state) for state in left if state)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count(0, self.degrees, self.sizes) if self.names else 0

    def __getitem__(self, number: int) -> Deal:
        """Return one by its number.

        Raises:
            IndexError: there are not as many.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"there are {len(self)} deals, none has number {number}")
        dealt, degrees, sizes = Deal(), self.degrees, self.sizes
        for cost, name in enumerate(self.names):
            for chosen in self.options[cost]:
                state = self._taken(chosen, degrees, sizes)
                ways = self._count(cost + 1, *state) if state else 0
                if state and number < ways:
                    dealt[name] = frozenset(chosen)
                    degrees, sizes = state
                    break
                number -= ways
        return dealt


def movable(costs: Iterable[Cost], areas: Mapping[str, str], above: Areas) -> Deal:
    """Return the areas that each cost trains, for the costs that can be applied to another area.

    Scores and values cannot: an actor without reward would tell nothing of routing. Nor can a cost
    that reads no area. Areas that a cost trains and does not reach do not count.

    Args:
        costs: the agent's.
        areas: the role of each area, by the area's name.
        above: see :data:`Areas`.
    """
    found = Deal()
    for cost in costs:
        options = getattr(cost, "reads", "").split("|")
        read = next((a for o in options for a, role in areas.items() if o in (a, role)), None)
        if read is None or cost.scores or isinstance(cost, Value):
            continue
        reached = trained_areas(cost, areas) & set(above[read])
        if reached:
            found[cost.name] = reached
    return found


def shuffled(
    costs: Sequence[Cost], areas: Mapping[str, str], above: Areas, seed: int
) -> tuple[Cost, ...]:
    """Return the costs, each :func:`movable` one applied to areas that are not its own.

    A cost keeps its target, weight and steps, and is read from the last area of those that it now
    trains. One of the :class:`Deals` is drawn by the seed.

    Args:
        costs: the agent's.
        areas: the role of each area, by the area's name.
        above: see :data:`Areas`.
        seed: of the draw.

    Raises:
        ValueError: there are fewer than three ways, too few to tell anything of routing.
    """
    written = movable(costs, areas, above)
    deals = Deals(written, above)
    if len(deals) < 3:
        own = "; ".join(f"{name}: {', '.join(sorted(of))}" for name, of in written.items())
        raise ValueError(
            f"routing='shuffled' needs three ways to give the costs areas that are not their own, "
            f"each area to as many costs as before, and there are {len(deals)} "
            f"({own or 'no cost can move'}); take a structure with more areas that have a cost of "
            f"their own"
        )
    dealt = deals[random.Random(seed).randrange(len(deals))]
    return tuple(
        cost.applied(str(deals.last(dealt[cost.name])), dealt[cost.name])
        if cost.name in dealt
        else cost
        for cost in costs
    )


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
    _check_timed(schedule, "permute")
    edges = [horizon * i // parts for i in range(parts + 1)]
    pieces = []
    for begin, end in pairwise(edges):
        inside = [(age - begin, value) for age, value in schedule.points if begin < age < end]
        last = [value for age, value in schedule.points if age == end][:1]
        before = last[0] if last else schedule.at(end)
        pieces.append([(0, schedule.at(begin)), *inside, (end - begin, before)])
    return pieces


def _check_timed(schedule: Schedule, change: str) -> None:
    """Raise where there is no saying when a schedule begins."""
    if schedule.since is not None:
        raise ValueError(
            f"a schedule that waits for a competence has no time of its own to {change}: replay "
            f"a run's log first, Development.replayed(log)"
        )


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


def fade_to_reward(
    costs: Sequence[Cost], begin: int, finish: int, development: Development | None = None
) -> Development:
    """Return the development in which all costs but the reward and its value fade away.

    Args:
        costs: the agent's.
        begin: age at which fading begins, in environment steps; until then all is as it was.
        finish: age at which only the reward is left.
        development: what changes besides, also of the weights that fade.

    Raises:
        ValueError: what fades waits for a competence.
    """
    kept, given = ("reward", "value_reward"), development or Development()
    weights = dict(given.weights)
    for cost in costs:
        if cost.name not in kept:
            weights[cost.name] = _faded(weights.get(cost.name, cost.schedule), begin, finish)
    return Development(weights, given.plasticity)


def _faded(schedule: Schedule, begin: int, finish: int) -> Schedule:
    """Return a schedule that goes to 0 from the value that it has at ``begin``."""
    _check_timed(schedule, "fade")
    before = [point for point in schedule.points if point[0] <= begin]
    return Schedule((*before, (begin, schedule.at(begin)), (finish, 0.0)))
