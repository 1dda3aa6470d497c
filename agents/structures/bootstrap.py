"""The structure matched to bootstrapping: each area is the next one's teacher."""

from __future__ import annotations

from motley.agents.areas import Appearance, Gaze, MoverDetector
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, register, require


def bootstrap(senses: Sizes) -> Blueprint:
    """An innate mover detector, a net for looks and a net for gaze, beside the core."""
    require(senses, ("vision", "egomotion", "go"), "bootstrap")
    modules = {
        "detector": Node(MoverDetector, ("vision", "egomotion"), "detector"),
        "appearance": Node(Appearance, ("vision",), "appearance"),
        "gaze": Node(Gaze, ("vision", "go"), "gaze"),
    }
    return assemble(senses, modules)


register(bootstrap, problem="bootstrapping", mismatched="object_tracking")
