"""Names for what a user can plug in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(dict[str, T], Generic[T]):
    """A dict that refuses duplicates and, asked for an unknown name, tells the nearest ones.

    Args:
        kind: what the entries are, for messages: "area", "structure" ...
    """

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def __setitem__(self, name: str, entry: T) -> None:
        if name in self and self[name] is not entry:
            raise ValueError(f"the {self.kind} {name!r} is registered already: {self[name]}")
        super().__setitem__(name, entry)

    def __missing__(self, name: str) -> T:
        raise ValueError(unknown(self.kind, name, self))


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not known."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown {kind} {name!r}; {hint}there are: {', '.join(names)}"
