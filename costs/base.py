"""What a cost is: a score per step, a loss per batch, or both.

A cost sees a :class:`Trace`, plain tensors by name, never an agent or a world,
so that it can be tried on any recording and moved between agents.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from motley.costs.development import Schedule, constant

State = dict[str, Tensor]

EVERY = "*"
"""Stands among :attr:`Cost.problems` for every problem."""
MEND = "take a structure or a task that has it, or leave that cost out"


class UnfitError(ValueError):
    """What a cost lacks in an agent or its environment, and what to do."""


class Trace:
    """What happened, by name: tensors of shape (time, worlds) or (time, worlds, features).

    Always there: every sense and every area's output by its own name, ``action``,
    ``previous_action`` (both as the areas see them: one-hot where discrete), ``reward``,
    ``episode_start`` (True where a step is the first of its episode) and ``terminated`` (True
    where it is the last, and not because time was up). What is so in the worlds and sensed by no
    body is there where a cost asks for it, see :attr:`Cost.truths`.

    A name may also be a role, or several with bars between them: ``"integrator|core"`` is
    the integrator's output, or the core's in an agent that has no integrator.

    Args:
        tensors: the tensors by name.
        roles: the area that has each role.
        after: the step after the last one, (1, worlds, ...), where it is known: a whole rollout
            has it, part of one has not.
        seed: of the agent that this happened to, for what placebos draw.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        roles: Mapping[str, str] | None = None,
        after: Mapping[str, Tensor] | None = None,
        seed: int = 0,
    ):
        self.tensors = tensors
        self.roles = roles or {}
        self.after = after or {}
        self.seed = seed

    def __getitem__(self, name: str) -> Tensor:
        """Return the tensor called ``name``.

        Raises:
            KeyError: there is none; the message lists what there is.
        """
        return self.tensors[self._key(name)]

    def _key(self, name: str) -> str:
        for option in name.split("|"):
            key = self.roles.get(option, option)
            if key in self.tensors:
                return key
        raise KeyError(
            f"nothing in this trace is called {name!r} (it has {', '.join(self.tensors)}, and the "
            f"roles {', '.join(self.roles) or 'none'}); {MEND}"
        )

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(
            self.roles.get(option, option) in self.tensors for option in name.split("|")
        )

    @property
    def episode_start(self) -> Tensor:
        """(time, worlds) bool: the step is the first of its episode."""
        return self.tensors["episode_start"]

    @property
    def has_next(self) -> Tensor:
        """(time, worlds) bool: the next step is known and of the same episode."""
        mask = torch.zeros_like(self.episode_start)
        mask[:-1] = ~self.episode_start[1:]
        if "episode_start" in self.after:
            mask[-1:] = ~self.after["episode_start"]
        return mask

    def next(self, name: str) -> Tensor:
        """Return the tensor one step on, (time, worlds, features).

        Only rows where :attr:`has_next` holds mean anything.

        Raises:
            KeyError: nothing is called so; or what follows the last step is known, but not this,
                such as the action, which is not chosen yet.
        """
        key = self._key(name)
        if self.after and key not in self.after:
            raise KeyError(
                f"what {name!r} will be after the last step of a rollout is not known: take what "
                f"is sensed then, such as 'previous_action' for the action"
            )
        x = self.tensors[key]
        return torch.cat((x[1:], self.after.get(key, x[-1:])))

    def shifted(self, x: Tensor, steps: int) -> Tensor:
        """Return ``x`` (time, worlds, ...) as it is ``steps`` steps on, or back where negative.

        Only rows where :meth:`same_episode` holds mean anything.
        """
        index = torch.arange(len(x), device=x.device) + steps
        return x[index.clamp(0, len(x) - 1)]

    def same_episode(self, steps: int) -> Tensor:
        """(time, worlds) bool: the step ``steps`` on (or back) is in this trace and episode."""
        episode = self.episode_start.long().cumsum(0)
        index = torch.arange(len(episode), device=episode.device) + steps
        inside = (index >= 0) & (index < len(episode))
        return (self.shifted(episode, steps) == episode) & inside.unsqueeze(-1)

    def join(self, names: Sequence[str]) -> Tensor:
        """Return several tensors side by side, (time, worlds, features of all)."""
        return torch.cat([self[name] for name in names], -1)

    def join_next(self, names: Sequence[str]) -> Tensor:
        """Return several tensors side by side, one step on; see :meth:`next`."""
        return torch.cat([self.next(name) for name in names], -1)

    def noted(self, notes: Mapping[str, Tensor]) -> Trace:
        """Return this trace with further tensors."""
        return Trace({**self.tensors, **notes}, self.roles, self.after, self.seed)


