"""The pages of docs/tasks are their docstrings, and docs/pictures.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from motley.envs import TASKS
from motley.scripts.pages import FILMS, MOST_BYTES, Pages, main, prose, stem, texts
from motley.studies.config import ConfigError

DOCS = Path(__file__).parents[1] / "docs"


def test_the_pages_are_up_to_date() -> None:
    written = {path.name: path.read_text() for path in (DOCS / "tasks").glob("*.md")}
    assert written == texts(), "run `make docs`, or python -m motley.scripts.pages --no-pictures"


@pytest.mark.parametrize("name", TASKS)
def test_each_page_has_its_picture_and_a_small_film(name: str) -> None:
    file = stem(TASKS[name])
    with Image.open(DOCS / "tasks" / f"{file}.png") as still:
        assert still.width > 2.9 * still.height
    film = DOCS / "tasks" / f"{file}.gif"
    assert film.stat().st_size <= MOST_BYTES
    with Image.open(film) as frames:
        assert getattr(frames, "n_frames", 1) > 5
        assert frames.size[0] in {size for size, _ in FILMS}
    page = (DOCS / "tasks" / f"{file}.md").read_text()
    for link in re.findall(r"\]\(([^)]+)\)", page):
        assert (DOCS / "tasks" / link).exists(), link


def test_a_table_of_a_docstring_becomes_markdown() -> None:
    text = """
        Before.

        ===== ======= ==========
        name  range   meaning
        ===== ======= ==========
        one   [0, 1]  ``a|b``, a cell longer than its rule,
                      over two lines
        two           short
        ===== ======= ==========

        After ``it``.
    """
    assert prose(text) == (
        "Before.\n\n"
        "| name | range | meaning |\n|---|---|---|\n"
        "| one | [0, 1] | `a\\|b`, a cell longer than its rule, over two lines |\n"
        "| two |  | short |\n\n"
        "After `it`."
    )


def test_pictures_are_drawn_from_the_oracle(tmp_path: Path) -> None:
    main(Pages(tasks=("DarkHome",), out=tmp_path))
    assert {path.name for path in tmp_path.glob("dark_home.*")} == {
        "dark_home.md",
        "dark_home.png",
        "dark_home.gif",
    }
    with pytest.raises(ConfigError, match="did you mean DarkHome"):
        main(Pages(tasks=("DarkHouse",), out=tmp_path))


def test_the_page_about_pictures_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "pictures.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
    with Image.open("cache.png") as picture:
        assert picture.size == (1024, 1024)
