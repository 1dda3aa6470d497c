"""The structure matched to variable binding."""

from __future__ import annotations

from motley.agents import spaces
from motley.agents.areas import BindingMemory
from motley.agents.blueprints import Blueprint, Node, Sizes, assemble, priors, register, require


def binding(senses: Sizes, prior: str = "learnt") -> Blueprint:
    """A binding memory of what is shown, of which the core gets nothing else."""
    require(senses, ("cue",), "binding")
    inputs = ("cue",) if prior == "exact" else ("cue", "core@-1")
    options = {"size": 17, "prior": prior}
    modules = {"binding": Node(BindingMemory, inputs, "binding", options)}
    others = {sense: size for sense, size in senses.items() if sense != "cue"}
    return assemble(spaces.Sizes(others, spaces.images_of(senses)), modules)


register(binding, priors("exact"), problem="variable binding", mismatched="episodic_memory")
