"""Who is told how a run goes: a progress bar, a tracker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from motley.studies.config import RunConfig


class Listener:
    """Is told how a run goes; every method may be left out."""

    def started(self, config: RunConfig, out: Path, steps: int, n_parameters: int) -> None:
        """Training begins, or goes on from ``steps``."""

    def remarked(self, text: str) -> None:
        """Something about the run that its owner may not have meant; follows ``started``."""

    def progressed(self, row: Mapping[str, float]) -> None:
        """A row was added to progress.csv."""

    def evaluated(self, row: Mapping[str, float]) -> None:
        """A row was added to eval.csv."""

    def stopped(self) -> None:
        """Training ended, well or not; follows every ``started``."""
