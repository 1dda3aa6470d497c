"""Costs: what each area is trained for, routed by role, weighted by age."""

from motley.costs.base import Cost, Sizes, State, Trace, masked_mean_square
from motley.costs.development import Schedule, constant, ramp
from motley.costs.entropy import Entropy
from motley.costs.extrinsic_reward import ExtrinsicReward
from motley.costs.next_observation import NextObservation
from motley.costs.noise_target import NoiseTarget
from motley.costs.reconstruction import Reconstruction
from motley.costs.self_localisation import SelfLocalisation
from motley.costs.sets import COST_SETS, COSTS, cost_set, register
from motley.costs.value import Value

__all__ = [
    "COSTS",
    "COST_SETS",
    "Cost",
    "Entropy",
    "ExtrinsicReward",
    "NextObservation",
    "NoiseTarget",
    "Reconstruction",
    "Schedule",
    "SelfLocalisation",
    "Sizes",
    "State",
    "Trace",
    "Value",
    "constant",
    "cost_set",
    "masked_mean_square",
    "ramp",
    "register",
]
