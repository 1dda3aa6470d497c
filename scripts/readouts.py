"""What is told of episodes that were played: one list for every command."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from motley.envs import calibration
from motley.envs.summaries import SUMMARIES, summary
from motley.envs.trace import Trace
from motley.studies.config import RunConfig, plain
from motley.studies.evaluate import Episodes
from motley.studies.folder import read_json
from motley.studies.statistics import standard_error

BEYOND = (
    "score01 is 0 at random actions' mean and 1 at the oracle's, so that worse than random is "
    "below 0 and better than the oracle's mean above 1"
)


class ChangedTaskWarning(UserWarning):
    """A task's code is another than what a run was trained on."""


def remark_on_task(config: RunConfig, folder: Path) -> None:
    """Warn where a run's task has changed since it was trained, or has no calibration.

    Args:
        config: of the run, as it is to be played now.
        folder: of the run.

    Raises:
        FolderError: the folder's ``versions.json`` is broken or of another format.
    """
    if config.ours is None:
        return
    path = folder / "versions.json"
    then, now = read_json(path).get("task_hash") if path.exists() else None, config.task_hash
    if then not in (None, now):
        warnings.warn(
            f"{plain(config.task)} has changed since this run was trained (hash {then}, now {now})",
            ChangedTaskWarning,
            stacklevel=2,
        )
    calibration.scale(config.rules())  # which warns where there is none


def outcomes(found: Episodes | Trace) -> dict[str, npt.NDArray[np.float64]]:
    """By name, how each episode went; what the environment does not say is left out."""
    if isinstance(found, Trace):
        names = ("return", "steps", "score01", "success")
        found = Episodes(*(found[f"end/{name}"].astype(np.float64) for name in names))
    ends = {
        "score01": found.score01,
        "success": found.success,
        "return": found.returns,
        "length": found.lengths,
    }
    return {name: values for name, values in ends.items() if np.isfinite(values).all()}


def told(found: Episodes | Trace, lesion: Sequence[str] = ()) -> str:
    """Episodes in words: means with standard errors, then the task's read-outs.

    Args:
        found: the episodes; a trace has the task's read-outs as well.
        lesion: areas that were held.
    """
    ends = outcomes(found)
    means, lacking = dict[str, float](), dict[str, str]()
    if isinstance(found, Trace) and found.task in SUMMARIES:
        means, lacking = summary(found), dict(SUMMARIES[found.task].unknown)
    width = max(map(len, (*ends, *means)))
    count = len(ends["return"])
    lines = [f"{count} episodes" + "".join(f", without {area}" for area in lesion)]
    lines += [f"  {name:{width}}  {in_short(values)}" for name, values in ends.items()]
    for name, value in means.items():
        lines.append(f"  {name:{width}}  {in_words(name, value, lacking)}")
    return "\n".join(lines)


def in_short(values: npt.NDArray[np.float64]) -> str:
    """A mean and its standard error."""
    error = f"{standard_error(values):.3f}" if len(values) > 1 else "unknown"
    return f"{values.mean():.3f} (standard error {error})"


def in_words(name: str, value: float, lacking: Mapping[str, str]) -> str:
    """A read-out's mean; where it is NaN, what the episodes lack, and of an R2 not how bad it is.

    An R2 has no lower bound: a learner that has seen little may guess off by any amount.
    """
    if np.isnan(value):
        return f"not known: {lacking.get(name, 'nothing here to measure it by')}"
    if name.startswith("R2 ") and value < -1:
        return "below -1: what these episodes teach is worse than to say the mean"
    return f"{value:.3g}"


def tell(found: Episodes | Trace, lesion: Sequence[str] = ()) -> None:
    """Print what `told` says, with a word on a score01 that lies beyond 0 and 1."""
    print(told(found, lesion))
    score01 = outcomes(found).get("score01")
    explain_scale([] if score01 is None else [float(score01.mean())], 3)


def explain_scale(printed: Iterable[float], digits: int = 2) -> bool:
    """Print a line on what score01 is, where one that was printed lies beyond 0 and 1.

    Args:
        printed: values of score01; NaN is none.
        digits: with how many they were printed: what reads 1.00 needs no word.

    Returns:
        Whether it was printed.
    """
    if not any(round(x, digits) < 0 or round(x, digits) > 1 for x in printed):
        return False
    Console(highlight=False, soft_wrap=True).print(f"[dim]{BEYOND}[/]")
    return True
