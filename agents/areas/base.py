"""What an area is: named inputs to one output, over a whole sequence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

State = dict[str, Tensor]

PRIORS = ("exact", "noisy", "learnt")
"""Rungs of prior strength, from all given to the topology alone."""


class Area(nn.Module):
    """Base class of the areas of a brain; a plain torch module.

    A subclass takes the sizes of its inputs first and its own options after them, sets
    :attr:`size` and defines :meth:`forward`. One with a memory also defines
    :meth:`initial_state`.

    It needs no brain round it: here an area without a memory is the features of SB3's own PPO,
    which gives batches of single steps::

        class Looking(BaseFeaturesExtractor):
            def __init__(self, space):
                super().__init__(space, features_dim=32)
                self.area = Perceptron((space.shape[0],), size=32)

            def forward(self, x):
                start = torch.zeros(1, len(x), dtype=torch.bool)
                return self.area((x.unsqueeze(0),), {}, start)[0][0]

        PPO("MlpPolicy", env, policy_kwargs={"features_extractor_class": Looking})

    Attributes:
        size: features of the output.
        of_action: whether the brain fills in the option ``size``: the numbers that tell an action
            to prefer, and of an actor all that the action's distribution takes.
        credit: the kinds of credit rules other than backprop that its weights can be trained
            by. ``feedback``: errors go back through its weights only where these are
            :class:`~motley.agents.layers.Linear`, called as layers. ``direct``: besides, it has
            no memory, and layers see (time, worlds, features). ``perturbation``: all weights are
            such layers, which see (time, worlds, features), or (worlds, features) step by step.
        raw: the inputs that meet learnt weights which are no such layers. Errors would go back to
            them through these weights, so that with ``feedback`` they must be senses, or areas that
            learn nothing.
    """

    of_action: ClassVar[bool] = False
    credit: ClassVar[tuple[str, ...]] = ()
    raw: ClassVar[slice] = slice(0)
    size: int

    def __init__(self, sizes: tuple[int, ...], size: int):
        """Keep what is common.

        Args:
            sizes: features of each input.
            size: features of the output.
        """
        super().__init__()
        if size < 1:
            raise ValueError(f"{type(self).__name__}: size must be at least 1, not {size}")
        self.sizes, self.size = tuple(sizes), size

    def initial_state(self, n: int) -> State:
        """Return the state before an episode: tensors with the ``n`` worlds as first axis."""
        return {}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """Run over a sequence.

        Args:
            inputs: each (time, worlds, features).
            state: the state after the step before the first; see :meth:`initial_state`.
            episode_start: (time, worlds) bool; where it is True, nothing from before counts.

        Returns:
            The output, (time, worlds, size), and the state after the last step.
        """
        raise TypeError(f"{type(self).__name__} defines no forward")


def check_prior(area: str, prior: str, rungs: Iterable[str] = PRIORS) -> None:
    """Raise where an area has no such rung of prior strength.

    Raises:
        ValueError: names the area and the rungs.
    """
    if prior not in tuple(rungs):
        raise ValueError(f"{area}(prior={prior!r}): give one of {', '.join(rungs)}")


def wrong_factors(count: int) -> nn.Parameter:
    """Return factors of given constants that start wrong, by a deviation of 0.2, and are learnt."""
    return nn.Parameter(torch.exp(0.2 * torch.randn(count)))


def blank(state: State, episode_start: Tensor) -> State:
    """Return ``state`` with zeros in the worlds where an episode starts, (worlds,) bool."""
    return {
        name: torch.where(episode_start.view(-1, *(1,) * (x.dim() - 1)), torch.zeros_like(x), x)
        for name, x in state.items()
    }


def sum_since_start(step: Tensor, first: Tensor, episode_start: Tensor) -> Tensor:
    """Return running sums that start at zero where an episode does, without a loop.

    Args:
        step: what each step adds, (time, worlds, ...); a first step of an episode adds nothing.
        first: the sum before the sequence, (worlds, ...).
        episode_start: (time, worlds) bool.
    """
    extra = (1,) * (step.dim() - 2)
    start = episode_start.view(*episode_start.shape, *extra)
    total = torch.where(start, torch.zeros_like(step), step).cumsum(0)
    order = torch.arange(len(step), device=step.device).view(-1, 1, *extra)
    last = torch.where(start, order, -1).cummax(0).values
    before = total.gather(0, last.clamp(min=0).expand_as(total))
    return total - torch.where(last >= 0, before, -first.to(total))
