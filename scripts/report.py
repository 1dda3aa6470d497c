"""`motley report`: a page of runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Report:
    """Make one self-contained page of all runs below a folder: verdict, curves, table, videos."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The folder to look below."""
    out: Path | None = None
    """The page; left out, report.html in the folder."""
    video: bool = True
    """Film an episode of each arm where its run has no video."""


def main(args: Report) -> None:
    """Write the page and say where it is, and which runs are not on it."""
    from motley.studies.report import write

    def on_left_out(text: str) -> None:
        print(f"left out {text}", file=sys.stderr)

    page = write(args.folder, args.out, video=args.video, on_left_out=on_left_out)
    print(f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB); open it in a browser")
