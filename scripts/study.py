"""`motley study`: many arms, tasks and seeds, to one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console

from motley.scripts.flags import StudyCommand
from motley.scripts.study_table import part, show, tell_changed
from motley.studies import (
    baselines,
    exploration,
    fading,
    novelty,
    parity,
    rehearsal,
    screen,
    solvers,
    spine,
    study,
    table,
)
from motley.studies.config import ConfigError, import_plugins, nearest
from motley.studies.folder import read_json
from motley.studies.verdict import LEAST_SEEDS, verdict

SHIPPED = (
    *(spine.SPINE, solvers.SOLVERS, baselines.BASELINES),
    *(parity.PARITY, exploration.EXPLORATION, screen.SCREEN, fading.FADING),
    *(novelty.NOVELTY, rehearsal.REHEARSAL),
)
"""Studies that come with Motley; each registers itself where it is written."""
WORDS = {"equivalent": "≈", "at least": "≥", "at most": "≤", "more": ">", "faster": "faster than"}
"""What a contrast's kind says of its two arms."""
UNDONE = 3
"""Exit code where arms were left out."""


def main(args: StudyCommand) -> int:
    """Do it; returns the exit code, 3 where arms were left out of a run.

    Raises:
        ConfigError: no study is named, or no such study, or no such task, arm or seed in it, or
            one of its contrasts is of arms that it has not.
    """
    import_plugins(args.imports)
    listing = args.action == "list"
    if not args.name and not listing:
        known = ", ".join(sorted(study.STUDIES))
        raise ConfigError(f"which study? motley study {args.action} NAME, with one of {known}")
    if args.name not in study.STUDIES and (args.name or not listing):
        raise ConfigError(
            nearest("study", args.name, study.STUDIES, "motley study list")
            + "; one of your own needs the module that registers it: --import MODULE"
        )
    console = Console(highlight=False, soft_wrap=True)
    if listing:
        for name in [args.name] if args.name else study.STUDIES:
            show_study(study.STUDIES[name], console, arms=bool(args.name))
        if not args.name:
            console.print("[dim]the arms of one: motley study list NAME[/]")
        return 0
    whole = study.STUDIES[args.name]
    for contrast in whole.contrasts:  # a slip in a name is told before the runs, not after
        whole.asked(contrast)
    whole = replace(whole, imports=tuple(dict.fromkeys((*whole.imports, *args.imports))))
    chosen = narrow(whole, args.tasks, args.arms, args.seeds)
    runs, results = args.runs / args.name, args.results / args.name
    if args.action == "status":
        stored, states = results / "curves.csv", list(study.status(chosen, runs))
        held = set(table.load(results).rows) if stored.exists() else set()
        if held:
            count = sum(key in held for key, *_ in states)
            console.print(
                f"{count} of {len(states)} runs are stored in {stored}; see: "
                f"{chosen.command('table')}"
            )
        for key, steps, score in states:
            if steps:
                console.print(f"{key}: {steps:,.0f} steps, score01 {score:z.2f}")
        if missing := sum(not steps and key not in held for key, steps, _ in states):
            console.print(f"{missing} runs neither stored in {stored} nor begun in {runs}")
        if missing and not stored.exists() and args.name in {entry.name for entry in SHIPPED}:
            console.print(
                "the results that ship with Motley are in its repository's results folder; give "
                "that as --results"
            )
        return 0
    if args.action in ("table", "verdict") and not (results / "curves.csv").exists():
        done_runs = sum((runs / key / "done").exists() for key, *_ in study.status(chosen, runs))
        if done_runs:
            raise ConfigError(
                f"{done_runs} runs are done and not gathered yet: the same run command gathers "
                f"them ({chosen.command('run')}, with the --tasks, --arms, --seeds it had)"
            )
    if args.action == "table":
        show(whole, chosen, results, console)
        return 0
    if args.action == "verdict":
        for answer in verdict(whole, results):
            console.print(sentence(answer))
        written = results / "verdict.json"
        tell_changed(read_json(written)["changed_runs"], console)
        console.print(f"stored in {written}")
        return 0
    done, waiting = set[str](), list[str]()

    def on_look(state: dict[str, tuple[float, float]]) -> None:
        for key in sorted(set(state) - done):
            if (runs / key / "done").exists():
                done.add(key)
                console.print(f"{len(done)} of {len(state)}  {key}: score01 {state[key][1]:z.2f}")

    try:
        if args.action == "tune":
            study.tune(chosen, runs, results, on_look)
            _tell_ties(chosen, read_json(results / "settings.json")["ties"], console)
        else:
            _tell_unknown(study.of_unknown_trials(chosen, results), chosen, console)
            _tell_left_out(waiting := study.not_tuned(chosen, results), console)
            found = study.run(chosen, runs, results, on_look, whole)
            if found.kept:
                console.print(f"{found.kept} stored runs that are not in {runs} stay in the table")
            if found.foreign:
                console.print(
                    f"{found.foreign} run folders in {runs} are not in the table: begun with "
                    f"another configuration, or tuned or installed elsewhere"
                )
            if found.aside is not None:
                console.print(f"stored runs that the study would make otherwise: {found.aside}")
            _tell_left_out(waiting, console)
    except KeyboardInterrupt:
        console.print("stopped and saved; the same command goes on from here")
        return 130
    console.print(f"wrote {results}")
    return UNDONE if waiting else 0