def _is_number(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "None": (lambda value: value is None, "None"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "float": (_is_number, "a finite number"),
    "int": (_is_whole, "a whole number"),
    "str": (lambda value: isinstance(value, str), "a name"),
    "tuple[str, ...]": (_is_names, "a tuple of names, such as ('vision',)"),
}
"""What an option may be, by its annotation, and in words."""


def _kinds(annotation: Any) -> list[tuple[Callable[[Any], bool], str]]:
    """Return what an annotation asks for; nothing where not all of it is known here."""
    plain = isinstance(annotation, type) and not hasattr(annotation, "__origin__")
    parts = [part.strip() for part in str(annotation.__name__ if plain else annotation).split("|")]
    return [KINDS[part] for part in parts] if all(part in KINDS for part in parts) else []


@dataclass(frozen=True)
class Cost:
    """Base class of the costs.

    A subclass is a frozen dataclass that defines :meth:`score`, :meth:`loss` or both.

    Attributes:
        kind: the name, where it is not the class's in lower case with underscores.
        problems: what tasks pose (``Task.problem``) in whose ``heterogeneous`` set this cost is;
            :data:`EVERY` stands for all, and nothing for none.
        alone: roles of areas that, in those sets, no cost that trains ``"all"`` trains; nor does
            any that comes of a name, where this one is joined by its own name.
        value_gain: scale of the initial weights of the score's value; zero for a score that may be
            zero throughout, so that it stays without any effect.
        in_time: whether the loss compares steps, so that a batch must keep their order.
        truths: what the trace must have besides, of what is so in the worlds whether sensed or not,
            by the names of a recorded trace: ``position``, ``heading``, ``hidden/<field of the
            task>``. Costs alone read it: to areas nothing is known by these names.
        units: scores whose returns it makes values of itself: the trace has their unit, see
            :func:`return_unit`.
        stepwise: whether noise in an area's output changes the loss as its gradient says, at that
            step and up to :attr:`looks_ahead` before it. Not so with statistics of areas' outputs
            over the batch, nor with a target that is taken from the same area without gradient.
            Node perturbation is refused without it.
        weight: factor of the loss, and of the score's advantages; a number or a schedule
            over age. A cost whose weight is the number 0 is left out altogether.
        trains: names or roles of the areas that this cost's gradient may change; ``"all"``
            means every area, ``"a|b"`` means the areas of role a, or of role b where there is
            no a, ``"-a"`` leaves a out. A role that an agent lacks is passed over.
        gamma: discount of the score, per step; None takes the agent's.
        rate: factor of the learning rate of this cost's heads.
        episodic: whether the end of an episode ends the return of the score; False lets what
            comes in the next episode count (Burda et al. 2018 for novelty).
    """

    kind: ClassVar[str | None] = None
    problems: ClassVar[tuple[str, ...]] = ()
    alone: ClassVar[tuple[str, ...]] = ()
    value_gain: ClassVar[float] = 1.0
    in_time: ClassVar[bool] = False
    truths: ClassVar[tuple[str, ...]] = ()
    units: ClassVar[tuple[str, ...]] = ()
    stepwise: ClassVar[bool] = True
    weight: float | Schedule = 1.0
    trains: tuple[str, ...] = ("all",)
    gamma: float | None = None
    rate: float = 1.0
    episodic: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # Any weight may be a schedule, also where a cost gives a number as its own.
            kinds = _kinds(field.type) if field.name != "weight" else []
            # What its author gave as the default is right, whatever the annotation says.
            given = type(value) is not type(field.default) or value != field.default
            if given and kinds and not any(fits(value) for fits, _ in kinds):
                self.check(field.name, False, ", or ".join(words for _, words in kinds))
            if field.name in ("hidden", "features") and kinds == [KINDS["int"]]:
                self.check(field.name, value >= 1, "a whole number of at least 1")
        given_one = isinstance(self.trains, str)
        self.check("trains", not given_one, f"a tuple of names: {(self.trains,)!r}")
        self.check("rate", self.rate >= 0, "a number >= 0")
        self.check("gamma", self.gamma is None or 0 <= self.gamma <= 1, "None, or 0 to 1")
        if not isinstance(self.weight, Schedule):
            valid = _is_number(self.weight) and self.weight >= 0
            self.check("weight", valid, "a number >= 0, or a schedule")

    def check(self, name: str, holds: bool, wanted: str) -> None:
        """Refuse an option that cannot be.

        Raises:
            ValueError: names it, and what is wanted.
        """
        if not holds:
            value = getattr(self, name)
            raise ValueError(f"{type(self).__name__}({name}={value!r}): give {wanted}")

    @classmethod
    def label(cls) -> str:
        """Return the class's name for ``--costs``: ``kind``, or in lower case with underscores."""
        return cls.kind or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost as named sets use it; a subclass may choose by the senses there are.

        Args:
            senses: features of each sense.
        """
        return cls()

    @classmethod
    def family(cls, senses: Mapping[str, int]) -> tuple[Self, ...]:
        """Return the costs that named sets use: one, unless there is one for each of several.

        Args:
            senses: features of each sense.
        """
        return (cls.fitted(senses),)

    @property
    def valued(self) -> tuple[str, ...]:
        """What the value of the score trains, as in :attr:`trains`."""
        return self.trains

    @property
    def name(self) -> str:
        """The name in logs, routing tables and files."""
        return self.label()

    @property
    def schedule(self) -> Schedule:
        """The weight as a schedule over age."""
        return self.weight if isinstance(self.weight, Schedule) else constant(self.weight)

    @property
    def scores(self) -> bool:
        """Whether this cost gives a reward per step."""
        return type(self).score is not Cost.score

    @property
    def has_loss(self) -> bool:
        """Whether this cost gives something to minimise."""
        return type(self).loss is not Cost.loss

    @property
    def looks_ahead(self) -> int:
        """How many steps on a step's loss may read areas' outputs; more by a subclass that does."""
        return int(self.in_time)

    @property
    def follows(self) -> tuple[str, ...]:
        """Names or roles of areas whose output the loss uses and sends no gradient to.

        As a target, or as what a learner of this cost's own looks at; ``"a|b"`` is as in
        :attr:`trains`, and what an agent lacks is passed over. Noise in such an area changes the
        loss where the gradient says that it does not: node perturbation refuses a cost that trains
        one of them, or an area behind it.
        """
        return ()

    def late(self, delay: int) -> Self:
        """Return the cost for senses that come ``delay`` steps late, where that is its business."""
        return self

    def applied(self, area: str, trains: Iterable[str]) -> Self:
        """Return the same cost of another area: read from ``area``, training ``trains``.

        Raises:
            TypeError: the cost reads no area.
        """
        if "reads" not in {f.name for f in fields(self)}:
            raise TypeError(f"cost {self.name!r} reads no area, and cannot be given another")
        change: dict[str, Any] = {"reads": area, "trains": tuple(sorted(trains))}
        return replace(self, **change)

    def heads(self, sizes: Mapping[str, int]) -> nn.Module | None:
        """Return the modules that only this cost uses, or None.

        They are trained by this cost alone and do not count in the parameter budget.

        Args:
            sizes: features of each tensor of a trace, by the names a trace takes.
        """
        return None

    def teaching(self) -> tuple[dict[str, Tensor], int] | None:
        """Return a teacher's recorded episodes to learn from instead of the agent's own, or None.

        Senses and ``action``, (time, episodes, ...), and how many episodes a gradient step takes;
        the loss then gets the agent's trace on some of these, with ``taught`` where an action
        was chosen and ``log_prob`` of it.
        """
        return None

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Compute, once a rollout and without gradient, what needs the past or the heads.

        Args:
            trace: a whole rollout, (time, worlds, ...).
            state: what the last call returned; empty at the first.
            heads: what :meth:`heads` returned; buffers in it may be changed.

        Returns:
            Tensors to add to the trace, (time, worlds, ...), their names beginning with the cost's
            and a slash; and the state.
        """
        return {}, state

    def score(self, trace: Trace) -> Tensor:
        """Return the reward of each step of a rollout, (time, worlds), without gradient."""
        raise TypeError(f"cost {self.name!r} gives no score")

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return what to minimise, (time, worlds).

        Args:
            trace: part of a rollout, (time, worlds, ...), areas' outputs with their graph.
            heads: what :meth:`heads` returned.
        """
        raise TypeError(f"cost {self.name!r} gives no loss")


class Sizes(Mapping[str, int]):
    """Features of each tensor of a trace, under the names a :class:`Trace` takes."""

    def __init__(self, sizes: Mapping[str, int], roles: Mapping[str, str]):
        self._sizes, self._roles = dict(sizes), dict(roles)

    def __getitem__(self, name: str) -> int:
        for option in name.split("|"):
            key = self._roles.get(option, option)
            if key in self._sizes:
                return self._sizes[key]
        raise KeyError(
            f"no sense or area is called {name!r} (there are {', '.join(self._sizes)}, and the "
            f"roles {', '.join(self._roles) or 'none'}); {MEND}"
        )

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)


def latest(x: Tensor, when: Tensor, before: Tensor) -> Tensor:
    """Return what ``x`` was at the latest step where ``when`` holds, without a loop over time.

    Args:
        x: (time, worlds, ...).
        when: (time, worlds, ...) bool, broadcast over the last axes of ``x``.
        before: (worlds, ...), what counts up to the first such step.
    """
    order = torch.arange(len(x), device=x.device).view(-1, *(1,) * (x.dim() - 1))
    at = torch.where(when, order, -1).cummax(0).values.expand_as(x)
    return torch.where(at >= 0, x.gather(0, at.clamp(min=0)), before)


def carried_back(step: Tensor, carry: Tensor) -> Tensor:
    """Return sums from the end, (time, worlds): each step's own and ``carry`` times the next one's.

    Args:
        step: what each step adds, (time, worlds).
        carry: share of the next step's sum that a step has, (time, worlds).
    """
    sums = torch.empty_like(step)
    running = torch.zeros_like(step[0])
    for t in range(len(step) - 1, -1, -1):
        running = step[t] + carry[t] * running
        sums[t] = running
    return sums


def return_unit(trace: Trace, score: str) -> tuple[Tensor | float, Tensor | float]:
    """Return mean and deviation in which returns of a score are counted; a trace alone has 0 and 1.

    Either (time, worlds), all the same: in a rollout as the values were learnt, in a part that is
    learnt from as they are to be.
    """
    unit = f"value/{score}/unit"
    if unit not in trace:
        return 0.0, 1.0
    mean, deviation = trace[unit].unbind(-1)
    return mean, deviation


def next_draw(name: str, seed: int, trace: Trace, state: State) -> tuple[torch.Generator, State]:
    """Return the random numbers of a placebo's next draw, and the state that has counted it.

    No two placebos of an agent draw the same, and no two agents.

    Args:
        name: of the cost.
        seed: of the cost.
        trace: what happened, of which the agent's seed is read.
        state: the cost's, of which ``draws`` (1,) is read; none is the first draw.
    """
    draws = state.get("draws", torch.zeros(1, dtype=torch.int64))
    key = f"{name}/{seed}/{trace.seed}/{int(draws)}".encode()
    number = int.from_bytes(hashlib.blake2b(key, digest_size=7).digest(), "big")
    return torch.Generator().manual_seed(number), {"draws": draws + 1}


def masked_mean_square(error: Tensor, mask: Tensor) -> Tensor:
    """Mean square over features where ``mask`` holds, zero elsewhere: (time, worlds).

    Rescaled so that the mean over all steps is the mean over the steps that count; with no
    such step it is zero.
    """
    kept = mask.to(error.dtype)
    return error.square().mean(-1) * kept * (kept.numel() / kept.sum().clamp(min=1.0))


@contextmanager
def fitting(cost: Cost, what: str = "this structure and task") -> Iterator[None]:
    """Name the cost, and what it does not fit, where it raises `UnfitError` or a KeyError.

    The latter is where it reads what an agent or its environment does not have.

    Args:
        cost: works within.
        what: it may not fit.

    Raises:
        UnfitError: as ``cost 'name' does not fit what: what it lacks; what to do``.
    """
    try:
        yield
    except (KeyError, UnfitError) as error:
        raise unfit(cost.name, what, str(error.args[0])) from error


def unfit(cost: str, what: str, lack: str) -> UnfitError:
    """Return the error of a cost that does not fit something: what it lacks, and what to do."""
    return UnfitError(f"cost {cost!r} does not fit {what}: {lack}")


def check_loss(cost: Cost, loss: Tensor, shape: tuple[int, int], what: str = "loss") -> None:
    """Raise where a cost's loss, or its score, is no tensor or has the wrong shape.

    Args:
        cost: whose it is.
        loss: what it returned.
        shape: (time, worlds).
        what: which of the two it is.

    Raises:
        ValueError: names the cost and what it returned.
    """
    if not isinstance(loss, Tensor):
        raise ValueError(f"cost {cost.name!r}: {what} gave {loss!r}, not a tensor (time, worlds)")
    if tuple(loss.shape) != shape:
        raise ValueError(
            f"cost {cost.name!r}: {what} must be (time, worlds) = {shape}, not {tuple(loss.shape)}"
        )


__all__ = [
    "EVERY",
    "Cost",
    "Sizes",
    "State",
    "Trace",
    "UnfitError",
    "carried_back",
    "check_loss",
    "fitting",
    "latest",
    "masked_mean_square",
    "return_unit",
    "unfit",
]
