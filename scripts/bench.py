"""`motley bench`: the speed of worlds and of training, beside peers, in one interleaved run."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from motley.envs import TASKS
from motley.scripts.flags import SUITES, Bench
from motley.studies import bench, bench_cases
from motley.studies.bench_scaling import scaling_cases

DOCS = Path("docs/performance.md")


def main(args: Bench) -> None:
    """Measure, print the tables, write bench.json.

    Raises:
        ValueError: `--write-docs` with figures that are not to be quoted.
    """
    full = set(SUITES) <= set(args.suites)
    if args.write_docs and (args.quick or args.rounds < 5 or not full):
        raise ValueError("--write-docs needs all suites, five rounds or more, and no --quick")
    console = Console()
    # Processes of their own, which keep to a core each, come before this one keeps to one.
    cases = scaling_cases(args.quick) if "scaling" in args.suites else []
    with warnings.catch_warnings(), bench.one_core() as core:
        warnings.simplefilter("ignore")  # peers' and missing calibrations': no matter for speed
        where = bench.machine(core)
        if "envs" in args.suites:
            cases += bench_cases.env_cases(args.quick)
        if "training" in args.suites:
            cases += bench_cases.training_cases(args.quick)
        columns = SpinnerColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
        with Progress(*columns, console=console, transient=True) as bar:
            line = bar.add_task("", total=len(cases) * (args.rounds + 1), completed=-1)
            results = bench.measure(
                cases, args.rounds, lambda title: bar.update(line, advance=1, description=title)
            )
    results += bench.middle(results, tuple(TASKS))
    found = bench.verdicts(results, tuple(TASKS))
    data = bench.record(results, found, where)
    show(console, results, found)
    console.print(f"[dim]{where['processor']}, core {core}; every round is in[/dim]")
    console.print(str(bench.save(data, args.out)))
    if args.write_docs:
        bench.write_docs(data, DOCS)
        console.print(f"tables written to {DOCS}")


def show(console: Console, results: list[bench.Result], found: list[bench.Verdict]) -> None:
    """Print the rates, the bars, and whether something else disturbed them."""
    table = Table("", title="steps/s")
    for name in ("median", "lowest", "highest"):
        table.add_column(name, justify="right")
    table.add_column("")
    for result in results:
        numbers = (result.median, min(result.rates), max(result.rates))
        table.add_row(result.title, *(bench.digits(x) for x in numbers), result.note)
    console.print(table)
    titles = {result.key: result.title for result in results}
    table = Table("bar", title="what we hold ourselves to")
    table.add_column("bound", justify="right")
    for name in ("measured", "lowest", "highest"):
        table.add_column(name, justify="right")
    for one in found:
        bar = asdict(one.bar)
        color = {True: "green", False: "red", None: "dim"}[one.reached]
        table.add_row(
            bench.bar_title(bar, titles),
            bench.bound(bar),
            f"[{color}]{bench.digits(one.measured)}[/{color}]",
            bench.digits(one.lowest),
            bench.digits(one.highest),
        )
    console.print(table)
    alone = (r for r in results if not r.key.startswith("scaling/"))
    disturbed = [r.title for r in alone if r.cpu_share < bench.ENOUGH_CPU]
    if disturbed:
        console.print(
            f"[yellow]Something else ran on this core: {', '.join(disturbed)} got less than "
            f"{bench.ENOUGH_CPU:.0%} of it. Measure again on a quiet machine.[/yellow]"
        )
