"""Read-outs: on traces made by hand, where the value is known, and on oracle and random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from motley.costs.mover_event import mover_events
from motley.envs import TASKS, readouts, trace
from motley.envs.summaries import SUMMARIES, ReadOuts, reaches, recalls, rules, summary
from motley.envs.tasks.caregiver import Caregiver
from motley.envs.tasks.delay_reach import DelayReach
from motley.envs.tasks.play_room import PlayRoom
from motley.envs.trace import Trace
from motley.scripts.readouts import in_words, told

SEED = 41


def played(name: str, policy: str, episodes: int = 200, level: int | None = None) -> Trace:
    task = TASKS[name](level=level)
    return trace.record(task, trace.policy(task, policy), episodes, SEED)


def by_hand(paths: list[list[tuple[float, float]]], **arrays: Any) -> Trace:
    """A trace of bodies that walked these points, one a step."""
    place = np.array([point for path in paths for point in path])
    steps = np.array([step for path in paths for step in range(len(path))])
    moved = np.hypot(*np.diff(place, axis=0, prepend=place[:1]).T) * (steps > 0)
    known = {"position": place, "step": steps, "seconds": steps * 0.25, "displacement": moved}
    return Trace(known | arrays, {}, {"task": "by hand"})


def test_a_curve_is_the_mean_of_its_bins() -> None:
    made = readouts.curve([0, 1, 2, 3, 4], [1, 3, 5, 7, 9], [0, 2, 3, 4, 10, 11])
    np.testing.assert_allclose(made.x, [0.5, 2, 3, 4, np.nan])
    np.testing.assert_allclose(made.y, [2, 5, 7, 9, np.nan])
    np.testing.assert_allclose(made.sem, [1, np.nan, np.nan, np.nan, np.nan])
    assert made.size.tolist() == [2, 1, 1, 1, 0]
    with pytest.raises(ValueError, match="must rise"):
        readouts.curve([1], [1], [2, 1])
    with pytest.raises(ValueError, match="one y for each x"):
        readouts.curve([1, 2], [1], [0, 1])


def test_journeys_by_hand() -> None:
    square = [(0.0, 0.0), (0.0, 3.0), (4.0, 3.0)]
    made = by_hand([square, square, square, [(0.0, 0.0), (0.0, 5.0)]])
    begin = np.ones(11, np.bool_)
    begin[9:] = False  # the last episode never begins
    arrive = np.zeros(11, np.bool_)
    arrive[[2, 4]] = True
    found = readouts.journey(made, begin, arrive)
    np.testing.assert_allclose(found.latency, [0.5, 0.25, np.nan, np.nan])
    np.testing.assert_allclose(found.walked, [7, 3, 7, np.nan])
    np.testing.assert_allclose(found.straight, [5, 3, 5, np.nan])
    np.testing.assert_allclose(found.efficiency, [5 / 7, 1, 0, np.nan])  # the third does not arrive


def test_homing_errors_by_hand() -> None:
    """Where the body has run as far as home is away, wherever it is then."""
    ways = [
        [(3.0, 0.0), (1.0, 0.0), (-2.0, 0.0)],  # between two moments: home
        [(3.0, 0.0), (3.0, 2.0), (3.0, 4.0)],  # three metres to the side
        [(3.0, 0.0), (2.0, 0.0), (0.5, 0.0)],  # arrives at 0.5 m, and is taken on
        [(3.0, 0.0), (2.0, 0.0), (2.0, 0.0)],  # stops short
        [(3.0, 0.0), (2.0, 0.0), (2.0, 0.0)],  # has no way home
    ]
    heading = np.tile([0.0, np.pi, np.pi], 5)
    heading[3:6] = np.pi / 2
    begin, arrive = np.tile([True, False, False], 5), np.zeros(15, np.bool_)
    begin[12:], arrive[8] = False, True
    made = by_hand(ways, heading=heading)
    home = readouts.homing_error(made, np.zeros(2), begin, arrive)
    np.testing.assert_allclose(home, [0, np.hypot(3, 3), 0, 2, np.nan], atol=1e-12)


def test_homing_of_oracle_and_of_who_does_not_arrive() -> None:
    oracle = summary(played("DarkHome", "oracle", 100))
    assert oracle["ways home that arrive"] == 1.0
    assert oracle["homing error (m)"] < 0.35
    assert oracle["path efficiency home"] > 0.9
    assert abs(oracle["homing error per metre out"]) < 0.1
    # Straight home at 0.4 m a step of 0.25 s, from 1.5 m and more.
    assert 1.0 / 0.4 * 0.25 < oracle["latency home (s)"] < 4.0
    straight = summary(played("DarkHome", "straight_on", 100))
    assert straight["ways home that arrive"] < 0.1
    assert straight["path efficiency home"] < 0.1  # it walks straight, but not home
    assert straight["homing error (m)"] > 3
    short, blind = (summary(played("DarkHome", "efference_copy", 100, level=k)) for k in (0, 2))
    assert (
        blind["homing error (m)"] > 2 * short["homing error (m)"] > 4 * oracle["homing error (m)"]
    )
    assert blind["homing error per metre out"] > 0.3  # errors add up on the way
    random = summary(played("DarkHome", "random", 100, level=0))
    assert random["path efficiency home"] < 0.1
    assert random["homing error (m)"] > 1.5 * short["homing error (m)"]
    stay = summary(played("DarkHome", "stay", 5))
    assert all(np.isnan(value) for value in stay.values())  # no way home ever begins


def test_recall_over_delays() -> None:
    for policy, expected in (("oracle", 1.0), ("observer", 1.0), ("any_site", 0.25)):
        made = played("CacheRecall", policy, 300)
        delay, right = recalls(made)
        assert len(delay) == 1_200
        assert right.mean() == pytest.approx(made["end/score"].mean())
        found = readouts.delay_curve(delay, right, [0, 2.5, 5, 20])
        np.testing.assert_allclose(found.y[found.size > 200], expected, atol=0.08)
    assert delay.min() == 0.0  # the site that was lit last is asked for first


def test_recall_delay_by_slow_reading() -> None:
    made = played("CacheRecall", "any_site", 20)
    expected = []
    for row in range(len(made["step"])):
        begin = made.bounds[made["episode"][row]]
        asks = made["free"][row] and not made["free"][row - 1]
        asks |= made["free"][row] and made["hidden/asked"][row] > made["hidden/asked"][row - 1]
        if asks:  # the query is put, and its item was last shown in the moment before `gone`
            shown = (made["sense/cue"][begin : begin + 8] == made["sense/cue"][row]).all(1)
            gone = 1 + np.flatnonzero(shown)[-1]
            expected.append((row - begin - gone) * 0.25)
    assert len(expected) == 80
    np.testing.assert_allclose(recalls(made)[0], expected)


class TestAdaptation:
    rotation = np.deg2rad([0, 0, 0, 0, 30, 30, 30, 30, 30, 0, 0, 0])
    episode = np.zeros(12, np.int64)

    def test_one_who_learns_by_a_rate(self) -> None:
        """The state-space model x += rate (rotation - x): its errors are known in closed form."""
        rate, held, error = 0.5, 0.0, []
        for turn in self.rotation:
            error.append(turn - held)
            held += rate * (turn - held)
        hit = np.abs(error) < np.deg2rad(10)
        found = readouts.adaptation(self.episode, self.rotation, error, hit, np.deg2rad(5))
        learnt = np.deg2rad(30) * (1 - 0.5**5)
        assert found.switches == 2
        assert found.hit_rate == hit.mean()
        assert found.error_after_switch == pytest.approx((np.deg2rad(30) + learnt) / 2)
        assert found.error_before_switch == pytest.approx(np.deg2rad(30) * 0.5**4 / 2)
        # 30, 15, 7.5, 3.75: three trials above 5 degrees; the second block is cut short at three.
        assert found.trials_to_readapt == pytest.approx(3.0)
        assert found.after_effect == pytest.approx(learnt)

    def test_one_who_never_adapts_has_no_after_effect(self) -> None:
        """Errs by the rotation, before and after a switch; whoever is adapted, by the change."""
        turns = np.deg2rad([-30, -30, 0, 0, 30, 30, -30, -30, 0, 0])
        episode, hit = np.zeros(10, np.int64), np.zeros(10)
        found = readouts.adaptation(episode, turns, turns, hit)
        assert found.after_effect == 0.0
        change = np.diff(turns, prepend=turns[0])
        assert readouts.adaptation(episode, turns, change, hit).after_effect == pytest.approx(
            np.deg2rad(30)
        )
        for kept in (slice(2, 8), slice(0, 2)):  # nothing is taken away
            found = readouts.adaptation(episode[kept], turns[kept], change[kept], hit[kept])
            assert np.isnan(found.after_effect)

    def test_one_who_sees_the_switch_coming(self) -> None:
        found = readouts.adaptation(self.episode, self.rotation, np.zeros(12), np.ones(12))
        assert found[:5] == (1.0, 0.0, 0.0, 0.0, 0.0)

    def test_hits_per_minute(self) -> None:
        assert readouts.per_minute([3, 0, 2], [10.0, 15.0, 5.0]) == 10.0
        assert np.isnan(readouts.per_minute([0], [0.0]))

    def test_a_new_episode_is_no_switch(self) -> None:
        episode = np.repeat([0, 1, 2], [4, 5, 3])
        found = readouts.adaptation(episode, self.rotation, np.zeros(12), np.ones(12))
        assert found.switches == 0
        assert np.isnan(found.after_effect)
        with pytest.raises(ValueError, match="one entry a trial"):
            readouts.adaptation(episode, self.rotation, np.zeros(3), np.ones(12))


class TestReaching:
    def test_by_slow_reading(self) -> None:
        """Reach by reach, from the rows of each."""
        made = played("DelayReach", "observer", 6)
        task, found = rules(made), list(zip(*reaches(made), strict=True))
        assert len(found) == 6 * 24
        out: dict[tuple[int, int], int] = {}  # the row of each reach at which it is measured
        for row in np.flatnonzero(made["free"]).tolist():
            key = int(made["episode"][row]), int(made["hidden/reach"][row])
            if key not in out or np.hypot(*made["hidden/hand"][out[key]] - task.middle) < 0.45:
                out[key] = row
        for (key, row), (episode, rotation, error, hit) in zip(out.items(), found, strict=True):
            turn = complex(*made["hidden/rotation"][row])
            seen = turn * complex(*(made["hidden/hand"][row] - task.middle))
            assert episode == key[0]
            assert rotation == pytest.approx(np.angle(turn))
            off = np.angle(seen / complex(*made["hidden/target"][row]))
            assert error == pytest.approx(off, abs=1e-5)
            assert hit == made["hidden/hit"][made.bounds[key[0] + 1] - 1][key[1]]

    def test_oracle_observer_random_and_one_who_does_not_adapt(self) -> None:
        """The oracle sees a switch coming; who adapts errs once, by the change of rotation."""
        made = played("DelayReach", "oracle", 100)
        oracle, (observer, random, unadapted) = (
            summary(made),
            (
                summary(played("DelayReach", name, 100))
                for name in ("observer", "random", "unadapted")
            ),
        )
        change = float(np.abs(np.diff(made["hidden/degrees"][made.bounds[:-1]])).mean())
        assert change == pytest.approx(40, abs=5)  # of -30, 0 and 30 any two follow each other
        assert oracle["hit rate"] > 0.95
        # A step stands for 0.05 s.
        minutes = made["end/steps"].sum() * 0.05 / 60
        hits = made["end/score"].sum() * 24
        assert oracle["hits per minute"] == pytest.approx(hits / minutes)
        assert oracle["after-effect (deg)"] == pytest.approx(0.0, abs=3.0)
        assert oracle["error after a switch (deg)"] < 6
        assert oracle["reaches to readapt"] < 0.2
        assert observer["after-effect (deg)"] == pytest.approx(30, abs=5.0)
        assert observer["error after a switch (deg)"] == pytest.approx(change, abs=2.0)
        assert observer["error before a switch (deg)"] < 6
        assert observer["reaches to readapt"] == pytest.approx(1.0, abs=0.1)
        assert abs(unadapted["after-effect (deg)"]) < 5.0
        assert unadapted["error before a switch (deg)"] > 15
        assert unadapted["hits per minute"] < observer["hits per minute"] / 2
        assert random["hit rate"] < 0.05
        assert random["hits per minute"] < 1
        assert random["error after a switch (deg)"] == pytest.approx(90, abs=15)
        assert abs(random["after-effect (deg)"]) < 40  # a mean of some thirty angles
        task = DelayReach(field=True)
        pushed = trace.record(task, trace.policy(task, "observer"), 60, SEED)
        size = np.rad2deg(np.arctan(0.5))
        # Less than all of it: a push is felt in the reach in which it ends.
        assert size / 3 < summary(pushed)["after-effect (deg)"] < size
        still = summary(played("DelayReach", "oracle", 4, level=0))  # nothing switches
        assert still["hit rate"] > 0.95
        assert np.isnan(still["after-effect (deg)"])


def test_what_is_not_known_is_told_with_the_reason() -> None:
    still = told(played("DelayReach", "oracle", 1, level=0))
    assert "after-effect (deg)           not known: in no episode is a rotation taken away" in still
    assert "reaches to readapt           not known: in no episode is the rotation switched" in still
    lost = told(played("DarkHome", "stay", 1))
    assert lost.count("not known: in no episode were all foods found") == 3
    for name in ("DarkHome", "DelayReach", "CacheRecall", "OccluderHunt"):
        assert set(SUMMARIES[name].unknown) <= set(summary(played(name, "random", 1)))
    name = "R2 of a learner on held-out steps"
    assert in_words(name, -1.01, {}) == in_words(name, -np.inf, {})
    assert in_words(name, -888.0, {}).startswith("below -1: what these episodes teach is worse")
    assert [in_words(name, x, {}) for x in (-0.99, 0.5)] == ["-0.99", "0.5"]
    assert in_words("drive", -888.0, {}) == "-888"


def test_play_of_one_who_stays_by_a_thing_and_of_one_who_roams() -> None:
    """The oracle of play stands beside ball or pendulum, whose turn it is to be near is drawn."""
    task = PlayRoom(phase=1, screen=True)
    shares = {}
    for policy in ("oracle", "random"):
        found = summary(trace.record(task, trace.policy(task, policy), 60, SEED))
        found.pop("R2 of a learner on held-out steps")
        assert list(found) == [
            f"looking at the {x}" for x in ("ball", "pendulum", "block", "screen")
        ]
        assert sum(found.values()) == pytest.approx(1.0)
        shares[policy] = list(found.values())
    toys = sum(shares["oracle"][:2])
    assert toys > 0.6
    assert toys > sum(shares["random"][:2]) + 0.1
    # Nobody who roams at random prefers anything: four things of one size at one distance.
    np.testing.assert_allclose(shares["random"], 0.25, atol=0.08)
    assert list(summary(played("PlayRoom", "random", 2, level=1))) == [
        "looking at the ball", "looking at the pendulum",
    ]  # fmt: skip


def test_what_play_is_worth_to_a_learner() -> None:
    """Who roams shows it most, who stays shows it nothing of what a body's motion does."""
    task = PlayRoom(phase=1)
    worth = {}
    for name in ("oracle", "random", "loves_ball", "stay"):
        made = trace.record(task, trace.policy(task, name), 100, SEED)
        worth[name] = summary(made)["R2 of a learner on held-out steps"]
    assert worth["stay"] == pytest.approx(0.0, abs=0.1)
    assert worth["random"] > worth["oracle"] > worth["loves_ball"] + 0.1 > worth["stay"] + 0.2
    assert "R2 of a learner on held-out steps" not in summary(played("PlayRoom", "random", 2))


