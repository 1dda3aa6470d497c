"""The structure without a memory."""

from __future__ import annotations

from motley.agents.areas import Actor, Perceptron
from motley.agents.blueprints import Blueprint, Node, Sizes, image_encoders, register


def feedforward(senses: Sizes) -> Blueprint:
    """No memory: separate policy and value networks of two tanh layers of 64, as in SB3's PPO.

    Images have an encoder that both share.
    """
    images = image_encoders(senses)
    eyes = {f"{name}_encoder": node for name, node in images.items()}
    inputs = (*eyes, *(name for name in senses if name not in images))
    return Blueprint(
        {
            **eyes,
            "actor": Node(Actor, inputs, "actor", {"hidden": (64, 64)}),
            "critic": Node(Perceptron, inputs, "critic", {"size": 64, "depth": 2}),
        }
    )


register(feedforward)
