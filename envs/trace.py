"""Recorded traces: what happened, what was sensed, what was so and what was active, on one clock.

A trace is a set of arrays whose first axis is time: one row a *moment*, episode after episode.
At a moment the world stands, is sensed, and (but at an episode's end) an action is chosen; the
reward is what the step that led to the moment earned. An episode of T steps has T + 1 moments.
In a file it is an npz that plain NumPy reads, with a README inside.
"""

from __future__ import annotations

import difflib
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motley.envs import calibration
from motley.envs.arm import Arm
from motley.envs.files import check_place
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats
from motley.envs.task import Task
from motley.envs.tasks import TASKS
from motley.envs.world import World

FORMAT_VERSION = 1
Array = npt.NDArray[Any]
Act = Callable[[World, Observation, Bools], tuple[Floats, Mapping[str, Array]]]
"""(world, observation, episode_start) -> actions (N, A) and what else is to be recorded, each
(N, ...): an agent gives the activity of its areas under ``area/<name>``."""

CLOCK = {
    "episode": ("count", "which episode, from 0"),
    "step": ("count", "steps since its start"),
    "seconds": ("s", "time since its start"),
    "action": ("[-1, 1]", "chosen at this moment; NaN at an episode's end, where none is"),
    "reward": ("reward", "earned by the step that led here; 0 at an episode's start"),
    "terminated": ("bool", "the episode ends here by the task's rules"),
    "truncated": ("bool", "the episode ends here because its time is up"),
}
WORLD = {
    "position": ("m", "the body's centre, x and y"),
    "heading": ("rad", "where it faces, counter-clockwise from +x"),
    "displacement": ("m", "how far it went in the step that led here"),
    "turn": ("rad", "how far it turned in that step, counter-clockwise"),
    "light": ("1", "0 is dark"),
    "free": ("bool", "the body may act"),
    "shape_position": ("m", "centre of each shape, x and y"),
    "shape_radius": ("m", "of each shape; 0 where there is none"),
    "shape_color": ("[0, 1]", "red, green, blue of each shape"),
    "shape_visible": ("bool", "the shape can be seen"),
    "shape_touchable": ("bool", "contact with it is felt"),
    "shape_solid": ("bool", "it holds the body"),
    "contact": ("bool", "the body met the shape in the step that led here"),
    "wall": ("m", "x1, y1, x2, y2 of each wall; of no length where there is none"),
    "wall_color": ("[0, 1]", "red, green, blue of each wall"),
}
"""What is recorded of every world, under the names that `World` has for it."""
ENDS = {
    "end/seed": ("count", "seed of the episode"),
    "end/steps": ("count", "its length"),
    "end/return": ("reward", "sum of its rewards"),
    "end/score": ("raw", "the task's score of it"),
    "end/score01": ("1", "0 is random, 1 is the oracle; NaN without a calibration"),
    "end/success": ("bool", "whether it succeeded"),
}
"""One row an episode, where the others have one a moment."""