def test_experience_by_hand() -> None:
    """Senses, action (within what the body does), and the senses times parts of the action."""
    arrays: dict[str, Any] = {
        "sense/vision": np.array([[1.0], [2.0], [5.0], [0.0], [7.0]]),
        "sense/egomotion": np.array([[3.0], [3.5], [4.0], [0.0], [1.0]]),
        "action": np.array([[-1.0, 0.5], [1.0, -2.0], [np.nan] * 2, [0.5, 0.0], [np.nan] * 2]),
        "episode": np.array([0, 0, 0, 1, 1]),
    }
    given, change = readouts.experience(Trace(arrays, {}, {}))
    np.testing.assert_allclose(given[0], [1, 3, 0, 0.5, 0, 0, 0.5, 1.5, 0.25, 0.75])
    np.testing.assert_allclose(given[1], [2, 3.5, 1, -1, 2, 3.5, -2, -3.5, 2, 3.5])
    np.testing.assert_allclose(change, np.array([[1, 0.5], [3, 0.5], [7, 1]]))
    assert len(readouts.experience(Trace(arrays, {}, {}), episodes=1)[0]) == 2


def test_a_learner_of_what_is_linear_of_what_is_noise_and_of_nothing() -> None:
    rng = np.random.default_rng(0)
    given, tested = rng.normal(size=(2, 10_000, 8))
    weights, noise = rng.normal(size=(8, 3)), rng.normal(size=(2, 10_000, 3))
    law, held_out = given @ weights, tested @ weights
    assert readouts.learner_r2((given, law), (tested, held_out)) > 0.99
    # Of a signal and a noise of equal size one half can be foreseen.
    noise *= law.std() / noise.std()
    half = readouts.learner_r2((given, law + noise[0]), (tested, held_out + noise[1]))
    assert half == pytest.approx(0.5, abs=0.03)
    seen = readouts.learner_r2((np.zeros_like(given), law), (tested, held_out))
    assert seen == pytest.approx(0.0, abs=0.01)


