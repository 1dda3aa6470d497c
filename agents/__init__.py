"""Agents: areas, the blueprints that wire them, and the algorithm that trains them."""

from motley.agents.agent import Agent, make_worlds
from motley.agents.areas import AREAS, Area
from motley.agents.areas import register as register_area
from motley.agents.blueprints import BLUEPRINTS, WIDTH, Blueprint, Node
from motley.agents.layers import Linear

__all__ = [
    "AREAS",
    "BLUEPRINTS",
    "WIDTH",
    "Agent",
    "Area",
    "Blueprint",
    "Linear",
    "Node",
    "make_worlds",
    "register_area",
]
