"""A room in which all can be predicted but a screen of noise, for the study of exploration.

It stands apart from the other measured environments, since stored runs are known by their module's
code.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

SIDE = 5
"""Cells of a side of the room."""
PIXELS = 8
"""Of the screen, each -1 or 1; 0 where it is not seen."""
STEPS = 64
"""Of an episode."""
MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""What the first four actions do, in columns and rows; walls hold the body."""
METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 4}
Observation = npt.NDArray[np.float32]


class KnownRoom(gym.Env[Observation, np.int64]):
    """A room of 25 cells. From those of the last column a screen is seen, and can be switched.

    The body sees which cell it stands in, so that nothing but the screen is ever unknown. The fifth
    action is the switch: at the screen it brings a picture drawn at random, elsewhere nothing.
    There is no reward. ``score01`` is the share of an episode's moments at the screen, of which a
    body that does not care has a fifth.
    """

    metadata = METADATA

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(-1.0, 1.0, (SIDE * SIDE + PIXELS,), np.float32)
        self.action_space = spaces.Discrete(len(MOVES) + 1)
        self._place = np.zeros(2, np.int64)
        self._picture = np.zeros(PIXELS, np.float32)
        self._at_screen: list[bool] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin in a cell drawn at random, before a picture drawn at random."""
        super().reset(seed=seed)
        self._place = self.np_random.integers(SIDE, size=2)
        self._draw()
        self._at_screen = [self._sees]
        return self._observation(), {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Move, or switch the screen."""
        if action < len(MOVES):
            self._place = np.clip(self._place + MOVES[int(action)], 0, SIDE - 1)
        elif self._sees:
            self._draw()
        self._at_screen.append(self._sees)
        over = len(self._at_screen) > STEPS
        info = {"score01": float(np.mean(self._at_screen))} if over else {}
        return self._observation(), 0.0, False, over, info

    def render(self) -> npt.NDArray[np.uint8]:
        """The room from above, (220, 200, 3); the picture stands over it where it is seen."""
        cell = 40
        frame = np.full((SIDE * cell + 20, SIDE * cell, 3), 235, np.uint8)
        if self._sees:
            frame[:20] = np.where(self._picture > 0, 255, 0).repeat(SIDE * cell // PIXELS)[:, None]
        frame[20:, -cell:] = (170, 190, 235)
        column, row = self._place * cell
        frame[20 + row : 20 + row + cell, column : column + cell] = (200, 60, 40)
        return frame

    @property
    def _sees(self) -> bool:
        return bool(self._place[0] == SIDE - 1)

    def _draw(self) -> None:
        self._picture = self.np_random.choice(np.array([-1, 1], np.float32), PIXELS)

    def _observation(self) -> Observation:
        cells = np.zeros((SIDE, SIDE), np.float32)
        cells[tuple(self._place)] = 1.0
        return np.concatenate((cells.ravel(), self._picture * self._sees))


KNOWN = "exploration/KnownRoom-v0"
gym.register(KNOWN, f"{__name__}:{KnownRoom.__name__}")
