"""Learning from a batch: PPO for every score, a gradient step for every loss, exactly routed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from motley.agents.actions import ActionDistribution
from motley.agents.batch import Batch
from motley.agents.brain import Brain
from motley.agents.credit import credit_rule
from motley.agents.gradients import Share, Tape, clip, one_by_one, sweep
from motley.agents.layers import Linear, seed_of, seeded
from motley.agents.lessons import Lessons
from motley.agents.surrogate import surrogate
from motley.agents.values import ReturnNormaliser
from motley.agents.wiring import needed_by
from motley.costs import Cost, Trace, Value, controls
from motley.costs.base import Sizes, State, check_loss, fitting, unfit
from motley.costs.development import Competence, Development, Schedule
from motley.costs.registry import unknown
from motley.costs.routing import Routing, routing


@dataclass(frozen=True)
class Settings:
    """Settings of the update; see :class:`motley.agents.Agent`."""

    n_epochs: int
    n_minibatches: int
    gamma: float
    gae_lambda: float
    target_kl: float | None
    max_grad_norm: float
    clip_by_area: bool
    normalise_returns: bool
    normalise_advantages: bool
    log_gradients_every: int
    routing: str
    credit: str


class Stage(NamedTuple):
    """How to learn at an age.

    Attributes:
        weights: of the costs.
        shut: areas that do not learn.
        keep_order: whether minibatches are whole sequences.
        cut: whether the graph is cut at the areas' borders.
        log: ``weight/<cost>`` and ``plasticity/<area>``.
    """

    weights: dict[str, float]
    shut: frozenset[str]
    keep_order: bool
    cut: bool
    log: dict[str, float]


class Learner(nn.Module):
    """Everything that learning changes, and how: areas, the costs' heads, normalisers.

    Args:
        brain: the areas.
        distribution: over actions.
        costs: at least one that scores, each score with its :class:`Value`.
        settings: of the update.
        learning_rate: initial; set anew by the agent's schedule.
        seed: of the heads' initial weights: each depends on it and the cost's name only.
        development: how costs' weights and areas' plasticity change with age.

    Attributes:
        without_gradient: costs whose loss depended on nothing that learns, in the newest update.
    """

    def __init__(
        self,
        brain: Brain,
        distribution: ActionDistribution,
        costs: Sequence[Cost],
        settings: Settings,
        learning_rate: float,
        seed: int,
        development: Development | None = None,
    ):
        super().__init__()
        self.brain, self.distribution, self.settings = brain, distribution, settings
        self.costs = {cost.name: cost for cost in costs}
        self.units = {name for cost in costs for name in cost.units}
        self.truths = tuple(dict.fromkeys(name for cost in costs for name in cost.truths))
        self.seed, self.competence = seed, Competence()
        self.development = development or Development()
        roles = {name: node.role for name, node in brain.blueprint.items()}
        self.routes: Routing = routing(costs, roles)
        if settings.routing == "global":
            self.routes = controls.everywhere(self.routes, list(roles))
        self.gates = self._gates(roles)
        sizes = Sizes({**brain.sizes, "action": distribution.features}, brain.roles)
        self.heads = nn.ModuleDict()
        for cost in costs:
            structure = f"structure {brain.blueprint.name!r}"
            with fitting(cost, structure), seeded(seed, f"cost/{cost.name}"):
                head = cost.heads(sizes)
            self.heads[cost.name] = nn.Module() if head is None else head
        self.scores = [cost for cost in costs if cost.scores]
        self.values = {cost.of: cost for cost in costs if isinstance(cost, Value)}
        self.normalisers = nn.ModuleDict(
            {cost.name: ReturnNormaliser(settings.normalise_returns) for cost in self.scores}
        )
        self.cost_states: dict[str, State] = {}
        self.without_gradient: frozenset[str] = frozenset()
        teaching = {name: cost.teaching() for name, cost in self.costs.items()}
        self.lessons = {
            name: Lessons(*found, brain, distribution)
            for name, found in teaching.items()
            if found is not None
        }
        self.area_parameters = {
            name: [p for p in area.parameters() if p.requires_grad]
            for name, area in brain.areas.items()
        }
        self.credit = credit_rule(settings.credit)
        self.credit.attach(brain, seed)
        self.layers = {
            name: [m for m in area.modules() if isinstance(m, Linear)]
            for name, area in brain.areas.items()
        }
        self.followers = self.area_parameters
        if not self.credit.exact:  # the rule sets the layers' weights, and nothing else
            rule = f"credit rule {settings.credit!r}"
            if self.lessons:
                lack = "it teaches on episodes drawn anew at each call, which cannot be compared"
                raise unfit(next(iter(self.lessons)), rule, f"{lack}; take another rule")
            for cost in costs:
                if cost.has_loss and (not cost.stepwise or self._moves_its_target(cost)):
                    lack = (
                        "noise in one step changes its loss otherwise than its gradient says, so "
                        "that the rule would follow something else"
                    )
                    raise unfit(cost.name, rule, f"{lack}; take another rule")
            weights = {p for ls in self.layers.values() for m in ls for p in m.parameters()}
            self.followers = {
                name: [p for p in parameters if p not in weights]
                for name, parameters in self.area_parameters.items()
            }
        self.head_parameters = {
            name: [p for p in head.parameters() if p.requires_grad]
            for name, head in self.heads.items()
        }
        self.optimizer = torch.optim.Adam(
            self._parameter_groups(), lr=learning_rate, eps=1e-5, fused=True
        )

    def _moves_its_target(self, cost: Cost) -> bool:
        """Whether a cost trains an area that it follows, or one that such an area depends on."""
        brain, followed = self.brain, set[str]()
        for names in cost.follows:
            named = (brain.roles.get(name, name) for name in names.split("|"))
            found = next((name for name in named if name in brain.sizes), None)
            if found is not None:
                followed.add(found)
        behind = needed_by(followed & {*brain.areas}, brain.inputs)
        return bool(self.routes[cost.name] & behind)

    def _gates(self, roles: Mapping[str, str]) -> dict[str, Schedule]:
        """Return the plasticity of each area that has one scheduled, by area.

        Raises:
            ValueError: the development names what is not there.
        """
        gates, known = dict[str, Schedule](), {*roles, *roles.values()}
        for name, schedule in self.development.plasticity.items():
            if name not in known:
                raise ValueError("plasticity: " + unknown("area or role", name, sorted(known)))
            named = [name] if name in roles else [a for a, role in roles.items() if role == name]
            gates |= dict.fromkeys(named, schedule)
        for name in self.development.weights:
            if name not in self.costs:
                raise ValueError("development: " + unknown("cost", name, self.costs))
        return gates

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Return Adam's groups: what learns at the common rate, then what has one of its own."""
        common = [p for n, ps in self.area_parameters.items() if n not in self.gates for p in ps]
        rates: dict[float, list[nn.Parameter]] = {1.0: common}
        for name, parameters in self.head_parameters.items():
            rates.setdefault(self.costs[name].rate, []).extend(parameters)
        groups = [{"params": found, "rate": rate} for rate, found in rates.items()]
        gated = (n for n in self.gates if self.area_parameters[n])
        return groups + [{"params": self.area_parameters[n], "area": n} for n in gated]

    def update(
        self, batch: Batch, age: int, clip_range: float, generator: torch.Generator, n_update: int
    ) -> dict[str, float]:
        """Take gradient steps on a batch.

        Args:
            batch: what to learn from.
            age: environment steps lived before it, for the schedules.
            clip_range: of PPO's probability ratio.
            generator: of the minibatches.
            n_update: number of this update, counted from 0.

        Returns:
            What to log: ``weight/<cost>``, ``plasticity/<area>``, ``cost/<cost>``, every few
            updates ``grad/<cost>/<area>``, and PPO's own.

        Raises:
            FloatingPointError: a cost is not finite; the message names it.
        """
        settings, sums = self.settings, dict[str, float]()
        base_rate = self.optimizer.param_groups[0]["lr"]
        weights, shut, keep_order, cut, log = self.stage(age, base_rate)
        count, stop = 0, False
        for _ in range(settings.n_epochs):
            for part in batch.minibatches(settings.n_minibatches, keep_order, generator):
                tape = Tape(self.brain.inputs) if cut else None
                losses, facts = self.losses(part, weights, clip_range, tape)
                assign = partial(self.assign, part, weights, clip_range, generator, tape)
                named = {f"cost/{name}": loss.detach() for name, loss in losses.items()} | facts
                # One look at the numbers a minibatch: each makes Python wait for torch.
                found = dict(zip(named, torch.stack([*named.values()]).tolist(), strict=True))
                if settings.target_kl is not None and found["approx_kl"] > 1.5 * settings.target_kl:
                    stop = True
                    break
                self._check_finite({name: found[f"cost/{name}"] for name in losses}, n_update)
                if count == 0:
                    self.without_gradient = frozenset(
                        name for name, loss in losses.items() if not loss.requires_grad
                    )
                if count == 0 and n_update % settings.log_gradients_every == 0:
                    before = generator.get_state()
                    log |= self.gradient_norms(losses, shut, assign)
                    generator.set_state(before)  # measuring must not change learning
                self._zero_grad()
                assign(losses, shut)
                self.clip()
                self.optimizer.step()
                count += 1
                for name, value in found.items():
                    sums[name] = sums.get(name, 0.0) + value
            if stop:
                break
        for group in self.optimizer.param_groups:
            group["lr"] = base_rate
        log |= {name: total / max(count, 1) for name, total in sums.items()}
        log["gradient_steps"] = count
        return log

    def stage(self, age: int, rate: float) -> Stage:
        """Return how to learn at an age, and set the optimiser's rates.

        Args:
            age: environment steps lived.
            rate: of learning, where nothing changes it.
        """
        weights, plasticity = self.weights(age), self.plasticity(age)
        log = {f"weight/{name}": weight for name, weight in weights.items()}
        log |= {f"plasticity/{name}": gate for name, gate in plasticity.items()}
        shut = frozenset(name for name, gate in plasticity.items() if gate == 0)
        shut |= frozenset(self.brain.held)  # a lesioned area learns nothing, by no credit rule
        for group in self.optimizer.param_groups:
            group["lr"] = rate * (plasticity[group["area"]] if "area" in group else group["rate"])
        counting = {name for name, weight in weights.items() if weight > 0}
        in_time = any(self.costs[name].in_time for name in counting)
        # With one set of areas for all costs, the plain form is one pass.
        cut = len({self.routes[name] - shut for name in counting}) > 1
        return Stage(weights, shut, self.brain.has_memory or in_time, cut, log)

    @staticmethod
    def _check_finite(losses: Mapping[str, float], n_update: int) -> None:
        """Raise before a step is taken: afterwards every cost would be NaN."""
        for name, value in losses.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"cost {name!r} is not finite in update {n_update}; look for a root or a "
                    f"logarithm of zero in it, or lower the learning rate"
                )

    def _zero_grad(self) -> None:
        """Forget gradients; the optimiser's own way, with its hooks, takes ten times as long."""
        for group in self.optimizer.param_groups:
            for p in group["params"]:
                p.grad = None

    def weights(self, age: int) -> dict[str, float]:
        """Return the weight of each cost at an age; with a score at zero, its value is too."""
        schedules, fired = self.development.weights, self.competence.fired
        weights = {
            name: schedules.get(name, cost.schedule).at(age, fired)
            for name, cost in self.costs.items()
        }
        return weights | {
            value.name: 0.0 for score, value in self.values.items() if weights[score] == 0
        }

    def plasticity(self, age: int) -> dict[str, float]:
        """Return how plastic each area is at an age."""
        fired = self.competence.fired
        return {
            name: self.gates[name].at(age, fired) if name in self.gates else 1.0
            for name in self.area_parameters
        }

    def look(self, age: int) -> None:
        """Fire the triggers whose competence is reached, at an age between two updates."""
        weights = [cost.schedule for cost in self.costs.values()]
        waiting = {schedule.since for schedule in weights if schedule.since is not None}
        self.competence.look(age, self.development.triggers | waiting)

    def losses(
        self,
        part: Batch,
        weights: Mapping[str, float],
        clip_range: float,
        tape: Tape | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the weighted mean loss of each cost on a minibatch, and PPO's facts.

        With a tape, the graph is cut at the areas' borders; :meth:`route` then wants it too.
        """
        losses, facts = self.step_losses(part, weights, clip_range, tape)
        return {name: loss.mean() for name, loss in losses.items()}, facts

    def step_losses(
        self,
        part: Batch,
        weights: Mapping[str, float],
        clip_range: float,
        tape: Tape | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the weighted loss of each cost at each step, (time, worlds), and PPO's facts.

        That of a cost with lessons, which are other steps, is one number; that of a score is its
        share of PPO's surrogate, see :func:`motley.agents.surrogate.surrogate`.
        """
        brain, starts = self.brain, part.tensors["episode_start"]
        outputs, _ = brain(part.tensors, part.state, starts, brain.learning, tape)
        return self.forward(outputs, part, weights, clip_range, tape)

    def forward(
        self,
        outputs: Mapping[str, Tensor],
        part: Batch,
        weights: Mapping[str, float],
        clip_range: float,
        tape: Tape | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Do as :meth:`step_losses` with the areas' outputs, (time, worlds, size)."""
        brain, distribution = self.brain, self.distribution
        x, log_std = outputs[brain.roles["actor"]], brain.actor.log_std
        log_prob = distribution.log_prob(x, log_std, part.actions)
        tensors = {**part.tensors, **outputs, "entropy": distribution.entropy(x, log_std)}
        trace = Trace(tensors, brain.roles)

        losses, facts = surrogate(
            log_prob,
            part.log_prob,
            part.advantages,
            clip_range,
            self.settings.normalise_advantages,
        )
        for name, cost in self.costs.items():
            if cost.has_loss and weights[name] > 0:
                seen = self.lesson(name, tape) if name in self.lessons else trace
                with fitting(cost):
                    loss = cost.loss(seen, self.heads[name])
                check_loss(cost, loss, (seen.episode_start.shape[0], seen.episode_start.shape[1]))
                weighted = (loss.mean() if name in self.lessons else loss) * weights[name]
                losses[name] = losses[name] + weighted if name in losses else weighted
        return losses, {**facts, "entropy": tensors["entropy"].detach().mean()}

    def lesson(self, cost: str, tape: Tape | None = None) -> Trace:
        """Return the agent's trace on episodes of a cost's teacher, drawn anew at each call."""
        state = self.cost_states.setdefault(cost, {"lessons": torch.zeros(1, dtype=torch.int64)})
        number = int(state["lessons"])
        state["lessons"] = state["lessons"] + 1
        seed = seed_of(self.seed, f"lesson/{cost}/{number}")
        return self.lessons[cost].draw(self.brain, self.distribution, seed, tape)

    def assign(
        self,
        part: Batch,
        weights: Mapping[str, float],
        clip_range: float,
        generator: torch.Generator,
        tape: Tape | None,
        losses: Mapping[str, Tensor],
        shut: frozenset[str] = frozenset(),
        retain_graph: bool = False,
    ) -> None:
        """Give every parameter what the credit rule makes of the losses that train it.

        Args:
            part: the minibatch that the losses are of.
            weights: of the costs.
            clip_range: of PPO's probability ratio.
            generator: of what the rule draws.
            tape: of the losses' graph, where it was cut.
            losses: scalars by cost.
            shut: areas that do not learn now.
            retain_graph: keep the graph for another pass.
        """
        self.route(losses, shut, retain_graph, tape)
        if self.credit.exact:
            return
        for areas, names in self._together(losses, shut).items():
            layers = [
                layer
                for area in areas
                for layer in self.layers[area]
                if trainable(layer.parameters())
            ]

            def run(names: Sequence[str] = names) -> Tensor:
                losses, _ = self.step_losses(part, weights, clip_range)
                return torch.stack([losses[name] for name in names]).sum(0)

            starts = part.tensors["episode_start"]
            ahead = max(self.costs[name].looks_ahead for name in names)
            estimate = self.credit.estimate(layers, run, starts, generator, ahead)
            for p, found in estimate.items():
                if not p.requires_grad:  # frozen by its user
                    continue
                p.grad = found if p.grad is None else p.grad + found

    def _together(
        self, losses: Mapping[str, Tensor], shut: frozenset[str]
    ) -> dict[frozenset[str], list[str]]:
        """Return the losses that train the same areas, together."""
        groups: dict[frozenset[str], list[str]] = {}
        for name in losses:
            groups.setdefault(self.routes[name] - shut, []).append(name)
        return groups

    def route(
        self,
        losses: Mapping[str, Tensor],
        shut: frozenset[str] = frozenset(),
        retain_graph: bool = False,
        tape: Tape | None = None,
    ) -> None:
        """Add each loss's gradient to the areas that it trains and to its own head, no others.

        Args:
            losses: scalars by cost.
            shut: areas that do not learn now.
            retain_graph: keep the graph for another pass.
            tape: of the losses' graph, where it was cut.
        """
        shares = [
            Share(
                areas,
                torch.stack([losses[name] for name in names]).sum(),
                trainable(p for name in names for p in self.head_parameters[name]),
            )
            for areas, names in self._together(losses, shut).items()
        ]
        followers = {name: trainable(ps) for name, ps in self.followers.items()}
        if tape is None:
            one_by_one(shares, followers, retain_graph)
        else:
            direct = {self.brain.roles["actor"]: trainable([self.log_std])}
            sweep(tape, shares, followers, direct, retain_graph)

    @property
    def log_std(self) -> nn.Parameter:
        """The logarithm of actions' deviations, which losses read past the actor's output."""
        return self.brain.actor.log_std

    def gradient_norms(
        self,
        losses: Mapping[str, Tensor],
        shut: frozenset[str] = frozenset(),
        assign: Callable[..., None] | None = None,
    ) -> dict[str, float]:
        """Return ``grad/<cost>/<area>``: the norm of what ``assign`` adds, cost by cost.

        A cost that counts for nothing now has none.

        Args:
            losses: scalars by cost.
            shut: areas that do not learn now.
            assign: :meth:`assign` for a minibatch; left out, :meth:`route`.
        """
        assign = assign or self.route
        cells = (f"grad/{name}/{area}" for name in self.routes for area in self.area_parameters)
        norms = dict.fromkeys(cells, 0.0)
        for name, loss in losses.items():
            self.optimizer.zero_grad(set_to_none=True)
            assign({name: loss}, shut, retain_graph=True)
            for area, parameters in self.area_parameters.items():
                gradients = [p.grad for p in parameters if p.grad is not None]
                norm = nn.utils.get_total_norm(gradients) if gradients else 0.0
                norms[f"grad/{name}/{area}"] = float(norm)
        return norms

    def clip(self) -> None:
        """Clip gradients: area by area and head by head, or all together."""
        clip(self.clipped_together(), self.settings.max_grad_norm)

    def clipped_together(self) -> list[list[nn.Parameter]]:
        """Return the groups of parameters whose gradients are clipped to one norm."""
        groups = [*self.area_parameters.values(), *self.head_parameters.values()]
        return groups if self.settings.clip_by_area else [[p for group in groups for p in group]]


def trainable(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Return those that learn; a user may have frozen some since the agent was made."""
    return [p for p in parameters if p.requires_grad]
