"""Read-outs: on traces made by hand, where the value is known, and on oracle and random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from motley.envs import TASKS, readouts, trace
from motley.envs.summaries import SUMMARIES, ReadOuts, reaches, recalls, rules, summary
from motley.envs.tasks.delay_reach import DelayReach
from motley.envs.tasks.play_room import PlayRoom
from motley.envs.trace import Trace

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
    np.testing.assert_allclose(found.efficiency, [5 / 7, 1, 5 / 7, np.nan])
    home = readouts.homing_error(made, np.array([4.0, 0.0]))
    np.testing.assert_allclose(home, [3, 3, 3, np.hypot(4, 5)])


def test_homing_of_oracle_stay_and_efference_copy() -> None:
    oracle = summary(played("DarkHome", "oracle"))
    assert oracle["homing error (m)"] < 0.5
    assert oracle["path efficiency home"] > 0.9
    assert abs(oracle["homing error per metre out"]) < 0.02
    # Straight home at 0.4 m a step of 0.25 s, from 1.5 m and more.
    assert 1.0 / 0.4 * 0.25 < oracle["latency home (s)"] < 4.0
    blind = summary(played("DarkHome", "efference_copy", 300))
    assert blind["homing error (m)"] > 2 * oracle["homing error (m)"]
    short, long = (summary(played("DarkHome", "efference_copy", 200, level=k)) for k in (0, 4))
    assert long["homing error (m)"] > 1.5 * short["homing error (m)"]  # errors add up
    assert np.isnan(summary(played("DarkHome", "stay", 20))["homing error (m)"])


def test_recall_over_delays() -> None:
    for policy, expected in (("oracle", 1.0), ("observer", 1.0), ("any_site", 0.25)):
        made = played("CacheRecall", policy, 300)
        delay, right = recalls(made)
        assert len(delay) == 1_200
        assert right.mean() == pytest.approx(made["end/score"].mean())
        found = readouts.delay_curve(delay, right, [0, 2.5, 5, 20])
        np.testing.assert_allclose(found.y[found.size > 200], expected, atol=0.08)
    # Four sites lit two steps each, and at least a step to walk to the first one asked for.
    assert delay.min() > 0.25


def test_recall_delay_by_slow_reading() -> None:
    made = played("CacheRecall", "any_site", 20)
    expected = []
    for row in range(1, len(made["step"])):
        if made["hidden/asked"][row] != made["hidden/asked"][row - 1] and made["step"][row]:
            target = made["hidden/target"][row - 1]
            item = made["hidden/item"][row][target]
            begin = made.bounds[made["episode"][row]]
            cues = made["sense/cue"][begin : begin + 8]
            shown = next(step for step, cue in enumerate(cues) if (cue == item).all())
            expected.append((made["step"][row] - shown) * 0.25)
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
        assert found.after_effect == pytest.approx((np.deg2rad(30) + learnt) / 2)

    def test_one_who_sees_the_switch_coming(self) -> None:
        found = readouts.adaptation(self.episode, self.rotation, np.zeros(12), np.ones(12))
        assert found[:5] == (1.0, 0.0, 0.0, 0.0, 0.0)

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

    def test_oracle_observer_and_random(self) -> None:
        """The oracle sees a switch coming; who adapts errs once, by the change of rotation."""
        oracle, observer, random = (
            summary(played("DelayReach", name, 100)) for name in ("oracle", "observer", "random")
        )
        made = played("DelayReach", "stay", 100)
        change = float(np.abs(np.diff(made["hidden/degrees"][made.bounds[:-1]])).mean())
        assert change == pytest.approx(40, abs=5)  # of -30, 0 and 30 any two follow each other
        assert oracle["hit rate"] > 0.95
        assert oracle["after-effect (deg)"] == pytest.approx(0.0, abs=2.0)
        assert oracle["error after a switch (deg)"] < 6
        assert oracle["reaches to readapt"] < 0.2
        assert observer["after-effect (deg)"] == pytest.approx(change, abs=2.0)
        assert observer["error after a switch (deg)"] == pytest.approx(change, abs=2.0)
        assert observer["error before a switch (deg)"] < 6
        assert observer["reaches to readapt"] == pytest.approx(1.0, abs=0.1)
        assert random["hit rate"] < 0.05
        assert random["error after a switch (deg)"] == pytest.approx(90, abs=15)
        assert abs(random["after-effect (deg)"]) < 25
        task = DelayReach(field=True)
        pushed = trace.record(task, trace.policy(task, "observer"), 60, SEED)
        turn = np.arctan(0.5 * np.sign(pushed["hidden/degrees"][pushed.bounds[:-1]]))
        change = float(np.rad2deg(np.abs(np.diff(turn))).mean())
        assert summary(pushed)["after-effect (deg)"] == pytest.approx(change, abs=6.0)
        still = summary(played("DelayReach", "oracle", 4, level=0))  # nothing switches
        assert still["hit rate"] > 0.95
        assert np.isnan(still["after-effect (deg)"])


def test_play_of_one_who_stays_by_a_thing_and_of_one_who_roams() -> None:
    """The oracle of play stands beside ball or pendulum, whose turn it is to be near is drawn."""
    task = PlayRoom(phase=1, screen=True)
    shares = {}
    for policy in ("oracle", "random"):
        found = summary(trace.record(task, trace.policy(task, policy), 60, SEED))
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


def test_needs_of_a_life_kept_and_of_one_let_go() -> None:
    made = played("Homestead", "oracle", 20)
    oracle = summary(made)
    random, stay = (summary(played("Homestead", name, 60)) for name in ("random", "stay"))
    assert oracle["days kept"] == pytest.approx(made["end/score"].mean())
    assert oracle["deaths"] < 0.2
    assert oracle["mean drive while alive"] < 0.13  # what a day is kept by
    assert oracle["time at setpoint"] > random["time at setpoint"] + 0.1
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
    still = ~made["free"] & (made["hidden/clock"] >= task.still_from)
    assert precision == pytest.approx(hand[still].mean(), abs=0.02)
    assert recall == pytest.approx(0.5, abs=0.1)
    assert gaze == pytest.approx(90, abs=12)


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


def test_pursuit() -> None:
    made = by_hand([[(0.0, 0.0)] * 4], heading=np.array([0.0, np.pi / 2, np.pi, 0.0]))
    target = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0]])
    found = readouts.pursuit_error(made, target, np.array([False, False, True, True]))
    np.testing.assert_allclose(found, [3 * np.pi / 4, 0.0, 3.5, 1.5], atol=1e-12)
    anywhere = np.random.default_rng(0).uniform(-np.pi, np.pi, 20_000)
    lost = by_hand([[(0.0, 0.0)] * 20_000], heading=anywhere)
    found = readouts.pursuit_error(lost, np.tile([1.0, 0.0], (20_000, 1)), np.ones(20_000))
    assert found.hidden_angle == pytest.approx(np.pi / 2, abs=0.02)
    assert np.isnan(found.seen_angle)


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
