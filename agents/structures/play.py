"""The structure matched to play."""

from __future__ import annotations

from motley.agents.areas import SelfModel, WorldModel
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def play(senses: Sizes, prior: str = "learnt") -> Blueprint:
    """A world model of what is seen, and a self model of the world model's error.

    Args:
        senses: size of each sense.
        prior: rung of the world model.
    """
    require(senses, ("vision", "egomotion"), "play")
    inputs = ("vision", "egomotion", "previous_action")
    world = Node(WorldModel, inputs, "world_model", {"prior": prior})
    own = Node(SelfModel, ("world_model",), "self_model")
    return assemble(senses, {"world_model": world, "self_model": own})


register(play, priors("exact", "noisy"), problem="play", mismatched="path_integration")
