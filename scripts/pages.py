"""The pages of docs/tasks: each task's docstring as Markdown, with pictures of its oracle.

python -m motley.scripts.pages           # or `make docs`: text and pictures of all tasks
python -m motley.scripts.pages DarkHome  # of one
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import tyro
from PIL import Image

from motley.envs import TASKS, Task, World, calibration
from motley.envs.calibration import Entry
from motley.envs.render import render
from motley.studies.config import ConfigError, nearest
from motley.studies.video import HOLD, SPEED

Frame = npt.NDArray[np.uint8]

MOMENTS = (0.1, 0.5, 1.0)
"""Parts of the oracle's episode that the still picture shows."""
CANDIDATES = 100
"""Episodes of the oracle, of which one is shown."""
STILL_SIZE = 384
"""Height and width of a still frame, pixels."""
FILMS = ((320, 150), (256, 150), (256, 75), (192, 75), (192, 60))
"""Height and width, and most frames, of a film; the first that is small enough is taken."""
MOST_BYTES = 400_000
"""Of a film."""
RULE = re.compile(r"\s*=+(\s+=+)+\s*")


@dataclass(frozen=True)
class Pages:
    """Write docs/tasks: a page a task, from its docstring, and the index."""

    tasks: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Tasks to draw; none is all. The text is written for all of them in any case."""
    out: Path = Path("docs/tasks")
    """The folder."""
    pictures: bool = True
    """Draw the pictures and films, too."""


def main(args: Pages) -> None:
    """Write the pages.

    Raises:
        ConfigError: there is no such task.
    """
    for name in args.tasks:
        if name not in TASKS:
            raise ConfigError(nearest("task", name, TASKS))
    args.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (args.out / name).write_text(text)
    for name in (args.tasks or TASKS) if args.pictures else ():
        task, path = TASKS[name], args.out / stem(TASKS[name])
        moments = still(episode(task(), STILL_SIZE, seed := typical(task())))
        moments.save(path.with_suffix(".png"), optimize=True)
        size = film(task(), seed, moments, path.with_suffix(".gif"))
        print(f"{name}: a film of {size / 1000:.0f} kB", flush=True)


def texts() -> dict[str, str]:
    """Every page's text by its file's name."""
    pages = {f"{stem(task)}.md": page(task) for task in TASKS.values()}
    return pages | {"README.md": index()}


def stem(task: type[Task]) -> str:
    """The name of its file without the ending, which its page and pictures share."""
    return Path(inspect.getfile(task)).stem


def about(task: type[Task]) -> str:
    """The first paragraph of the docstring, on one line."""
    return " ".join((inspect.getdoc(task) or "").split("\n\n")[0].split())


def index() -> str:
    """The index: a row a task."""
    rows = [
        f"| [{name}]({stem(task)}.md) | {task.problem} | {about(task)} | "
        f'<a href="{stem(task)}.md"><img src="{stem(task)}.png" width="420"></a> |'
        for name, task in TASKS.items()
    ]
    return (
        "# The tasks\n\n"
        "Each isolates one problem that behaviour poses. All share one interface of body and "
        "senses (two\nactions, the same observation; DelayReach's body is an arm), so that one "
        "agent can be trained on any\nof them. Try one by hand: `motley play DarkHome`.\n\n"
        "In a picture, bright ground is in sight, and what stands there is drawn full; what is "
        "there and\nout of sight is an outline; what no sense ever shows is a dashed ring. Lines "
        "from the body are its\nrays, in the colour of what they meet. A red ring is where the "
        "oracle goes.\n\n"
        "| task | problem | what it asks | begin, middle and end of an episode of the oracle |\n"
        "|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        "Made by `make docs` from the tasks' docstrings and stored calibrations.\n"
    )


def page(task: type[Task]) -> str:
    """A task's page in Markdown."""
    doc = inspect.getdoc(task) or ""
    head, *sections = re.split(r"^([A-Z][A-Za-z ]+):$", doc, flags=re.MULTILINE)
    file = stem(task)
    parts = [
        f"# {task.__name__}\n\n{prose(head)}\n",
        f"![Three moments of an episode of the oracle]({file}.png)\n",
        f'```python\nenv = gymnasium.make("motley/{task.__name__}-v0", '
        f"level={task.default_level})  # after import motley.envs\n```\n"
        f"`motley play {task.__name__}` to try it by hand, `motley audit {task.__name__}` to "
        f"measure it; its code is [envs/tasks/{file}.py](../../envs/tasks/{file}.py).\n",
    ]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        parts.append(f"## {title}\n\n{prose(body)}\n")
        if title == "Picture":
            parts.append(f"![An episode of the oracle]({file}.gif)\n")
    entries = calibration.read(task)
    if entries:
        parts.append(f"## Reference scores\n\n{references(task, entries)}\n")
    parts.append("[All tasks](README.md)\n")
    return "\n".join(parts)


