"""Doing as a teacher did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from motley.costs.base import Cost, Trace


@dataclass(frozen=True)
class BehaviouralCloning(Cost):
    """Minus the log-probability of what a teacher did, seeing what it saw (Pomerleau 1991).

    The agent runs over the teacher's recorded episodes from their start, so that an area with a
    memory remembers what the teacher had seen; its own experience plays no part.

    Attributes:
        recording: an ``.npz`` with one row a moment, as ``motley record`` writes it: ``episode``,
            ``sense/<name>`` for every sense and ``action`` as the environment takes it (NaN where
            none was chosen).
        episodes: how many episodes each gradient step learns from, drawn anew.
    """

    in_time: ClassVar[bool] = True
    recording: str = ""
    episodes: int = 16

    def teaching(self) -> tuple[dict[str, Tensor], int]:
        """Return the recording, (time, episodes, ...), padded at the end with NaN actions.

        Raises:
            ValueError: there is no such file, or it lacks what it should have.
        """
        if not Path(self.recording).is_file():
            raise ValueError(
                f"BehaviouralCloning(recording={self.recording!r}): there is no such file; "
                f"`motley record` writes one"
            )
        with np.load(self.recording, allow_pickle=False) as file:
            found = {
                name.removeprefix("sense/"): np.asarray(file[name], np.float32)
                for name in file
                if name.startswith("sense/") or name == "action"
            }
            missing = {"episode", "action"} - set(file)
            if missing or len(found) < 2:
                wanted = ", ".join(sorted(missing)) or "sense/<name>"
                raise ValueError(f"{self.recording} has no {wanted}; it has {', '.join(file)}")
            episode = file["episode"]
        together = np.argsort(episode, kind="stable")  # another's file may have them mixed
        episode, found = episode[together], {name: x[together] for name, x in found.items()}
        _, begin, length = np.unique(episode, return_index=True, return_counts=True)
        padded = {}
        for name, x in found.items():
            rows = np.full((length.max(), len(begin), *x.shape[1:]), np.nan, np.float32)
            for i, (a, n) in enumerate(zip(begin, length, strict=True)):
                rows[:n, i] = x[a : a + n]
            padded[name] = torch.as_tensor(rows if name == "action" else np.nan_to_num(rows))
        return padded, self.episodes

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return minus the log-probability of each of the teacher's actions, (time, episodes).

        Args:
            trace: the agent's on the teacher's episodes; ``log_prob`` is of the teacher's actions
                and 0 where ``taught`` is False.
            heads: none.
        """
        kept = trace["taught"].to(trace["log_prob"].dtype)
        return -trace["log_prob"] * (kept.numel() / kept.sum().clamp(min=1.0))
