"""Brains and learners of several agents as one: their weights are stacked, and run once for all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_map

from motley.agents.areas import State
from motley.agents.batch import Batch
from motley.agents.brain import Brain, join_states
from motley.agents.gradients import Tape
from motley.agents.update import Learner

if TYPE_CHECKING:
    from motley.agents.agent import Agent

Tensors = dict[str, Tensor]


@contextmanager
def stacked(agents: Sequence[Agent]) -> Iterator[StackedLearner]:
    """Stack the weights of agents, and give each its own again."""
    try:
        yield StackedLearner(agents)
    finally:
        for agent in agents:
            release(agent.learner)


class StackedBrain(Brain):
    """The brains of several agents, whose worlds stand side by side.

    Its own areas only say what is done, with the weights of all agents. What an area draws has to
    be a parameter or a buffer, as files want too, and a buffer be changed in place.

    Args:
        agents: of equal structure.

    Attributes:
        weights: parameters and buffers of each area, each with the agents as first axis.
    """

    def __init__(self, agents: Sequence[Agent]):
        first = agents[0]
        super().__init__(
            first.blueprint, first.policy.senses.sizes, first.policy.distribution, width=first.width
        )
        self.n, self.weights = len(agents), dict[str, tuple[Tensors, Tensors]]()

    def log_std_of(self, worlds: int) -> Tensor:
        """See :class:`Brain`; (worlds, deviations)."""
        log_std = self.weights[self.roles["actor"]][0]["log_std"]
        return log_std.repeat_interleave(worlds // self.n, 0)

    def _area(
        self, name: str, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """Run one area of all brains."""
        area, (parameters, buffers) = self.areas[name], self.weights[name]
        if not parameters and not buffers:
            return super()._area(name, inputs, state, episode_start)

        def run(
            parameters: Tensors, buffers: Tensors, inputs: Any, state: State, start: Tensor
        ) -> tuple[Tensor, State]:
            def one(*given: Any) -> tuple[Tensor, State]:
                found: tuple[Tensor, State] = functional_call(area, (parameters, buffers), given)
                return found

            return self.credit.run(one, inputs, state, start)

        with _named(f"area {name!r} ({type(area).__name__}) cannot run for several agents at once"):
            output, after = vmap(run, in_dims=(0, 0, 1, 0, 1), out_dims=(1, 0))(
                parameters,
                buffers,
                tuple(self.apart(x, 1) for x in inputs),
                {key: self.apart(x, 0) for key, x in state.items()},
                self.apart(episode_start, 1),
            )
        self._check_size(name, output)
        return output.flatten(1, 2), {key: x.flatten(0, 1) for key, x in after.items()}

    def apart(self, x: Tensor, axis: int) -> Tensor:
        """Return a tensor with an axis for the agents before that of each one's worlds."""
        return torch.unflatten(x, axis, (self.n, -1))


