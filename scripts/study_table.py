"""What `motley study table` prints: who solved the task when, and what the contrasts compare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console

from motley.scripts.readouts import explain_scale
from motley.studies import table, trials
from motley.studies.config import RunConfig, import_plugins
from motley.studies.study import Study, by_its_trials, planned
from motley.studies.verdict import Ends, ends

NUMBER = re.compile(r"-?\d+\.\d+")
"""A score in a cell of the table."""
STOPPED = (
    "a run ends when two evaluations in a row have said that it has solved its task, so that its "
    "score01 there was picked for being high"
)
UNTUNED = "trials chose nothing"
"""What stands after an arm's name, which may itself say that it is tuned."""
MEANT = (
    f"{UNTUNED}: fewer than one in four of those that the arm's settings are from (tuning.csv) "
    f"came more than {trials.ABOVE} above chance, so that luck chose, and a comparison supports "
    f"nothing"
)


def show(whole: Study, chosen: Study, results: Path, console: Console) -> None:
    """Print it.

    Args:
        whole: the study.
        chosen: the part of it that is asked for.
        results: its folder.
        console: where to.

    Raises:
        ConfigError: there is no table.
    """
    stored = table.load(results)
    import_plugins(chosen.imports)  # they may bring the environments whose code is noted
    rows, changed = table.standing(planned(chosen, results), stored)
    if whole.scored:
        _solved(whole, chosen, results, rows, console)
    else:
        console.print("score01 is a measure that the environments take, and no score of a task")
    for (measure, last), group in groupby(ends(chosen, rows), lambda e: (e.measure, e.last)):
        console.print(f"{measure} over {part(last)}:")
        _print([("task", "arm", "runs", "mean", "SD", "single runs"), *map(_row, group)], console)
    tell_changed(changed, console)
    if whole.contrasts:
        console.print(f"what the study asks of it: {chosen.command('verdict')}")


def _solved(
    whole: Study, chosen: Study, results: Path, rows: dict[str, table.Rows], console: Console
) -> None:
    """Print who solved the task when, and what there is to know of it."""
    where = {table.where(task, level): task for task, level in chosen.tasks}
    few = {
        (task, arm)
        for task, arm in trials.untuned(results, chosen.tasks)
        if by_its_trials(whole, task, arm, results) is not False  # of others it tells nothing
    }
    marked, stops, scores = False, False, list[float]()
    lines = list[Sequence[str]]()
    for place, arm, *cells in table.summary(rows):
        entry, task = chosen.arms[where[place]][arm], where[place]
        stops |= entry.until_solved
        bad = entry.tuned and (task, entry.tuned_as or arm) in few
        marked |= bad
        lines.append((place, f"{arm}, {UNTUNED}" if bad else arm, *cells))
        if RunConfig(task).ours is not None:  # 0 and 1 are whatever another's environment says
            scores += map(float, NUMBER.findall(" ".join(cells[2:])))
    final = "score01 at the stop" if stops else "final score01"
    titles = ("task", "arm", "solved", "steps to solved", final, "out of distr.")
    _print([titles, *lines], console)
    if stops:
        console.print(f"[dim]{STOPPED}[/]")
    if marked:
        console.print(f"[dim]{MEANT}[/]")
    explain_scale(scores)


def _row(found: Ends) -> tuple[str, ...]:
    """An arm's line below a measure that contrasts compare."""
    scores = found.scores
    spread = f"{scores.std(ddof=1):.2f}" if len(scores) > 1 else "-"
    beside = "; ".join(
        f"{above} above {second}{f' by more than {margin}' if margin else ''}, {below} below"
        for second, margin, above, below in found.beside
    )
    place = table.where(found.task, found.level)
    return place, found.arm, str(len(scores)), f"{scores.mean():.2f}", spread, beside


def _print(lines: Sequence[Sequence[str]], console: Console) -> None:
    """Print lines of cells, each column as wide as it needs."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        console.print("  ".join(cells).rstrip())


def tell_changed(keys: Sequence[str], console: Console) -> None:
    """Name the arms of stored runs that do not count, if there are any.

    Args:
        keys: of these runs.
        console: where to.
    """
    if keys:
        arms = dict.fromkeys(key.rpartition("/")[0] for key in keys)
        console.print(
            f"stored runs that do not count, since the study would make them otherwise by now "
            f"or has them no more: {len(keys)}, of {', '.join(arms)}; the next run of the study "
            f"puts them aside"
        )


def part(last: float) -> str:
    """The share of a run that is compared, in words."""
    return "all of training" if last == 1 else f"the last {last:.0%} of training"
