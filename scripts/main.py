"""`motley`: the command line, one file a command, and one of all their flags.

A command's file is imported once its words could be read: PyTorch alone takes over a second, and
help and mistakes do not wait for it.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import tyro
from rich.console import Console

from motley.scripts import flags
from motley.scripts.screen import has_display
from motley.studies.notices import fail, in_words, plain_warnings


class Command(NamedTuple):
    """A command of `motley`; its code is in the file of its name.

    Attributes:
        takes: its flags, a dataclass of `motley.scripts.flags`.
        about: what it does.
        example: of how it is called.
    """

    takes: type[Any]
    about: str
    example: str


COMMANDS = {
    "demo": Command(flags.Demo, "two agents learn one task, side by side", "motley demo"),
    "list": Command(flags.List, "tasks, structures and cost sets", "motley list"),
    "play": Command(
        flags.Play, "try a task by hand, with the keyboard", "motley play DarkHome --level 1"
    ),
    "train": Command(
        flags.Train,
        "train an agent",
        "motley train --task DarkHome --structure matched --costs heterogeneous --out runs/first",
    ),
    "watch": Command(
        flags.Watch, "see a trained agent act, in a window or a video", "motley watch runs/first"
    ),
    "record": Command(
        flags.Record,
        "an agent's episodes as arrays: place, senses, activity",
        "motley record runs/first --episodes 100 --out first.npz",
    ),
    "evaluate": Command(
        flags.Evaluate,
        "score a trained agent, whole or lesioned",
        "motley evaluate runs/first --lesion integrator",
    ),
    "report": Command(
        flags.Report, "a page of curves, tables and videos of runs", "motley report runs"
    ),
    "study": Command(
        flags.StudyCommand,
        "many arms, tasks and seeds, to one table",
        "motley study run novelty --arms rnd --seeds 130 --results runs/results",
    ),
    "audit": Command(
        flags.Audit, "check a task against its reference policies", "motley audit DarkHome"
    ),
    "new": Command(
        flags.New, "a working task, area, cost or study to begin from", "motley new task NestSite"
    ),
    "bench": Command(flags.Bench, "time worlds and training beside peers", "motley bench --quick"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 2 where what was asked cannot be.

    Args:
        argv: the words after ``motley``; None takes them from the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    if not has_display():  # or SDL looks for one and complains, though a film needs none
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if not words or words[0] in ("-h", "--help"):
        overview()
        return 0
    name, *rest = words
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS)
        hint = f" did you mean {' or '.join(near)}?" if near else ""
        return fail(f"unknown command {name!r};{hint} `motley --help` shows them all")
    try:
        args = parse(name, rest)
        with plain_warnings():
            return int(importlib.import_module(f"motley.scripts.{name}").main(args) or 0)
    except KeyboardInterrupt:
        return fail("stopped", code=130)
    except Exception as error:
        if (text := in_words(error)) is not None:
            return fail(text)
        raise


def parse(name: str, words: Sequence[str]) -> Any:
    """The command's flags as the words give them.

    A command may have ``settle(args, again)``: it can ask to read the words again with other
    defaults. Its code, which takes seconds to import, is looked at once the words can be read.
    """
    takes, about, example = COMMANDS[name]
    text = f"{inspect.getdoc(takes) or about}\n\nExample: {example}"

    def read(default: Any = None) -> Any:
        given = {} if default is None else {"default": default}
        return tyro.cli(takes, args=words, prog=f"motley {name}", description=text, **given)

    args = read()
    module = importlib.import_module(f"motley.scripts.{name}")
    return module.settle(args, read) if hasattr(module, "settle") else args


def overview() -> None:
    """The commands."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]motley[/]: embodied tasks, agents made of areas, and costs of their own\n")
    console.print("Usage: motley COMMAND ... (`motley COMMAND --help` tells its flags)\n")
    for name, (_, about, example) in COMMANDS.items():
        console.print(f"  [bold cyan]{name:8}[/] {about}\n           [dim]{example}[/]")
    console.print("\nBegin with [bold]motley demo[/], or [bold]motley list[/].")


if __name__ == "__main__":
    sys.exit(main())