class Trace(Mapping[str, Array]):
    """Arrays by name, (moments, ...); those under ``end/`` are (episodes,).

    Args:
        arrays: by name.
        units: (unit, meaning) by name.
        about: what was recorded: task, level, policy ...; JSON values.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        units: Mapping[str, tuple[str, str]],
        about: Mapping[str, Any],
    ) -> None:
        self.arrays, self.units, self.about = dict(arrays), dict(units), dict(about)

    def __getitem__(self, name: str) -> Array:
        """The array of that name.

        Raises:
            KeyError: there is none; the nearest names are in the message.
        """
        if name not in self.arrays:
            near = difflib.get_close_matches(name, self.arrays, n=5) or self.arrays
            raise KeyError(f"the trace has no array {name!r}; near: {', '.join(near)}")
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    @property
    def task(self) -> str:
        """Name of the task."""
        return str(self.about["task"])

    @property
    def bounds(self) -> npt.NDArray[np.int64]:
        """(episodes + 1,) row at which each episode begins; the last is the number of rows."""
        starts = np.flatnonzero(self["step"] == 0)
        return np.append(starts, len(self["step"]))

    @property
    def areas(self) -> list[str]:
        """Names of the areas whose activity was recorded."""
        return [name.removeprefix("area/") for name in self if name.startswith("area/")]

    def save(self, path: str | Path) -> Path:
        """Write an npz, whole or not at all; returns its path, see `npz`."""
        path = npz(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.npz")
        contents: dict[str, Any] = {
            "README": np.array(self.readme()),
            "about": np.array(json.dumps({"format_version": FORMAT_VERSION, **self.about})),
            "units": np.array(json.dumps(self.units)),
            **self.arrays,
        }
        try:
            np.savez_compressed(temporary, **contents)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return path

    def readme(self) -> str:
        """What the arrays are, in words."""
        rows = [
            f"{name}  {array.dtype}{list(array.shape)}  [{unit}]  {meaning}"
            for name, array in self.items()
            for unit, meaning in [self.units.get(name, ("task's own", "see about"))]
        ]
        about = "\n".join(f"  {name}: {value}" for name, value in self.about.items())
        step = self.about["control_step"]
        arrays = "\n".join(f"  {row}" for row in rows)
        return README.format(about=about, arrays=arrays, control_step=step)


def npz(path: str | Path) -> Path:
    """The file that a trace given this name goes to, with ``.npz`` added.

    Raises:
        ValueError: there is no name, or one with another format's ending.
        OSError: nothing can be written there, see `check_place`.
    """
    path = Path(path)
    if not path.name:
        raise ValueError(f"{path}: give a file's name, such as trace.npz")
    if path.suffix != ".npz":
        if path.suffix[1:].isalpha():  # else it is a number's, or a version's
            raise ValueError(f"{path}: a trace is an npz; let its name end in .npz")
        path = path.with_name(f"{path.name}.npz")
    check_place(path)
    return path


README = """A trace recorded by Motley.

