"""Files of a run folder: written atomically, and cut back to the checkpoint on resuming.

A process may be killed at any instant. JSON files appear whole or not at all; a CSV file may end
in half a row, which readers ignore and a resumed run cuts off, together with every row past the
checkpoint that it goes on from. ``config.json`` states the format of all files in its folder,
the CSV files too; every JSON file states it again.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if sys.platform != "win32":
    import fcntl

FORMAT_VERSION = 2
TAIL = 65_536
"""Bytes that hold at least two rows of any CSV file of a run."""

Columns = dict[str, npt.NDArray[np.float64]]


class FolderError(ValueError):
    """A run folder that cannot be used as asked; the message says how to go on."""


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, on disk before the name appears."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON values with a ``format_version``."""
    text = json.dumps({"format_version": FORMAT_VERSION, **data}, indent=2)
    write_text(path, text + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote, without the ``format_version``.

    Raises:
        FolderError: the file is missing, broken or of another format.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FolderError(f"{path.parent} is no run folder: it has no {path.name}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FolderError(f"{path} is not JSON ({error}): put back what it was") from error
    if not isinstance(data, dict):
        raise FolderError(f"{path} holds no JSON object")
    version = data.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise FolderError(
            f"{path} has format {version}, this version of Motley reads {FORMAT_VERSION}: take the "
            f"version that wrote it (versions.json beside it), or train anew in another folder"
        )
    return dict(data)


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a CSV file whole or not at all."""
    write_text(path, _to_text([columns, *rows]))


def read_csv(path: Path) -> Columns:
    """The columns of a CSV file of numbers, float64, by name; half a row at the end is left out.

    A missing file has no columns.

    Raises:
        FolderError: a row has too few numbers, or something else.
    """
    header, *rows = _whole_rows(path) or [[]]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise FolderError(f"line {number} of {path} has {len(row)} values, not {len(header)}")
    try:
        table = np.array([[float(x) for x in row] for row in rows], np.float64)
    except ValueError as error:
        raise FolderError(f"{path}: {error}") from error
    table = table.reshape(len(rows), len(header))
    return {name: table[:, i] for i, name in enumerate(header)}


def last_row(path: Path) -> dict[str, float]:
    """The last whole row of a CSV file of numbers by column; empty where there is none.

    Reads the ends of the file only, so that many runs can be looked at often.
    """
    try:
        with open(path, "rb") as file:
            header = file.readline()
            begin = max(len(header), path.stat().st_size - TAIL)
            file.seek(begin)
            lines = file.read().decode().split("\n")[:-1]
    except FileNotFoundError:
        return {}
    if not lines or (begin > len(header) and len(lines) < 2):
        return {}
    values = map(float, lines[-1].split(","))
    return dict(zip(header.decode().strip().split(","), values, strict=True))


class CsvLog:
    """A CSV file of numbers that grows by a row at a time and survives being killed.

    A row may bring columns that the file does not have yet: then the file is written anew with
    them, ``nan`` in the rows before.

    Args:
        path: the file.
        columns: the first columns; the first of them orders the rows.
        up_to: rows whose first column is beyond this are cut (the checkpoint's steps); with a
            negative number the file begins anew.
    """

    def __init__(self, path: Path, columns: Sequence[str], up_to: float) -> None:
        self.path = path
        header, *rows = _whole_rows(path) or [list(columns)]
        self.columns = header
        kept = [row for row in rows if float(row[0]) <= up_to]
        self.last = float(kept[-1][0]) if kept else -1.0
        write_text(path, _to_text([header, *kept]))

    def append(self, row: Mapping[str, float]) -> None:
        """Add a row; columns that it lacks get ``nan``."""
        new = [name for name in row if name not in self.columns]
        if new:
            _, *rows = _whole_rows(self.path)
            self.columns = [*self.columns, *new]
            widened = [[*old, *["nan"] * len(new)] for old in rows]
            write_text(self.path, _to_text([self.columns, *widened]))
        values = [repr(row.get(name, float("nan"))) for name in self.columns]
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(_to_text([values]))
        self.last = float(row[self.columns[0]])


def _to_text(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _whole_rows(path: Path) -> list[list[str]]:
    """Rows that end in a newline, the header first."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes from writing in ``folder``; the lock dies with the process.

    Args:
        folder: what to lock.
        wait: until nobody else holds it.

    Raises:
        FolderError: another process holds it, which is not waited for.
    """
    if sys.platform == "win32":
        yield
        return
    with open(folder / ".lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise FolderError(
                f"another process is training in {folder}; wait or stop it"
            ) from error
        yield