def test_needs_over_the_whole_horizon_and_not_of_survivors_alone() -> None:
    found = {}
    for name in ("oracle", "random", "stay", "lowest_ripe"):
        made = played("ManyNeeds", name, 30)
        found[name] = summary(made)
        assert found[name]["mean drive"] == pytest.approx(1 - made["end/score"].mean(), abs=1e-6)
        assert found[name]["deaths"] == 1 - made["end/success"].mean()
        steps = 0.0
        for row in range(len(made["step"])):
            if made["step"][row]:
                steps += (np.abs(made["hidden/need"][row] - 0.8) <= 0.1).mean()
        assert found[name]["time at setpoint"] == pytest.approx(steps / (30 * 200))
    drives = [row["mean drive"] for row in found.values()]
    assert drives[0] < drives[3] < min(drives[1:3])
    assert found["oracle"]["time at setpoint"] > found["random"]["time at setpoint"] + 0.1


def test_needs_of_a_life_kept_and_of_one_let_go() -> None:
    made = played("Homestead", "oracle", 10)
    oracle = summary(made)
    random, stay = (summary(played("Homestead", name, 30)) for name in ("random", "stay"))
    assert oracle["share of days kept"] == pytest.approx(made["end/score"].mean())
    assert oracle["deaths"] < 0.2
    assert oracle["mean drive while alive"] < 0.13  # what a day is kept by
    near = "time at setpoint while alive"
    assert oracle[near] > random[near] + 0.1
    # Outside at night is death.
    assert random["deaths"] > 0.5
    assert stay["mean drive while alive"] > oracle["mean drive while alive"]


