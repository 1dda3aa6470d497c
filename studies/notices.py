"""Motley's own warnings and errors as who types a command reads them."""

from __future__ import annotations

import traceback
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


def in_words(error: Exception) -> str | None:
    """What an error says to people; None is a fault, to be traced.

    Told are what one of our own lines raised on purpose, and places where nothing can be written.
    """
    if not isinstance(error, ValueError | RuntimeError | OSError | FloatingPointError):
        return None
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if str(frame.f_globals.get("__name__", "")).startswith("motley."):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:  # no permission, a full disk
        return f"{error.filename}: {error.strerror}; give another place"
    return None


def fail(message: str, code: int = 2) -> int:
    """Say what is wrong on standard error; returns the exit code."""
    Console(stderr=True, soft_wrap=True).print(
        f"[bold red]motley:[/] {escape(message)}", highlight=False
    )
    return code
