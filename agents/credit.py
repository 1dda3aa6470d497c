"""Credit rules: how an error changes weights. Backprop is the default; the others act on Linear.

A rule is chosen by name (``Agent(..., credit="feedback_alignment")``) and independent of costs and
routing, which say what the error is and whose weights it may change. It acts on the layers
(:class:`motley.agents.layers.Linear`) of the areas; an area states in ``Area.credit`` which kinds
of rules its weights can be trained by, and an agent with another one is refused. The heads of
costs, which are linear read-outs whose gradient is local, follow it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas import Actor, Area, State
from motley.agents.layers import Linear, seeded
from motley.agents.wiring import source_of
from motley.costs.registry import Registry, unknown

if TYPE_CHECKING:
    from motley.agents.brain import Brain

RunsArea = Callable[[tuple[Tensor, ...], State, Tensor], tuple[Tensor, State]]
"""An area as it is called."""
Gradients = dict[Tensor, Tensor]
"""By parameter."""


class CreditRule:
    """Base class of the rules, and backprop itself.

    Attributes:
        kind: what an area must name in ``Area.credit``; None for rules that need nothing of it.
        steps: over how many steps of time an error is sent back; None for all of a rollout's.
        exact: whether weights change along what autograd gives; else :meth:`estimate` says.
    """

    kind: ClassVar[str | None] = None
    exact: ClassVar[bool] = True
    steps: int | None = None

    def attach(self, brain: Brain, seed: int) -> None:
        """Take charge of a brain's areas.

        Args:
            brain: the brain.
            seed: of what the rule draws, with each layer's name.

        Raises:
            ValueError: an area that learns does not support the rule; the message names it.
        """
        for name, area in brain.areas.items():
            assert isinstance(area, Area)
            learns = any(p.requires_grad for p in area.parameters())
            if learns and self.kind is not None and self.kind not in area.credit:
                raise ValueError(
                    f"area {name!r} ({type(area).__name__}) cannot learn by "
                    f"{type(self).__name__}: it supports {', '.join(area.credit) or 'backprop'}"
                )
            for path, layer in area.named_modules():
                if isinstance(layer, Linear):
                    with seeded(seed, f"credit/{name}/{path}"):
                        self.take(area, layer)
        brain.credit = self

    def take(self, area: Area, layer: Linear) -> None:
        """Take charge of one layer of an area; draws come from a stream of its own."""

    def run(
        self, area: RunsArea, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """Run an area over a sequence; see :class:`Area`.

        With :attr:`steps`, an area with a memory is run over as many steps at a time, and its
        state between them is a constant. One of a loop comes step by step, and is cut where the
        brain cuts the loop.
        """
        single = len(episode_start) == 1
        if self.steps is None or single or not state or not torch.is_grad_enabled():
            output, after = area(inputs, state, episode_start)
            return output, after
        parts, steps = [], self.steps
        for t in range(0, len(episode_start), steps):
            part = tuple(x[t : t + steps] for x in inputs)
            output, state = area(part, detached(state), episode_start[t : t + steps])
            parts.append(output)
        return torch.cat(parts), state

    def estimate(
        self,
        layers: Collection[Linear],
        losses: Callable[[], Tensor],
        episode_start: Tensor,
        generator: torch.Generator,
        ahead: int = 0,
    ) -> Gradients:
        """Return weight changes of a rule that is not :attr:`exact`; see NodePerturbation."""
        raise TypeError(f"{type(self).__name__} follows autograd")


class Backprop(CreditRule):
    """The gradient, through all of a rollout's steps (Rumelhart et al. 1986; Werbos 1990)."""


class TruncatedBackprop(CreditRule):
    """The gradient through at most ``steps`` steps of time: BPTT(k; k) of Williams & Peng (1990).

    A rollout is cut into stretches of ``steps`` steps; values go on over a cut, errors do not.
    With 1, no error goes through time at all.

    Args:
        steps: length of a stretch.
    """

    def __init__(self, steps: int):
        if steps < 1:
            raise ValueError(f"truncated backprop through {steps} steps; give at least 1")
        self.steps = steps