class StackedLearner(Learner):
    """The learners of several agents, whose weights are stacked.

    Its own heads only say what is done, as the areas of :class:`StackedBrain` do. While it stands,
    the learners' weights, buffers and optimisers' states are views of its own.

    Args:
        agents: of equal structure, costs and settings.

    Attributes:
        stacked: parameters by name, each with the agents as first axis.
        kept: buffers likewise.

    Raises:
        ValueError: the optimisers have taken unequal numbers of steps.
    """

    def __init__(self, agents: Sequence[Agent]):
        first = agents[0].learner
        brain, rate = StackedBrain(agents), first.optimizer.param_groups[0]["lr"]
        super().__init__(
            brain,
            first.distribution,
            list(first.costs.values()),
            first.settings,
            rate,
            first.seed,
            first.development,
        )
        self.to(agents[0].device)
        self.n, self.learners = len(agents), [agent.learner for agent in agents]
        self.stacked, self.kept = dict[str, nn.Parameter](), Tensors()
        self._stack()
        named = {id(p): name for name, p in self.named_parameters()}

        def of(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
            return [self.stacked[named[id(p)]] for p in parameters]

        self.area_parameters = {a: of(ps) for a, ps in self.area_parameters.items()}
        self.followers = self.area_parameters
        self.head_parameters = {c: of(ps) for c, ps in self.head_parameters.items()}
        groups = [{**group, "params": of(group["params"])} for group in self.optimizer.param_groups]
        self.optimizer = torch.optim.Adam(groups, lr=rate, eps=1e-5, fused=True)
        self._stack_moments()
        for name in brain.areas:
            path = f"brain.areas.{name}."
            brain.weights[name] = _below(path, self.stacked), _below(path, self.kept)
        self._read: Tensors = {
            name: p
            for name, p in self.stacked.items()
            if p is self.log_std or not name.startswith("brain.areas.")
        }
        """What losses read besides the areas' outputs."""

    def _stack(self) -> None:
        """Stack what the learners know, and let each learner's own be a part of the whole."""
        first = self.learners[0]
        for name, p in [*first.named_parameters(), *first.named_buffers()]:
            get = "get_parameter" if isinstance(p, nn.Parameter) else "get_buffer"
            each: list[Tensor] = [getattr(learner, get)(name) for learner in self.learners]
            whole = torch.stack([one.detach() for one in each])
            if isinstance(p, nn.Parameter):
                self.stacked[name] = nn.Parameter(whole, requires_grad=p.requires_grad)
            else:
                self.kept[name] = whole
            for one, part in zip(each, whole, strict=True):
                one.data = part

    def _take_in(self) -> None:
        """Take in what scoring put in a buffer's place, as costs of one's own may."""
        for name, whole in self.kept.items():
            for learner, part in zip(self.learners, whole, strict=True):
                buffer = learner.get_buffer(name)
                if buffer.data_ptr() != part.data_ptr():
                    buffer.data = part.copy_(buffer)

    def _stack_moments(self) -> None:
        """Stack the state of the learners' optimisers likewise."""
        for name, whole in self.stacked.items():
            if not whole.requires_grad:
                continue
            states = [one.optimizer.state[one.get_parameter(name)] for one in self.learners]
            steps = {float(state["step"]) if state else 0.0 for state in states}
            if len(steps) > 1:
                raise ValueError(
                    f"the agents of a cohort have taken unequal numbers of gradient steps: "
                    f"{', '.join(f'{n:,.0f}' for n in sorted(steps))}"
                )
            made = {"step": torch.full((), steps.pop(), device=whole.device)}
            for key in ("exp_avg", "exp_avg_sq"):
                found = [state[key] if state else torch.zeros_like(whole[0]) for state in states]
                made[key] = torch.stack(found)
            self.optimizer.state[whole] = made
            for i, state in enumerate(states):
                moments = {key: made[key][i] for key in ("exp_avg", "exp_avg_sq")}
                state.update(moments | {"step": made["step"]})

    @property
    def log_std(self) -> nn.Parameter:
        """See :class:`Learner`; (learners, deviations)."""
        return self.stacked[f"brain.areas.{self.brain.roles['actor']}.log_std"]

    def update_all(
        self,
        batches: Sequence[Batch],
        age: int,
        clip_range: float,
        generators: Sequence[torch.Generator],
        n_update: int,
        rate: float,
    ) -> list[dict[str, float]]:
        """Do as :meth:`Learner.update` for each learner, and look at no number before the end.

        Args:
            batches: of each learner.
            age: see there.
            clip_range: likewise.
            generators: of each learner's minibatches.
            n_update: likewise.
            rate: of learning.

        Returns:
            What to log, of each learner.

        Raises:
            FloatingPointError: a cost was not finite; the message names it and the seed.
        """
        self._take_in()
        settings, count, sums = self.settings, 0, Tensors()
        weights, shut, keep_order, cut, log = self.stage(age, rate)
        norms = Tensors()
        for _ in range(settings.n_epochs):
            each = [
                batch.minibatches(settings.n_minibatches, keep_order, generator)
                for batch, generator in zip(batches, generators, strict=True)
            ]
            for parts in zip(*each, strict=True):
                tape = Tape(self.brain.inputs) if cut else None
                losses, facts = self._losses_of(parts, weights, clip_range, tape)
                if count == 0 and n_update % settings.log_gradients_every == 0:
                    norms = self._norms(losses, shut, tape)
                self._zero_grad()
                self.route({name: x.sum() for name, x in losses.items()}, shut, tape=tape)
                self.clip()
                self.optimizer.step()
                count += 1
                found = {f"cost/{name}": x.detach() for name, x in losses.items()} | facts
                for name, x in found.items():
                    sums[name] = sums[name] + x if name in sums else x
        tensors = norms | {name: total / count for name, total in sums.items()}
        rows = torch.stack([*tensors.values()], 1).tolist()
        told = [dict(zip(tensors, row, strict=True)) for row in rows]
        for learner, facts_of_one in zip(self.learners, told, strict=True):
            for name, value in facts_of_one.items():
                if name.startswith("cost/") and not math.isfinite(value):
                    raise FloatingPointError(
                        f"cost {name.removeprefix('cost/')!r} of seed {learner.seed} is not finite "
                        f"in update {n_update}; look for a root or a logarithm of zero in it, or "
                        f"lower the learning rate"
                    )
        return [{**log, **own, "gradient_steps": count} for own in told]

    def _losses_of(
        self,
        parts: Sequence[Batch],
        weights: Mapping[str, float],
        clip_range: float,
        tape: Tape | None,
    ) -> tuple[Tensors, Tensors]:
        """Return the mean loss of each cost on minibatches, and PPO's facts: (learners,) each.

        Args:
            parts: a minibatch of each learner.
            weights: of the costs.
            clip_range: of PPO's probability ratio.
            tape: cut the graph at the areas' borders and note here how it went on.
        """
        brain, whole = cast(StackedBrain, self.brain), _join(parts)
        starts = whole.tensors["episode_start"]
        outputs, _ = brain(whole.tensors, whole.state, starts, brain.learning, tape)

        def one(
            read: Tensors,
            kept: Tensors,
            outputs: Tensors,
            tensors: Tensors,
            actions: Tensor,
            log_prob: Tensor,
            advantages: Tensors,
        ) -> tuple[Tensors, Tensors]:
            # No area runs here, so that no state is asked for.
            part = Batch(tensors, actions, log_prob, advantages, {})
            losses, facts = functional_call(
                self, (read, kept), (outputs, part, weights, clip_range)
            )
            return {name: loss.mean() for name, loss in losses.items()}, facts

        given = (outputs, whole.tensors, whole.actions, whole.log_prob, whole.advantages)
        apart = tree_map(partial(brain.apart, axis=1), given)
        names = ", ".join(name for name, weight in weights.items() if weight > 0)
        with _named(f"a cost of {names} cannot be computed for several agents at once"):
            found: tuple[Tensors, Tensors] = vmap(one, in_dims=(0, 0, *(1 for _ in apart)))(
                self._read, self.kept, *apart
            )
        return found

    def _norms(
        self, losses: Mapping[str, Tensor], shut: frozenset[str], tape: Tape | None
    ) -> Tensors:
        """Return ``grad/<cost>/<area>``, (learners,); see :meth:`Learner.gradient_norms`."""
        nothing = torch.zeros(self.n, device=self.log_std.device)
        cells = (f"grad/{name}/{area}" for name in self.routes for area in self.area_parameters)
        norms = dict.fromkeys(cells, nothing)
        for name, loss in losses.items():
            self._zero_grad()
            self.route({name: loss.sum()}, shut, retain_graph=True, tape=tape)
            for area, parameters in self.area_parameters.items():
                squares = [
                    p.grad.reshape(self.n, -1).square().sum(1)
                    for p in parameters
                    if p.grad is not None
                ]
                if squares:
                    norms[f"grad/{name}/{area}"] = torch.stack(squares).sum(0).sqrt()
        return norms

    @torch.no_grad()
    def clip(self) -> None:
        """Clip gradients learner by learner; see :meth:`Learner.clip`."""
        for group in self.clipped_together():
            followers = [p for p in group if p.grad is not None]
            if not followers:
                continue
            flat = torch.cat([cast(Tensor, p.grad).reshape(self.n, -1) for p in followers], 1)
            norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
            flat *= (self.settings.max_grad_norm / (norm + 1e-6)).clamp(max=1.0)
            sizes = [p[0].numel() for p in followers]
            for p, part in zip(followers, torch.split(flat, sizes, 1), strict=True):
                # The fused optimiser reads memory as it lies.
                p.grad = part.contiguous().view_as(p)


def release(learner: Learner) -> None:
    """Give a learner weights, buffers and an optimiser's state of its own again."""
    for x in [*learner.parameters(), *learner.buffers()]:
        x.data = x.data.clone()
    for state in learner.optimizer.state.values():
        state.update({name: x.clone() for name, x in state.items()})


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say what cannot be done for several agents, whatever :func:`torch.func.vmap` says of it."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ValueError(f"{what}; if it runs for one, train seeds one by one: {error}") from error


def _below(path: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Return the tensors whose names begin with ``path``, by the rest of their names."""
    return {k.removeprefix(path): x for k, x in tensors.items() if k.startswith(path)}


def _join(parts: Sequence[Batch]) -> Batch:
    """Return the minibatches of several learners side by side."""

    def cat(each: Sequence[Tensor]) -> Tensor:
        return torch.cat([*each], 1)

    first = parts[0]
    return Batch(
        {name: cat([p.tensors[name] for p in parts]) for name in first.tensors},
        cat([p.actions for p in parts]),
        cat([p.log_prob for p in parts]),
        {name: cat([p.advantages[name] for p in parts]) for name in first.advantages},
        join_states([p.state for p in parts]),
    )
