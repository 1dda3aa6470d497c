"""One torch thread a process: two on a busy machine are many times slower than one."""

import os
import shutil
from collections.abc import Callable

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def tool() -> Callable[..., str]:
    """Find a program that a test drives: a browser, a display.

    Without it the test is skipped; where the variable CI is set it fails instead, so that
    continuous integration cannot skip it unseen.
    """

    def find(*names: str) -> str:
        for name in names:
            path = shutil.which(name)
            if path:
                return path
        message = f"none of {', '.join(names)} is installed"
        if os.environ.get("CI"):
            pytest.fail(f"{message}, and CI must not skip this")
        pytest.skip(message)

    return find
