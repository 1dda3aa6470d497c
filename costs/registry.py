"""Names for what a user can plug in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
MANY = 12
"""Names that are listed at most."""


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
    """Return the message: the names that are near, or else those there are, a dozen at most.

    Args:
        kind: what the name should name, "task", "area" ...
        name: as it was given. Near is what begins like it, or looks much like it.
        known: what it could have been.
    """
    names = list(dict.fromkeys(known))
    near = [n for n in names if len(name) > 2 and n.lower().startswith(name.lower())][:3]
    near = near or difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"unknown {kind} {name!r}; did you mean {' or '.join(near)}?"
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return f"unknown {kind} {name!r}; there are: {', '.join(names[:MANY])}{more}"