class FeedbackAlignment(CreditRule):
    """Errors go back through fixed random weights instead of the transposed ones.

    Values and each layer's own gradient, given its error, are backprop's (Lillicrap et al. 2016).
    Feedback weights are orthogonal, as large as a layer's weights come to be. A layer that begins
    small, as an actor's last does, so sends back many times what it does in backprop at first,
    while a critic's last sends back about as much.
    """

    kind: ClassVar[str | None] = "feedback"

    def attach(self, brain: Brain, seed: int) -> None:
        """See :class:`CreditRule`; no error may go back through weights that are no layer's.

        Raises:
            ValueError: an area would send one so to an area that learns; the message names both.
        """
        super().attach(brain, seed)
        for name, area in brain.areas.items():
            assert isinstance(area, Area)
            if not any(p.requires_grad for p in area.parameters()):
                continue
            for source in map(source_of, brain.inputs[name][area.raw]):
                if source in brain.learning:
                    raise ValueError(
                        f"area {name!r} ({type(area).__name__}) cannot send errors back to area "
                        f"{source!r} by {type(self).__name__}: the weights between them are not a "
                        f"Linear's; let it read senses there"
                    )

    def take(self, area: Area, layer: Linear) -> None:
        """Draw the layer's feedback weights, which are saved with the agent."""
        layer.register_buffer("feedback", nn.init.orthogonal_(torch.empty_like(layer.weight)))
        layer.rule = self.forward

    def forward(self, layer: Linear, x: Tensor) -> Tensor:
        """Return the layer's output, with a gradient towards ``x`` by the feedback weights."""
        y = nn.functional.linear(x.detach(), layer.weight, layer.bias)
        return y + silent(x, self.back(layer))

    def back(self, layer: Linear) -> Tensor:
        """Return the weights that stand for the layer's own on the way back."""
        return layer.feedback


class SignConcordantFeedback(FeedbackAlignment):
    """Feedback weights have a fixed random size and the forward ones' signs (Liao et al. 2016)."""

    def back(self, layer: Linear) -> Tensor:
        """See :class:`FeedbackAlignment`."""
        return layer.feedback.abs() * layer.weight.detach().sign()


