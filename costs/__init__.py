"""Costs: what each area is trained for, routed by role, weighted by age."""

from motley.costs.area_target import AreaTarget as AreaTarget
from motley.costs.base import EVERY as EVERY
from motley.costs.base import Cost as Cost
from motley.costs.base import Sizes as Sizes
from motley.costs.base import State as State
from motley.costs.base import Trace as Trace
from motley.costs.base import masked_mean_square as masked_mean_square
from motley.costs.behavioural_cloning import BehaviouralCloning as BehaviouralCloning
from motley.costs.controls import fade_to_reward as fade_to_reward
from motley.costs.count_novelty import CountNovelty as CountNovelty
from motley.costs.development import Development as Development
from motley.costs.development import Schedule as Schedule
from motley.costs.development import Trigger as Trigger
from motley.costs.development import constant as constant
from motley.costs.development import critical_period as critical_period
from motley.costs.development import once as once
from motley.costs.development import ramp as ramp
from motley.costs.development import stage as stage
from motley.costs.drive_reduction import DriveReduction as DriveReduction
from motley.costs.effort import Effort as Effort
from motley.costs.ensemble_disagreement import EnsembleDisagreement as EnsembleDisagreement
from motley.costs.entropy import Entropy as Entropy
from motley.costs.episodic_novelty import EpisodicNovelty as EpisodicNovelty
from motley.costs.extrinsic_reward import ExtrinsicReward as ExtrinsicReward
from motley.costs.gaze_from_hand import GazeFromHand as GazeFromHand
from motley.costs.held_content import HeldContent as HeldContent
from motley.costs.intrinsic import Intrinsic as Intrinsic
from motley.costs.inverse_dynamics import InverseDynamics as InverseDynamics
from motley.costs.latent_self_prediction import LatentSelfPrediction as LatentSelfPrediction
from motley.costs.learning_progress import LearningProgress as LearningProgress
from motley.costs.local_td_error import LocalTDError as LocalTDError
from motley.costs.match_prediction import MatchPrediction as MatchPrediction
from motley.costs.motor_prediction import MotorPrediction as MotorPrediction
from motley.costs.mover_event import MoverEvent as MoverEvent
from motley.costs.next_observation import NextObservation as NextObservation
from motley.costs.noise_target import NoiseTarget as NoiseTarget
from motley.costs.occlusion_prediction import OcclusionPrediction as OcclusionPrediction
from motley.costs.prediction import Prediction as Prediction
from motley.costs.prediction import unexplained as unexplained
from motley.costs.prediction_error_curiosity import (
    PredictionErrorCuriosity as PredictionErrorCuriosity,
)
from motley.costs.reconstruction import Reconstruction as Reconstruction
from motley.costs.reward_prediction import RewardPrediction as RewardPrediction
from motley.costs.rnd import RND as RND
from motley.costs.self_localisation import SelfLocalisation as SelfLocalisation
from motley.costs.self_prediction import SelfPrediction as SelfPrediction
from motley.costs.sensory_prediction import SensoryPrediction as SensoryPrediction
from motley.costs.sets import COST_SETS as COST_SETS
from motley.costs.sets import COSTS as COSTS
from motley.costs.sets import cost_set as cost_set
from motley.costs.sets import register as register
from motley.costs.slowness import Slowness as Slowness
from motley.costs.sparsity import Sparsity as Sparsity
from motley.costs.value import Value as Value
from motley.costs.world_prediction import WorldPrediction as WorldPrediction
