"""Every registered task keeps the contract, at every level, in and out of distribution."""

import inspect
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from motley.envs import TASKS, World, calibration, contract
from motley.envs.single import WorldEnv
from motley.envs.tasks.dark_home import DarkHome
from motley.envs.tasks.dark_home_policies import Reckoner
from motley.envs.tasks.homestead import Homestead

CASES = [
    (name, level, ood)
    for name, task in TASKS.items()
    for level, ood in itertools.product(range(len(task.levels)), (False, True))
]
cases = pytest.mark.parametrize(("name", "level", "ood"), CASES)
names = pytest.mark.parametrize("name", TASKS)


def slow(check: contract.Check) -> bool:
    """Whether it is left to `make test-slow`: ManyNeeds' planner takes ten seconds a level."""
    off_default = check.level != TASKS[check.task].default_level
    return check.task == "ManyNeeds" and check.what is contract.references and off_default


CHECKS = [
    pytest.param(check, id=str(check), marks=[pytest.mark.slow] * slow(check))
    for name in TASKS
    for check in contract.checks(name)
]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check: contract.Check) -> None:
    check()


@names
def test_the_contract_looks_at_every_variant(name: str) -> None:
    task = TASKS[name]
    usual = task().variant
    due = [v for v in task.variants if v != usual]
    seen = {tuple(c.variant.items()) for c in contract.checks(name) if c.variant}
    assert seen == {tuple(v.items()) for v in due}
    assert bool(due) == (name in ("DarkHome", "DelayReach", "PlayRoom"))


class Stuck(DarkHome):
    """Whose variant ends no episode."""

    def timed_out(self, world: World) -> Any:
        return super().timed_out(world) & (not self.stop)


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_the_contract_finds_what_a_variant_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "Stuck", Stuck)
    found = [c for c in contract.checks("Stuck") if c.what is contract.truncation]
    usual = next(c for c in found if (c.level, c.ood) == (Stuck.default_level, False))
    usual()
    (variant,) = [c for c in found if c.variant]
    assert str(variant) == "Stuck-2-stop=True-truncation"
    with pytest.raises(AssertionError, match="not truncated at the horizon"):
        variant()


@cases
def test_it_is_calibrated(name: str, level: int, ood: bool) -> None:
    task = TASKS[name]
    for variant in task.variants:
        rules = task(level=level, ood=ood, **variant)
        entry = calibration.lookup(rules)
        assert entry is not None, f"motley audit {name} --calibrate"
        assert entry.episodes >= 1_000
        assert entry.oracle >= rules.oracle_bar
        low, span = calibration.scale(rules)
        assert max(entry.heuristics.values()) <= rules.chance + 0.1 * span
        assert entry.observer is None or (entry.observer - low) / span >= 0.9


@names
def test_its_docstring_is_its_page(name: str) -> None:
    page = TASKS[name].__doc__ or ""
    for section in contract.SECTIONS:
        assert f"    {section}\n" in page
    for sense in TASKS[name]().senses:
        assert sense.name in page
    for level in TASKS[name].levels:
        assert f"{level.chance:.2f}" in page
    assert f"default is level {TASKS[name].default_level}" in " ".join(page.split())


@names
def test_one_body_lives_in_every_task(name: str) -> None:
    env, other = WorldEnv(name), WorldEnv("DarkHome")
    assert env.observation_space == other.observation_space
    assert env.action_space == other.action_space