class DirectFeedbackAlignment(FeedbackAlignment):
    """The error at an area's output goes to each of its layers at once (Noekland 2016).

    For feed-forward areas, whose layers each have random weights from the output to what they
    read; areas with a memory take their error layer by layer, as in :class:`FeedbackAlignment`.
    """

    def __init__(self) -> None:
        self.read: list[tuple[Linear, Tensor]] = []

    def take(self, area: Area, layer: Linear) -> None:
        """Draw the layer's feedback weights, from the output of its area."""
        if "direct" not in area.credit:
            super().take(area, layer)
            return
        feedback = torch.empty(area.size, layer.in_features)
        layer.register_buffer("feedback", nn.init.orthogonal_(feedback))
        layer.rule = self.note

    def note(self, layer: Linear, x: Tensor) -> Tensor:
        """Return the layer's output, without a gradient towards ``x``; :meth:`run` adds it."""
        self.read.append((layer, x))
        return nn.functional.linear(x.detach(), layer.weight, layer.bias)

    def run(
        self, area: RunsArea, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`CreditRule`."""
        self.read = []
        output, after = area(inputs, state, episode_start)
        for layer, x in self.read:
            output = output + silent(x, layer.feedback)
        return output, after


class NodePerturbation(CreditRule):
    """Noise at every unit's input is correlated with what it did to the loss.

    One pass with noise and one without give, for a unit with noise xi and input x, the change of
    weights (L' - L) xi x / scale^2, whose mean is the gradient (Werfel et al. 2005, equation 6).
    L' - L is taken world by world, from the step of the noise to the end of the episode, and from
    as many steps before it as a loss looks ahead: noise changes nothing else. Costs of which that
    is not true (``Cost.stepwise``) are refused, as is one that trains an area that it follows
    (``Cost.follows``) or one that this depends on: such a target, taken without gradient, is
    changed by the noise.

    Args:
        scale: standard deviation of the noise.
    """

    kind: ClassVar[str | None] = "perturbation"
    exact: ClassVar[bool] = False

    def __init__(self, scale: float = 1e-2):
        self.scale = scale
        self.noisy: Collection[Linear] = ()
        self.made: list[tuple[Linear, Tensor, Tensor]] = []
        self.generator: torch.Generator | None = None

    def attach(self, brain: Brain, seed: int) -> None:
        """See :class:`CreditRule`; every weight that learns must be a layer's.

        Raises:
            ValueError: one is not. The actor's deviations are no weights: they follow the
                gradient.
        """
        super().attach(brain, seed)
        for name, area in brain.areas.items():
            layers = (m for m in area.modules() if isinstance(m, Linear))
            found = {p for layer in layers for p in layer.parameters()}
            if isinstance(area, Actor):
                found.add(area.log_std)
            for path, p in area.named_parameters():
                if p.requires_grad and p not in found:
                    raise ValueError(
                        f"area {name!r} ({type(area).__name__}) cannot learn by "
                        f"NodePerturbation: {path} is not the weight of a Linear"
                    )

    def take(self, area: Area, layer: Linear) -> None:
        """Put the noise, when there is to be some, before the units of the layer."""
        layer.rule = self.forward

    def forward(self, layer: Linear, x: Tensor) -> Tensor:
        """Return the layer's output, with noise where :meth:`estimate` asks for it."""
        y = nn.functional.linear(x, layer.weight, layer.bias)
        if layer not in self.noisy:
            return y
        noise = torch.randn(y.shape, generator=self.generator, device=y.device, dtype=y.dtype)
        self.made.append((layer, x, self.scale * noise))
        return y + self.scale * noise

    @torch.no_grad()
    def estimate(
        self,
        layers: Collection[Linear],
        losses: Callable[[], Tensor],
        episode_start: Tensor,
        generator: torch.Generator,
        ahead: int = 0,
    ) -> Gradients:
        """Return an estimate of the gradient of the mean loss.

        Args:
            layers: whose units get noise; each sees (time, worlds, features) at once, or
                (worlds, features) step after step.
            losses: runs the areas and returns the loss of each step, (time, worlds).
            episode_start: (time, worlds) bool.
            generator: of the noise.
            ahead: how many steps on, in its episode, the loss of a step reads areas' outputs.
        """
        clean = losses()
        self.noisy, self.made, self.generator = layers, [], generator
        try:
            change = losses() - clean
        finally:
            self.noisy = ()
        to_come, later = torch.empty_like(change), torch.zeros_like(change[0])
        for t in range(len(change) - 1, -1, -1):
            to_come[t] = later = change[t] + later
            later = later * ~episode_start[t]
        for _ in range(ahead):
            to_come[1:] = torch.where(episode_start[1:], to_come[1:], to_come[:-1])
        to_come /= change.numel() * self.scale**2
        found: Gradients = {}
        at = dict.fromkeys(layers, 0)
        for layer, x, noise in self.made:
            steps = x.shape[0] if x.dim() == 3 else 1
            weight = to_come[at[layer] : at[layer] + steps].reshape(*noise.shape[:-1], 1)
            at[layer] += steps
            error = (weight * noise).flatten(0, -2)
            parts: Gradients = {layer.weight: error.t() @ x.flatten(0, -2)}
            if layer.bias is not None:
                parts[layer.bias] = error.sum(0)
            for p, gradient in parts.items():
                found[p] = found[p] + gradient if p in found else gradient
        return found


def silent(x: Tensor, weight: Tensor) -> Tensor:
    """Return zeros, whose gradient by ``x`` is that of a linear map of it."""
    y = nn.functional.linear(x, weight)
    return y - y.detach()


def detached(state: State) -> State:
    """Return a state without its history."""
    return {name: x.detach() for name, x in state.items()}


CREDIT: Registry[Callable[[], CreditRule]] = Registry("credit rule")
"""Rules by name; a plug-in adds one."""
CREDIT |= {
    "backprop": Backprop,
    "feedback_alignment": FeedbackAlignment,
    "sign_concordant": SignConcordantFeedback,
    "direct_feedback": DirectFeedbackAlignment,
    "node_perturbation": NodePerturbation,
}


def credit_rule(name: str) -> CreditRule:
    """Return the rule called ``name``: one of :data:`CREDIT`, or ``bptt_4`` for any number.

    Raises:
        ValueError: there is no such rule.
    """
    if not isinstance(name, str):
        raise ValueError(f"credit must be the name of a credit rule, not {name!r}")
    word, _, steps = name.partition("_")
    if word == "bptt" and steps.isdecimal():
        return TruncatedBackprop(int(steps))
    if name not in CREDIT:
        raise ValueError(unknown("credit rule", name, (*CREDIT, "bptt_4 (any number of steps)")))
    return CREDIT[name]()
