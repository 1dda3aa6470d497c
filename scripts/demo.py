"""`motley demo`: two agents learn one task, side by side."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from motley.scripts.flags import Demo
from motley.scripts.progress import bars
from motley.studies import demo
from motley.studies.config import ConfigError
from motley.studies.folder import last_row
from motley.studies.report import write


def main(args: Demo) -> int:
    """Train both, write the page; returns the exit code.

    Raises:
        ConfigError: no steps, or a seed below 0.
    """
    for flag, value, least in (("steps", args.steps, 1), ("seed", args.seed, 0)):
        if value < least:
            raise ConfigError(f"--{flag} must be at least {least}, not {value}")
    console = Console()
    runs = demo.configs(args.steps, args.seed)
    console.print(
        "Two agents learn [bold]DarkHome[/]: touch three foods, then find home in the dark. "
        "Both have equally many parameters.\n"
        "  [bold]matched[/]  a path integrator, and costs of their own for its areas\n"
        "  [bold]uniform[/]  one recurrent core, trained by reward alone",
        highlight=False,
    )
    shown = dict.fromkeys(runs, 0.0)
    begun: dict[str, tuple[float, float]] = {}
    with bars(console) as progress:
        lines = {arm: progress.add_task(arm, total=args.steps, speed="", score="-") for arm in runs}

        def on_look(state: dict[str, tuple[float, float]]) -> None:
            for arm, (steps, score) in state.items():
                begun.setdefault(arm, (steps, time.perf_counter()))
                seconds = max(time.perf_counter() - begun[arm][1], 1e-9)
                speed = f"{(steps - begun[arm][0]) / seconds:,.0f}/s" if steps else ""
                text = "-" if math.isnan(score) else f"{score:z.2f}"
                progress.update(lines[arm], completed=min(steps, args.steps), score=text)
                if steps < args.steps:
                    progress.update(lines[arm], speed=speed)
                row = last_row(args.out / arm / "eval.csv")  # a score with the steps it is of
                due = min(shown[arm] + 0.1 * args.steps, args.steps)
                if not console.is_terminal and row.get("steps", 0.0) >= due > shown[arm]:
                    shown[arm] = row["steps"]
                    console.print(
                        f"{arm}: {row['steps']:,.0f} steps, score01 {row['score01']:z.2f}",
                        highlight=False,
                    )

        try:
            demo.train(runs, args.out, on_look, "--out")
        except KeyboardInterrupt:
            progress.stop()
            console.print("stopped and saved; the same command goes on from here")
            return 130
    console.print("Filming an episode of each, writing the page ...")
    page = write(args.out, None, video=True)
    here = Path(sys.executable).with_name("motley")  # where the environment is not activated
    motley = "motley" if shutil.which("motley") else os.path.relpath(here)
    console.print(
        f"\nThe page:   [bold]{page}[/] (open it in a browser)\n"
        + "".join(f"A video:    {args.out / arm / 'video.mp4'}\n" for arm in runs)
        + f"A window:   {motley} watch {args.out / 'matched'}",
        highlight=False,
        soft_wrap=True,
    )
    return 0
