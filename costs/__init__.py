"""Costs: what each area is trained for, routed by role, weighted by age."""

from motley.costs.base import EVERY as EVERY
from motley.costs.base import Cost as Cost
from motley.costs.base import Sizes as Sizes
from motley.costs.base import State as State
from motley.costs.base import Trace as Trace
from motley.costs.base import masked_mean_square as masked_mean_square
from motley.costs.development import Schedule as Schedule
from motley.costs.development import constant as constant
from motley.costs.development import ramp as ramp
from motley.costs.entropy import Entropy as Entropy
from motley.costs.extrinsic_reward import ExtrinsicReward as ExtrinsicReward
from motley.costs.next_observation import NextObservation as NextObservation
from motley.costs.noise_target import NoiseTarget as NoiseTarget
from motley.costs.prediction import Prediction as Prediction
from motley.costs.prediction import unexplained as unexplained
from motley.costs.reconstruction import Reconstruction as Reconstruction
from motley.costs.self_localisation import SelfLocalisation as SelfLocalisation
from motley.costs.sets import COST_SETS as COST_SETS
from motley.costs.sets import COSTS as COSTS
from motley.costs.sets import cost_set as cost_set
from motley.costs.sets import register as register
from motley.costs.value import Value as Value
