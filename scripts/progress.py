"""How far a run is: a bar in a terminal, a line an evaluation elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isnan
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from motley.studies.config import RunConfig, as_word
from motley.studies.listener import Listener


def bars(console: Console, measured: str = "score01") -> Progress:
    """Bars with speed, what is measured and the time that is left."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=28),
        TextColumn("{task.completed:,.0f} / {task.total:,.0f} steps"),
        TextColumn("[dim]{task.fields[speed]}"),
        TextColumn(f"{measured} [bold cyan]{{task.fields[score]}}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )


@contextmanager
def bar(doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that moves and goes; gives what is to be told of the steps so far."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        shown = progress.add_task(doing, total=total)
        yield lambda done: progress.update(shown, completed=done)


def outcome(row: Mapping[str, float]) -> str:
    """An evaluation in words: its return, and the scores where the task has them."""
    scores = {"score01": "score01", "out of distribution": "score01_ood"}
    known = {name: row[column] for name, column in scores.items() if not isnan(row[column])}
    known["return"] = row["return"]
    return "  ".join(f"{name} {value:z6.3f}" for name, value in known.items())


class Display(Listener):
    """Shows one run on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._line = TaskID(0)
        self._total, self._begun_at, self._began = 0, 0.0, 0.0
        self._measured = "score01"

    def started(self, config: RunConfig, out: Path, steps: int, n_parameters: int) -> None:
        """Say what begins."""
        self._begun_at, self._began = float(steps), time.perf_counter()
        self._total = config.steps
        level = f", level {config.to_json()['level']}" if config.ours else ""
        level += "".join(f", {as_word(*setting)}" for setting in config.variant.items())
        self._measured = "score01" if config.ours else "return"
        going = f" from {steps:,} steps on" if steps else ""
        self._console.print(
            f"{config.task}{level}: structure {config.structure} "
            f"({n_parameters:,} parameters), costs {config.costs}, seed {config.seed}"
            f"{going} -> {out}",
            highlight=False,
            soft_wrap=True,
        )
        if self._console.is_terminal:
            self._bar = bars(self._console, self._measured)
            self._line = self._bar.add_task(
                config.structure,
                total=self._total,
                completed=int(self._begun_at),
                speed="",
                score="-",
            )
            self._bar.start()

    def remarked(self, text: str) -> None:
        """Print it."""
        self._console.print(f"[yellow]note:[/] {escape(text)}", highlight=False, soft_wrap=True)

    def progressed(self, row: Mapping[str, float]) -> None:
        """Move the bar."""
        if self._bar is not None:
            speed = (row["steps"] - self._begun_at) / (time.perf_counter() - self._began)
            self._bar.update(
                self._line, completed=min(row["steps"], self._total), speed=f"{speed:,.0f}/s"
            )

    def evaluated(self, row: Mapping[str, float]) -> None:
        """Show the score."""
        if self._bar is not None:
            self._bar.update(self._line, score=f"{row[self._measured]:z.2f}")
        else:
            self._console.print(
                f"{row['steps']:>12,.0f} steps {row['wall_s']:>8.0f} s  {outcome(row)}",
                highlight=False,
                soft_wrap=True,
            )

    def stopped(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()
