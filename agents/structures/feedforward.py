"""The structure without a memory."""

from __future__ import annotations

from motley.agents.areas import Actor, Perceptron
from motley.agents.blueprints import Blueprint, Node, Sizes, register


def feedforward(senses: Sizes) -> Blueprint:
    """No memory: separate policy and value networks of two tanh layers of 64, as in SB3's PPO."""
    layers = {"size": 64, "depth": 2}
    return Blueprint(
        {
            "actor": Node(Actor, tuple(senses), "actor", {"hidden": (64, 64)}),
            "critic": Node(Perceptron, tuple(senses), "critic", layers),
        }
    )


register(feedforward)
