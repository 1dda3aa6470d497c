"""Pictures show what the world's state says, and the window answers to the person."""

import os
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pygame
import pytest

from motley.envs import TASKS, Level, Task, World, kernels
from motley.envs.canvas import DAY, NIGHT, fit, font
from motley.envs.perceived import perceived
from motley.envs.render import Window, WindowClosed, render
from motley.envs.sight import RAYS, sight
from motley.envs.single import WorldEnv
from motley.envs.streams import Bools, Floats, Ints, Streams

Frame = npt.NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def make(name: str = "CacheRecall", n: int = 2, seed: int = 3) -> World:
    world = World(TASKS[name](), n)
    world.seed(seed + np.arange(n))
    world.reset()
    return world


class Room(Task):
    """A body in the middle of a room; a red disc behind an inner wall, a solid blue one in view."""

    problem = "none"
    levels = (Level(chance=0.0),)
    horizon = 100
    n_shapes = 3
    n_walls = 6

    def __init__(self) -> None:
        super().__init__()
        self.hints: dict[str, Any] = {}

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        world.shape_position[which] = [[2.0, 0.0], [-2.0, 0.5], [0.0, -2.0]]
        world.shape_radius[which] = [0.4, 0.5, 0.0]
        world.shape_color[which] = [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
        world.shape_visible[which] = True
        world.shape_solid[which, 1] = True
        room = [[-4, -3, 4, -3], [4, -3, 4, 3], [4, 3, -4, 3], [-4, 3, -4, -3]]
        world.wall[which] = [*room, [1, -1, 1, 1], [0, 0, 0, 0]]
        world.wall_color[which] = [0.5, 0.5, 0.5]

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        return np.zeros(world.n), np.zeros(world.n, np.bool_)

    def score(self, world: World) -> npt.NDArray[Any]:
        return np.zeros(world.n)

    def oracle(self, world: World) -> Floats:
        return np.zeros((world.n, 2), np.float32)

    def scene(self, world: World, index: int) -> dict[str, Any]:
        return self.hints


def room() -> tuple[Room, World]:
    task = Room()
    world = World(task, 1)
    world.seed([0])
    world.reset()
    return task, world


def count(frame: Frame, color: tuple[int, int, int], tolerance: int = 12) -> int:
    """How many pixels have that colour."""
    apart = np.abs(frame.astype(int) - color).max(-1)
    return int((apart <= tolerance).sum())


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("size", [64, 256, 600])
def test_the_same_life_gives_the_same_frames(name: str, size: int) -> None:
    def film() -> list[Frame]:
        world = make(name)
        frames = []
        for _ in range(12):
            frames.append(render(world.task, world, 1, size))
            world.step(world.task.oracle(world))
        return frames

    first, second = film(), film()
    assert all(frame.shape == (size, size, 3) and frame.dtype == np.uint8 for frame in first)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in pairwise(first))


def test_rendering_leaves_the_world_alone() -> None:
    world = make()
    before = world.get_state()
    render(world.task, world, 0)
    for name, array in world.get_state().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_ground_is_dark_where_the_light_is_out() -> None:
    world = make("DarkHome")
    day = render(world.task, world, 0)
    world.light[0] = 0
    night = render(world.task, world, 0)
    assert count(day, DAY.ground, 2) > 20_000
    assert count(night, NIGHT.ground, 2) > 20_000
    assert count(day, NIGHT.ground, 2) < 50


def test_only_what_is_seen_is_drawn_full() -> None:
    """Each site's colour covers its disc when lit, and hardly a pixel when not."""
    world = make()
    task = world.task
    shown: list[int] = []
    hidden: list[int] = []
    for _ in range(8):
        frame = render(task, world, 0)
        for shape in range(4):
            r, g, b = (round(255 * float(c)) for c in world.shape_color[0, shape])
            pixels = count(frame, (r, g, b), 4)
            (shown if world.shape_visible[0, shape] else hidden).append(pixels)
        world.step(np.zeros((2, 2), np.float32))
    assert len(shown) == 8
    assert min(shown) > 100
    assert max(hidden) < 20


