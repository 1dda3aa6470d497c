"""Structures by name: variants, the problems they are matched to, and the controls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gymnasium import make_vec

import motley.envs  # noqa: F401  registers the tasks
from motley.agents import BLUEPRINTS, Blueprint
from motley.agents.actions import action_distribution
from motley.agents.areas import GRU, Perceptron
from motley.agents.blueprints import (
    MISMATCHED,
    PROBLEMS,
    Sizes,
    assemble,
    priors,
    register,
    structure,
)
from motley.agents.brain import Brain
from motley.agents.spaces import Senses

SENSES = {"vision": 8, "egomotion": 3}


def tunnel(senses: Sizes, prior: str = "learnt") -> Blueprint:
    """Digs."""
    return assemble(senses, {}, core=Perceptron if prior == "exact" else GRU)


@pytest.fixture
def tables() -> Iterator[None]:
    """Leave the tables as they were."""
    tables: list[Any] = [BLUEPRINTS, PROBLEMS, MISMATCHED]
    saved = [(table, dict(table)) for table in tables]
    yield
    for table, entries in saved:
        table.clear()
        table.update(entries)


@pytest.mark.usefixtures("tables")
def test_a_structure_and_its_variants_are_registered_at_once() -> None:
    register(tunnel, priors("exact"), problem="digging", mismatched="uniform")
    for name, meant in (
        ("tunnel", "tunnel"),
        ("tunnel.exact", "tunnel.exact"),
        ("matched", "tunnel"),
        ("matched.exact", "tunnel.exact"),
        ("mismatched", "uniform"),
    ):
        blueprint = structure(name, SENSES, "digging")
        assert blueprint.name == meant
        assert (blueprint["core"].area is Perceptron) == name.endswith("exact")
    assert BLUEPRINTS["tunnel"].__doc__ == "Digs."
    assert BLUEPRINTS["tunnel.exact"].__doc__ == "The same with prior exact."
    with pytest.raises(ValueError, match=r"unknown structure 'tunnel.exakt'; did you mean"):
        structure("matched.exakt", SENSES, "digging")


@pytest.mark.usefixtures("tables")
def test_a_name_or_a_problem_that_is_taken_is_refused() -> None:
    register(tunnel, problem="digging", mismatched="uniform")
    with pytest.raises(ValueError, match="structure 'tunnel' is registered already"):
        register(tunnel)
    with pytest.raises(ValueError, match="give both its problem and its mismatched control"):
        register(tunnel, problem="digging")


@pytest.mark.usefixtures("tables")
def test_a_control_that_is_not_there_is_named() -> None:
    register(tunnel, problem="digging", mismatched="flying")
    assert structure("matched", SENSES, "digging").name == "tunnel"
    with pytest.raises(ValueError, match="mismatched structure of 'digging' is 'flying', which no"):
        structure("mismatched", SENSES, "digging")
    with pytest.raises(
        ValueError, match=r"'matched' depends on .* and no structure is matched to 'flying'"
    ):
        structure("matched", SENSES, "flying")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_a_structure_and_another_for_control(problem: str) -> None:
    assert PROBLEMS[problem] in BLUEPRINTS
    assert MISMATCHED[problem] != PROBLEMS[problem]


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_the_state_lies_where_the_weights_do(name: str) -> None:
    """Also that of an area with nothing to learn; on another device than the CPU it would fail."""
    task = make_vec("motley/DarkHome-v0", vectorization_mode="vector_entry_point")
    senses = Senses(task.single_observation_space).sizes
    blueprint = BLUEPRINTS[name](senses)
    actions = action_distribution(task.single_action_space, blueprint.choices)
    brain = Brain(blueprint, senses, actions).to("meta")
    parts = brain.initial_state(2).values()
    assert all(x.is_meta for state in parts for x in state.values())


def test_the_four_modules_are_each_others_controls_in_pairs() -> None:
    """So that what is matched in one task is mismatched in another, and size and kind compare."""
    pairs = {
        "path integration": "episodic_memory",
        "episodic memory": "path_integration",
        "gated working memory": "motor_prediction",
        "motor prediction": "working_memory",
    }
    assert {problem: MISMATCHED[problem] for problem in pairs} == pairs
    for problem, control in pairs.items():
        assert MISMATCHED[PROBLEM_OF[control]] == PROBLEMS[problem]


PROBLEM_OF = {structure: problem for problem, structure in PROBLEMS.items()}
