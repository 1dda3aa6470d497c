"""Pictures show what the world's state says, and the window answers to the person."""

import os
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pygame
import pytest

from motley.envs import TASKS, World
from motley.envs.canvas import DAY, NIGHT
from motley.envs.render import Window, WindowClosed, render
from motley.envs.single import WorldEnv

Frame = npt.NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def make(name: str = "CacheRecall", n: int = 2, seed: int = 3) -> World:
    world = World(TASKS[name](), n)
    world.seed(seed + np.arange(n))
    world.reset()
    return world


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


def test_a_small_frame_is_quick() -> None:
    world = make()
    render(world.task, world, 0)
    begin = time.perf_counter()
    for _ in range(10):
        render(world.task, world, 0)
    assert (time.perf_counter() - begin) / 10 < 0.05  # 2 ms on an idle core


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
