"""Development: how much each cost counts, and how plastic each area is, at each age.

Age is the number of environment steps lived, so that a schedule means the same whatever the
number of worlds, and can be written into a run's configuration and replayed from its log. A
schedule may also begin at an age that is not known before: when the agent has become good enough.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

MEASURES = ("score01", "success", "return")
"""What competence may be measured by: means over episodes."""


@dataclass(frozen=True)
class Trigger:
    """The first update before which the last episodes were good enough.

    Attributes:
        measure: one of :data:`MEASURES`.
        threshold: the mean that must be reached.
        episodes: over how many of the last episodes; it does not fire before so many ended.
    """

    measure: str = "score01"
    threshold: float = 0.8
    episodes: int = 100

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError(f"Trigger(measure={self.measure!r}): give one of {MEASURES}")
        if not 1 <= self.episodes <= Competence.KEPT:
            raise ValueError(
                f"Trigger(episodes={self.episodes}): give 1 to {Competence.KEPT}, the episodes "
                f"that are remembered"
            )


class Competence:
    """How the last episodes went, and when triggers fired.

    Attributes:
        ended: the last episodes' results by measure, the newest last.
        fired: the age at which each trigger fired.
    """

    KEPT = 200

    def __init__(self) -> None:
        self.ended: dict[str, list[float]] = {}
        self.fired: dict[Trigger, int] = {}

    def note(self, measure: str, result: float) -> None:
        """Take in the result of an episode that ended."""
        results = self.ended.setdefault(measure, [])
        results.append(result)
        del results[: -self.KEPT]

    def look(self, age: int, triggers: Iterable[Trigger]) -> None:
        """Fire at ``age`` what has not fired and has its threshold reached."""
        for trigger in triggers:
            last = self.ended.get(trigger.measure, [])[-trigger.episodes :]
            if trigger in self.fired or len(last) < trigger.episodes:
                continue
            if sum(last) / len(last) >= trigger.threshold:
                self.fired[trigger] = age

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        fired = [[vars(trigger), age] for trigger, age in self.fired.items()]
        return {"ended": self.ended, "fired": fired}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what :meth:`to_json` gave."""
        self.ended = {measure: list(results) for measure, results in data["ended"].items()}
        self.fired = {Trigger(**trigger): age for trigger, age in data["fired"]}


@dataclass(frozen=True)
class Schedule:
    """A number over age: linear between points, constant before the first and after the last.

    Two points of the same age are a jump; at that age the second one holds.

    Attributes:
        points: (age in environment steps, value >= 0), ages not falling.
        since: what starts the clock; until then the first point's value holds. None: birth.
    """

    points: tuple[tuple[int, float], ...]
    since: Trigger | None = None

    def __post_init__(self) -> None:
        ages = [age for age, _ in self.points]
        if not self.points or min(ages) < 0 or ages != sorted(ages):
            raise ValueError(f"a schedule has points of ages >= 0 that do not fall, not {ages}")
        if not all(0 <= value < math.inf for _, value in self.points):
            raise ValueError(f"a schedule's values are >= 0, not {self.points}")

    def at(self, age: int, fired: Mapping[Trigger, int] | None = None) -> float:
        """Return the value at an age.

        Args:
            age: in environment steps.
            fired: the ages at which triggers fired.
        """
        if self.since is not None:
            if fired is None or self.since not in fired:
                return self.points[0][1]
            age -= fired[self.since]
        after = bisect_right([point for point, _ in self.points], age)
        if after == 0 or after == len(self.points):
            return self.points[max(after - 1, 0)][1]
        (begin, start), (finish, end) = self.points[after - 1], self.points[after]
        return start + (end - start) * (age - begin) / (finish - begin)

    def scaled(self, factor: float) -> Schedule:
        """Return this schedule times a number."""
        return Schedule(tuple((age, factor * value) for age, value in self.points), self.since)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        since = None if self.since is None else vars(self.since)
        return {"points": [list(point) for point in self.points], "since": since}

    @classmethod
    def from_json(cls, data: Any) -> Schedule:
        """Build a schedule from :meth:`to_json`'s values, a list of points, or a number.

        Raises:
            ValueError: it is none of these.
        """
        wrong = f"a schedule is a number, a list of [age, value], or points and since, not {data!r}"
        if isinstance(data, int | float) and not isinstance(data, bool):
            return constant(data)
        given = data if isinstance(data, Mapping) else {"points": data}
        if given.keys() - {"points", "since"}:
            raise ValueError(wrong)
        points, since = given.get("points", ()), given.get("since")
        try:
            made = tuple((int(age), float(value)) for age, value in points)
        except (TypeError, ValueError) as error:
            raise ValueError(wrong) from error
        try:
            return cls(made, None if since is None else Trigger(**since))
        except TypeError as error:
            names = ", ".join(Trigger.__dataclass_fields__)
            raise ValueError(f"since is null or has {names}, not {since!r}") from error


