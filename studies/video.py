"""An agent at work: frames and videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import imageio.v2 as imageio
import numpy as np
import numpy.typing as npt

from motley.agents import Agent
from motley.agents.readable import Readable
from motley.envs.files import check_place
from motley.studies.config import ConfigError, RunConfig, plain
from motley.studies.folder import FolderError, read_json, write_json
from motley.studies.model import open_run
from motley.studies.seeds import SEED

FORMATS = (".mp4", ".gif")
SPEED = 2
"""Videos play at this many times life speed."""
HOLD = 5
"""Frames that the last picture of an episode stays."""
SIZE = 448
"""Height and width of our tasks' pictures, pixels."""

Frame = npt.NDArray[np.uint8]


class End(NamedTuple):
    """How an episode went; NaN or None where the environment does not say."""

    seed: int
    steps: int
    returns: float
    score: float
    score01: float
    success: bool | None


def make_env(
    config: RunConfig,
    render_mode: str,
    level: int | None = None,
    ood: bool = False,
    variant: Sequence[str] = (),
) -> gym.Env[Any, Any]:
    """One environment of the run's task, to look at.

    ``level``, ``ood`` and ``variant`` are as in :meth:`RunConfig.at`.

    Raises:
        ConfigError: the task has no such level or variant.
    """
    config = config.at(level, ood, variant)
    if config.ours is None:
        return Readable(gym.make(config.task, render_mode=render_mode))
    name = f"motley/{plain(config.task)}-v0"
    settings: dict[str, Any] = {"level": config.level, "ood": config.ood, **config.variant}
    return gym.make(name, render_mode=render_mode, render_size=SIZE, **settings)


def episodes(
    agent: Agent,
    env: gym.Env[Any, Any],
    seed: int,
    deterministic: bool = True,
    on_step: Callable[[], None] = lambda: None,
) -> Iterator[End]:
    """Play episode after episode, with seeds ``seed``, ``seed + 1``, ...

    Args:
        agent: acts.
        env: where.
        seed: of the first episode.
        deterministic: the mean action instead of a sample.
        on_step: called after each reset and each step, to take a picture.
    """
    while True:
        observation, _ = env.reset(seed=seed)
        on_step()
        state, done, returns, steps = None, False, 0.0, 0
        info: dict[str, Any] = {}
        while not done:
            action, state = agent.predict(observation, state, deterministic=deterministic)
            observation, reward, terminated, truncated, info = env.step(action)
            done = terminated or truncated
            returns, steps = returns + float(reward), steps + 1
            on_step()
        nan = float("nan")
        score, score01 = info.get("score", nan), info.get("score01", nan)
        yield End(seed, steps, returns, score, score01, info.get("is_success"))
        seed += 1


def record(
    agent: Agent,
    env: gym.Env[Any, Any],
    path: Path,
    count: int = 4,
    seed: int = SEED,
    deterministic: bool = True,
) -> list[End]:
    """Film ``count`` episodes into an mp4 (H.264, which browsers play) or a gif.

    Raises:
        ConfigError: another ending than .mp4 and .gif.
        FileNotFoundError: the file's folder is missing.
    """
    if path.suffix not in FORMATS:
        raise ConfigError(f"--record {path}: the ending must be {' or '.join(FORMATS)}")
    check_place(path)
    frames: list[Frame] = []

    def on_step() -> None:
        frames.append(np.asarray(env.render(), np.uint8))

    ends: list[End] = []
    for end in episodes(agent, env, seed, deterministic, on_step):
        ends.append(end)
        frames += [frames[-1]] * HOLD
        if len(ends) == count:
            break
    write(frames, path, env.metadata.get("render_fps", 4) * SPEED)
    return ends


def write(frames: Sequence[Frame], path: Path, fps: float) -> None:
    """Write frames (H, W, 3) to a file, which appears whole or not at all."""
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    if path.suffix == ".gif":
        imageio.mimwrite(temporary, list[Any](frames), duration=1000 / fps, loop=0)
    else:
        # yuv420p wants even sides, and is what every browser decodes.
        height, width = (side // 2 * 2 for side in frames[0].shape[:2])
        even: list[Any] = [frame[:height, :width] for frame in frames]
        options = ["-crf", "22", "-preset", "slow", "-movflags", "+faststart"]
        imageio.mimwrite(
            temporary,
            even,
            fps=fps,
            codec="libx264",
            quality=None,
            pixelformat="yuv420p",
            macro_block_size=1,
            output_params=options,
        )
    temporary.replace(path)


def film(folder: Path, count: int = 4) -> Path:
    """The video of a run folder, filmed now where there is none newer than its model.

    ``video.json`` beside it tells how its episodes went.

    Raises:
        FolderError: there is no model or it is another run's, or the task has changed since.
    """
    path, model = folder / "video.mp4", folder / "model.zip"
    if path.exists() and model.exists() and path.stat().st_mtime >= model.stat().st_mtime:
        return path
    config, agent = open_run(folder)
    if read_json(folder / "versions.json")["task_hash"] != config.task_hash:
        raise FolderError(f"{config.task} has changed since {folder}: no video of what it learnt")
    env = make_env(config, "rgb_array")
    try:
        ends = record(agent, env, path, count)
    finally:
        env.close()
    write_json(folder / "video.json", {"episodes": [end._asdict() for end in ends]})
    return path
