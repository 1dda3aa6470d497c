"""The report: what it says, and that a real browser shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from motley.scripts.main import main
from motley.studies.chart import Chart, Curve, thousands, ticks
from motley.studies.config import RunConfig
from motley.studies.folder import FolderError, read_json, write_json
from motley.studies.report import about, write
from motley.studies.run import run
from motley.studies.runs import arms, gather

# Trained and filmed once, not once a worker.
pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms of two seeds, hardly trained, and one run of somebody else's environment."""
    folder = tmp_path_factory.mktemp("report")
    agent = {"n_steps": 32, "budget": 20_000}
    small = partial(RunConfig, n_envs=8, eval_every=1024, eval_episodes=10, steps=2048, agent=agent)
    for structure, costs in (("matched", "heterogeneous"), ("uniform", "reward")):
        for seed in (0, 1):
            config = small(level=0, structure=structure, costs=costs, seed=seed)
            run(config, folder / "home" / f"{structure}{seed}")
    run(small("CartPole-v1", structure="uniform", costs="reward"), folder / "cart")
    return folder


def test_where_nothing_is_asked_for_nothing_is_called_unsolved(study: Path, tmp_path: Path) -> None:
    """PlayRoom's phase without reward: the page says what its score01 is of."""
    out = tmp_path / "play"
    shutil.copytree(study / "home" / "matched0", out)
    config = read_json(out / "config.json")
    for phase, said in ((1, "attention, the share of the second half"), (2, "does not solve it")):
        changed = config | {"task": "PlayRoom", "level": 2, "variant": {"phase": phase}}
        write_json(out / "config.json", changed)
        rewrite_eval(out, [0.1, 0.2, 0.3])
        text = text_of(write(tmp_path, video=False))
        assert said in text
        for word in ("Solved", "solve it", "steps to solved", "success", "chance (best"):
            assert (word in text) == (phase == 2), word
        assert "0.30" in text


def test_a_page_of_several_tasks_begins_with_what_was_found(study: Path) -> None:
    """A link a task, each to its own section; a page of one needs none."""
    text = write(study, study / "all.html", video=False).read_text()
    links = re.findall(r'<li><a href="#([^"]+)">(.*?)</a>', text)
    sections = re.findall(r'<section id="([^"]+)"><h2>(.*?)</h2>', text)
    assert links == sections
    assert sorted(name for name, _ in links) == ["task-0", "task-1"]
    assert "<nav" not in write(study / "home", study / "home.html", video=False).read_text()


def rewrite_eval(folder: Path, scores: list[float]) -> None:
    """Give a run other scores."""
    rows = [
        f"{(i + 1) * 1000},10,{score},{score},{score},{score},0.0,9.0,{i}"
        for i, score in enumerate(scores)
    ]
    header = (folder / "eval.csv").read_text().splitlines()[0]
    (folder / "eval.csv").write_text("\n".join([header, *rows]) + "\n")


def text_of(page: Path) -> str:
    """What a reader sees of a page."""
    plain = re.sub(r"<(script|style).*?</\1>", " ", page.read_text(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", plain))


def test_runs_are_gathered_into_arms(study: Path) -> None:
    found = arms(gather(study / "home"))
    assert [arm.label.split(" · ")[0] for arm in found] == ["matched", "uniform"]
    assert [len(arm.runs) for arm in found] == [2, 2]
    sizes = [run.n_parameters or 0 for arm in found for run in arm.runs]
    assert max(sizes) / min(sizes) < 1.02


def test_the_page_says_who_solved_it_and_bounds_who_did_not(study: Path, tmp_path: Path) -> None:
    for name, scores in {
        "matched0": [0.1, 0.9, 0.9],
        "matched1": [0.1, 0.9, 0.9],
        "uniform0": [0.0, 0.1, 0.2],
        "uniform1": [0.0, 0.1, 0.9],
    }.items():
        rewrite_eval(study / "home" / name, scores)
    page = write(study / "home", tmp_path / "page.html", video=False)
    text = text_of(page)
    assert "solves it in 2,000 steps" in text
    assert "does not within 3,000" in text
    assert "≥ 3,000" in text
    assert "2 of 2 solved" in text
    assert "0 of 2 solved" in text
    assert "0.90" in text
    assert "0.55 0.20 to 0.90" in text  # what the two were at, and no interval
    assert "2 seeds an arm; beside estimates stands the range of the seeds" in text
    for name in ("matched0", "uniform1"):
        assert f"--out {study / 'home' / name}" in text


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((1, 1), "One seed an arm: this shows what happens"),
        ((1, 2), "1 to 2 seeds an arm; beside estimates stands the range of the seeds"),
        ((1, 12), "1 to 12 seeds an arm; intervals are 95%, .* and of fewer than 10 their range"),
        ((12, 12), r"12 seeds an arm; intervals are 95%, from bootstrap over seeds\."),
    ],
)
def test_the_page_says_how_many_seeds_it_is_of(
    study: Path, counts: tuple[int, ...], said: str
) -> None:
    arm = arms(gather(study / "home"))[0]
    several = [replace(arm, runs=[arm.runs[0]] * n) for n in counts]
    text = about(several, scored=True)
    assert re.search(said, text)
    assert ("One seed" in text) == (counts == (1, 1))


