"""The pages of structures, areas and costs are their docstrings, and their links lead somewhere."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from motley import costs
from motley.agents.areas import AREAS, GRU, register
from motley.agents.blueprints import BLUEPRINTS
from motley.agents.credit import CREDIT
from motley.costs import RND, Value, development
from motley.costs.sets import COSTS
from motley.envs import TASKS
from motley.scripts.reference import Reference, body, entries, made, main, prose, texts

DOCS = Path(__file__).parents[1] / "docs"


def test_the_pages_are_up_to_date(tmp_path: Path) -> None:
    main(Reference(tmp_path))
    for path in tmp_path.iterdir():
        written = (DOCS / path.name).read_text()
        assert written == path.read_text(), "run `make docs`, or python -m motley.scripts.reference"


def test_links_lead_to_pages_and_headings() -> None:
    pages = texts()
    headings = {
        page: {line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")}
        for page, text in pages.items()
    }
    others = [path for path in DOCS.glob("*.md") if path.name not in pages]
    for page, text in {**pages, **{path.name: path.read_text() for path in others}}.items():
        text = re.sub(r"```.*?```", "", text, flags=re.S)
        for file, _, part in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", text)):
            if file.startswith("http"):
                continue
            assert not file or (DOCS / file).exists(), f"{page}: {file}"
            if part and (file or page) in headings:
                assert part in headings[file or page], f"{page}: {file}#{part}"


def test_plug_ins_stay_out() -> None:
    before = texts()["areas.md"]

    @register
    class Foreign(GRU):
        """Somebody's."""

    try:
        assert texts()["areas.md"] == before
    finally:
        del AREAS[Foreign.__name__]


def test_every_cost_that_ships_says_how_it_is_made_and_where_it_is_from() -> None:
    page = texts()["costs.md"]
    for name, cost in COSTS.items():
        if cost.__module__.startswith("motley.costs."):
            assert f"## {name}\n\n`{cost.__name__}(" in page
    assert made(RND).endswith("hidden=64, features=32, weight=0.5, rate=0.1, episodic=False)")
    assert made(Value) == "Value(of='reward', gain=1.0, weight=0.5)"
    assert "Burda et al. 2018" in body(RND)


def test_a_section_of_a_docstring_becomes_a_list() -> None:
    text = """
        one: of :class:`Several` that
            go on.
        two: ``code``. three: on the same line.
    """
    assert list(entries(text)) == [
        "- **one**: of `Several` that go on.",
        "- **two**: `code`. **three**: on the same line.",
    ]
    assert prose("see :func:`~motley.agents.areas.base.blank`") == "see `blank`"


def test_what_the_page_of_mechanisms_names_is_there() -> None:
    """Each test, cost, area, structure and credit rule."""
    page = (DOCS / "mechanisms.md").read_text()
    named = re.findall(r"`tests/(\w+\.py)::(\w+)`", page)
    assert len(named) > 40
    for file, test in named:
        assert f"def {test}(" in (DOCS.parent / "tests" / file).read_text(), test
    rows = [line.split(" | ")[2] for line in page.splitlines() if re.match(r"\| [0-9]", line)]
    known = {*COSTS, *AREAS, *BLUEPRINTS, *CREDIT, *TASKS}
    for rule in re.findall(r"`--credit (\w+)`", page):
        assert rule == "bptt_K" or rule in CREDIT, rule
    for word in re.findall(r"`(\w[\w.]*)[`(]", " ".join(rows)):
        module, _, name = word.rpartition(".")
        found = importlib.import_module(module) if module.startswith("motley") else development
        assert word in known or hasattr(found, name) or hasattr(costs, word), word
