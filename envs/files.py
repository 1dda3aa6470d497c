"""Where files are written."""

from __future__ import annotations

from pathlib import Path


def check_place(path: Path) -> None:
    """Refuse a file to write in a folder that is not there, best before work is done for it.

    Folders that are given to be written, such as a run's, are made; those of files are not, since
    a word mistyped would put the file where nobody looks.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {path.parent} to write {path.name} into: make it, or give another "
            f"place"
        )
