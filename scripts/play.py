"""`motley play`: a task by hand."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pygame

from motley.envs import TASKS, Task, World, calibration
from motley.envs.canvas import DAY, NIGHT, fit, write
from motley.envs.perceived import perceived
from motley.envs.render import Window, WindowClosed, render
from motley.scripts.flags import Play
from motley.scripts.screen import has_display
from motley.studies.config import ConfigError, import_plugins, nearest, plain, task_as_set

UP, DOWN = (pygame.K_UP, pygame.K_w), (pygame.K_DOWN, pygame.K_s)
LEFT, RIGHT = (pygame.K_LEFT, pygame.K_a), (pygame.K_RIGHT, pygame.K_d)
STEERING = (*UP, *DOWN, *LEFT, *RIGHT)
SHIFT = (pygame.K_LSHIFT, pygame.K_RSHIFT)
GENTLE = 1 / 3
"""What Shift makes of a command."""
KEYS = {
    ("forward", "turn"): "Up or W: walk   Left, Right or A, D: turn",
    ("shoulder", "elbow"): "Left, Right or A, D: shoulder   Up, Down or W, S: elbow",
}
"""Help for a body, by the names of its actions."""
WAITING = 1000.0
"""Speed of a window that does not set the pace."""
REPEAT = (400, 150)
"""Milliseconds until a held key repeats, and between repeats, where the world waits for keys."""


def main(args: Play) -> None:
    """Play until the window is closed; prints a line for each episode that ended.

    Raises:
        ConfigError: no such task, no display, or a number that cannot be.
    """
    import_plugins(args.imports)
    name = plain(args.task)
    if name not in TASKS:
        raise ConfigError(nearest("task", args.task, TASKS))
    for flag, value, least in (("seed", args.seed, 0), ("size", args.size, 256)):
        if value < least:
            raise ConfigError(f"--{flag} must be at least {least}, not {value}")
    if not args.speed > 0:
        raise ConfigError(f"--speed must be above 0, not {args.speed}")
    task = task_as_set(name, args.level, args.ood, args.variant)
    if not has_display():
        raise ConfigError(
            "there is no display to open a window on: `motley play` needs a screen. To see the "
            f"task without one: WorldEnv({name!r}, render_mode='rgb_array').render()"
        )
    game = Game(args, task)
    try:
        game.play()
    except WindowClosed:
        if game.step and not game.result:
            print(f"episode {game.seed}: left at step {game.step}")
    finally:
        game.window.close()


class Keyboard:
    """Which keys are down, and for what part of the time since they were last read."""

    def __init__(self) -> None:
        self._down: dict[int, float] = {}
        self._held: dict[int, float] = {}
        self._read = 0.0

    def feed(self, key: int, down: bool, now: float) -> None:
        """A key went down or up at a time, seconds."""
        if down:
            self._down.setdefault(key, now)
        elif key in self._down:
            self._held[key] = self._held.get(key, 0.0) + now - max(self._down.pop(key), self._read)

    def read(self, now: float) -> dict[int, float]:
        """Part of the time since the last reading that each key was down, 0 to 1."""
        span = max(now - self._read, 1e-9)
        for key in list(self._down):
            self.feed(key, False, now)
            self._down[key] = now
        shares = {key: min(held / span, 1.0) for key, held in self._held.items()}
        self._held.clear()
        self._read = now
        return shares

    def down(self) -> dict[int, float]:
        """1 for each key that is down now."""
        return dict.fromkeys(self._down, 1.0)


def command(controls: tuple[str, str], keys: dict[int, float]) -> npt.NDArray[np.float32]:
    """The action (1, 2) of keys, each pressed for a part (0 to 1) of the step.

    Args:
        controls: names of the body's two actions.
        keys: part by key.
    """

    def part(which: tuple[int, ...]) -> float:
        return min(sum(keys.get(key, 0.0) for key in which), 1.0)

    across, along = part(LEFT) - part(RIGHT), part(UP) - part(DOWN)
    action = [along, across] if controls[0] == "forward" else [across, along]
    scale = GENTLE if any(key in keys for key in SHIFT) else 1.0
    return np.array([action], np.float32) * np.float32(scale)


class Game:
    """A person at a task: the window, the keys, and one world.

    Args:
        args: as the command line gave them.
        task: what to play.
    """

    def __init__(self, args: Play, task: Task) -> None:
        self.args, self.task = args, task
        self.seed, self.blind = args.seed, args.blind
        self.world = World(task, 1)
        speed = WAITING if args.turn_by_turn else args.speed
        self.window = Window(f"motley/{task.name}-v0", speed, self._on_event)
        self.keyboard = Keyboard()
        self.result = ""
        self._pressed: list[int] = []

    @property
    def step(self) -> int:
        """Steps done in this episode."""
        return int(self.world.elapsed[0])

    def play(self) -> None:
        """Episode after episode, until the window is closed (`WindowClosed`)."""
        while True:
            self.world.seed([self.seed])
            self.world.reset()
            self.result = ""
            if self._episode() == pygame.K_n:
                self.seed += 1

    def _episode(self) -> int:
        """Play one; returns the key that ended it, R for the same again or N for the next."""
        paused = not self.args.turn_by_turn
        while True:
            self.window.show(self.picture(paused))
            self.window.wait()
            if paused or self.args.turn_by_turn or self.result:
                pygame.key.set_repeat(*(REPEAT if self.args.turn_by_turn else ()))
                self.window.listen(lambda: bool(self._pressed))
            now, controls = time.perf_counter(), self.task.body.controls
            # Where the world waits, each key is a step of its own, however fast they come.
            count = 1 if self.args.turn_by_turn else len(self._pressed)
            pressed, self._pressed = self._pressed[:count], self._pressed[count:]
            shares = self.keyboard.read(now)
            steering = any(key in STEERING for key in pressed)
            space = pygame.K_SPACE in pressed
            for key in (pygame.K_r, pygame.K_n):
                if key in pressed:
                    return key
            if self.result:
                continue
            if self.args.turn_by_turn:
                if steering or space:
                    taps = dict.fromkeys(pressed, 1.0)
                    self._act(command(controls, self.keyboard.down() | taps))
            elif paused:
                paused = not (steering or space)
            elif space:
                paused = True
            else:
                self._act(command(controls, shares))

    def _act(self, action: npt.NDArray[np.float32]) -> None:
        """One step; at the episode's end, what it scored, beside the oracle on the same seed."""
        _, terminated, truncated = self.world.step(action)
        if not (terminated[0] or truncated[0]):
            return
        score = float(self.task.score(self.world)[0])
        oracle = float(calibration.rollout(self.task, self.task.oracle, 1, self.seed)[0])
        self.result = f"score {score:z.2f}   oracle {oracle:z.2f}"
        entry = calibration.lookup(self.task)
        if entry is not None:
            self.result += f"   random {entry.random:.2f} on average"
        print(f"episode {self.seed}: {self.step} steps   {self.result}", flush=True)

    def _on_event(self, event: pygame.event.Event) -> None:
        if event.type not in (pygame.KEYDOWN, pygame.KEYUP):
            return
        down = event.type == pygame.KEYDOWN
        self.keyboard.feed(event.key, down, time.perf_counter())
        if down:
            self.blind ^= event.key == pygame.K_b
            self._pressed.append(event.key)

    def picture(self, paused: bool) -> npt.NDArray[np.uint8]:
        """The world, or what is perceived of it, with two lines of help below."""
        size, line = self.args.size, round(15 * (self.args.size / 256) ** 0.45)
        if self.blind:
            sensed = {name: array[0] for name, array in self.world.observe().items()}
            frame = perceived(self.task, sensed, self.step, size)
        else:
            frame = render(self.task, self.world, 0, size)
        screen = pygame.Surface((size, size + 3 * line), 0, 32)
        screen.fill(NIGHT.panel)
        screen.blit(pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (0, 0))
        leave = "R: again   N: next   Esc: leave"
        view = "B: everything" if self.blind else "B: only what is perceived"
        space = "Space: wait a step" if self.args.turn_by_turn else "Space: pause"
        if self.result:
            rows = [self.result, leave]
        else:
            rows = [
                f"{KEYS[self.task.body.controls]}   Shift: gently",
                f"{space}   {view}   {leave}",
            ]
        for k, text in enumerate(rows):
            at = (size / 2, size + (0.95 + 1.15 * k) * line)
            write(screen, fit(text, size - line, line), at, line, NIGHT.faint if k else NIGHT.ink)
        if paused and not self.result:
            text = "a key begins" if self.step == 0 else "paused: a key goes on"
            write(screen, text, (size / 2, 0.3 * size), 2 * line, DAY.ink, halo=DAY.panel)
        return np.ascontiguousarray(pygame.surfarray.array3d(screen).swapaxes(0, 1))
