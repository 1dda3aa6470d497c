"""The structure matched to bootstrapping: each area is the next one's teacher."""

from __future__ import annotations

from motley.agents.areas import Appearance, Gaze, MoverDetector
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def bootstrap(senses: Sizes, prior: str = "learnt_code") -> Blueprint:
    """An innate mover detector, a net for looks and a net for gaze, beside the core.

    Its rungs, ``prior``, are those of :class:`Gaze`. In all of them the detector is
    innate and looks of hands are learnt: these teach, and the rungs are of what is taught. With
    ``exact`` that is nothing, and ``gaze_from_hand`` has no effect.
    """
    require(senses, ("vision", "egomotion", "go"), "bootstrap")
    modules = {
        "detector": Node(MoverDetector, ("vision", "egomotion"), "detector"),
        "appearance": Node(Appearance, ("vision",), "appearance"),
        "gaze": Node(Gaze, ("vision", "go"), "gaze", {"prior": prior}),
    }
    return assemble(senses, modules)


register(
    bootstrap,
    priors("exact", "noisy", "learnt"),
    problem="bootstrapping",
    mismatched="object_tracking",
)
