"""The report: one self-contained page of all runs below a folder, the verdict first."""

from __future__ import annotations

import base64
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from motley.envs import TASKS, Task
from motley.envs.files import check_place
from motley.studies import controls, trials
from motley.studies import runs as run_folders
from motley.studies.chart import Chart, Curve
from motley.studies.folder import read_json, write_text
from motley.studies.heat import routing
from motley.studies.page import COLOURS, page
from motley.studies.runs import Arm, Run
from motley.studies.statistics import (
    FEW,
    IN_A_ROW,
    SOLVED,
    Interval,
    median_steps,
    restricted_mean,
)
from motley.studies.video import SPEED, film


def write(
    folder: Path,
    out: Path | None = None,
    *,
    video: bool = True,
    on_left_out: Callable[[str], None] = lambda text: None,
    on_film: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write the page of the runs at and below ``folder``.

    Args:
        folder: where to look.
        out: the page; None is ``report.html`` in the folder.
        video: film an episode of each arm, unless its first run has a video already.
        on_left_out: is told of each run that cannot be read, and why; so is the page's reader.
        on_film: is told of each run that is filmed, before.

    Raises:
        FolderError: there are no runs, or their tasks do not compare.
        FileNotFoundError: the page's folder is missing.
    """
    if out is not None:
        check_place(out)
    faults: list[str] = []

    def note(text: str) -> None:
        faults.append(text)
        on_left_out(text)

    runs = run_folders.gather(folder, note)
    out = folder / "report.html" if out is None else out
    places: dict[str, list[Run]] = {}
    for run in runs:
        places.setdefault(run.where, []).append(run)
    body = "".join(section(i, *place, video, on_film) for i, place in enumerate(places.items()))
    body = contents(places) + body + left_out(faults) + colophon(runs)
    write_text(out, page(escape(f"{folder}"), body))
    return out


def contents(places: Mapping[str, Sequence[Run]]) -> str:
    """What was found in each task, with links; "" where there is but one."""
    if len(places) == 1:
        return ""
    lines = "".join(
        f'<li><a href="#task-{i}">{heading(where, runs)}</a></li>'
        for i, (where, runs) in enumerate(places.items())
    )
    return f'<nav class="card"><ul>{lines}</ul></nav>'


def heading(where: str, runs: Sequence[Run]) -> str:
    """The task and, where there is something to be solved, who solved it."""
    solvable = _scored(runs) and not nothing_to_solve(rules_of(runs[0]))
    return verdict(where, run_folders.arms(runs)) if solvable else escape(where)


def _scored(runs: Sequence[Run]) -> bool:
    """Whether their task has a score."""
    return any(np.isfinite(run.eval["score01"]).any() for run in runs)


def section(
    i: int, where: str, runs: Sequence[Run], video: bool, on_film: Callable[[str], None]
) -> str:
    """Everything about one task at one level, the ``i``-th of the page."""
    arms = run_folders.arms(runs)
    scored = _scored(runs)
    measure = "score01" if scored else "return"
    solvable = scored and not nothing_to_solve(rules_of(runs[0]))
    videos = [(arm, *_video(arm.runs[0], video, on_film)) for arm in arms]
    shown = films(videos) if video or any(data for _, data, _ in videos) else ""
    return (
        f'<section id="task-{i}"><h2>{heading(where, runs)}</h2>'
        f"{about(arms, scored)}{table(arms, scored, solvable)}"
        f"<h3>Learning curves</h3>{curves(arms, measure, runs[0])}"
        f"{shown}{routing(arms)}{rerun(runs)}</section>"
    )


def rules_of(run: Run) -> Task | None:
    """The task as a run set it; None where it is not one of ours, or has no such level any more."""
    task = TASKS.get(run.config["task"])
    if task is None or run.config["level"] >= len(task.levels):
        return None
    return task(run.config["level"], run.config["ood"], **run.variant)


def nothing_to_solve(rules: Task | None) -> bool:
    """Whether no behaviour is wrong in a task: its chance is the highest score."""
    return rules is not None and rules.chance >= 1


def verdict(where: str, arms: Sequence[Arm]) -> str:
    """One sentence: who solved it, and after how many steps."""
    medians = [(arm, median_steps(arm.times)) for arm in arms]
    solved = sorted((m.steps, arm.label) for arm, m in medians if not m.censored)
    rest = [(m.steps, arm.label) for arm, m in medians if m.censored]
    name = escape(where)
    if not solved:
        who = f"{escape(rest[0][1])} does not solve it" if len(rest) == 1 else "no arm solves it"
        return f"{name}: {who} within {max(steps for steps, _ in rest):,.0f} steps"
    if len(arms) > 3:
        return f"{name}: {len(solved)} of {len(arms)} arms solve it, {escape(solved[0][1])} first"
    said = [f"{escape(label)} solves it in {steps:,.0f} steps" for steps, label in solved]
    said += [f"{escape(label)} does not within {steps:,.0f}" for steps, label in rest]
    return f"{name}: {'; '.join(said)}"


def about(arms: Sequence[Arm], scored: bool) -> str:
    """What the numbers mean, and how much they are worth."""
    counts = [len(arm.runs) for arm in arms]
    fewest, most = min(counts), max(counts)
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    if most == 1:
        worth = "One seed an arm: this shows what happens, it is no evidence of a difference."
    elif most < FEW:
        worth = (
            f"{seeds} seeds an arm; beside estimates stands the range of the seeds, which are too "
            f"few for intervals."
        )
    else:
        worth = f"{seeds} seeds an arm; intervals are 95%, from bootstrap over seeds"
        worth += f", and of fewer than {FEW} their range." if fewest < FEW else "."
    unfinished = [str(r.folder) for arm in arms for r in arm.runs if not r.done]
    note = f" Still under way: {escape(', '.join(unfinished))}." if unfinished else ""
    scale = "score01 is 0 for random actions and 1 for an oracle that sees everything"
    rules = rules_of(arms[0].runs[0])
    if not scored:
        meaning = "Returns are of the mean action, in environments that never train."
    elif rules is not None and nothing_to_solve(rules):
        meaning = (
            f"No behaviour is wrong here, so that there is nothing to be solved. {scale}, and is "
            f"of the mean action, on worlds that never train{escape(_score_of(rules))}."
        )
    else:
        meaning = (
            f"Solved is a score01 of {SOLVED} in {IN_A_ROW} evaluations in a row, of the mean "
            f"action, on worlds that never train. {scale}."
        )
    return f'<p class="soft">{meaning} {worth}{note}</p>'


def _score_of(rules: Task) -> str:
    """What a task's docstring says under Score, to be added to a sentence; "" where it does not."""
    found = re.search(r"^Score:\n(.*?)(?=^\S|\Z)", inspect.getdoc(type(rules)) or "", re.M | re.S)
    return "" if found is None else f". The score: {' '.join(found[1].split()).rstrip('.')}"


def table(arms: Sequence[Arm], scored: bool, solvable: bool = True) -> str:
    """An arm a row."""
    rows, head = [], ""
    measures = {"steps to solved", "final score01", "sampled policy", "out of distribution"}
    left_out = {"final return"} if scored else measures
    left_out |= set() if solvable or not scored else {"steps to solved", "success"}
    budget = max(t.steps for arm in arms for t in arm.times)
    budget = max(budget, max(float(r.eval["steps"][-1]) for arm in arms for r in arm.runs))
    for i, arm in enumerate(arms):
        median = median_steps(arm.times)
        count = sum(not t.censored for t in arm.times)
        mean = ""
        if len(arm.runs) > 1:
            steps = restricted_mean(arm.times, budget)
            mean = f"<small>restricted mean {steps:,.0f}</small>"
        sizes = {f"{r.n_parameters:,}" for r in arm.runs if r.n_parameters is not None}
        wall = np.median([run.eval["wall_s"][-1] for run in arm.runs])
        cells = {
            "arm": f'<span class="key c{i % COLOURS}"></span><b>{escape(arm.label)}</b>',
            "seeds": str(len(arm.runs)),
            "parameters": " to ".join(sorted(sizes)) or "–",
            "steps to solved": f'<b class="{"unsolved" if median.censored else "solved"}">{median}'
            f"</b><small>{count} of {len(arm.runs)} solved</small>{mean}",
            "final score01": f"<b>{number(arm.final('score01'))}</b>",
            "sampled policy": number(arm.final("score01_sampled")),
            "out of distribution": number(arm.final("score01_ood")),
            "final return": f"<b>{number(arm.final('return'))}</b>",
            "success": number(arm.final("success")),
            "training time, without evaluations": duration(float(wall)),
        }
        shown = {name: cell for name, cell in cells.items() if name not in left_out}
        head = "".join(f"<th>{name}</th>" for name in shown)
        rows.append("".join(f"<td>{cell}</td>" for cell in shown.values()))
    lines = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="card wide"><table><tr>{head}</tr>{lines}</table></div>'


def curves(arms: Sequence[Arm], measure: str, run: Run) -> str:
    """The main chart and the small ones."""
    legend = "".join(
        f'<span><span class="key c{i % COLOURS}"></span>{escape(arm.label)}</span>'
        for i, arm in enumerate(arms)
    )
    reach = max(float(r.eval["steps"][-1]) for arm in arms for r in arm.runs)
    lines = _levels(run) if measure == "score01" else []
    main = Chart(
        "score01 of the mean action" if measure == "score01" else "return of the mean action",
        [_curve(arm, i, measure, mark=bool(lines)) for i, arm in enumerate(arms)],
        lines=lines,
        low=0.0 if measure == "score01" else None,
        high=1.0 if measure == "score01" else None,
        x_max=reach,
    )
    panels = [("return", "progress", "Return while training")]
    if measure == "score01":
        panels = [
            ("score01_sampled", "eval", "Sampled policy, score01"),
            ("score01_ood", "eval", "Out of distribution, score01"),
            *panels,
        ]
    small = ""
    for column, source, title in panels:
        drawn = [_curve(arm, i, column, source) for i, arm in enumerate(arms)]
        low, high = (0.0, 1.0) if source == "eval" else (None, None)
        chart = Chart(title, drawn, low=low, high=high, width=380, height=240, x_max=reach)
        small += f'<div class="card"><h4>{title}</h4><div class="plot">{chart.svg()}</div></div>'
    return (
        f'<div class="card"><h4>{main.title}</h4><div class="legend">{legend}</div>'
        f'<div class="plot">{main.svg()}</div></div><div class="row">{small}</div>'
    )


def _curve(arm: Arm, index: int, measure: str, source: str = "eval", mark: bool = False) -> Curve:
    found = arm.over_steps(measure, source)
    median = median_steps(arm.times)
    text = None if median.censored or not mark else (median.steps, f"solved at {median}")
    several = source == "eval" and len(arm.runs) > 1
    singles = [arm.curve(run, measure, source) for run in arm.runs] if several else []
    x, y, low, high = found
    return Curve(escape(arm.label), index % COLOURS, x, y, low, high, singles, text)


def _levels(run: Run) -> list[tuple[float, str]]:
    """Lines at solved, at chance and at what a memoryless agent reached, where they are known.

    There are none where nothing is to be solved.
    """
    lines, rules = [(SOLVED, f"solved {SOLVED}")], rules_of(run)
    if rules is None or nothing_to_solve(rules):
        return [] if rules else lines
    chance = trials.chance(rules)
    if chance is not None:
        lines.append((chance, f"chance (best shortcut) {chance:.2f}"))
    found = controls.lookup(rules)
    if found is not None:
        lines.append((found.score01, f"memoryless {found.score01:.2f}"))
    return lines


def _video(run: Run, make: bool, on_film: Callable[[str], None]) -> tuple[bytes | None, str]:
    """A run's video and how its episodes went; or None and why there is none."""
    path = run.folder / "video.mp4"
    try:
        if make and not path.exists():
            on_film(f"{run.folder}")
        path = film(run.folder) if make else path
        if not path.exists():
            return None, "not filmed"
        ends = read_json(run.folder / "video.json")["episodes"]
    except Exception as error:  # whatever another's environment raises, the other arms have a page
        return None, f"not filmed: {error}"
    if ends[0]["success"] is None:
        returns = ", ".join(f"{end['returns']:z.2f}" for end in ends)
        return path.read_bytes(), f"returns {returns}"
    if nothing_to_solve(rules_of(run)):
        return path.read_bytes(), f"{len(ends)} episodes"
    wins = sum(bool(end["success"]) for end in ends)
    return path.read_bytes(), f"success in {wins} of {len(ends)} episodes"


def films(videos: Sequence[tuple[Arm, bytes | None, str]]) -> str:
    """An arm a video, of the same worlds."""
    cells = []
    for i, (arm, data, text) in enumerate(videos):
        key = f'<span class="key c{i % COLOURS}"></span><b>{escape(arm.label)}</b>'
        seed = f"seed {arm.runs[0].config['seed']}"
        if data is None:
            cells.append(f'<figure class="card">{key}, {seed}: {escape(text)}</figure>')
            continue
        source = "data:video/mp4;base64," + base64.b64encode(data).decode()
        cells.append(
            f'<figure class="card"><video controls autoplay loop muted playsinline '
            f'src="{source}"></video><figcaption>{key}, {seed}, after '
            f"{arm.runs[0].eval['steps'][-1]:,.0f} steps: {text}</figcaption></figure>"
        )
    return (
        f'<h3>At work</h3><p class="soft">The same worlds for every arm, none of them trained on, '
        f'at {SPEED} times life speed.</p><div class="row films">{"".join(cells)}</div>'
    )


def left_out(faults: Sequence[str]) -> str:
    """The runs that could not be read, and why."""
    items = "".join(f"<p>{escape(text)}</p>" for text in faults)
    return f"<h3>Left out</h3>{items}" if faults else ""


def rerun(runs: Sequence[Run]) -> str:
    """The commands that make these runs again."""
    commands = "".join(f"<pre>{escape(run.command)}</pre>" for run in runs)
    return f'<h3>Make it again</h3><div class="card">{commands}</div>'


def colophon(runs: Sequence[Run]) -> str:
    """What the numbers depend on."""
    lines = []
    for entry in {str(run.versions): run.versions for run in runs}.values():
        libraries = ", ".join(f"{name} {version}" for name, version in entry["libraries"].items())
        source = entry["git"] or "not a checkout"
        lines.append(
            f"Python {entry['python']}, {entry['machine']}; {libraries}; source {source}; "
            f"task {entry['task_hash'] or 'not ours'}"
        )
    items = "".join(f"<p><small>{escape(line)}</small></p>" for line in lines)
    return f"<h3>Made with</h3>{items}"


def number(interval: Interval) -> str:
    """An estimate with its interval below it."""
    if math.isnan(interval.estimate):
        return "–"
    text = f"{interval.estimate:z.2f}"
    if math.isnan(interval.low):
        return text
    return f"{text}<small>{interval.low:z.2f} to {interval.high:z.2f}</small>"


def duration(seconds: float) -> str:
    """``95 s`` or ``12 min``."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