def test_hands_and_gaze_of_areas_that_know_all_nothing_or_chance() -> None:
    for name in ("oracle", "random"):
        made = played("Caregiver", name, 60)
        assert summary(made) == {"handed over": pytest.approx(made["end/score"].mean())}
    task = rules(made)
    hand = readouts.looked_at(made) == task.hand
    turn = made["heading"]
    x, y = made["hidden/gaze"].T
    cosine, sine = np.cos(turn), np.sin(turn)
    right = np.stack([cosine * x + sine * y, cosine * y - sine * x, *np.zeros((5, len(x)))], 1)

    def known(appearance: Any, gaze: Any) -> dict[str, float]:
        arrays = {**made.arrays, "area/appearance": appearance, "area/gaze": gaze}
        return summary(Trace(arrays, {}, made.about))

    rng = np.random.default_rng(0)
    found = known(np.where(hand, 3.0, -3.0), right)
    assert list(found.values())[1:] == pytest.approx([1.0, 1.0, 0.0], abs=1e-3)
    found = known(rng.normal(size=hand.shape), rng.normal(size=right.shape))
    precision, recall, gaze = list(found.values())[1:]
    still = made["hidden/clock"] == task.held_steps
    assert precision == pytest.approx(hand[still].mean(), abs=0.02)
    assert recall == pytest.approx(0.5, abs=0.1)
    assert gaze == pytest.approx(90, abs=12)