def show_study(entry: study.Study, console: Console, *, arms: bool) -> None:
    """Print what a study asks, and of what: one line, or one for each arm of each task."""
    cells = list(entry.cells())
    tasks = "1 task" if len(entry.tasks) == 1 else f"{len(entry.tasks)} tasks"
    size = f"{tasks}, {len(cells) * len(entry.seeds)} runs"
    console.print(f"[bold]{entry.name:<12}[/]{entry.claim} [dim]{size}[/]")
    for task, level, arm, what in cells if arms else ():
        rung = "" if level is None else f" level {level}"
        console.print(f"  {task}{rung}  {arm}: {what.structure}, {what.costs}")


def _tell_ties(
    chosen: study.Study, ties: Mapping[str, Mapping[str, Sequence[int]]], console: Console
) -> None:
    """Name the arms of which several draws were equally good.

    Args:
        chosen: what was tuned.
        ties: of ``settings.json``.
        console: where to.
    """
    for task, _, arm, _ in chosen.cells():
        if draws := ties.get(task, {}).get(arm):
            console.print(
                f"{len(draws)} draws are equally good for {arm} on {task}, and nothing was chosen "
                f"between them: the first is taken"
            )


def _tell_left_out(waiting: Sequence[str], console: Console) -> None:
    """Name the arms that a run leaves out, if there are any.

    Args:
        waiting: of :func:`.study.not_tuned`.
        console: where to.
    """
    if waiting:
        console.print(f"left out, since they were not tuned: {'; '.join(waiting)}")


def _tell_unknown(arms: Sequence[tuple[str, str]], chosen: study.Study, console: Console) -> None:
    """Name the arms of which it is not known what chose their settings, if there are any.

    Args:
        arms: (task, arm).
        chosen: what is run.
        console: where to.
    """
    if arms:
        named = ", ".join(f"{arm} on {task}" for task, arm in arms)
        console.print(
            f"by which trials, and on which code of the task, these settings were chosen is not "
            f"known: {named}; to tune anew: {chosen.command('tune')}"
        )


