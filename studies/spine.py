"""The spine: matched structure with costs of its own, against the rest, on two tasks.

Exploratory: a pilot saw these two levels, so no claim rests on them. Written before the run: the
arms, the seeds, the search space and the number of trials, the same for every arm; but the other
rungs of the matched structure, and the same structure for reward alone, run with the matched arm's
settings.
"""

from __future__ import annotations

from motley.studies.study import STUDIES, Arm, Study

STEPS = 1_000_000
"""Of every arm, so that all share one schedule of the learning rate."""

PATH_INTEGRATION = {
    "matched": Arm("matched", "heterogeneous", STEPS, "learnt"),
    "matched_reward": Arm("matched", "reward", STEPS, "learnt", tuned_as="matched"),
    "noisy": Arm("matched.noisy", "heterogeneous", STEPS, "noisy", tuned_as="matched"),
    "exact": Arm("matched.exact", "heterogeneous", STEPS, "exact", tuned_as="matched"),
    "uniform": Arm("uniform", "reward", STEPS),
    "uniform_heterogeneous": Arm("uniform", "heterogeneous", STEPS),
    "uniform_placebo": Arm("uniform", "placebo", STEPS, control="placebo cost"),
    "mismatched": Arm("mismatched", "heterogeneous", STEPS, control="another problem's structure"),
}

EPISODIC_MEMORY = {
    "matched": Arm("matched", "heterogeneous", STEPS, "learnt_value"),
    "matched_reward": Arm("matched", "reward", STEPS, "learnt_value", tuned_as="matched"),
    "exact": Arm("matched.exact", "heterogeneous", STEPS, "exact", tuned_as="matched"),
    "learnt_key": Arm(
        "matched.learnt_key", "heterogeneous", STEPS, "learnt_key", tuned_as="matched"
    ),
    "learnt_gate": Arm(
        "matched.learnt_gate", "heterogeneous+saliency", STEPS, "learnt_gate", tuned_as="matched"
    ),
    "uniform": Arm("uniform", "reward", STEPS),
    "uniform_heterogeneous": Arm("uniform", "heterogeneous", STEPS),
    "uniform_placebo": Arm("uniform", "placebo", STEPS, control="placebo cost"),
    "mismatched": Arm("mismatched", "heterogeneous", STEPS, control="another problem's structure"),
}

SPINE = Study(
    name="spine",
    claim="Structure matched to the problem, with costs of its own, learns it from less.",
    tasks=(("DarkHome", 2), ("CacheRecall", 2)),
    arms={"DarkHome": PATH_INTEGRATION, "CacheRecall": EPISODIC_MEMORY},
    seeds=(0, 1, 2, 3, 4),
    tuning_seeds=(100, 101),
    search={"learning_rate": (1e-3, 2e-3, 3e-3), "gae_lambda": (0.9, 0.95)},
    trials=4,
    trial_steps=300_000,
    fixed={"n_steps": 32},
)
STUDIES["spine"] = SPINE
