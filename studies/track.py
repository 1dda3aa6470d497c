"""A run in Weights & Biases; offline where there is no account."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motley.studies.config import RunConfig
from motley.studies.folder import read_json, write_json
from motley.studies.listener import Listener


class Tracker(Listener):
    """Logs the configuration, every row of progress.csv and eval.csv, and a video at the end.

    The files are under ``wandb/`` in the run folder; ``wandb sync`` sends offline ones. A resumed
    run goes on under its first id.

    Args:
        project: in Weights & Biases.
    """

    def __init__(self, project: str = "motley") -> None:
        self.project = project
        self._run: Any = None

    def started(self, config: RunConfig, out: Path, steps: int, n_parameters: int) -> None:
        """Open the run."""
        import wandb

        file = out / "wandb.json"
        known = read_json(file)["id"] if file.exists() else uuid.uuid4().hex[:8]
        write_json(file, {"id": known, "project": self.project})
        self._run = wandb.init(
            project=self.project,
            id=known,
            resume="allow",
            name=f"{config.task} {config.structure} {config.costs} {config.seed}",
            group=f"{config.task} {config.structure} {config.costs}",
            config=config.to_json() | {"n_parameters": n_parameters},
            dir=out,
            mode=mode(),
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._run.define_metric("steps")
        self._run.define_metric("*", step_metric="steps")

    def progressed(self, row: Mapping[str, float]) -> None:
        """Log a row of progress.csv under ``train/``; costs, values and gradients as named."""
        self._log(row, "train/")

    def evaluated(self, row: Mapping[str, float]) -> None:
        """Log a row of eval.csv under ``eval/``."""
        self._log(row, "eval/")

    def film(self, video: Path) -> None:
        """Log the video; nothing where no training took place."""
        if self._run is not None:
            import wandb

            self._run.log({"video": wandb.Video(str(video), format="mp4")})

    def finish(self) -> None:
        """Close the run."""
        if self._run is not None:
            self._run.finish()

    def _log(self, row: Mapping[str, float], prefix: str) -> None:
        named = {
            name if "/" in name or name == "steps" else f"{prefix}{name}": value
            for name, value in row.items()
        }
        self._run.log(named)


def mode() -> Any:
    """``WANDB_MODE`` where it is set; else online with an account and offline without."""
    import wandb

    given = os.environ.get("WANDB_MODE")
    return given or ("online" if wandb.api.api_key else "offline")
