"""A window that shows frames at the pace of the world."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pygame

FRAME = 0.25
"""Seconds that a frame stays, whatever a step stands for."""


class WindowClosed(RuntimeError):  # noqa: N818 - an outcome, not a fault
    """The person closed the window: there is nobody to show to any more."""


class NoDisplayError(RuntimeError):
    """There is no screen to open a window on."""


class Window:
    """A window on the screen, opened by the first frame; closed by its button, Esc or Q.

    Args:
        title: of the window.
        speed: a frame stays for 0.25 s divided by it, whatever a step stands for.
        on_event: gets every event but those that close the window, such as keys.

    Raises:
        ValueError: the speed is not above 0.
    """

    def __init__(
        self,
        title: str = "Motley",
        speed: float = 1.0,
        on_event: Callable[[pygame.event.Event], None] | None = None,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"speed is a factor above 0, not {speed}")
        self.title = title
        self.pause = FRAME / speed
        self.closed = False
        self.on_event = on_event
        self._screen: pygame.Surface | None = None
        self._due = 0.0

    def show(self, frame: npt.NDArray[np.uint8]) -> None:
        """Show a frame (H, W, 3) once the one before has had its time.

        Raises:
            WindowClosed: the person has closed the window, now or earlier.
            NoDisplayError: there is no screen.
        """
        if self.closed:
            raise WindowClosed("the window is closed")
        height, width = frame.shape[:2]
        if self._screen is None:
            self._screen = _open((width, height), self.title)
        self.wait()
        picture = pygame.surfarray.make_surface(frame.swapaxes(0, 1))
        if self._screen.get_size() != (width, height):  # the person has resized it
            picture = pygame.transform.smoothscale(picture, self._screen.get_size())
        self._screen.blit(picture, (0, 0))
        pygame.display.flip()
        self._due = time.perf_counter() + self.pause

    def listen(self, done: Callable[[], bool]) -> None:
        """Answer to events, with the frame as it is, until ``done()``.

        Raises:
            WindowClosed: the person has closed the window.
        """
        while not done():
            self._pump()
            time.sleep(0.01)

    def wait(self) -> None:
        """Answer to events until the frame on show has had its time.

        Raises:
            WindowClosed: the person has closed the window.
        """
        while True:
            self._pump()
            left = self._due - time.perf_counter()
            if left <= 0:
                return
            time.sleep(min(left, 0.01))

    def _pump(self) -> None:
        for event in pygame.event.get():
            leave = event.type == pygame.KEYDOWN and event.key in (pygame.K_ESCAPE, pygame.K_q)
            if leave or event.type == pygame.QUIT:
                self.close()
                raise WindowClosed("the window was closed")
            if self.on_event is not None:
                self.on_event(event)

    def close(self) -> None:
        """Close the window; again is nothing."""
        if self._screen is not None:
            pygame.display.quit()
            self._screen = None
        self.closed = True


def _open(size: tuple[int, int], title: str) -> pygame.Surface:
    """A window of that size."""
    how = (
        "To record instead: motley watch RUN --record FILE.mp4, or in Python "
        "render_mode='rgb_array' and env.render()"
    )
    try:
        pygame.display.init()
        # Without a screen SDL falls back on a driver that draws to nowhere, and says nothing.
        if pygame.display.get_driver() == "offscreen" and "SDL_VIDEODRIVER" not in os.environ:
            pygame.display.quit()
            raise NoDisplayError(f"there is no display to open a window on. {how}")
        pygame.display.set_caption(title)
        return pygame.display.set_mode(size, pygame.RESIZABLE)
    except pygame.error as error:
        raise NoDisplayError(f"no window could be opened ({error}). {how}") from error