@pytest.mark.parametrize("ood", [False, True])
def test_hands_are_asked_for_where_nothing_moves_and_the_rule_is_silent(
    ood: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Caregiver(ood=ood)
    made = trace.record(task, trace.policy(task, "random"), 40, SEED)
    arrays = {**made.arrays, "area/appearance": np.zeros((len(made["step"]), 24))}
    arrays["area/appearance"][:, 0] = np.arange(len(made["step"]))  # each row tells which it is
    read: list[Any] = []

    def noted(found: Any, there: Any) -> readouts.Detection:
        read.extend([len(found), there.mean()])
        return readouts.Detection(0.5, 0.5)

    monkeypatch.setattr(readouts, "precision_recall", noted)
    summary(Trace(arrays, {}, made.about))
    clock = made["hidden/clock"]
    still = (clock >= (1 if ood else 8)) & (clock <= 8)
    assert read[0] == still.sum() == (40 * 4 * (8 if ood else 1))
    assert read[1] > 0.02  # hands are there to be found
    rows = np.flatnonzero(still)
    for name in ("shape_position", "position", "heading"):
        np.testing.assert_array_equal(made[name][rows], made[name][rows - 1])
    vision, egomotion = (
        torch.from_numpy(made[f"sense/{name}"])[:, None] for name in ("vision", "egomotion")
    )
    start = torch.from_numpy(made["step"] == 0)[:, None]
    silent = mover_events(vision, egomotion, start, {})[0].sum((1, 2)).numpy() == 0
    assert silent[rows].all()
    if not ood:  # the rule is silent there, and not everywhere
        assert not silent.all()


def test_angles_wrap() -> None:
    np.testing.assert_allclose(
        readouts.wrapped([0, 3.5, -3.5, 7.0]), [0, 3.5 - 2 * np.pi, 2 * np.pi - 3.5, 7 - 2 * np.pi]
    )


class TestLooking:
    @pytest.mark.parametrize("name", TASKS)
    def test_rays_meet_what_the_body_sees(self, name: str) -> None:
        """An independent ray caster against the senses: same hits, same colours."""
        made = played(name, "oracle", 20)
        met = readouts.looked_at(made)
        rays = made["sense/vision"].reshape(*met.shape, 4)
        shape = np.where(met >= 0, met, 0)
        color = np.take_along_axis(made["shape_color"], shape[..., None], 1)
        seen = np.where((met >= 0)[..., None], color, 0.0)
        no_wall = (met >= 0) | (rays[..., 0] == 0)
        differ = (np.abs(rays[..., 1:] - seen).max(-1) > 1e-5) & no_wall
        # At the very edge of a disc float32 and float64 differ: ManyNeeds' oracle, who walks whole
        # steps from one patch to another, has rays that just touch one in 0.0013 of the cases.
        assert differ.mean() < 2e-3

    def still(self, wall: Any = ()) -> Trace:
        shapes = np.array([[[2.0, 0.0], [-3.0, 0.0], [4.0, 0.0]]])
        return by_hand(
            [[(0.0, 0.0)]],
            heading=np.zeros(1),
            light=np.ones(1),
            shape_position=shapes,
            shape_radius=np.full((1, 3), 0.5),
            shape_visible=np.ones((1, 3), np.bool_),
            wall=np.array([[wall]]) if wall else np.zeros((1, 0, 4)),
        )

    def test_share_by_hand(self) -> None:
        made = self.still()
        met = readouts.looked_at(made, 4)
        assert met.tolist() == [[0, -1, 1, -1]]  # the third shape stands behind the first
        np.testing.assert_allclose(readouts.looking_share(made, 4), [0.5, 0.5, 0])
        # A disc of radius r at distance d takes asin(r / d) to either side.
        wide, far = np.arcsin(0.5 / 2), np.arcsin(0.5 / 3)
        share = readouts.looking_share(made, 3600)
        np.testing.assert_allclose(share[0], wide / (wide + far), atol=0.002)
        none = readouts.looking_share(made, 4, where=np.zeros(1, np.bool_))
        np.testing.assert_allclose(none, 0.0)

    def test_walls_hide(self) -> None:
        hidden = self.still((1.0, -1.0, 1.0, 1.0))
        assert readouts.looked_at(hidden, 4).tolist() == [[-1, -1, 1, -1]]
        assert readouts.looked_at(self.still((1.0, 0.5, 1.0, 1.0)), 4)[0, 0] == 0
        assert readouts.looked_at(self.still((3.0, -1.0, 3.0, 1.0)), 4)[0, 0] == 0


def test_drives() -> None:
    level = np.array([[1.0, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(readouts.drive(level, 1.0), [0.25, 1.0])
    np.testing.assert_allclose(readouts.drive(level, [1.0, 0.5], exponent=4), [0.0, 1.0625])
    np.testing.assert_allclose(readouts.time_at_setpoint(level, 1.0, within=0.5), [0.5, 1.0])


def test_anticipation_by_hand() -> None:
    paths = [[(0.0, 0.0), (1.0, 0.0), (9.0, 9.0)], [(0.0, 3.0), (0.0, 4.0), (0.0, 0.0)]]
    made = by_hand(paths, episode=np.repeat([0, 1], 3))
    hidden = np.array([True, True, False, True, False, True])  # at the end it never comes out
    far = readouts.anticipation(made, np.tile([1.0, 1.0], (6, 1)), hidden)
    np.testing.assert_allclose(far, [1.0, np.hypot(1, 2)])


def test_prey_is_awaited_where_it_comes_out() -> None:
    """By who knows and who predicts; less by who waits at one of three exits; least at random."""
    name = "distance to where the prey comes out (m)"
    policies = ("oracle", "observer", "wait_at_middle_exit", "random")
    oracle, observer, middle, random = (
        summary(played("OccluderHunt", policy, 60))[name] for policy in policies
    )
    assert observer == pytest.approx(oracle, abs=0.05)
    # From 0.7 m up an alcove to its end at 1.3 m; the others' ends are 1 m to the side.
    assert oracle == pytest.approx(np.hypot(0.6, 0.1 * 2 / 3), abs=0.03)
    assert middle == pytest.approx((0.6 + 2 * np.hypot(0.6, 1.0)) / 3, abs=0.1)
    assert random > 1.5 * middle


def test_precision_and_recall() -> None:
    found = readouts.precision_recall([True, True, False, False], [True, False, True, True])
    np.testing.assert_allclose(found, [0.5, 1 / 3])
    nothing = readouts.precision_recall([False], [True])
    assert np.isnan(nothing.precision)
    assert nothing.recall == 0.0
    with pytest.raises(ValueError, match="shape"):
        readouts.precision_recall([True], [True, False])


class TestRateMaps:
    def test_by_a_slow_loop(self) -> None:
        rng = np.random.default_rng(0)
        place, unit = rng.normal(size=(500, 2)), rng.random(500)
        made = readouts.rate_map(place, unit, bin=0.5)
        assert made.occupancy.sum() == pytest.approx(125.0)
        for i in range(len(made.y) - 1):
            for j in range(len(made.x) - 1):
                here = (place >= [made.x[j], made.y[i]]) & (place < [made.x[j + 1], made.y[i + 1]])
                inside = unit[here.all(1)]
                assert made.occupancy[i, j] == 0.25 * inside.size
                if inside.size:
                    assert made.rate[i, j] == pytest.approx(inside.mean())
                else:
                    assert np.isnan(made.rate[i, j])

    def test_information_of_known_units(self) -> None:
        """A unit that fires in one of K equally visited places tells log2 K bits."""
        place = np.array([[x + 0.5, 0.5] for x in range(8)] * 4)
        one = (place[:, 0] < 1).astype(float)
        half = (place[:, 0] < 4).astype(float)
        for unit, bits in ((one, 3.0), (half, 1.0), (np.ones(32), 0.0), (np.zeros(32), 0.0)):
            made = readouts.rate_map(place, unit, bin=1.0)
            assert readouts.spatial_information(made) == pytest.approx(bits)
        with pytest.raises(ValueError, match="shift or rectify"):
            readouts.spatial_information(readouts.rate_map(place, -one, bin=1.0))

    def test_smoothing_keeps_a_constant(self) -> None:
        place = np.random.default_rng(0).normal(size=(500, 2))
        made = readouts.rate_map(place, np.full(500, 2.5), smooth=1.0)
        np.testing.assert_allclose(made.rate[np.isfinite(made.rate)], 2.5)

    def test_other_lengths_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"must be \(T, 2\) and \(T,\)"):
            readouts.rate_map(np.zeros((3, 2)), np.zeros(4))


def test_every_task_of_the_suite_has_read_outs() -> None:
    assert set(TASKS) - set(SUMMARIES) == {"GateMaze", "RoleBind"}  # their score says it all
    for name in SUMMARIES:
        for policy in ("oracle", "random"):
            made = played(name, policy, 20)
            found = summary(made)
            assert found
            np.testing.assert_equal(found, SUMMARIES[name].make(made))  # it says all that it reads
            assert all(isinstance(value, float) for value in found.values())


def test_read_outs_get_what_they_say_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(made: Trace) -> dict[str, float]:
        return {"seen": float(made["sense/vision"].mean()), "first": float(made["step"][0])}

    made = played("DarkHome", "oracle", 2)
    monkeypatch.setitem(SUMMARIES, "DarkHome", ReadOuts(seen, ("sense/vision",)))
    assert summary(made) == {"seen": made["sense/vision"].mean(), "first": 0}
    monkeypatch.setitem(SUMMARIES, "DarkHome", ReadOuts(seen, ("sense/touch",)))
    with pytest.raises(KeyError, match="no array 'sense/vision'"):
        summary(made)
