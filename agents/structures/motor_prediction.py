"""The structure matched to motor prediction."""

from __future__ import annotations

from motley.agents.areas import ForwardModel, InverseModel
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require


def motor_prediction(senses: Sizes, inverse: bool = True) -> Blueprint:
    """A forward model of the arm's late senses, and an inverse model.

    Args:
        senses: size of each sense.
        inverse: whether there is an inverse model.
    """
    require(senses, ("proprioception", "cue", "go"), "motor_prediction")
    inputs = ("proprioception", "cue", "go", "previous_action")
    modules = {"forward_model": Node(ForwardModel, inputs, "forward_model")}
    if inverse:
        modules["inverse_model"] = Node(InverseModel, ("proprioception", "cue"), "inverse_model")
    return assemble(senses, modules)


register(
    motor_prediction,
    {"forward_only": {"inverse": False}},
    problem="motor prediction",
    mismatched="working_memory",
)
