"""`motley report`: a page of runs."""

from __future__ import annotations

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
    """Write the page and say where it is."""
    from motley.studies.report import write

    page = write(args.folder, args.out, video=args.video)
    print(f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB); open it in a browser")
