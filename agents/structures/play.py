"""The structure matched to play."""

from __future__ import annotations

from motley.agents.areas import SelfModel, WorldModel
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require


def play(senses: Sizes) -> Blueprint:
    """A world model of what is seen, and a self model of the world model's error."""
    require(senses, ("vision", "egomotion"), "play")
    world = Node(WorldModel, ("vision", "egomotion", "previous_action"), "world_model")
    own = Node(SelfModel, ("world_model",), "self_model")
    return assemble(senses, {"world_model": world, "self_model": own})


register(play, problem="play", mismatched="path_integration")
