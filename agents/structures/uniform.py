"""The structure that every other is held against."""

from __future__ import annotations

from motley.agents.blueprints import Blueprint, Sizes, assemble, register


def uniform(senses: Sizes) -> Blueprint:
    """One generic recurrent core and nothing else."""
    return assemble(senses, {})


register(uniform)