def test_that_a_body_on_a_disc_sees_nothing_else_is_said() -> None:
    """By day all of the ground is shaded then, as if it were dusk."""
    task = TASKS["Homestead"](level=3)
    world = World(task, 1)
    world.seed([3])
    world.reset()
    assert not sight(world, 0).covered
    away = render(task, world, 0, 384)
    lit = int(world.shape_visible[0].argmax())
    world.position[0] = world.shape_position[0, lit] + 0.1
    assert sight(world, 0).covered
    assert sight(world, 0).shapes.tolist() == [k == lit for k in range(world.n_shapes)]
    top = slice(0, 30)
    inked = (render(task, world, 0, 384)[top, 100:284] == DAY.ink).all(-1).sum()
    assert inked > 50 + (away[top, 100:284] == DAY.ink).all(-1).sum()
    render(task, world, 0, 64)  # in which there is no room for it
    world.light[0] = 0.0
    assert not sight(world, 0).covered


def test_sight_meets_what_the_bodys_own_rays_meet() -> None:
    """With the heading at 0 the 24 rays are among the fine ones; the kernel is the reference."""
    rng = np.random.default_rng(0)
    _, world = room()
    for _ in range(20):
        world.position[0] = rng.uniform(-2.5, 2.5, 2)
        world.shape_visible[0] = rng.random(3) < 0.7
        rays = world.observe()["vision"].reshape(24, 4)
        assert (rays[:, 0] > 0).all()  # walls all round
        turns = np.arange(24) * (RAYS // 24)
        seen = sight(world, 0)
        ends = np.linalg.norm(seen.outline[turns] - world.position[0], axis=1)
        np.testing.assert_allclose(ends, (1 - rays[:, 0]) * kernels.RANGE, atol=1e-4)
        for shape in range(2):
            met = (rays[:, 1:] == world.shape_color[0, shape]).all(1).any()
            assert seen.shapes[shape] or not met
        assert not seen.shapes[2]  # no radius, not there
        assert not seen.walls[5]
    world.light[0] = 0
    blind = sight(world, 0)
    assert not len(blind.outline)
    assert not blind.shapes.any()
    assert not blind.walls.any()


def test_what_is_behind_a_wall_is_an_outline_on_shaded_ground() -> None:
    task, world = room()
    behind = render(task, world, 0)
    world.wall[0, 4] = 0  # the wall is taken away
    bare = render(task, world, 0)
    assert count(bare, (255, 0, 0), 4) > 50
    assert count(behind, (255, 0, 0), 4) < 5
    assert count(behind, (0, 0, 255), 4) == count(bare, (0, 0, 255), 4) > 100
    assert count(behind, DAY.shade, 2) > count(bare, DAY.shade, 2) + 2_000


def test_a_solid_disc_looks_other_than_one_to_walk_through() -> None:
    task, world = room()
    solid = render(task, world, 0)
    world.shape_solid[0] = False
    assert (render(task, world, 0) != solid).any(-1).sum() > 100


def test_bars_follow_the_needs() -> None:
    task, world = room()
    colors = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])

    def pixels(first: float, second: float, **more: float) -> list[int]:
        task.hints = {"needs": np.array([first, second]), "need_colors": colors, **more}
        frame = render(task, world, 0, 512)
        return [count(frame, (255, 0, 255), 4), count(frame, (0, 255, 255), 4)]

    full = pixels(1.0, 1.0)
    assert min(full) > 200
    assert pixels(0.0, 0.0) == [0, 0]
    assert sum(pixels(1.0, 1.0, setpoint=0.8)) < sum(full)  # its line crosses them
    for level in (0.25, 0.5, 0.75):
        shown = pixels(level, 1.0)
        assert shown[0] / full[0] == pytest.approx(level, abs=0.05)
        assert shown[1] == full[1]