def sentence(answer: Mapping[str, Any]) -> str:
    """An entry of ``verdict.json`` in words."""
    level = "" if answer["level"] is None else f" level {answer['level']}"
    faster = answer["kind"] == "faster"
    left_out = f", {answer['unfinished_runs']} unfinished" if answer["unfinished_runs"] else ""
    found = f"[bold]{answer['verdict']}[/]"
    if answer["verdict_holm"] is not None:
        found += f" (with Holm's correction {answer['verdict_holm']})"
    found += f"  {_ratio(answer) if faster else _difference(answer)}{left_out}"
    if min(answer["seeds"]) < LEAST_SEEDS:
        found += f"; fewer than {LEAST_SEEDS} of an arm decide nothing"
    if answer["waits"]:
        found += "; nothing is decided until they are over, since others end when they have solved"
    beside = answer.get("beside", [])
    arms = (answer["first"], answer["second"], *beside)
    if none := [arm for arm, runs in zip(arms, answer["seeds"], strict=True) if not runs]:
        found = f"[bold]no verdict[/], no runs of {' and none of '.join(none)}{left_out}"
    late = f"round {answer['round']}, " if answer["round"] > 1 else ""
    compared = "steps to solved" if faster else f"{answer['measure']} over {part(answer['last'])}"
    lines = [
        f"{late}{answer['task']}{level}: {answer['first']} {WORDS[answer['kind']]} "
        f"{answer['second']}{', more so than ' * bool(beside)}{' than '.join(beside)} in "
        f"{compared} (margin {answer['margin']}): {found}"
    ]
    if answer["predicts"] is not None:
        size = f"{answer['predicts']:g} times" if faster else f"{answer['predicts']:+.3f}"
        lines.append(f"  predicted: {size} or more")
    if answer["refuter"]:
        lines.append(f"  refuted if: {answer['refuter']}")
    return "\n".join(lines)


def _difference(answer: Mapping[str, Any]) -> str:
    """The difference of means and its interval."""
    estimate, low, high = ("?" if x is None else f"{x:+.3f}" for x in answer["difference"])
    runs = " and ".join(map(str, answer["seeds"]))
    return f"difference {estimate} ({low} to {high}), {runs} runs"


def _ratio(answer: Mapping[str, Any]) -> str:
    """The ratio of steps and its interval, and of an arm how many of its runs solved the task."""
    if answer["problem"] is not None:
        return f"no ratio of steps: {answer['problem']}"
    estimate, low, high = ("?" if x is None else f"{x:.2f}" for x in answer["ratio"])
    solved = [f"{n} of {runs}" for n, runs in zip(answer["solved"], answer["seeds"], strict=True)]
    told = f"ratio of steps, taken as between two evaluations: {estimate} ({low} to {high}), "
    told += f"solved by {' and '.join(solved)} runs"
    never = [k for k, n in enumerate(answer["solved"]) if n == 0]
    for k in never:
        name = answer["second" if k else "first"]
        never_in = f"never solved it in {answer['budgets'][k]:,} steps"
        told += f"; {name} {'has not solved it so far' if answer['waits'] else never_in}"
    told += ", which bounds the ratio" if len(never) == 1 else ""
    return told


def narrow(
    whole: study.Study,
    tasks: tuple[str, ...] = (),
    arms: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
) -> study.Study:
    """Return the part of a study with these tasks, arms and seeds; empty means all.

    Raises:
        ConfigError: the study has no such task, arm or seed.
    """
    has: Mapping[str, tuple[Sequence[Any], set[Any]]] = {
        "task": (tasks, {task for task, _ in whole.tasks}),
        "arm": (arms, {arm for entries in whole.arms.values() for arm in entries}),
        "seed": (seeds, set(whole.seeds)),
    }
    for kind, (asked, there) in has.items():
        for name in asked:
            if name not in there:
                listed = ", ".join(map(str, sorted(there)))
                raise ConfigError(f"study {whole.name!r} has no {kind} {name!r}; it has {listed}")
    return replace(
        whole,
        tasks=tuple(t for t in whole.tasks if not tasks or t[0] in tasks),
        seeds=tuple(seed for seed in whole.seeds if not seeds or seed in seeds),
        arms={
            task: {n: a for n, a in entries.items() if not arms or n in arms}
            for task, entries in whole.arms.items()
        },
    )
