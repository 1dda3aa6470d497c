"""The structures that every other is held against: one generic core."""

from __future__ import annotations

from motley.agents.areas import GRU, LSTM, Area, Attention, MinGRU, Reservoir
from motley.agents.blueprints import Blueprint, Sizes, assemble, register


def uniform(senses: Sizes, core: type[Area] = GRU) -> Blueprint:
    """One generic recurrent core and nothing else."""
    return assemble(senses, {}, core=core)


register(
    uniform,
    {
        "lstm": {"core": LSTM},
        "mingru": {"core": MinGRU},
        "attention": {"core": Attention},
        "reservoir": {"core": Reservoir},
    },
)