def test_the_commands_on_the_page_are_the_runs(study: Path) -> None:
    from motley.scripts.main import parse
    from motley.scripts.train import configuration

    for found in gather(study):
        args = parse("train", found.command.split()[2:])
        assert configuration(args).to_json() == found.config


def test_runs_that_differ_in_routing_or_credit_are_other_arms(study: Path) -> None:
    from motley.scripts.main import parse
    from motley.scripts.train import configuration

    one = gather(study / "home")[0]
    others = {"routing": "global", "time": "reversed", "credit": "bptt_4", "n_envs": 16}
    runs = [one, *(replace(one, config=one.config | {k: v}) for k, v in others.items())]
    labels = [arm.label for arm in arms(runs)]
    assert len(set(labels)) == len(runs)
    assert [label.split(" n_steps")[0] for label in labels[1:4]] == [
        f"matched · heterogeneous {name}={others[name]} n_envs=8"
        for name in ("routing", "time", "credit")
    ]
    for found in runs:
        args = parse("train", found.command.split()[2:])
        assert configuration(args).to_json() == found.config


def test_the_page_is_one_file_with_a_video_an_arm(study: Path) -> None:
    page = write(study)
    html = page.read_text()
    assert page == study / "report.html"
    assert html.count('src="data:video/mp4;base64,') == 3
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    assert "CartPole-v1" in text_of(page)
    assert page.stat().st_size < 5e6
    Balanced().feed(html)


class Balanced(HTMLParser):
    """Fails on a tag that is closed in the wrong order."""

    void = frozenset(["meta", "link", "br", "line", "circle", "polyline", "polygon"])

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass  # closed at once

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


PROBE = """<script>addEventListener("load", () => {
  const out = document.body.appendChild(document.createElement("pre")); out.id = "probe";
  const videos = [...document.querySelectorAll("video")];
  const tell = () => out.textContent = JSON.stringify(
    {seconds: videos.map(v => v.duration), tips: document.querySelectorAll(".tip").length});
  tell(); videos.forEach(v => v.addEventListener("loadedmetadata", tell));
  const svg = document.querySelector("svg"), box = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent("pointermove",
    {clientX: box.left + box.width / 2, clientY: box.top + 5, bubbles: true}));
})</script></body>"""


