"""Numbers and devices that cannot be, refused by the name of their argument.

NumPy's numbers are refused too, where they are none of Python's: an agent's file could not hold
them.
"""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.utils import get_device


def whole(least: int, **values: Any) -> None:
    """Refuse what is no whole number of at least ``least``.

    Raises:
        ValueError: names the argument, what it must be and what it is.
    """
    for name, value in values.items():
        if not _is(value, int) or value < least:
            raise ValueError(f"{name} must be an int of at least {least}, not {value!r}")


def share(**values: Any) -> None:
    """Refuse what is no number from 0 to 1; see :func:`whole`."""
    for name, value in values.items():
        if not _is(value, int, float) or not 0 <= value <= 1:
            raise ValueError(f"{name} must be an int or float in [0, 1], not {value!r}")


def amount(**values: Any) -> None:
    """Refuse what is no number of at least 0; see :func:`whole`."""
    for name, value in values.items():
        if not _is(value, int, float) or not value >= 0:
            raise ValueError(f"{name} must be an int or float of at least 0, not {value!r}")


def device(given: torch.device | str) -> torch.device:
    """Return the device of that name; ``auto`` is a GPU where there is one.

    Raises:
        ValueError: torch knows no such device, or has none here.
    """
    if given == "auto":
        return get_device("auto")
    try:
        found = torch.device(given)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device {given!r} is not known: give cpu, cuda or mps") from error
    # SB3 would go on without a word on the CPU where there is no GPU.
    here = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if (found.index or 0) >= here.get(found.type, 0):
        raise ValueError(f"device {str(given)!r} is not here: torch sees no such GPU; give cpu")
    return found


def _is(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