ScheduleLike = Schedule | float | Sequence[Sequence[float]] | Mapping[str, Any]
"""A schedule, or what :meth:`Schedule.from_json` makes one of."""


def constant(value: float) -> Schedule:
    """Return a number that does not change."""
    return Schedule(((0, value),))


def ramp(start: float, end: float, begin: int, finish: int) -> Schedule:
    """Return a number that goes from ``start`` to ``end`` between two ages."""
    return Schedule(((begin, start), (finish, end)))


def stage(value: float, begin: int, end: int) -> Schedule:
    """Return a number that is on from the age ``begin`` until ``end``, and 0 at other ages."""
    return Schedule(((begin, 0.0), (begin, value), (end, value), (end, 0.0)))


def critical_period(begin: int, end: int, opening: int = 0, closing: int = 0) -> Schedule:
    """Return a gate that is open between two ages, and opens and closes gradually.

    Args:
        begin: age at which it starts to open.
        end: age at which it is shut.
        opening: steps that opening takes.
        closing: steps that closing takes.
    """
    return Schedule(
        ((begin, 0.0), (begin + opening, 1.0), (max(end - closing, begin + opening), 1.0),
         (end, 0.0))
    )  # fmt: skip


def once(trigger: Trigger, before: float, after: float, within: int = 0) -> Schedule:
    """Return a number that changes when a competence is reached, within so many steps."""
    return Schedule(((0, before), (within, after)), trigger)


@dataclass(frozen=True, init=False)
class Development:
    """What changes with age.

    Schedules may be given as the JSON values that :meth:`Schedule.from_json` takes: a number, or a
    list of points.

    Attributes:
        weights: by cost, its weight, in place of the cost's own.
        plasticity: by area or role, how plastic it is: 1 learns as usual, 0 not at all, between
            them its learning rate shrinks in proportion. Others are plastic throughout.

    Raises:
        ValueError: something else is given for a schedule; the message names what it is for.
    """

    weights: Mapping[str, Schedule]
    plasticity: Mapping[str, Schedule]

    def __init__(
        self,
        weights: Mapping[str, ScheduleLike] | None = None,
        plasticity: Mapping[str, ScheduleLike] | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "weights": {} if weights is None else weights,
            "plasticity": {} if plasticity is None else plasticity,
        }
        for part, entries in given.items():
            if not isinstance(entries, Mapping):
                raise ValueError(f"{part} of a development is a dict of schedules, not {entries!r}")
            made = {name: _schedule(part, name, value) for name, value in entries.items()}
            object.__setattr__(self, part, made)

    @property
    def triggers(self) -> set[Trigger]:
        """The triggers of all schedules."""
        schedules = [*self.weights.values(), *self.plasticity.values()]
        return {schedule.since for schedule in schedules if schedule.since is not None}

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "weights": {name: s.to_json() for name, s in self.weights.items()},
            "plasticity": {name: s.to_json() for name, s in self.plasticity.items()},
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Build a development from :meth:`to_json`'s values.

        Raises:
            ValueError: it says something else than weights and plasticity.
        """
        if not isinstance(data, Mapping) or set(data) - {"weights", "plasticity"}:
            raise ValueError(f"a development has 'weights' and 'plasticity', not {data!r}")
        return cls(**data)

    @classmethod
    def replayed(cls, log: Mapping[str, Sequence[float]]) -> Self:
        """Return the development that a run's log tells, triggers resolved into ages.

        Args:
            log: columns of ``progress.csv``: ``steps`` after each update, and ``weight/<cost>``
                and ``plasticity/<area>`` during it.
        """
        ages = [0, *(int(steps) for steps in log["steps"])]

        def steps_of(column: Sequence[float]) -> Schedule:
            points: list[tuple[int, float]] = []
            for age, value in zip(ages, column, strict=False):
                if not points:
                    points.append((age, float(value)))
                elif points[-1][1] != value:  # a jump
                    points += [(age, points[-1][1]), (age, float(value))]
            return Schedule(tuple(points))

        def part(kind: str) -> dict[str, Schedule]:
            return {
                name.removeprefix(f"{kind}/"): steps_of(column)
                for name, column in log.items()
                if name.startswith(f"{kind}/")
            }

        return cls(part("weight"), part("plasticity"))


def _schedule(part: str, name: str, given: Any) -> Schedule:
    """Return what is given for the weight or the plasticity of something as a schedule."""
    if isinstance(given, Schedule):
        return given
    try:
        return Schedule.from_json(given)
    except ValueError as error:
        raise ValueError(f"{part} of {name!r}: {error}") from error


__all__ = [
    "MEASURES",
    "Competence",
    "Development",
    "Schedule",
    "Trigger",
    "constant",
    "critical_period",
    "once",
    "ramp",
    "stage",
]
