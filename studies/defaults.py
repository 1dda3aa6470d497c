"""What a newcomer sees: every arm with the settings that an Agent has when nothing is said.

No arm is tuned, the matched one no more than the others, so that no claim rests on it; the spine is
the same with tuning. Written before the run: arms, seeds and steps.
"""

from __future__ import annotations

from dataclasses import replace

from motley.studies.spine import EPISODIC_MEMORY, PATH_INTEGRATION
from motley.studies.study import STUDIES, Study

STEPS = 500_000
SHOWN = ("matched", "uniform", "uniform_heterogeneous", "uniform_placebo", "mismatched")

DEFAULTS = Study(
    name="defaults",
    claim="Untuned, structure matched to the problem with costs of its own learns from less.",
    tasks=(("DarkHome", 2), ("CacheRecall", 2)),
    arms={
        task: {name: replace(arms[name], steps=STEPS, tuned=False) for name in SHOWN}
        for task, arms in (("DarkHome", PATH_INTEGRATION), ("CacheRecall", EPISODIC_MEMORY))
    },
    seeds=(0, 1, 2, 3, 4),
    tuning_seeds=(),
    search={},
    trials=0,
    trial_steps=0,
)
STUDIES["defaults"] = DEFAULTS
