"""Cost sets: several costs under one name, routed by the areas' roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from motley.costs.base import Cost
from motley.costs.development import Schedule
from motley.costs.entropy import Entropy
from motley.costs.extrinsic_reward import ExtrinsicReward
from motley.costs.next_observation import NextObservation
from motley.costs.noise_target import NoiseTarget
from motley.costs.reconstruction import Reconstruction
from motley.costs.registry import Registry, unknown
from motley.costs.self_localisation import SelfLocalisation
from motley.costs.value import Value

Sizes = Mapping[str, int]
CostSet = Callable[[Sizes], tuple[Cost, ...]]

COSTS: Registry[type[Cost]] = Registry("cost")
"""Costs by the name of their class in lower case with underscores."""

COST_SETS: Registry[CostSet] = Registry("cost set")
"""Cost sets by name: functions of the senses' sizes, since a cost needs what it predicts."""


def register(cost: type[Cost]) -> type[Cost]:
    """Make a cost known by its name, for ``--costs`` and for files.

    Raises:
        ValueError: another cost has that name.
    """
    COSTS[cost().name] = cost
    return cost


for _cost in (
    ExtrinsicReward,
    Value,
    Entropy,
    NextObservation,
    SelfLocalisation,
    Reconstruction,
    NoiseTarget,
):
    register(_cost)


def reward(senses: Sizes) -> tuple[Cost, ...]:
    """One cost, end to end: the task's reward, with its value."""
    return (ExtrinsicReward(), Value())


def homogeneous(senses: Sizes) -> tuple[Cost, ...]:
    """Reward, and one prediction cost that trains every area."""
    return (*reward(senses), NextObservation(trains=("all",), sense=seen(senses)))


def heterogeneous(senses: Sizes) -> tuple[Cost, ...]:
    """Reward, and for each kind of area a cost of its own, as far as the senses allow.

    The core predicts what is seen next; an integrator knows the way home, and is trained by nothing
    else (the reward's noisy gradient was seen to keep it from learning); a memory keeps what
    was seen with a cue. In the uniform structure all of them train the one core.
    """
    acting = ("encoder", "core", "memory", "readout", "actor", "critic")
    costs: list[Cost] = [
        ExtrinsicReward(trains=acting),
        Value(trains=acting),
        NextObservation(sense=seen(senses)),
    ]
    if "egomotion" in senses:
        costs.append(SelfLocalisation())
    if "cue" in senses and "go" in senses:
        costs.append(Reconstruction(sense=seen(senses), when="go"))
    return tuple(costs)


def placebo(senses: Sizes) -> tuple[Cost, ...]:
    """Reward, and noise to predict where a prediction cost would stand."""
    return (*reward(senses), NoiseTarget())


def seen(senses: Sizes) -> str:
    """Return the sense to predict: vision, or else the first there is."""
    return "vision" if "vision" in senses else next(iter(senses))


for _set in (reward, homogeneous, heterogeneous, placebo):
    COST_SETS[_set.__name__] = _set


def cost_set(names: str | Sequence[str | Cost], senses: Sizes) -> tuple[Cost, ...]:
    """Return the costs meant by ``names``, without those whose weight is the number 0.

    Args:
        names: a set's or a cost's name, several joined by ``+`` ("reward+noise_target"), or a
            list of names and costs.
        senses: size of each sense.

    Raises:
        ValueError: a name is unknown, or nothing scores, so that there is nothing to act for.
    """
    entries = names.split("+") if isinstance(names, str) else list(names)
    costs: list[Cost] = []
    for entry in entries:
        if isinstance(entry, Cost):
            costs.append(entry)
        elif entry in COST_SETS:
            costs += COST_SETS[entry](senses)
        elif entry in COSTS:
            costs.append(COSTS[entry]())
        else:
            raise ValueError(unknown("cost set or cost", entry, (*COST_SETS, *COSTS)))
    costs = [cost for cost in costs if cost.weight != 0]
    if not any(cost.scores for cost in costs):
        raise ValueError(
            f"none of the costs {[c.name for c in costs]} gives a score, so there is nothing to "
            f"act for; add ExtrinsicReward()"
        )
    valued = {cost.of for cost in costs if isinstance(cost, Value)}
    costs += [Value(of=c.name, trains=c.trains) for c in costs if c.scores and c.name not in valued]
    scored = {cost.name for cost in costs if cost.scores}
    return tuple(c for c in costs if not isinstance(c, Value) or c.of in scored)


def to_json(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """Return costs as JSON values; the inverse of :func:`from_json`."""
    entries = []
    for cost in costs:
        options = {f.name: getattr(cost, f.name) for f in fields(cost)}
        if isinstance(cost.weight, Schedule):
            options["weight"] = vars(cost.weight)
        entries.append({"cost": type(cost).__name__, "options": options})
    return entries


def from_json(data: Sequence[Mapping[str, Any]]) -> tuple[Cost, ...]:
    """Build costs from :func:`to_json`'s values; classes are looked up by name.

    Raises:
        ValueError: a class is not registered.
    """
    known = {cls.__name__: cls for cls in COSTS.values()}
    costs = []
    for entry in data:
        if entry["cost"] not in known:
            raise ValueError(unknown("cost", entry["cost"], known))
        options: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in entry["options"].items()
        }
        if isinstance(options["weight"], Mapping):
            options["weight"] = Schedule(**options["weight"])
        costs.append(known[entry["cost"]](**options))
    return tuple(costs)
