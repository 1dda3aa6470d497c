"""The structure matched to motor prediction."""

from __future__ import annotations

from motley.agents.areas import ForwardModel, InverseModel
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def motor_prediction(senses: Sizes, inverse: bool = True, prior: str = "learnt") -> Blueprint:
    """A forward model of the arm's late senses, and an inverse model.

    Args:
        senses: size of each sense.
        inverse: whether there is an inverse model.
        prior: rung of both models.
    """
    require(senses, ("proprioception", "cue", "go"), "motor_prediction")
    inputs = ("proprioception", "cue", "go", "previous_action")
    options = {"prior": prior}
    modules = {"forward_model": Node(ForwardModel, inputs, "forward_model", options)}
    if inverse:
        modules["inverse_model"] = Node(InverseModel, inputs[:2], "inverse_model", options)
    return assemble(senses, modules)


register(
    motor_prediction,
    {"forward_only": {"inverse": False}, **priors("exact", "noisy")},
    problem="motor prediction",
    mismatched="working_memory",
)
