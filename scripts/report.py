"""`motley report`: a page of runs."""

from __future__ import annotations

import sys

from motley.scripts.flags import Report
from motley.studies.report import write


def main(args: Report) -> None:
    """Write the page and say where it is, and which runs are not on it."""

    def on_left_out(text: str) -> None:
        print(f"left out {text}", file=sys.stderr)

    def on_film(folder: str) -> None:
        print(f"filming {folder} (--no-video leaves that out)", file=sys.stderr)

    page = write(args.folder, args.out, video=args.video, on_left_out=on_left_out, on_film=on_film)
    print(f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB); open it in a browser")