def references(task: type[Task], entries: Sequence[Entry]) -> str:
    """The stored means of the reference policies, a row a setting."""
    rows = []
    for entry in entries:
        setting = f"{entry.level}{' ood' if entry.ood else ''}"
        setting += "".join(f", {key}={value}" for key, value in entry.variant.items() if value)
        chance = task(level=entry.level, ood=entry.ood, **entry.variant).chance
        best = max(entry.heuristics, key=entry.heuristics.__getitem__, default=None)
        shortcut = "" if best is None else f"{entry.heuristics[best]:.2f} ({best})"
        observer = "" if entry.observer is None else f"{entry.observer:.2f}"
        rows.append(
            f"| {setting} | {chance:.2f} | {entry.random:.2f} | {shortcut} | {observer} | "
            f"{entry.oracle:.2f} |"
        )
    return (
        f"Mean raw scores of {entries[0].episodes:,} episodes each; score01 is 0 at random's and 1 "
        "at the oracle's. All shortcuts: `motley audit`.\n\n"
        "| level | chance | random | best shortcut | observer | oracle |\n"
        "|---|---|---|---|---|---|\n" + "\n".join(rows)
    )


def prose(text: str) -> str:
    """A section of a docstring as Markdown: tables turned, paragraphs without their indent."""
    out: list[str] = []
    lines = inspect.cleandoc(text).splitlines()
    while lines:
        if RULE.fullmatch(lines[0]):
            rules = [k for k, line in enumerate(lines) if RULE.fullmatch(line)]
            out.append(table(lines[: rules[2] + 1]))
            lines = lines[rules[2] + 1 :]
        else:
            out.append(lines.pop(0))
    return "\n".join(out).replace("``", "`").strip()


def table(lines: Sequence[str]) -> str:
    """A simple table of reStructuredText as one of Markdown.

    A line whose first cell is blank goes on with the row above; the last column has no end.
    """
    starts = [match.start() for match in re.finditer(r"=+", lines[0])]
    cuts = [*pairwise(starts), (starts[-1], None)]
    rows: list[list[str]] = []
    for line in lines[1:-1]:
        if RULE.fullmatch(line):
            continue
        cells = [line[a:b].strip() for a, b in cuts]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
    head, *body = (
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )
    return "\n".join([head, "|---" * len(starts) + "|", *body])


def typical(task: Task) -> int:
    """The first seed of which the oracle scores no less than it does on average."""
    scores = calibration.rollout(task, task.oracle, CANDIDATES, seed=0)
    return int(np.argmax(scores >= scores.mean()))


def episode(task: Task, size: int, seed: int) -> list[Frame]:
    """Frames of an episode of the oracle, from the reset to the last step."""
    world = World(task, 1)
    world.seed([seed])
    world.reset()
    frames = [render(task, world, 0, size)]
    done = False
    while not done:
        _, terminated, truncated = world.step(np.ascontiguousarray(task.oracle(world), np.float32))
        done = bool(terminated[0] or truncated[0])
        frames.append(render(task, world, 0, size))
    return frames


def still(frames: Sequence[Frame]) -> Image.Image:
    """Three moments side by side."""
    gap = np.full((STILL_SIZE, STILL_SIZE // 48, 3), 255, np.uint8)
    shown = [frames[round(moment * (len(frames) - 1))] for moment in MOMENTS]
    strip = np.concatenate([shown[0], gap, shown[1], gap, shown[2]], axis=1)
    return Image.fromarray(strip).quantize(256, dither=Image.Dither.NONE)


def film(task: Task, seed: int, palette: Image.Image, path: Path) -> int:
    """Write the oracle's episode as a GIF of at most `MOST_BYTES`; returns how many it has.

    It has the colours of ``palette``, in all frames the same, so that what stands still costs
    nothing.
    """
    for size, most in FILMS:
        frames = episode(task, size, seed)
        # Counted from the end, which shows how it ended.
        frames = frames[:: len(frames) // -most][::-1]
        images = [
            Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
            for frame in frames
        ]
        pause = 250 // SPEED
        durations = [pause] * (len(images) - 1) + [pause * HOLD]
        images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)
        if path.stat().st_size <= MOST_BYTES:
            break
    return path.stat().st_size


if __name__ == "__main__":
    main(tyro.cli(Pages, description=inspect.getdoc(Pages)))
