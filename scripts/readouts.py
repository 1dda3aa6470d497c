"""What is told of episodes that were played: one list for every command."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from motley.envs.summaries import summary
from motley.envs.trace import Trace
from motley.studies.evaluate import Episodes
from motley.studies.statistics import standard_error


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
    means = summary(found) if isinstance(found, Trace) else {}
    width = max(map(len, (*ends, *means)))
    count = len(ends["return"])
    lines = [f"{count} episodes" + "".join(f", without {area}" for area in lesion)]
    for name, values in ends.items():
        error = f"{standard_error(values):.3f}" if count > 1 else "unknown"
        lines.append(f"  {name:{width}}  {values.mean():.3f} (standard error {error})")
    for name, value in means.items():
        lines.append(f"  {name:{width}}  {'-' if np.isnan(value) else format(value, '.3g')}")
    return "\n".join(lines)