@pytest.mark.parametrize(
    ("hint", "value", "where"),
    [
        ("caption", "sample phase", np.s_[217:, :130]),
        ("labels", {0: "A"}, np.s_[:217, 128:]),
        ("labels", {0: "a long word"}, np.s_[:217, 128:]),
        ("markers", [("exit", 0.0, -2.0, 0.4)], np.s_[100:217, 60:190]),
        ("lines", [((-1.0, 1.0), (1.0, 2.0), (0.2, 0.4, 0.9), 0.2)], np.s_[:108]),
        ("needs", np.array([0.5, 0.2]), np.s_[217:, 100:]),
        ("cue_label", "X", np.s_[217:, 100:]),
        ("items", np.array([[0.5, -1.0], [np.nan, 0.0], [0.0, 0.0]]), np.s_[:217, 128:]),
        ("target", 1, np.s_[:217, :128]),
    ],
)
def test_each_hint_is_drawn_where_it_belongs(hint: str, value: Any, where: Any) -> None:
    task, world = room()
    plain = render(task, world, 0)
    task.hints = {hint: value}
    changed = (render(task, world, 0) != plain).any(-1)
    assert changed.sum() > 20
    changed[where] = False
    assert not changed.any()


def test_a_cue_is_shown_while_there_is_one() -> None:
    task, world = room()
    blank = render(task, world, 0)
    world.cue[0, 3] = 0.5
    shown = render(task, world, 0)
    assert (shown != blank).any(-1).sum() > 100
    world.cue[0, 3] = -0.5
    assert (render(task, world, 0) != shown).any()


def test_a_label_of_two_lines_has_one_above_the_other() -> None:
    task, world = room()

    def rows(label: str) -> Any:
        task.hints = {"cue_label": " "}
        blank = render(task, world, 0)
        task.hints = {"cue_label": label}
        return (render(task, world, 0) != blank).any((1, 2))

    above, below = rows("xx\n "), rows(" \nxx")
    assert above.any()
    assert np.flatnonzero(above).max() < np.flatnonzero(below).min()
    np.testing.assert_array_equal(rows("xx\nxx"), above | below)


@pytest.mark.parametrize("name", TASKS)
def test_a_gain_of_felt_motion_is_labelled_where_there_is_one(name: str) -> None:
    world = make(name)
    gain = world.gain[0]
    assert (gain != 1) == (name == "DarkHome")
    label = world.task.scene(world, 0).get("cue_label", "")
    assert (f"gain\nx{gain:.2f}" == label) == (gain != 1)
    world.gain[0] = 1.0
    assert "gain" not in world.task.scene(world, 0).get("cue_label", "")


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_bright_by_day_and_dark_by_night(name: str) -> None:
    world = make(name)
    world.light[0] = 1
    assert np.median(render(world.task, world, 0)) > 150
    world.light[0] = 0
    assert np.median(render(world.task, world, 0)) < 60


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_drawn_in_each_mode(name: str) -> None:
    for mode in ("rgb_array", "human"):
        env = WorldEnv(name, render_mode=mode)
        env.reset(seed=1)
        env.step(env.oracle())
        frame = env.render()
        assert (frame is None) == (mode == "human")
        env.close()
    world = make(name)
    seen = {sense: array[0] for sense, array in world.observe().items()}
    frame = perceived(world.task, seen, 0, 256)
    assert frame.shape == (256, 256, 3)
    for sense in world.task.senses:  # each has its place in it
        other = seen | {sense.name: np.full(sense.size, 0.7, np.float32)}
        changed = perceived(world.task, other, 0, 256) != frame
        assert changed.any() or np.allclose(seen[sense.name], 0.7), sense.name


def test_the_picture_of_what_is_perceived_holds_nothing_else() -> None:
    task, world = room()

    def picture() -> Frame:
        seen = {sense: array[0] for sense, array in world.observe().items()}
        return perceived(task, seen, 0, 256)

    before = picture()
    assert count(before, (0, 0, 255), 4) > 20
    assert count(before, (255, 0, 0), 40) == 0  # it is behind the wall
    world.shape_position[0, 0] = [3.0, 0.2]
    task.hints = {"caption": "secret", "markers": [("nest", 0.0, 0.0, 1.0)]}
    np.testing.assert_array_equal(picture(), before)
    world.light[0] = 0
    dark = picture()
    world.position[0] = [-1.0, -1.0]
    np.testing.assert_array_equal(picture(), dark)
    with pytest.raises(ValueError, match="size >= 64"):
        perceived(task, {}, 0, 10)


