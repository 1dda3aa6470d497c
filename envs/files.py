"""Where files are written."""

from __future__ import annotations

import tempfile
from pathlib import Path


def check_place(path: Path) -> None:
    """Refuse a file to write in a folder that is not there, best before work is done for it.

    Folders that are given to be written, such as a run's, are made; those of files are not, since
    a word mistyped would put the file where nobody looks.

    Raises:
        FileNotFoundError: there is no such folder. IsADirectoryError: the file is one.
        PermissionError: nothing can be written there.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {path.parent} to write {path.name} into: make it, or give another "
            f"place"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file")
    try:  # permissions do not tell of a disk that is mounted to be read only, or is full
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise PermissionError(
            f"nothing can be written in {path.parent} ({error.strerror}): give another place"
        ) from error
