"""The capacity probe: whether the uniform core can hold the answer, if it is told.

A uniform agent that fails to learn a task may not have found the solution, or may not be able to
represent it. Here encoder and core of the agent are taught the variable that the task hides
(`motley.envs.hidden`) by supervision, through whole episodes, so that the error reaches the moment
at which it was shown. A read-out takes the place of actor and critic, with one layer of 64
as they have. A core that is right where it was not before told, and a core without memory that
is not, rule the second out.

Another policy moves the body, such that its behaviour says nothing of the answer. What made the
association of CacheRecall learnable (told in queries only, its core stayed at chance for 250,000
episodes): to be told at every step from the first item on, of the site that is lit as well; to
begin with two sites; and a layer in the read-out, without which the core got no further than 0.7.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from motley.agents import Agent
from motley.agents.areas import Perceptron
from motley.agents.layers import Linear, seed_of, seeded
from motley.agents.wiring import needed_by
from motley.envs import Task, trace
from motley.envs.hidden import Hidden, what_is_hidden
from motley.envs.probe import chance, grade, is_class
from motley.envs.sb3 import WorldVecEnv
from motley.envs.trace import Trace
from motley.studies.evaluate import undisturbed
from motley.studies.folder import write_text

STEPS = 8_000_000
"""Default number of steps to learn from, of all worlds together, at most."""
POOL_STEPS = 100_000
"""About how many of them are recorded at once."""
PASSES, PARTS = 4, 8
"""How often a pool is gone through, and in how many parts each time."""
LEARNING_RATE, LAST_RATE = 4e-3, 0.05
"""Of Adam, and the share of it that is left at the end."""
MAX_GRAD_NORM = 1.0
FORGETFUL = 0.25
"""Share of the steps that the core without memory gets: what is in sight is learnt soon."""
LEARNT, MASTERED = 0.9, 0.98
"""Grades on new episodes at which an easier level is left, and at which learning ends."""
TESTED = 2_000
"""Episodes of the test."""
TEST_SEED, TAUGHT_SEED = 4_000_000, 1_000_000_000
"""Of the first episode of the test, and of learning; no calibration, audit or control has them."""


@dataclass(frozen=True)
class Capacity:
    """What was found: grades on new episodes, where the variable must be known.

    Attributes:
        recurrent: of the uniform core. feedforward: of one that forgets, taught the same.
        chance: of the commonest class, or the mean.
        steps: that the uniform core learnt from. n_params: of its encoder, core and read-out.
    """

    task: str
    level: int
    measure: str
    recurrent: float
    feedforward: float
    chance: float
    steps: int
    n_params: int
    seed: int

    def __str__(self) -> str:
        """In a line."""
        return (
            f"taught what {self.task} hides, level {self.level}: the uniform core "
            f"{self.recurrent:.3f}, one that forgets {self.feedforward:.3f}, chance "
            f"{self.chance:.3f} ({self.measure}, {self.steps:,} steps, seed {self.seed})"
        )


class Lesson(NamedTuple):
    """Episodes side by side, (time, episodes, ...); ``asked`` and ``taught`` are masks."""

    known: dict[str, Tensor]
    answer: Tensor
    asked: Tensor
    taught: Tensor


class Pupil(nn.Module):
    """Encoder and core of a structure, and a read-out of the core.

    Args:
        task: whose senses it has.
        structure: with a core.
        outputs: how many numbers it says.
        seed: of the weights.
    """

    def __init__(self, task: Task, structure: str, outputs: int, seed: int) -> None:
        super().__init__()
        agent = Agent(structure, WorldVecEnv(task, 1, seed=seed), "reward", seed=seed)
        self.distribution = agent.learner.distribution
        self.brain, self.core = agent.brain, agent.brain.roles["core"]
        needed = needed_by([self.core], self.brain.inputs)
        self.run = tuple(name for name in self.brain.areas if name in needed)
        with seeded(seed, "read-out"):
            self.hidden = Perceptron((self.brain.sizes[self.core],), 64)
            self.said = Linear(64, outputs)

    def learnt(self) -> list[nn.Parameter]:
        """Weights of what runs."""
        parts = [*(self.brain.areas[name] for name in self.run), self.hidden, self.said]
        return [weight for part in parts for weight in part.parameters()]

    def forward(self, known: dict[str, Tensor], where: Tensor) -> Tensor:
        """What it says (rows, outputs) at the moments ``where`` (time, episodes) is True."""
        start = torch.zeros(where.shape, dtype=torch.bool)
        start[0] = True
        state = self.brain.initial_state(where.shape[1])
        outputs, _ = self.brain(known, state, start, self.run)
        said: Tensor = self.said(self.hidden((outputs[self.core][where],), {}, start)[0])
        return said


def measure(
    task: Task,
    steps: int = STEPS,
    seed: int = 0,
    on_steps: Callable[[int], None] = lambda steps: None,
) -> Capacity:
    """Teach the uniform core and one that forgets, and test both on the same new episodes.

    Args:
        task: an instance, with its level.
        steps: to learn from, to the next whole batch of episodes; the core that forgets gets a
            quarter of it.
        seed: of weights and episodes.
        on_steps: is told of the uniform core's steps so far.

    Raises:
        ValueError: the task hides nothing, or what it hides is not stated or always the same.
    """
    hidden = what_is_hidden(task.name)
    test = record(task, hidden, TESTED, TEST_SEED)
    rows, truth = hidden.read(test)
    if not len(rows) or (is_class(truth) and len(np.unique(truth)) < 2):
        raise ValueError(
            f"{task.name} level {task.level} hides nothing of this kind: {hidden.variable}"
        )
    outputs = int(truth.max()) + 1 if is_class(truth) else truth.reshape(len(rows), -1).shape[1]
    with undisturbed():
        core = Pupil(task, "uniform", outputs, seed)
        taken = teach(core, task, hidden, steps, seed, on_steps)
        forgetful = Pupil(task, "memoryless", outputs, seed)
        teach(forgetful, task, hidden, int(FORGETFUL * steps), seed)
        grades = [examine(pupil, lesson(test, hidden, pupil)) for pupil in (core, forgetful)]
    return Capacity(
        task=task.name,
        level=task.level,
        measure="share right" if is_class(truth) else "explained variance",
        recurrent=round(grades[0], 4),
        feedforward=round(grades[1], 4),
        chance=round(chance(truth), 4),
        steps=taken,
        n_params=sum(weight.numel() for weight in core.learnt()),
        seed=seed,
    )


def teach(
    pupil: Pupil,
    task: Task,
    hidden: Hidden,
    steps: int,
    seed: int = 0,
    on_steps: Callable[[int], None] = lambda steps: None,
) -> int:
    """Teach a pupil until it is right on new episodes, or the steps are used up.

    The loss is the cross-entropy of classes, or the mean squared error of numbers. The rate falls
    linearly. Easier levels take half of the steps at most.

    Args:
        pupil: learns.
        task: at its level.
        hidden: what is taught.
        steps: to learn from, at most.
        seed: of the episodes and their order.
        on_steps: is told of the steps so far.

    Returns:
        The steps that were taken.
    """
    weights = pupil.learnt()
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(seed_of(seed, "capacity"))
    easier = [type(task)(level=level) for level in hidden.ladder if level < task.level]
    ladder, rung, done = [*easier, task], 0, 0
    count = max(POOL_STEPS // task.horizon, PARTS)
    first = TAUGHT_SEED * (1 + seed)
    while done < steps:
        lived = record(ladder[rung], hidden, count, first)
        pool, first = lesson(lived, hidden, pupil), first + count
        grades = list[float]()
        for part in parts(count, generator):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * max(1.0 - done / steps, LAST_RATE)
            some = chosen(pool, part)
            where = some.taught | some.asked
            said, truth = pupil(some.known, where), some.answer[where]
            if truth.is_floating_point():
                loss = (said - truth.reshape(said.shape)).square().mean()
            else:
                loss = nn.functional.cross_entropy(said, truth)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(weights, MAX_GRAD_NORM)
            optimizer.step()
            if len(grades) < PARTS:  # not seen before
                grades.append(graded(said.detach(), truth, some.asked[where]))
        done += len(lived["step"])
        on_steps(min(done, steps))
        learnt = float(np.mean(grades))
        if rung < len(easier):
            rung += learnt >= LEARNT or done >= steps * (rung + 1) / (2 * len(easier))
        elif learnt >= MASTERED:
            break
    return done


def record(task: Task, hidden: Hidden, episodes: int, seed: int) -> Trace:
    """Episodes in which the body is moved by one who gives nothing away."""
    return trace.record(task, trace.policy(task, hidden.driver, seed), episodes, seed)


def lesson(lived: Trace, hidden: Hidden, pupil: Pupil) -> Lesson:
    """Episodes side by side as a pupil is to see them, up to the last moment that counts."""
    episode, step = lived["episode"], lived["step"]
    asked = hidden.asked(lived)
    taught = asked if hidden.taught is None else hidden.taught(lived)
    kept = step <= step[asked | taught].max()
    at, shape = (step[kept], episode[kept]), (step[kept].max() + 1, episode.max() + 1)

    def aside(values: np.ndarray[Any, Any]) -> Tensor:
        packed = np.zeros((*shape, *values.shape[1:]), values.dtype)
        packed[at] = values[kept]
        return torch.as_tensor(packed)

    known = {
        name.removeprefix("sense/"): aside(lived[name])
        for name in lived
        if name.startswith("sense/")
    }
    given = pupil.distribution.from_environment(aside(np.nan_to_num(lived["action"])))
    action = pupil.distribution.encode(given)
    known["previous_action"] = torch.cat((torch.zeros_like(action[:1]), action[:-1]))
    answer = hidden.answer(lived)
    answer = answer.astype(np.int64 if is_class(answer) else np.float32)
    return Lesson(known, aside(answer), aside(asked), aside(taught))


def parts(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of the episodes of each part, pass after pass."""
    for _ in range(PASSES):
        yield from torch.randperm(count, generator=generator).tensor_split(PARTS)


def chosen(pool: Lesson, part: Tensor) -> Lesson:
    """Some of the episodes."""
    known = {name: x[:, part] for name, x in pool.known.items()}
    return Lesson(known, pool.answer[:, part], pool.asked[:, part], pool.taught[:, part])


def examine(pupil: Pupil, test: Lesson) -> float:
    """The grade of a pupil at the moments of the test at which it is asked."""
    with torch.no_grad():
        said = pupil(test.known, test.asked)
    return graded(said, test.answer[test.asked], torch.ones(len(said), dtype=torch.bool))


def graded(said: Tensor, truth: Tensor, where: Tensor) -> float:
    """`grade` of tensors, in the rows ``where`` (R,) is True."""
    return grade(said[where].numpy(), truth[where].numpy())


def write(path: Path, found: Capacity) -> None:
    """Put a row into a table, in place of the one of the same task, level and seed."""
    columns = [field.name for field in fields(Capacity)]
    old = list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []
    new = {name: str(value) for name, value in asdict(found).items()}
    rows = {(row["task"], int(row["level"]), int(row["seed"])): row for row in [*old, new]}
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[key] for key in sorted(rows))
    write_text(path, text.getvalue())