def test_letters_are_cut_to_the_room_there_is() -> None:
    assert fit("short", 200, 15) == "short"
    cut = fit("a phase with a very long name", 60, 15)
    assert cut.endswith("..")
    assert cut[:-2] in "a phase with a very long name"
    assert font(15).size(cut)[0] <= 60
    assert fit("anything", 1, 15) == ""


def test_the_fan_shows_the_observation() -> None:
    world = make()
    seen = {name: array[0].copy() for name, array in world.observe().items()}
    full = render(world.task, world, 0, observation=seen)
    np.testing.assert_array_equal(full, render(world.task, world, 0))
    seen["vision"][:] = 0
    assert (render(world.task, world, 0, observation=seen) != full).any()


def test_the_path_is_kept_for_one_episode() -> None:
    world, still = make("DarkHome"), make("DarkHome")
    for _ in range(6):
        render(world.task, world, 0)
        world.step(world.task.oracle(world))
    trailed = render(world.task, world, 0)
    still.set_state(world.get_state())
    assert (trailed != render(still.task, still, 0)).any()
    world.reset()
    fresh = World(world.task, 2)
    fresh.set_state(world.get_state())
    np.testing.assert_array_equal(render(world.task, world, 0), render(fresh.task, fresh, 0))


def test_the_view_keeps_still_in_an_episode_and_points_to_a_body_that_left() -> None:
    world = make("DarkHome")
    world.light[0] = 0  # what is in sight moves with the body
    first = render(world.task, world, 0)
    world.position[0] = [40.0, 0.0]
    world.elapsed[0] += 1
    away = render(world.task, world, 0)
    corner = np.s_[200:216, 2:120]
    np.testing.assert_array_equal(first[corner], away[corner])
    beak = (244, 158, 58)
    assert count(away[:, 230:], beak) > 20
    assert count(first[:, 230:], beak) == 0


def test_errors_name_what_is_wrong() -> None:
    world = make()
    with pytest.raises(ValueError, match="size >= 64"):
        render(world.task, world, 0, 32)
    with pytest.raises(IndexError, match="worlds 0 to 1, not 2"):
        render(world.task, world, 2)
    with pytest.raises(ValueError, match="speed"):
        Window(speed=0)


def test_the_window_paces_and_closes() -> None:
    window = Window(speed=5)
    frame = np.zeros((64, 64, 3), np.uint8)
    begin = time.perf_counter()
    for _ in range(4):
        window.show(frame)
    assert 0.14 < time.perf_counter() - begin < 1.0
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q))
    with pytest.raises(WindowClosed):
        window.show(frame)
    with pytest.raises(WindowClosed):
        window.show(frame)
    window.close()


def test_the_door_opens_a_window() -> None:
    env = WorldEnv("CacheRecall", render_mode="human")
    env.reset(seed=0)
    assert pygame.display.get_caption()[0] == "motley/CacheRecall-v0"
    env.close()
    assert not pygame.display.get_init()


def test_without_a_display_it_says_how_to_record() -> None:
    hidden = ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY")
    bare = {k: v for k, v in os.environ.items() if k not in hidden}
    code = "import numpy as np\nfrom motley.envs.render import Window\n"
    code += "Window().show(np.zeros((64, 64, 3), np.uint8))"
    run = subprocess.run(
        [sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=False
    )
    if run.returncode == 0:
        pytest.skip("this machine has a display without naming one")
    assert "NoDisplayError" in run.stderr
    assert "--record FILE.mp4" in run.stderr


def test_pictures_survive_another_environment_that_quits_pygame() -> None:
    env = WorldEnv("DarkHome", render_mode="rgb_array")
    env.reset(seed=0)
    before = np.asarray(env.render())
    pygame.init()
    pygame.quit()
    pygame.init()
    assert np.array_equal(np.asarray(env.render()), before)