def test_a_browser_shows_the_page(study: Path, tmp_path: Path, tool: Callable[..., str]) -> None:
    browser = tool("chromium", "chromium-browser", "google-chrome")
    probed = tmp_path / "probed.html"
    probed.write_text(write(study).read_text().replace("</body>", PROBE))
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    shown = subprocess.run(
        [
            browser,
            *flags.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            "--dump-dom",
            f"file://{probed}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in shown.stderr
    match = re.search(r'<pre id="probe">(.*?)</pre>', shown.stdout)
    assert match is not None
    probe = json.loads(match[1])
    assert len(probe["seconds"]) == 3
    assert all(seconds > 1 for seconds in probe["seconds"])
    assert probe["tips"] == shown.stdout.count("<svg ")
    # The cursor shows the arms' values under the pointer.
    assert re.search(r'class="tip" style="display: block.*?matched · heterogeneous', shown.stdout)


def test_task_hashes_are_not_mixed(study: Path) -> None:
    file = study / "home" / "uniform1" / "versions.json"
    versions = read_json(file)
    write_json(file, versions | {"task_hash": "0" * 16})
    try:
        with pytest.raises(FolderError, match=r"was changed between.*0000: .*uniform1"):
            write(study, video=False)
    finally:
        write_json(file, versions)


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="no evaluated run"):
        write(tmp_path)
    with pytest.raises(FolderError, match="does not exist"):
        write(tmp_path / "nowhere")


def test_a_run_without_evaluations_is_told_what_to_do(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(study / "home" / "matched0", out)
    (out / "eval.csv").write_text("")
    with pytest.raises(FolderError, match="can be read; it is finished: train anew in another"):
        write(out)
    (out / "done").unlink()
    with pytest.raises(FolderError, match="go on with it: motley train --resume --out"):
        write(out)


def test_a_run_that_cannot_be_read_or_filmed_leaves_the_others_their_page(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matched0", "uniform0", "uniform1"):
        shutil.copytree(study / "home" / name, tmp_path / name)
    (tmp_path / "uniform0" / "config.json").write_text('{"task":')
    (tmp_path / "uniform1" / "model.zip").unlink()
    (tmp_path / "matched0" / "video.mp4").unlink(missing_ok=True)
    assert main(["report", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert f"left out {tmp_path / 'uniform0'}: " in told
    assert f"filming {tmp_path / 'matched0'} (--no-video leaves that out)" in told
    page = tmp_path / "report.html"
    text = text_of(page)
    assert "uniform0/config.json is not JSON" in text
    assert "not filmed: " in text
    assert "uniform1 has no model (model.zip)" in text
    assert page.read_text().count('src="data:video/mp4;base64,') == 1


def test_a_chart_puts_points_where_they_belong() -> None:
    x, y, nan = np.array([0.0, 50, 100]), np.array([0.0, 0.5, 1.0]), np.full(3, np.nan)
    curve = Curve("arm", 0, x, y, nan, nan)
    svg = Chart("score", [curve], low=0, high=1, width=160, height=150).svg()
    points = re.search(r'class="line c0" points="([^"]+)"', svg)
    assert points is not None
    assert points[1] == "46.0,112.0 96.0,62.0 146.0,12.0"


def test_a_chart_that_goes_below_zero_says_how_far_and_a_single_point_is_a_dot() -> None:
    x, nan = np.array([0.0, 100]), np.full(2, np.nan)
    low = Curve("low", 0, x, np.array([0.0, -0.45]), nan, nan)
    once = Curve("once", 1, x, np.array([np.nan, 0.5]), nan, nan)
    svg = Chart("score", [low, once], low=0, high=1).svg()
    labels = [float(text) for text in re.findall(r'text-anchor="end" x="39"[^>]*>([^<]+)<', svg)]
    assert min(labels) <= -0.45
    assert len(re.findall(r'<circle class="dot c1"', svg)) == 1
    assert 'class="dot c0"' not in svg


def test_labels_keep_off_each_other_and_off_the_curves() -> None:
    x, y, nan = np.array([0.0, 50, 100]), np.array([0.2, 0.9, 1.0]), np.full(3, np.nan)
    arms = [Curve("arm", i, x, y - i / 100, nan, nan, mark=(50, f"mark {i}")) for i in range(3)]
    lines = [(0.8, "solved"), (0.2, "chance"), (0.21, "memoryless")]
    svg = Chart("score", arms, lines, low=0, high=1).svg()
    for kind in ("note", "mark"):
        places = re.findall(rf'<text class="{kind}[^>]* x="([\d.]+)" y="([\d.]+)"', svg)
        heights = sorted(float(place[1]) for place in places)
        assert len(heights) == 3
        assert (np.diff(heights) > 12).all()
        if kind == "note":
            ends = re.findall(r'class="line c0" points="[^"]* ([\d.]+),[\d.]+"', svg)
            assert float(places[0][0]) > float(ends[0])


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 400_000, 4, [0, 1e5, 2e5, 3e5, 4e5]),
        (-0.5, 0.5, 2, [-0.5, 0, 0.5]),
    ],
)
def test_ticks_are_round(low: float, high: float, about: int, expected: list[float]) -> None:
    assert ticks(low, high, about) == pytest.approx(expected)


def test_thousands() -> None:
    assert [thousands(x) for x in (0, 500, 20_000, 1.5e6)] == ["0", "500", "20k", "1.5M"]
