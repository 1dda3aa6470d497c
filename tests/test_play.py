"""`motley play`: what keys mean. Its window is tested in test_window."""

from __future__ import annotations

import sys

import numpy as np
import pygame
import pytest

from motley.scripts.main import main
from motley.scripts.play import GENTLE, Keyboard, command

WALK, REACH = ("forward", "turn"), ("shoulder", "elbow")


@pytest.mark.parametrize(
    ("controls", "keys", "action"),
    [
        (WALK, {}, [0, 0]),
        (WALK, {pygame.K_UP: 1.0}, [1, 0]),
        (WALK, {pygame.K_w: 0.5, pygame.K_a: 1.0}, [0.5, 1]),
        (WALK, {pygame.K_RIGHT: 0.25}, [0, -0.25]),
        (WALK, {pygame.K_LEFT: 1.0, pygame.K_d: 1.0}, [0, 0]),
        (WALK, {pygame.K_UP: 0.8, pygame.K_w: 0.8}, [1, 0]),
        (WALK, {pygame.K_UP: 1.0, pygame.K_LSHIFT: 1.0}, [GENTLE, 0]),
        (REACH, {pygame.K_LEFT: 1.0, pygame.K_UP: 0.5}, [1, 0.5]),
        (REACH, {pygame.K_d: 1.0, pygame.K_s: 1.0}, [-1, -1]),
    ],
)
def test_keys_are_commands(
    controls: tuple[str, str], keys: dict[int, float], action: list[float]
) -> None:
    np.testing.assert_allclose(command(controls, keys), [action])


def test_a_key_counts_for_the_part_of_the_time_that_it_was_down() -> None:
    keyboard = Keyboard()
    keyboard.read(10.0)
    keyboard.feed(pygame.K_UP, True, 10.1)
    keyboard.feed(pygame.K_LEFT, True, 10.15)
    keyboard.feed(pygame.K_UP, False, 10.2)
    assert keyboard.down() == {pygame.K_LEFT: 1.0}
    shares = keyboard.read(10.2)
    assert shares == pytest.approx({pygame.K_UP: 0.5, pygame.K_LEFT: 0.25})
    assert keyboard.read(10.3) == pytest.approx({pygame.K_LEFT: 1.0})  # held on
    keyboard.feed(pygame.K_LEFT, False, 10.3)
    assert keyboard.read(10.4) == pytest.approx({pygame.K_LEFT: 0.0}, abs=1e-6)
    assert keyboard.read(10.5) == {}
    keyboard.feed(pygame.K_RIGHT, False, 10.6)  # went down before the window was there
    assert keyboard.read(10.7) == {}


def test_without_a_display_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert main(["play", "DarkHome"]) == 2
    assert "no display" in " ".join(capsys.readouterr().err.split())
