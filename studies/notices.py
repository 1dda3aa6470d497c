"""Motley's own warnings as who types a command reads them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.markup import escape


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show a warning of a class of Motley's as one line on standard error, all others as before.

    File and line, which Python shows with it, are of no use to who did not write the code.
    """
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category.__module__.startswith("motley."):
            console = Console(stderr=True, soft_wrap=True)
            console.print(f"[yellow]note:[/] {escape(str(message))}", highlight=False)
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
