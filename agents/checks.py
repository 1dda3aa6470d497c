"""Numbers that cannot be, refused by the name of their argument."""

from __future__ import annotations

from typing import Any

import numpy as np


def whole(least: int, **values: Any) -> None:
    """Refuse what is no whole number of at least ``least``.

    Raises:
        ValueError: names the argument, what it must be and what it is.
    """
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or not value >= least:
            raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")


def share(**values: Any) -> None:
    """Refuse what is no number from 0 to 1; see :func:`whole`."""
    for name, value in values.items():
        if not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1], not {value!r}")


def amount(**values: Any) -> None:
    """Refuse what is no number of at least 0; see :func:`whole`."""
    for name, value in values.items():
        if not isinstance(value, int | float | np.number) or not value >= 0:
            raise ValueError(f"{name} must be a number of at least 0, not {value!r}")
