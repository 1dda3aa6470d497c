"""Agents: areas, the blueprints that wire them, and the algorithm that trains them."""

from motley.agents import structures
from motley.agents.agent import Agent
from motley.agents.areas import AREAS, Area
from motley.agents.areas import register as register_area
from motley.agents.blueprints import BLUEPRINTS, WIDTH, Blueprint, Node
from motley.agents.blueprints import register as register_structure
from motley.agents.cohort import Cohort
from motley.agents.layers import Linear
from motley.agents.worlds import make_worlds

__all__ = [
    "AREAS",
    "BLUEPRINTS",
    "WIDTH",
    "Agent",
    "Area",
    "Blueprint",
    "Cohort",
    "Linear",
    "Node",
    "make_worlds",
    "register_area",
    "register_structure",
    "structures",
]