@names
def test_the_hash_follows_code_and_neither_comments_nor_pictures(name: str) -> None:
    assert calibration.bare("x = 1  # why\n\n# more\n") == "x = 1"
    assert calibration.bare('def f():\n    """Say."""\n    return 2\n') == "def f():\n    return 2"
    assert calibration.bare("x = '# no comment'") == "x = '# no comment'"
    assert calibration.bare("x = 1") != calibration.bare("x = 2")
    drawing = "    def scene(self):\n        return {\n            'caption': ''\n        }\n"
    rules = "class T:\n    x = 1\n{}    def score(self):\n        return 1\n"
    assert calibration.bare(rules.format(drawing)) == rules.format("").rstrip()
    seconds = "    control_step: float = 0.05\n"
    assert calibration.bare(rules.format(seconds)) == rules.format("").rstrip()
    assert len(calibration.task_hash(TASKS[name])) == 16


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("needs=4, load=", "needs=4, load=0.1 * ", {"ManyNeeds"}),
        ("default_level = 1\n", "default_level = 0\n", {"ManyNeeds"}),
        ("horizon = 200", "horizon = 100", {"ManyNeeds", "Homestead"}),
        ("Life(chance=0.64, ", "Life(chance=0.5, ", {"Homestead"}),
    ],
)
def test_a_tasks_levels_are_not_in_the_hash_of_one_made_from_it(
    old: str, new: str, changed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashes() -> dict[str, str]:
        calibration._digest.cache_clear()
        return {name: calibration.task_hash(TASKS[name]) for name in ("ManyNeeds", "Homestead")}

    before, source = hashes(), inspect.getsource
    monkeypatch.setattr(inspect, "getsource", lambda of: source(of).replace(old, new))
    after = hashes()
    assert {name for name in before if after[name] != before[name]} == changed
    monkeypatch.undo()
    assert hashes() == before


class Broken(DarkHome):
    """A task that keeps nothing of what it is told to."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        super().__init__(level=0)
        if fault == "references":
            self.shortcuts = {"cheat": Reckoner}
        if fault == "spec":
            self.senses = (replace(self.senses[0], unit=""), *self.senses[1:])

    def layout(self, world: Any, which: Any, rng: Any) -> None:
        super().layout(world, which, rng)
        if self.fault == "layout":
            world.shape_radius[which, -1] = np.nan
        if self.fault == "first":
            world.smell[which] = 2.0

    def outcome(self, world: Any) -> Any:
        reward, terminated = super().outcome(world)
        if self.fault == "finite":
            reward[world.elapsed == 3] = np.nan
        if self.fault == "determinism":
            world.heading += np.random.default_rng().uniform(0, 1)
        if self.fault == "copies":
            self.count = getattr(self, "count", 0) + 1  # state that is not in the world
            reward[:] = self.count % 2
        if self.fault == "doors":
            world.position[0] = 9.0  # world 0 is treated otherwise than others
        return reward, terminated

    def timed_out(self, world: Any) -> Any:
        late = super().timed_out(world)
        if self.fault == "truncation":
            return np.zeros_like(late)  # its time is never up
        if self.fault == "early":
            return late | (world.rows == 0)
        return late.sum() > 0 if self.fault == "shape" else late

    def scene(self, world: Any, index: int) -> dict[str, Any]:
        if self.fault == "rendering":
            world.heading += 0.1
        return super().scene(world, index)


@pytest.mark.parametrize(
    "fault",
    [
        "docstring",
        "spec",
        "finite",
        "determinism",
        "copies",
        "doors",
        "truncation",
        "rendering",
        "references",
    ],
)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_the_contract_finds_what_is_broken(fault: str) -> None:
    check = getattr(contract, fault)
    check(DarkHome(level=0))
    with pytest.raises(AssertionError):
        check(Broken(fault))


@pytest.mark.parametrize(
    ("fault", "said"),
    [("truncation", "not truncated at the horizon"), ("early", "time is up before the first step"),
     ("shape", r"timed_out gives \(\) bool")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_the_contract_says_what_is_wrong_with_an_episodes_end(fault: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        contract.truncation(Broken(fault))


@pytest.mark.parametrize(
    ("fault", "said"),
    [("layout", "layout leaves numbers in shape_radius"), ("first", "after 0 steps sense smell")],
)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_the_contract_looks_at_a_world_before_its_first_step(fault: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        contract.finite(Broken(fault))


class Mortal(Homestead):
    """Whose dead have no time left either."""

    def timed_out(self, world: World) -> Any:
        return super().timed_out(world) | world.dead


class Endless(Homestead):
    """Whose days are counted, and its steps not."""

    def timed_out(self, world: World) -> Any:
        return (world.day >= self.days) & ~world.dead


class Timeless(Homestead):
    """Whose dead have no time to be up, which is sound."""

    def timed_out(self, world: World) -> Any:
        return super().timed_out(world) & ~world.dead


@pytest.mark.parametrize(
    ("make", "said"),
    [(Mortal, "both terminated and truncated"), (Endless, "not truncated at the horizon")],
)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_the_contract_sees_the_horizon_of_those_who_end_before(
    make: type[Homestead], said: str
) -> None:
    contract.truncation(Homestead())
    contract.truncation(Timeless())
    with pytest.raises(AssertionError, match=said):
        contract.truncation(make())


ENDS_IN_TIME = {"CacheRecall", "GateMaze", "DelayReach", "Caregiver"}
"""Tasks whose last step ends an episode, which is over whatever the body would do next."""
DEADLY = {"ManyNeeds", "OccluderHunt", "Homestead"}
"""Tasks in which nobody who stands still lives to the horizon."""


@pytest.mark.parametrize("name", TASKS)
def test_whoever_lives_to_the_horizon_is_cut_off_and_not_ended(name: str) -> None:
    """By standing still, where that is survived; a value may go on from there."""
    task = TASKS[name]()
    world = World(task, 20)
    world.seed(np.arange(20))
    world.reset()
    over = np.zeros(20, np.bool_)
    lived = over.copy()
    for _ in range(task.horizon):
        lived = ~over
        _, terminated, truncated = world.step(np.zeros((20, 2), np.float32))
        over |= terminated | truncated
    assert over.all()
    assert lived.any() != (name in DEADLY)
    if lived.any():
        assert terminated[lived].all() == terminated[lived].any() == (name in ENDS_IN_TIME)


def test_a_score_near_its_bar_takes_every_episode() -> None:
    task = DarkHome(level=0)
    make = task.heuristics()["spiral"]
    scores = calibration.rollout(task, make(), contract.EPISODES, contract.SEED)
    first = scores[: contract.FIRST].mean()
    assert contract.mean_score(task, make(), first + 0.5) == pytest.approx(first)
    assert contract.mean_score(task, make(), first + 0.01) == pytest.approx(scores.mean())
