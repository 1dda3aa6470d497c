"""`motley audit`: a task against its reference policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from motley.envs import TASKS, Task, calibration, contract
from motley.envs.calibration import Entry
from motley.envs.hidden import what_is_hidden
from motley.scripts.flags import Audit
from motley.studies import capacity, controls
from motley.studies.config import ConfigError, check_task, import_plugins, nearest, plain
from motley.studies.folder import check_place
from motley.studies.record import open_lesioned, record, rules

OBSERVER, SHORTCUT = 0.9, 0.1
"""Bars: the observer's score01, and the shortcuts' score01 above chance's."""
HELD = 0.9
"""Bar of the capacity probe: the uniform core's grade."""
AUDIT_SEED = 2_000_000
"""Of the first episode; the audit's episodes are not the calibration's."""


def main(args: Audit) -> int:
    """Print the table; returns the exit code.

    Raises:
        ConfigError: an unknown task or level, or numbers that cannot be.
        FolderError: the folder of --table is missing.
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
    task = TASKS[name]
    if args.capacity:
        try:
            what_is_hidden(name)
        except ValueError as error:
            raise ConfigError(f"--capacity: {error}") from error
    if args.contract:
        return keeps_contract(task, args.level)
    seed = calibration.CALIBRATION_SEED if args.calibrate else AUDIT_SEED
    levels = range(len(task.levels)) if args.level is None else [args.level]
    settings = [
        (level, ood, variant)
        for variant in task.variants
        for level in levels
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
    if args.calibrate:
        console.print(f"wrote {calibration.write(task, entries)}")
    for level in levels if args.memoryless else ():
        made = train(task, level, args.steps or controls.STEPS, args.seed)
        console.print(f"wrote {controls.write(task, [made])}: {in_words(made)}")
    for variant in task.variants:
        console.print(table(task, [entry for entry in entries if entry.variant == variant]))
    faults = [fault for entry in entries for fault in failing(task, entry)]
    if args.probe is not None:
        faults += probed(console, task, args.probe, args.level, args.episodes)
    for level in levels if args.capacity else ():
        found = taught(task, level, args.steps or capacity.STEPS, args.seed)
        console.print(f"{found}")
        faults += too_much_or_little(found)
        if args.table is not None:
            capacity.write(args.table, found)
    for fault in faults:
        console.print(f"[bold red]fails:[/] {fault}")
    return 1 if faults else 0


def keeps_contract(task: type[Task], level: int | None) -> int:
    """Run every check, print what fails; returns the exit code."""
    console = Console(soft_wrap=True)
    asked = [c for c in contract.checks(task.__name__) if level is None or c.level == level]
    failed = 0
    for check in track(asked, task.__name__, console=Console(stderr=True), transient=True):
        try:
            check()
        except AssertionError as fault:
            failed += 1
            console.print(f"[bold red]fails:[/] {check}: {fault}", markup=True)
    console.print(f"{len(asked) - failed} of {len(asked)} checks hold")
    return 1 if failed else 0


@contextmanager
def bar(task: type[Task], level: int, doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that moves; gives what is to be told of the steps so far."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        shown = progress.add_task(f"{task.__name__} level {level}, {doing}", total=total)
        yield lambda done: progress.update(shown, completed=done)


def train(task: type[Task], level: int, steps: int, seed: int) -> controls.Control:
    """Train the control that has no memory."""
    with bar(task, level, "memoryless", steps) as on_steps:
        return controls.measure(task(level=level), steps, seed, on_steps)


def taught(task: type[Task], level: int, steps: int, seed: int) -> capacity.Capacity:
    """The capacity probe of a level.

    Raises:
        ConfigError: this level hides nothing.
    """
    try:
        with bar(task, level, "taught", steps) as on_steps:
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


def probed(
    console: Console, task: type[Task], folder: Path, level: int | None, episodes: int
) -> list[str]:
    """Print what a probe reads of a run's agent; returns the bar that it misses, in words.

    Raises:
        ConfigError: the run is of another task, or the probe cannot be.
    """
    config, agent = open_lesioned(folder, ())
    if config.ours is not task:
        raise ConfigError(f"--probe {folder}: it is a run of {config.task}, not of {task.__name__}")
    try:
        found = controls.probe(record(agent, rules(config, level), episodes, AUDIT_SEED))
    except ValueError as error:
        raise ConfigError(f"--probe {folder}: {error}") from error
    text = f"from single observations of {folder} a linear probe reads what is hidden with"
    text += f" {found.score:.3f} (chance {found.chance:.3f}) at {found.rows:,} moments"
    console.print(text)
    return [f"{text}, more than {SHORTCUT} above"] if found.score > found.chance + SHORTCUT else []


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
    found = control(task, entry)
    if found is not None and score01(entry, found) - score01(entry, chance) > SHORTCUT:
        faults.append(
            f"{where}: an agent without a memory scores {found:.3f}, more than {SHORTCUT} in "
            f"score01 above chance ({chance:.2f})"
        )
    return faults


def control(task: type[Task], entry: Entry) -> float | None:
    """The raw score of the stored control; None where there is none, as in each variant."""
    if entry.ood or entry.variant != task.variants[0]:
        return None
    found = controls.lookup(task, entry.level)
    return None if found is None else found.score


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
    trained = [control(task, entry) for entry in entries]
    known = any(score is not None for score in trained)
    rows[f"memoryless ({'trained' if known else 'see --memoryless'})"] = trained
    for name, scores in rows.items():
        grid.add_row(name, *("-" if score is None else f"{score:.2f}" for score in scores))
    return grid
