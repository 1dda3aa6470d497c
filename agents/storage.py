"""Files of an agent: a zip of JSON and tensors, written atomically, read without running code."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

FORMAT_VERSION = 4
FACTS, TENSORS = "agent.json", "tensors.safetensors"
PathLike = str | Path | io.BufferedIOBase
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, SafetensorError),
    *(KeyError, json.JSONDecodeError, UnicodeDecodeError),
)
"""What reading raises where a file was cut short or overwritten, or never was an agent's."""


class BrokenFileError(ValueError):
    """A file that holds no agent."""


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Give a file beside ``path`` to write, and move it there, on disk, when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: PathLike, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write ``agent.json`` and ``tensors.safetensors`` into a zip.

    Args:
        path: a file name, to which ``.zip`` is added where it has no ending, or an open file.
        facts: JSON values.
        tensors: by name.
    """
    if not isinstance(path, str | Path):
        _write(cast(IO[bytes], path), facts, tensors)
        return
    with atomic(_named(path)) as file:
        _write(file, facts, tensors)


def _write(file: IO[bytes], facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    whole = {name: x.detach().cpu().contiguous().clone() for name, x in tensors.items()}
    with zipfile.ZipFile(file, "w") as archive:
        text = json.dumps({"format_version": FORMAT_VERSION, **facts}, indent=1)
        # A fixed date makes equal agents equal files.
        archive.writestr(zipfile.ZipInfo(FACTS), text)
        archive.writestr(zipfile.ZipInfo(TENSORS), safetensors.torch.save(whole))


def read(
    path: PathLike, device: torch.device | str = "cpu"
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what :func:`write` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        BrokenFileError: it is not an agent's file.
        ValueError: it is of another format, or ``path`` is no such thing.
    """
    with _opened(path) as archive:
        facts = _facts(archive, path)
        tensors = safetensors.torch.load(archive.read(TENSORS))
    return facts, {name: x.to(device) for name, x in tensors.items()}


def read_facts(path: PathLike) -> dict[str, Any]:
    """Read the JSON values alone; raises as :func:`read` does."""
    with _opened(path) as archive:
        return _facts(archive, path)


@contextmanager
def _opened(path: PathLike) -> Iterator[zipfile.ZipFile]:
    given: Any = path
    if not isinstance(given, str | Path) and not hasattr(given, "read"):
        raise ValueError(f"path must be a file's name or an open file, not {given!r}")
    if isinstance(path, str | Path):
        path = path if Path(path).is_file() else _named(path)
        path = Path(path)
        if not path.is_file():
            inside = Path(given) / "model.zip"
            hint = f"; the run's is {inside}" if inside.is_file() else ""
            raise FileNotFoundError(f"no agent at {path}{hint}")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BROKEN as error:
        raise BrokenFileError(
            f"{path} is not an agent's file ({FACTS} and {TENSORS} in a zip)"
        ) from error


def _facts(archive: zipfile.ZipFile, path: PathLike) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(archive.read(FACTS))
    if facts["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format {facts['format_version']}, this version reads {FORMAT_VERSION}"
        )
    return facts


def _named(path: str | Path) -> Path:
    path = Path(path)
    return path if path.suffix or not path.name else path.with_suffix(".zip")


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors of nested dicts by their path, joined by slashes."""
    flat: dict[str, Tensor] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat |= flatten(value, f"{path}/") if isinstance(value, Mapping) else {path: value}
    return flat


def unflatten(flat: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    """Return the nested dicts below ``prefix``; the inverse of :func:`flatten`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        if path.startswith(prefix):
            *parents, name = path.removeprefix(prefix).split("/")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = value
    return tree
