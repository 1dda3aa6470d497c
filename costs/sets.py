"""Cost sets: several costs under one name, routed by the areas' roles."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from torch import nn

from motley.costs.adversarial_curiosity import AdversarialCuriosity
from motley.costs.area_target import AreaTarget
from motley.costs.base import EVERY, Cost
from motley.costs.behavioural_cloning import BehaviouralCloning
from motley.costs.count_novelty import CountNovelty
from motley.costs.development import Schedule
from motley.costs.drive_reduction import DriveReduction
from motley.costs.effort import Effort
from motley.costs.ensemble_disagreement import EnsembleDisagreement
from motley.costs.entropy import Entropy
from motley.costs.episodic_novelty import EpisodicNovelty
from motley.costs.extrinsic_reward import ExtrinsicReward
from motley.costs.gaze_from_hand import GazeFromHand
from motley.costs.heading_integration import HeadingIntegration
from motley.costs.held_content import HeldContent
from motley.costs.inverse_dynamics import InverseDynamics
from motley.costs.latent_self_prediction import LatentSelfPrediction
from motley.costs.learning_progress import LearningProgress
from motley.costs.local_td_error import LocalTDError
from motley.costs.match_prediction import MatchPrediction
from motley.costs.meal_appearance import MealAppearance
from motley.costs.motor_prediction import MotorPrediction
from motley.costs.mover_event import MoverEvent
from motley.costs.next_observation import NextObservation
from motley.costs.noise_target import NoiseTarget
from motley.costs.occlusion_prediction import OcclusionPrediction
from motley.costs.prediction import Prediction
from motley.costs.prediction_error_curiosity import PredictionErrorCuriosity
from motley.costs.random_feature_curiosity import RandomFeatureCuriosity
from motley.costs.reconstruction import Reconstruction
from motley.costs.registry import Registry, unknown
from motley.costs.reward_prediction import RewardPrediction
from motley.costs.rnd import RND
from motley.costs.saliency import Saliency
from motley.costs.self_localisation import SelfLocalisation
from motley.costs.self_prediction import SelfPrediction
from motley.costs.sensory_prediction import SensoryPrediction
from motley.costs.slowness import Slowness
from motley.costs.sparsity import Sparsity
from motley.costs.value import Value
from motley.costs.world_prediction import WorldPrediction

Sizes = Mapping[str, int]
CostSet = Callable[[Sizes, str | None], tuple[Cost, ...]]

COSTS: Registry[type[Cost]] = Registry("cost")
"""Costs by the name of their class in lower case with underscores."""

TAKEN = frozenset(dir(nn.ModuleDict()))
"""What no cost can be called: torch's own names of modules, of which each cost's heads are one."""

COST_SETS: Registry[CostSet] = Registry("cost set")
"""Cost sets by name: functions of the senses' sizes and of the problem that the task poses."""


def register(cost: type[Cost]) -> type[Cost]:
    """Make a cost known by its name, for ``--costs``, for files and for the problems it states.

    Raises:
        ValueError: another cost has that name, or a set, or torch's modules have it.
    """
    if cost.label() in TAKEN:
        raise ValueError(
            f"no cost can be called {cost.label()!r}, which torch's modules have: rename the class "
            f"{cost.__name__}, or give it another kind"
        )
    if cost.label() in COST_SETS:
        raise ValueError(
            f"a set of costs is called {cost.label()!r}: rename the class {cost.__name__}, or give "
            f"it another kind"
        )
    COSTS[cost.label()] = cost
    return cost


for _cost in (
    ExtrinsicReward,
    Value,
    Entropy,
    Sparsity,
    Slowness,
    RewardPrediction,
    LatentSelfPrediction,
    InverseDynamics,
    AreaTarget,
    BehaviouralCloning,
    AdversarialCuriosity,
    CountNovelty,
    EnsembleDisagreement,
    EpisodicNovelty,
    LearningProgress,
    DriveReduction,
    GazeFromHand,
    MoverEvent,
    NextObservation,
    NoiseTarget,
    PredictionErrorCuriosity,
    RandomFeatureCuriosity,
    RND,
    OcclusionPrediction,
    Reconstruction,
    Saliency,
    SelfLocalisation,
    HeadingIntegration,
    LocalTDError,
    HeldContent,
    MealAppearance,
    MatchPrediction,
    SensoryPrediction,
    MotorPrediction,
    Effort,
    WorldPrediction,
    SelfPrediction,
):
    register(_cost)


