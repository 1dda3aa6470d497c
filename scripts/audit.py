"""`motley audit`: a task against its reference policies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table

from motley.envs import TASKS, Task, calibration, contract
from motley.envs.calibration import Scores
from motley.envs.files import check_place
from motley.envs.hidden import what_is_hidden
from motley.scripts.flags import Audit
from motley.scripts.progress import bar
from motley.studies import capacity, controls
from motley.studies.bars import SENSIBLE, SHORTCUT, Bar, bars
from motley.studies.config import (
    ConfigError,
    check_task,
    import_plugins,
    nearest,
    plain,
    read_variant,
)
from motley.studies.record import open_lesioned, record, rules
from motley.studies.statistics import standard_error

HELD = 0.9
"""Bar of the capacity probe: the uniform core's grade."""
LISTED = 10
"""Bars in doubt that are told one by one; of the rest, only how many."""
REFERENCES = ("oracle", "observer", "random")
AUDIT_SEED = 2_000_000
"""Of the first episode; the audit's episodes are not the calibration's."""


def main(args: Audit) -> int:
    """Print the table; returns the exit code.

    Raises:
        ConfigError: an unknown task, level or variant, or numbers that cannot be.
        FileNotFoundError: the folder of --table is missing.
    """
    import_plugins(args.imports)
    name = plain(args.task)
    if name not in TASKS:
        raise ConfigError(nearest("task", args.task, TASKS))
    check_task(name, args.level, ood=False)
    for flag, value in (("episodes", args.episodes), ("steps", args.steps)):
        if value is not None and value < 1:
            raise ConfigError(f"--{flag} must be at least 1, not {value}")
    if args.table is not None and not args.capacity:
        raise ConfigError("--table is for what --capacity finds: give that, too")
    if args.table is not None:
        check_place(args.table)
    if args.calibrate and args.level is not None:
        raise ConfigError("--calibrate measures every level: leave --level out")
    if args.calibrate and args.variant:
        raise ConfigError("--calibrate measures every variant: leave --variant out")
    if args.variant and (args.memoryless or args.capacity):
        raise ConfigError("--memoryless and --capacity train as usual: leave --variant out")
    task = TASKS[name]
    only = read_variant(name, args.variant)
    variants = [only] if only else task.variants
    if args.capacity:
        try:
            what_is_hidden(name)
        except ValueError as error:
            raise ConfigError(f"--capacity: {error}") from error
    if args.contract:
        return keeps_contract(task, args.level, only)
    seed = calibration.CALIBRATION_SEED if args.calibrate else AUDIT_SEED
    levels = range(len(task.levels)) if args.level is None else [args.level]
    settings = [
        task(level=level, ood=ood, **variant)
        for variant in variants
        for level in levels
        for ood in (False, True)
    ]
    watched = track(settings, name, console=Console(stderr=True), transient=True)
    played = [(t, calibration.play(t, args.episodes, seed)) for t in watched]
    # Ten columns of a mean and its error: narrower terminals wrap lines rather than lose digits.
    console = Console(soft_wrap=True, width=max(Console().width, 160))
    if args.calibrate:
        entries = [calibration.entry(t, found, seed) for t, found in played]
        console.print(f"wrote {calibration.write(task, entries)}")
    for level in levels if args.memoryless else ():
        made = train(task, level, args.steps or controls.STEPS, args.seed)
        console.print(f"wrote {controls.write(task, [made])}: {in_words(made)}")
    for variant in variants:
        as_set = task(**variant).variant
        console.print(table([(t, found) for t, found in played if t.variant == as_set], seed))
    judged = [one for t, found in played for one in bars(t, found, controls.lookup(t))]
    missed = list[str]()  # by what is not a bar of the table
    if args.probe is not None:
        missed += probed(console, task, args.probe, args)
    for level in levels if args.capacity else ():
        found = taught(task, level, args.steps or capacity.STEPS, args.seed)
        console.print(f"{found}")
        missed += too_much_or_little(found)
        if args.table is not None:
            capacity.write(args.table, found)
    faults = [one.text for one in judged if one.verdict == "fails"] + missed
    for fault in faults:
        console.print(f"[bold red]fails:[/] {fault}")
    never, undecided = (
        [one for one in judged if one.verdict == which] for which in ("undecidable", "undecided")
    )
    doubtful = never + undecided
    for one in doubtful[:LISTED]:
        console.print(f"[bold yellow]{one.verdict}:[/] {one.text}; {advice(one)}")
    if len(doubtful) > LISTED:
        console.print(f"and {len(doubtful) - LISTED} more bars")
    held = sum(one.verdict == "holds" for one in judged)
    told = f"{held} of {len(judged)} bars hold at {args.episodes:,} episodes"
    told += f"; of the probes {len(missed)} fail{'s' * (len(missed) == 1)}" if missed else ""
    told += f"; {len(never)} undecidable" if never else ""
    if undecided:
        told += f"; {len(undecided)} undecided"
        near = sum(one.near for one in undecided)
        told += f", {near} of them as good as on their bars" if near else ""
        if near < len(undecided):
            told += f": {how_many(max(one.enough for one in undecided if not one.near))}"
    console.print(told)
    return 1 if faults else 3 if doubtful else 0


def advice(one: Bar) -> str:
    """What would decide a bar, in words."""
    if one.tied:
        return "it lies on the bar in every episode, and no number of such episodes decides it"
    if one.too_rough:
        return (
            "no number of --episodes decides it: those in which that agent was scored are too few"
        )
    if one.near:
        mean, low, high = one.margin
        return (
            f"as good as on the bar, {'cleared' if mean >= 0 else 'missed'} by {abs(mean):.4f} "
            f"(95% interval of the difference {low:.3f} to {high:.3f})"
        )
    return how_many(one.enough)


