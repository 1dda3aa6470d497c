"""`motley audit`: a task against its reference policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from motley.envs import TASKS, Task, calibration
from motley.envs.calibration import Entry
from motley.scripts.train import Import
from motley.studies.config import ConfigError, import_plugins, nearest, plain

OBSERVER, SHORTCUT = 0.9, 0.1
"""Bars: the observer's score01, and the shortcuts' score01 above chance's."""
AUDIT_SEED = 2_000_000
"""Of the first episode; the audit's episodes are not the calibration's."""


@dataclass(frozen=True)
class Audit:
    """Play a task with its oracle, observer, random policy and shortcuts, level by level.

    Exits with 1 where the oracle is below the bar that the task states, the observer's score01 is
    below 0.9, or a shortcut's score01 is more than 0.1 above that of the stated chance.
    """

    task: Annotated[str, tyro.conf.Positional]
    """A task of `motley list`."""
    calibrate: bool = False
    """Store the means as the task's calibration, what score01 is reckoned with."""
    episodes: int = 1000
    """Episodes of each policy."""
    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""


def main(args: Audit) -> int:
    """Print the table; returns the exit code.

    Raises:
        ConfigError: an unknown task, or no episodes.
    """
    import_plugins(args.imports)
    name = plain(args.task)
    if name not in TASKS:
        raise ConfigError(nearest("task", args.task, TASKS))
    if args.episodes < 1:
        raise ConfigError(f"--episodes must be at least 1, not {args.episodes}")
    task = TASKS[name]
    seed = calibration.CALIBRATION_SEED if args.calibrate else AUDIT_SEED
    settings = [
        (level, ood, variant)
        for variant in task.variants
        for level in range(len(task.levels))
        for ood in (False, True)
    ]
    entries = [
        calibration.measure(task, level, ood, args.episodes, seed, **variant)
        for level, ood, variant in track(
            settings, name, console=Console(stderr=True), transient=True
        )
    ]
    # Twenty columns of four digits: narrower terminals wrap lines rather than lose digits.
    console = Console(soft_wrap=True, width=max(Console().width, 110))
    for variant in task.variants:
        console.print(table(task, [entry for entry in entries if entry.variant == variant]))
    if args.calibrate:
        console.print(f"wrote {calibration.write(task, entries)}")
    faults = [fault for entry in entries for fault in failing(task, entry)]
    for fault in faults:
        console.print(f"[bold red]fails:[/] {fault}")
    return 1 if faults else 0


def score01(entry: Entry, score: float) -> float:
    """On the scale from random to oracle."""
    return (score - entry.random) / max(entry.oracle - entry.random, 1e-9)


def failing(task: type[Task], entry: Entry) -> list[str]:
    """The bars that a level misses, in words."""
    where = f"level {entry.level}{', out of distribution' if entry.ood else ''}"
    where += "".join(f", {name}={value}" for name, value in entry.variant.items() if value)
    chance = stated_chance(task, entry)
    faults = []
    if entry.oracle < task.oracle_bar:
        faults.append(f"{where}: the oracle scores {entry.oracle:.3f}, below {task.oracle_bar}")
    if entry.observer is not None and score01(entry, entry.observer) < OBSERVER:
        observed = score01(entry, entry.observer)
        faults.append(f"{where}: the observer's score01 is {observed:.3f}, below {OBSERVER}")
    for name, score in entry.heuristics.items():
        above = score01(entry, score) - score01(entry, chance)
        if above > SHORTCUT:
            faults.append(
                f"{where}: the shortcut {name} scores {score:.3f}, in score01 {above:.3f} above "
                f"chance ({chance:.2f}), more than {SHORTCUT}"
            )
    return faults


def stated_chance(task: type[Task], entry: Entry) -> float:
    """What the task states for these settings, as a raw score."""
    return task(level=entry.level, ood=entry.ood, **entry.variant).chance


def table(task: type[Task], entries: list[Entry]) -> Table:
    """Mean raw scores of one variant: a row a policy, a column a level."""
    variant = "".join(f", {name}={value}" for name, value in entries[0].variant.items() if value)
    grid = Table(
        title=f"{task.__name__}{variant} ({calibration.task_hash(task)}): mean raw scores of "
        f"{entries[0].episodes} episodes, seeds from {entries[0].seed}",
        title_justify="left",
        pad_edge=False,
    )
    grid.add_column("level", no_wrap=True)
    for entry in entries:
        grid.add_column(f"{entry.level} ood" if entry.ood else f"{entry.level}", justify="right")
    rows: dict[str, list[float | None]] = {
        "chance (stated)": [stated_chance(task, entry) for entry in entries],
        "oracle": [entry.oracle for entry in entries],
        "observer": [entry.observer for entry in entries],
        "random": [entry.random for entry in entries],
    }
    for name in dict.fromkeys(name for entry in entries for name in entry.heuristics):
        rows[name] = [entry.heuristics.get(name) for entry in entries]
    for name, scores in rows.items():
        grid.add_row(name, *("-" if score is None else f"{score:.2f}" for score in scores))
    return grid