def reward(senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """One cost, end to end: the task's reward, with its value."""
    return (ExtrinsicReward(), Value())


def heterogeneous(senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """Reward, and for each kind of area that the problem takes a cost of its own.

    The core predicts what is sensed next; beside it are the costs that name the problem, whatever
    the structure, so that all structures get the same ones: in ``uniform`` all of them train
    the one core.
    """
    own = own_costs(senses, problem)
    return _sparing((*reward(senses, problem), *own), own)


def _sparing(costs: Sequence[Cost], own: Sequence[Cost]) -> tuple[Cost, ...]:
    """Return costs of which those that train all, themselves or by their value, spare some areas.

    Args:
        costs: any.
        own: those whose areas (`Cost.alone`) are spared.
    """
    spared = {f"-{role}" for cost in own if cost.trains != ("all",) for role in cost.alone}

    def but(trains: tuple[str, ...]) -> tuple[str, ...]:
        return ("all", *sorted({*trains[1:], *spared})) if trains[:1] == ("all",) else trains

    return tuple(
        replace(cost, valued_by=but(cost.valued_by))
        if isinstance(cost, DriveReduction) and cost.need is not None
        else replace(cost, trains=but(cost.trains))
        for cost in costs
    )


def homogeneous(
    senses: Sizes, problem: str | None, member: str = NextObservation.label()
) -> tuple[Cost, ...]:
    """Reward, and one member of ``heterogeneous`` that trains every area.

    Its weight is that of all such members, losses or scores, together. Which one is best is for
    tuning to say:
    ``homogeneous.self_localisation`` takes another one than the next observation.

    Raises:
        ValueError: the problem's set has no such member.
    """
    own = {cost.name: cost for cost in own_costs(senses, problem)}
    if member not in own:
        raise ValueError(unknown("member of heterogeneous", member, own))
    one = own[member]
    total = sum(cost.schedule.at(0) for cost in own.values() if cost.scores == one.scores)
    return (*reward(senses, problem), replace(one, trains=("all",), weight=total))


def placebo(senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """``heterogeneous`` with targets that mean nothing.

    Every cost reads and trains the areas, at the steps and with the weight, of the one whose place
    it takes, and reward spares the same areas. Only what the targets say differs, and to which
    steps of a rollout a score of novelty goes. Other scores stay: what they are worth is for
    ``reward`` and ``mixed_drives`` to show.
    """
    return tuple(_meaningless(cost) for cost in heterogeneous(senses, problem))


def _meaningless(cost: Cost) -> Cost:
    """Return a cost's placebo: one of its own where it has such a field, or a noise target."""
    if any(f.name == "meaningless" for f in fields(cost)):
        change: dict[str, Any] = {"meaningless": True}
        return replace(cost, **change)
    return NoiseTarget.like(cost) if isinstance(cost, Prediction) else cost


def mixed_drives(senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """``heterogeneous``, with each need's head trained by an orthogonal mix of all the needs."""
    costs = heterogeneous(senses, problem)
    return tuple(
        replace(cost, mixed=True) if isinstance(cost, DriveReduction) else cost for cost in costs
    )


def own_costs(senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """Return the costs that name a problem or every one, in the order of their registration.

    Args:
        senses: size of each sense.
        problem: what the task poses, several joined by ``+``; None where it does not say.
    """
    posed = {EVERY, *(part.strip() for part in (problem or "").split("+"))}
    posing = (cost for cost in COSTS.values() if posed & set(cost.problems))
    return tuple(cost for kind in posing for cost in kind.family(senses))


for _set in (reward, homogeneous, heterogeneous, placebo, mixed_drives):
    COST_SETS[_set.__name__] = _set


def check_names(names: str) -> None:
    """Raise where names joined by ``+`` are not all of sets, or of costs with or without a weight.

    Raises:
        ValueError: the message has the nearest name, or the weight that cannot be.
    """
    for entry in names.split("+"):
        name, given, weight = entry.partition("=")
        if not name:
            raise ValueError(f"there is an empty name among the costs {names!r}")
        a_set = name in COST_SETS or name.partition(".")[0] == "homogeneous"  # and its members
        if not a_set and name not in COSTS:
            raise ValueError(unknown("cost set or cost", name, (*COST_SETS, *COSTS)))
        if given and a_set:
            raise ValueError(f"{entry!r}: {name} is a set of costs; a cost alone takes a weight")
        if given and not _is_weight(weight):
            hint = "; + joins costs, so write 1e3 for 1e+3" if weight.endswith("e") else ""
            raise ValueError(f"{entry!r}: a weight is a number >= 0, as in {name}=0.5{hint}")


def _is_weight(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def cost_set(
    names: str | Sequence[str | Cost], senses: Sizes, problem: str | None = None, delay: int = 0
) -> tuple[Cost, ...]:
    """Return the costs meant by ``names``, without those whose weight is the number 0.

    Args:
        names: a set's or a cost's name, several joined by ``+`` ("reward+noise_target"), or a
            list of names and costs. A cost's name may have its weight: "reward+rnd=0.1".
        senses: size of each sense.
        problem: what the task poses; None where the environment does not say.
        delay: steps by which the environment's senses come late.

    Raises:
        ValueError: a name is unknown, what is given is neither name nor cost, a weight cannot be,
            or nothing scores, so that there is nothing to act for.
    """
    given: Any = names
    if not isinstance(given, Sequence) or not all(isinstance(e, str | Cost) for e in given):
        raise ValueError(
            f"costs must be a name or a list of names and costs, such as "
            f"['reward', Entropy()], not {names!r}"
        )
    if isinstance(names, str):
        check_names(names)  # as it was given, so that the message has it
    several = [names] if isinstance(names, str) else given
    entries: list[Any] = []
    for one in several:
        entries += one.split("+") if isinstance(one, str) else [one]
    both = [(e, _named(e, senses, problem) if isinstance(e, str) else (e,)) for e in entries]
    # What a cost that is joined by its name has alone, all that is named spares; a set sees to its
    # own. (Where entropy, joined to a set, spared what that has alone, Caregiver took longer.)
    joined = [p for e, p in both if isinstance(e, str) and e.partition("=")[0] in COSTS]
    own = [cost for part in joined for cost in part if cost.weight != 0]
    costs: list[Cost] = []
    for entry, part in both:
        costs += _sparing(part, own) if isinstance(entry, str) else part
    for cost in costs:
        if isinstance(cost, Value):
            cost.check("weight", cost.weight != 0, "a weight above 0: every score has its value")
            scores = sorted({other.name for other in costs if other.scores})
            cost.check("of", cost.of in scores, f"one that scores: {', '.join(scores) or 'none'}")
        if not (cost.scores or cost.has_loss):
            raise ValueError(
                f"cost {cost.name!r} gives nothing to learn from: {type(cost).__name__} defines "
                f"neither score nor loss"
            )
    costs = [cost for cost in costs if cost.weight != 0]
    if not any(cost.scores for cost in costs):
        raise ValueError(
            f"none of the costs {[c.name for c in costs]} gives a score, so there is nothing to "
            f"act for; add ExtrinsicReward()"
        )
    valued = {cost.of for cost in costs if isinstance(cost, Value)}
    costs += [
        Value(of=c.name, trains=c.valued, gain=c.value_gain)
        for c in costs
        if c.scores and c.name not in valued
    ]
    scored = {cost.name for cost in costs if cost.scores}
    return tuple(c.late(delay) for c in costs if not isinstance(c, Value) or c.of in scored)


def _named(name: str, senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """Return the costs of one name: of a set, of a cost, or of a member of ``homogeneous``."""
    check_names(name)
    if name in COST_SETS:
        return COST_SETS[name](senses, problem)
    kind, given, weight = name.partition("=")
    if kind in COSTS:
        costs = COSTS[kind].family(senses)
        return tuple(replace(c, weight=float(weight)) for c in costs) if given else costs
    return homogeneous(senses, problem, name.partition(".")[2])


def to_json(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """Return costs as JSON values; the inverse of :func:`from_json`."""
    return [_to_json(cost) for cost in costs]


def _to_json(cost: Cost) -> dict[str, Any]:
    options = {f.name: getattr(cost, f.name) for f in fields(cost)}
    for name, value in options.items():
        if isinstance(value, Cost):
            options[name] = _to_json(value)
    if isinstance(cost.weight, Schedule):
        options["weight"] = cost.weight.to_json()
    return {"cost": type(cost).__name__, "options": options}


def from_json(data: Sequence[Mapping[str, Any]]) -> tuple[Cost, ...]:
    """Build costs from :func:`to_json`'s values; classes are looked up by name.

    Raises:
        ValueError: a class is not registered.
    """
    return tuple(_from_json(entry) for entry in data)


def _from_json(entry: Mapping[str, Any]) -> Cost:
    known = {cls.__name__: cls for cls in COSTS.values()}
    if entry["cost"] not in known:
        raise ValueError(unknown("cost", entry["cost"], known))
    options: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in entry["options"].items()
    }
    for name, value in options.items():
        if isinstance(value, Mapping) and "cost" in value:
            options[name] = _from_json(value)
    if isinstance(options["weight"], Mapping):
        options["weight"] = Schedule.from_json(options["weight"])
    return known[entry["cost"]](**options)