def how_many(episodes: float) -> str:
    """How many episodes would decide a bar, in words: two digits, rounded up.

    So many that nobody would play them are what few episodes near a bar come to, and no number.
    """
    if episodes > SENSIBLE:
        return "give more --episodes; how many, these do not tell"
    unit = 10 ** max(math.floor(math.log10(episodes)) - 1, 0)
    return f"give more --episodes, about {math.ceil(episodes / unit) * unit:,}"


def keeps_contract(task: type[Task], level: int | None, variant: Mapping[str, Any]) -> int:
    """Run every check, of one variant if it is given; print what fails; returns the exit code."""
    console = Console(soft_wrap=True)
    as_set = task(**variant).variant
    asked = [
        c
        for c in contract.checks(task.__name__)
        if level in (None, c.level) and (not variant or task(**c.variant).variant == as_set)
    ]
    failed = 0
    for check in track(asked, task.__name__, console=Console(stderr=True), transient=True):
        try:
            check()
        except (AssertionError, ValueError) as fault:  # the worlds refuse some faults themselves
            failed += 1
            console.print(f"[bold red]fails:[/] {check}: {fault}", markup=True)
    console.print(f"{len(asked) - failed} of {len(asked)} checks hold")
    return 1 if failed else 0


def train(task: type[Task], level: int, steps: int, seed: int) -> controls.Control:
    """Train the control that has no memory."""
    with bar(f"{task.__name__} level {level}, memoryless", steps) as on_steps:
        return controls.measure(task(level=level), steps, seed, on_steps)


def taught(task: type[Task], level: int, steps: int, seed: int) -> capacity.Capacity:
    """The capacity probe of a level.

    Raises:
        ConfigError: this level hides nothing.
    """
    try:
        with bar(f"{task.__name__} level {level}, taught", steps) as on_steps:
            return capacity.measure(task(level=level), steps, seed, on_steps)
    except ValueError as error:
        raise ConfigError(f"--capacity: {error}") from error


def too_much_or_little(found: capacity.Capacity) -> list[str]:
    """The bars that a capacity probe misses, in words."""
    where = f"level {found.level}: "
    faults = []
    if found.recurrent < HELD:
        faults.append(f"{where}the taught uniform core gets {found.recurrent:.3f}, below {HELD}")
    if found.feedforward > found.chance + SHORTCUT:
        faults.append(
            f"{where}a taught core that forgets gets {found.feedforward:.3f}, more than {SHORTCUT} "
            f"above chance ({found.chance:.3f}): what it is asked is not hidden"
        )
    return faults


def in_words(made: controls.Control) -> str:
    """A control in a line."""
    return (
        f"level {made.level}, memoryless: score {made.score:.3f}, score01 {made.score01:.3f}, "
        f"{made.steps:,} steps ({made.structure}, {made.n_params:,} parameters, seed {made.seed})"
    )


def probed(console: Console, task: type[Task], folder: Path, args: Audit) -> list[str]:
    """Print what a probe reads of a run's agent; returns the bar that it misses, in words.

    It plays at the run's level and in its variant, where the flags name no other.

    Raises:
        ConfigError: the run is of another task, or the probe cannot be.
    """
    config, agent = open_lesioned(folder, ())
    if config.ours is not task:
        raise ConfigError(f"--probe {folder}: it is a run of {config.task}, not of {task.__name__}")
    try:
        there = rules(config, args.level, variant=args.variant)
        found = controls.probe(record(agent, there, args.episodes, AUDIT_SEED))
    except ValueError as error:
        raise ConfigError(f"--probe {folder}: {error}") from error
    text = f"from single observations of {folder} a linear probe reads what is hidden with"
    text += f" {found.score:.3f} (chance {found.chance:.3f}) at {found.rows:,} moments"
    console.print(text)
    return [f"{text}, more than {SHORTCUT} above"] if found.score > found.chance + SHORTCUT else []


def table(played: Sequence[tuple[Task, Scores]], seed: int) -> Table:
    """Mean raw scores of one variant, with standard errors: a row a policy, a column a level."""
    first, episodes = played[0][0], len(played[0][1].oracle)
    variant = "".join(f", {name}={value}" for name, value in first.variant.items() if value)
    grid = Table(
        title=f"{first.name}{variant} ({calibration.task_hash(type(first))}): mean raw scores of "
        f"{episodes} episodes ± standard errors, seeds from {seed}",
        title_justify="left",
        pad_edge=False,
    )
    grid.add_column("level", no_wrap=True)
    for t, _ in played:
        grid.add_column(f"{t.level} ood" if t.ood else f"{t.level}", justify="right")
    grid.add_row("chance (stated)", *(f"{t.chance:.2f}" for t, _ in played))
    scores = [found for _, found in played]
    rows = {name: [getattr(found, name) for found in scores] for name in REFERENCES}
    for name in dict.fromkeys(name for found in scores for name in found.heuristics):
        rows[name] = [found.heuristics.get(name) for found in scores]
    for name, cells in rows.items():
        grid.add_row(name, *map(cell, cells))
    trained = [controls.lookup(t) for t, _ in played]
    what = "trained" if any(trained) else "see --memoryless"
    grid.add_row(f"memoryless ({what})", *(f"{c.score:.2f}" if c else "-" for c in trained))
    return grid


def cell(scores: npt.NDArray[np.floating] | None) -> str:
    """A mean with its standard error."""
    if scores is None:
        return "-"
    error = f"{standard_error(scores):.2f}".removeprefix("0")
    return f"{scores.mean():z.2f} ±{error}"
