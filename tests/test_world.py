"""World: state, copies, and what it refuses."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motley.envs import TASKS, Level, Task, World, calibration, register, senses
from motley.envs.calibration import UncalibratedWarning
from motley.envs.senses import Reader, Sense
from motley.envs.streams import Bools, Floats, Ints, Streams
from motley.envs.vector import WorldVectorEnv
from motley.envs.world import State

DarkHome = TASKS["DarkHome"]


def make(n: int = 5, **settings: Any) -> World:
    world = World(DarkHome(**settings), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def play(world: World, steps: int, seed: int = 0) -> State:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        world.step(rng.uniform(-1, 1, (world.n, 2)).astype(np.float32))
    return world.get_state()


def same(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_attributes_are_views_of_the_blocks() -> None:
    world = make()
    world.position[2] = [3, 4]
    world.shape_color[2, 1] = 0.25
    world.contact[2, 3] = True
    world.elapsed[2] = 7
    again = make()
    again.set_state(world.get_state())
    np.testing.assert_array_equal(again.position[2], [3, 4])
    np.testing.assert_array_equal(again.shape_color[2, 1], [0.25] * 3)
    assert again.contact[2, 3]
    assert again.elapsed[2] == 7


def test_branches_from_a_state_are_the_same() -> None:
    world = make()
    play(world, 10)
    state = world.get_state()
    future = play(world, 20)
    world.set_state(state)
    same(play(world, 20), future)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))])
def test_copies_live_on_by_themselves(clone: Callable[[World], World]) -> None:
    world = make()
    play(world, 10)
    twin = clone(world)
    same(play(twin, 20), play(world, 20))


def test_a_reset_leaves_other_worlds_alone() -> None:
    world = make()
    play(world, 5)
    before = world.get_state()
    world.reset(np.array([1, 3]))
    for name, array in world.get_state().items():
        np.testing.assert_array_equal(array[[0, 2, 4]], before[name][[0, 2, 4]])
    assert (world.elapsed == [5, 0, 5, 0, 5]).all()
    assert not np.array_equal(world.shape_position[1], before["floats"][1][:2])


def test_what_it_refuses() -> None:
    world = make()
    with pytest.raises(AttributeError, match=r"write into the array, world\.light\[\.\.\.\]"):
        world.light = np.zeros(5, np.float32)
    world.light += 1
    with pytest.raises(AttributeError, match="no array 'lihgt'"):
        world.lihgt  # noqa: B018
    with pytest.raises(ValueError, match="needs"):
        world.set_state({})
    with pytest.raises(ValueError, match="this world's is"):
        world.set_state(make(4).get_state())
    with pytest.raises(TypeError, match=r"made, such as DarkHome\(\), not 'DarkHome'"):
        World("DarkHome", 2)  # type: ignore[arg-type]
    wrong: list[Any] = [np.zeros(shape, np.float32) for shape in ((5, 3), (4, 2))]
    for actions in [*wrong, np.zeros((5, 2))]:
        with pytest.raises(ValueError, match=r"actions are \(5, 2\) float32, not "):
            world.step(actions)
    for seeds in ([0, 1, -1], [0.0, 1.5, 2.0], "x"):
        with pytest.raises(ValueError, match=r"whole numbers from 0 to below 2\*\*64, not"):
            world.seed(seeds, np.arange(3))
    with pytest.raises(ValueError, match=r"seeds of shape \(2,\) for 5 worlds"):
        world.seed([0, 1])
    with pytest.raises(ValueError, match="at least one"):
        World(DarkHome(), 0)
    with pytest.raises(ValueError, match="levels 0 to 4, not 9"):
        DarkHome(level=9)
    with pytest.raises(ValueError, match="share a name"):
        Reader((senses.touch(), senses.touch()))
    with pytest.raises(ValueError, match="give it a `read` function"):
        Reader((Sense("hum", 1, 0, 1, "", ""),))


class Corridor(Task):
    """A task of the usual kind, as a plug-in writes it: walk 2 m east."""

    problem = "none"
    levels = (Level(chance=0.0),)
    horizon = 40
    n_shapes = 1
    senses = (
        senses.egomotion(),
        Sense("east", 1, -1.0, 1.0, "m / 10", "x", lambda w, rows: w.position[rows, :1] / 10),
    )

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        world.heading[which] = rng.uniform(-np.pi, np.pi)

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        there = world.position[:, 0] > 2.0
        return there.astype(float), there

    def score(self, world: World) -> npt.NDArray[Any]:
        return (world.position[:, 0] > 2.0).astype(float)

    def oracle(self, world: World) -> Floats:
        return self.toward(world, np.tile(np.array([3, 0], np.float32), (world.n, 1)))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("outcome", np.zeros(3), "outcome must give a pair, reward and terminated, not ndarray"),
        (
            "outcome",
            (0.0, np.zeros(3, np.bool_)),
            r"outcome must give reward .* float None of None",
        ),
        ("outcome", (np.zeros(3), np.zeros(3)), r"terminated .* of bools.* \(3,\) of float64"),
        ("outcome", (np.zeros(2), np.zeros(3, np.bool_)), r"reward .* of numbers.* \(2,\)"),
        ("outcome", (np.array(list("abc")), np.zeros(3, np.bool_)), r"reward .* of <U1"),
        ("outcome", (np.zeros(3, np.float32),) * 2, r"terminated .* of bools.* of float32"),
        ("timed_out", None, "timed_out must give whose time is up .* NoneType None of None"),
        ("timed_out", np.False_, r"timed_out must give .* \(\) of bool"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_step_that_gives_no_number_for_each_world_is_refused(
    name: str, given: Any, said: str
) -> None:
    world = World(type("Slip", (Corridor,), {name: lambda self, world: given})(), 3)
    world.seed([1, 2, 3])
    world.reset()
    with pytest.raises(ValueError, match=said):
        world.step(np.zeros((3, 2), np.float32))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("score", np.full(20, 7.0), r"Slip.score must give raw scores in \[0, 1\], not \[7"),
        ("oracle", np.zeros(20), r"oracle of Slip must give finite actions of shape \(20, 2\)"),
        ("oracle", np.full((20, 2), np.nan), "oracle of Slip must give finite actions"),
    ],
)
def test_a_task_is_told_of_scores_and_actions_that_cannot_be(
    name: str, given: Any, said: str
) -> None:
    def wrong(self: Task, world: World) -> Any:
        return given

    wrong.__name__ = name
    task = type("Slip", (Corridor,), {name: wrong})()
    with pytest.raises(ValueError, match=said):
        calibration.rollout(task, task.oracle, 20, 0)


def test_a_plug_in_task() -> None:
    import gymnasium as gym

    register(Corridor)
    try:
        with pytest.raises(ValueError, match="'Corridor' is registered already"):
            register(Corridor)
        with pytest.warns(UncalibratedWarning, match="motley audit Corridor --calibrate"):
            env = gym.make_vec("motley/Corridor-v0", num_envs=3, autoreset_mode="SameStep")
        assert isinstance(env, WorldVectorEnv)
        observation, _ = env.reset(seed=1)
        assert observation["east"].shape == (3, 1)
        for _ in range(40):
            observation, _, terminated, _, info = env.step(env.oracle())
            np.testing.assert_array_equal(observation["east"][:, 0], env.world.position[:, 0] / 10)
            if terminated.any():
                ended = info["final_info"]
                assert ended["is_success"][terminated].all()
                assert np.isnan(ended["score01"][terminated]).all()
                break
        else:
            pytest.fail("the oracle did not arrive")
        assert calibration.rollout(Corridor(), Corridor().oracle, 20, 0).mean() == 1.0
    finally:
        del TASKS["Corridor"], gym.registry["motley/Corridor-v0"]
