"""The areas that a blueprint can name: one file each, one line here."""

from __future__ import annotations

from motley.agents.areas.actor import Actor
from motley.agents.areas.appearance import Appearance
from motley.agents.areas.arbiter import Arbiter
from motley.agents.areas.attention import Attention
from motley.agents.areas.basal_ganglia_gate import BasalGangliaGate
from motley.agents.areas.base import Area, State
from motley.agents.areas.binding_memory import BindingMemory
from motley.agents.areas.convolution import Convolution
from motley.agents.areas.drive_head import DriveHead
from motley.agents.areas.episodic_memory import EpisodicMemory
from motley.agents.areas.food_finder import FoodFinder
from motley.agents.areas.forward_model import ForwardModel
from motley.agents.areas.gaze import Gaze
from motley.agents.areas.gru import GRU
from motley.agents.areas.head_direction import HeadDirection
from motley.agents.areas.inverse_model import InverseModel
from motley.agents.areas.lstm import LSTM
from motley.agents.areas.min_gru import MinGRU
from motley.agents.areas.motor_head import MotorHead
from motley.agents.areas.mover_detector import MoverDetector
from motley.agents.areas.need_critic import NeedCritic
from motley.agents.areas.object_tracker import ObjectTracker
from motley.agents.areas.path_integrator import PathIntegrator
from motley.agents.areas.perceptron import Perceptron
from motley.agents.areas.place_code import PlaceCode
from motley.agents.areas.reservoir import Reservoir
from motley.agents.areas.self_model import SelfModel
from motley.agents.areas.visual_search import VisualSearch
from motley.agents.areas.working_memory import WorkingMemory
from motley.agents.areas.world_model import WorldModel
from motley.costs.registry import Registry

AREAS: Registry[type[Area]] = Registry("area")


def register(area: type[Area]) -> type[Area]:
    """Make an area known by its class's name, so that files can refer to it.

    Raises:
        ValueError: another area has that name.
    """
    AREAS[area.__name__] = area
    return area


for _area in (
    Actor,
    Arbiter,
    Appearance,
    Attention,
    BasalGangliaGate,
    BindingMemory,
    Convolution,
    DriveHead,
    EpisodicMemory,
    FoodFinder,
    ForwardModel,
    GRU,
    Gaze,
    HeadDirection,
    InverseModel,
    LSTM,
    MinGRU,
    MotorHead,
    MoverDetector,
    NeedCritic,
    ObjectTracker,
    PathIntegrator,
    Perceptron,
    PlaceCode,
    Reservoir,
    SelfModel,
    VisualSearch,
    WorkingMemory,
    WorldModel,
):
    register(_area)

__all__ = [
    "AREAS",
    "GRU",
    "LSTM",
    "Actor",
    "Appearance",
    "Arbiter",
    "Area",
    "Attention",
    "BasalGangliaGate",
    "BindingMemory",
    "Convolution",
    "DriveHead",
    "EpisodicMemory",
    "FoodFinder",
    "ForwardModel",
    "Gaze",
    "HeadDirection",
    "InverseModel",
    "MinGRU",
    "MotorHead",
    "MoverDetector",
    "NeedCritic",
    "ObjectTracker",
    "PathIntegrator",
    "Perceptron",
    "PlaceCode",
    "Reservoir",
    "SelfModel",
    "State",
    "VisualSearch",
    "WorkingMemory",
    "WorldModel",
    "register",
]