One row is a moment, episode after episode, in the order of time; a step takes {control_step} s.
At a moment the world stands as `position` and `hidden/...` say, is sensed as `sense/...`, the areas
are active as `area/...`, and `action` is chosen (NaN at an episode's last moment, where none is).
`reward` is what the step that led to the moment earned (0 at the first). An episode of T steps has
T + 1 rows. Arrays under `end/` have one row an episode.

    import json, numpy as np
    trace = np.load("trace.npz")
    json.loads(str(trace["units"]))             # name -> [unit, meaning]
    json.loads(str(trace["about"]))             # task, level, policy
    first = trace["episode"] == 0
    trace["position"][first]                    # (moments, 2), metres

Arrays: name, type and shape, [unit], meaning
{arrays}

About
{about}
"""


def load(path: str | Path) -> Trace:
    """Read a trace that `Trace.save` wrote; nothing in the file is run as code.

    Raises:
        ValueError: the file is no trace, or of another format.
    """
    with np.load(path, allow_pickle=False) as file:
        if "about" not in file or "units" not in file:
            raise ValueError(f"{path} is no recorded trace: make one with `motley record`")
        arrays = {name: file[name] for name in file}
    about, units = (json.loads(str(arrays.pop(name))) for name in ("about", "units"))
    arrays.pop("README")
    version = about.pop("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(f"{path} has format {version}, this version reads {FORMAT_VERSION}")
    return Trace(arrays, {name: tuple(pair) for name, pair in units.items()}, about)


def record(
    task: Task,
    act: Act,
    episodes: int,
    seed: int,
    about: Mapping[str, Any] | None = None,
    keep: Callable[[str], bool] = lambda name: True,
) -> Trace:
    """Record one episode of each seed ``seed``, ``seed + 1``, ...

    Args:
        task: the rules.
        act: who acts; `policy` makes one of a reference policy.
        episodes: how many.
        seed: of the first.
        about: what is to be said of who acted; JSON values.
        keep: whether the trace is to have the array of that name; clock and ends always.

    Raises:
        ValueError: no episodes.
    """
    if episodes < 1:
        raise ValueError(f"a trace has at least one episode, not {episodes}")
    world = World(task, episodes)
    world.seed(seed + np.arange(episodes))
    world.reset()
    alive, starts = world.rows, np.ones(episodes, np.bool_)
    over = terminated = truncated = ~starts
    reward = np.zeros(episodes)
    entry = calibration.lookup(task)
    low, high = (np.nan, np.nan) if entry is None else (entry.random, entry.oracle)
    ends: dict[str, Array] = {name: np.zeros(episodes) for name in ENDS}
    ends["end/seed"] = seed + world.rows
    moments: list[dict[str, Array]] = []
    while alive.size:
        observation = world.observe()
        action, extra = act(world, observation, starts)
        now = {
            "episode": world.rows,
            "step": world.elapsed,
            "seconds": world.elapsed * task.body.control_step,
            "action": np.where(over[:, None], np.float32(np.nan), action),
            "reward": reward.astype(np.float64),
            "terminated": terminated,
            "truncated": truncated & ~terminated,
            **truths(world),
            **{f"sense/{name}": x for name, x in observation.items()},
            **extra,
        }
        kept = {name: x for name, x in now.items() if name in CLOCK or keep(name)}
        moments.append({name: x[alive] for name, x in kept.items()})  # indexing copies
        ends["end/return"][alive] += reward[alive]
        ended = alive[over[alive]]
        ends["end/steps"][ended] = world.elapsed[ended]
        ends["end/score"][ended] = task.score(world)[ended]
        ends["end/success"][ended] = task.success(world)[ended]
        alive = alive[~over[alive]]
        reward, terminated, truncated = world.step(np.ascontiguousarray(action, np.float32))
        over, starts = terminated | truncated, np.zeros(episodes, np.bool_)
    ends["end/score01"] = (ends["end/score"] - low) / (high - low)
    ends["end/steps"] = ends["end/steps"].astype(np.int64)
    ends["end/success"] = ends["end/success"].astype(np.bool_)
    order = np.argsort(np.concatenate([m["episode"] for m in moments]), kind="stable")
    arrays = {name: np.concatenate([m[name] for m in moments])[order] for name in moments[0]}
    return Trace(arrays | ends, units(task, arrays), describe(task, seed) | dict(about or {}))


def truths(world: World) -> dict[str, Array]:
    """What is so in every world, sensed or not, under the names it is recorded by: (N, ...), views.

    The task's own state is ``hidden/<name>``.
    """
    return {name: truth(world, name) for name in truth_names(world)}


def truth_names(world: World) -> tuple[str, ...]:
    """The names of `truths`."""
    seen = (name for name in WORLD if hasattr(world, name))
    return (*seen, *(f"hidden/{name}" for name in world.fields))


def truth(world: World, name: str) -> Array:
    """What is so in every world by one of `truth_names`, (N, ...), a view.

    Raises:
        ValueError: there is none of that name; the nearest are in the message.
    """
    kind, _, field = name.rpartition("/")
    if kind == "hidden" and field in world.fields:
        return world.fields[field]
    if name in WORLD and hasattr(world, name):
        found: Array = getattr(world, name)
        return found
    known = truth_names(world)
    near = difflib.get_close_matches(name, known, n=5) or known
    raise ValueError(f"{world.task.name} has no truth {name!r}; near: {', '.join(near)}")


def join(parts: Sequence[Trace]) -> Trace:
    """One trace of parts of a recording, each of the seeds that follow those of the one before."""
    before = np.cumsum([0, *(len(part["end/seed"]) for part in parts[:-1])])
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    arrays["episode"] += np.repeat(before, [len(part["episode"]) for part in parts])
    return Trace(arrays, parts[0].units, parts[0].about)


def units(task: Task, arrays: Mapping[str, Array]) -> dict[str, tuple[str, str]]:
    """(unit, meaning) of everything that `record` records of a task.

    Of the task's own state both are what the docstring of its fields says, see `field_notes`.
    """
    found = {**CLOCK, **WORLD, **ENDS}
    for sense in task.senses:
        found[f"sense/{sense.name}"] = (sense.unit, sense.description)
    notes = field_entries(field_notes(task))
    for name, (_, kind) in task.fields().items():
        found[f"hidden/{name}"] = of_field(np.dtype(kind), notes.get(name, ""))
    for name in arrays:
        if name.startswith("area/"):
            found[name] = ("activity", "output of the area, held at a constant if it is lesioned")
    return {name: pair for name, pair in found.items() if name in arrays or name in ENDS}


def describe(task: Task, seed: int) -> dict[str, Any]:
    """What every trace says about its task."""
    return {
        "task": task.name,
        "level": task.level,
        "ood": task.ood,
        "variant": task.variant,
        "task_hash": calibration.task_hash(type(task)),
        "seed": seed,
        "control_step": task.body.control_step,
        "fields": field_notes(task),
    }


def field_notes(task: Task) -> str:
    """What is said of a task's fields: by itself, by its body, and by tasks that it names."""
    said = [own := inspect.getdoc(task.fields) or ""]
    if isinstance(task.body, Arm):
        said.append(f"Arm: {inspect.getdoc(task.body.fields)}")
    for name, other in TASKS.items():
        if re.search(rf"\b{name}\b", own):
            said.append(f"{name}: {inspect.getdoc(other.fields)}")
    return "\n\n".join(said)


def field_entries(notes: str) -> dict[str, str]:
    """What is said of each field, from notes such as ``foot: of the pendulum (m). goes, comes:``.

    An entry begins a paragraph or a sentence with one or more names and a colon.
    """
    found: dict[str, str] = {}
    for paragraph in notes.split("\n\n"):
        for entry in re.split(r"(?<=\.)\s+(?=(?:\w+, )*\w+: )", " ".join(paragraph.split())):
            names, colon, text = entry.partition(": ")
            for name in names.split(", ") if colon else ():
                found.setdefault(name, text.removesuffix("."))
    return found


def of_field(kind: np.dtype[Any], note: str) -> tuple[str, str]:
    """Unit and meaning of a field from its type and what is said of it.

    The unit stands in brackets at the end, as in ``heading (rad)``; where none is said it is a pure
    number, such as a count or an index.
    """
    if not note:
        return "task's own", "state of the task, of which its `fields` say nothing"
    if kind.kind == "b":
        return "bool", note
    stated = re.fullmatch(r"(.+) \(([^()]+)\)", note)
    return (stated[2], stated[1]) if stated else ("1", note)


def policy(task: Task, name: str, seed: int = 0) -> Act:
    """A reference policy as one that acts: oracle, observer, random or a heuristic's name.

    Raises:
        ValueError: the task has no such policy; those it has are named.
    """
    if name == "oracle":
        return lambda world, observation, starts: (task.oracle(world), {})
    makers: dict[str, Callable[[], Any]] = {"random": lambda: calibration.Random(seed)}
    makers |= {"observer": task.observer} if task.observer() is not None else {}
    makers |= task.heuristics()
    if name not in makers:
        known = ["oracle", *makers]
        near = difflib.get_close_matches(name, known) or known
        raise ValueError(f"{task.name} has no policy {name!r}; near: {', '.join(near)}")
    actor = makers[name]()

    def act(world: World, observation: Observation, starts: Bools) -> tuple[Floats, dict[str, Any]]:
        if starts.all():
            actor.reset(world.n)
        return actor.act(observation, starts), {}

    return act
