"""Costs that pay for novelty: their published forms, and probes with a known answer."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from fits import ONLY
from motley.agents import Agent
from motley.costs import (
    COSTS,
    RND,
    CountNovelty,
    EnsembleDisagreement,
    EpisodicNovelty,
    Intrinsic,
    LearningProgress,
    PredictionErrorCuriosity,
    RandomFeatureCuriosity,
    Trace,
    unexplained,
)
from motley.costs.base import Sizes
from motley.costs.learning_progress import Rehearsal
from motley.costs.models import Standardiser

NOVELTIES = [
    name
    for name, cost in COSTS.items()
    if issubclass(cost, Intrinsic) and name not in ONLY  # test_models.py has those
]
LENGTH = 24


class Lock(gym.Env[np.ndarray, Any]):
    """A combination lock: the right one of two actions leads on, the other back to the start.

    By chance one gets k steps far in one of 2^k attempts; nothing is ever paid.
    """

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0.0, 1.0, (LENGTH,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.right = np.random.default_rng(0).integers(2, size=LENGTH)
        self.visited: list[set[int]] = []
        self.at = self.t = 0

    def _see(self) -> np.ndarray:
        self.visited[-1].add(self.at)
        seen: np.ndarray = np.eye(LENGTH, dtype=np.float32)[self.at]
        return seen

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = self.t = 0
        self.visited.append(set())
        return self._see(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.at = min(self.at + 1, LENGTH - 1) if action == self.right[self.at] else 0
        self.t += 1
        return self._see(), 0.0, False, self.t == 2 * LENGTH, {}


class Screens(gym.Env[np.ndarray, Any]):
    """Three things to do: look at a noisy screen, step a wheel of four positions on, or rest."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-4.0, 4.0, (12,), np.float32)
        self.action_space = spaces.Discrete(3)
        self.wheel, self.t = 0, 0
        self.looks: list[bool] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.wheel = self.t = 0
        return self._see(np.zeros(8)), {}

    def _see(self, screen: np.ndarray) -> np.ndarray:
        return np.concatenate((np.eye(4)[self.wheel], screen)).astype(np.float32)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.looks.append(bool(action == 0))
        screen = self.np_random.choice([-1.0, 1.0], 8) if action == 0 else np.zeros(8)
        self.wheel = (self.wheel + int(action == 1)) % 4
        self.t += 1
        return self._see(screen), 0.0, False, self.t == 32, {}


SIZES = {"vision": 6, "action": 3}


def trace(seed: int, time: int = 9, worlds: int = 4) -> Trace:
    generator = torch.Generator().manual_seed(seed)
    starts = torch.rand(time, worlds, generator=generator) < 0.2
    return Trace(
        {
            "vision": torch.randn(time, worlds, 6, generator=generator),
            "action": torch.randn(time, worlds, 3, generator=generator),
            "episode_start": starts,
        },
        after={
            "vision": torch.randn(1, worlds, 6, generator=generator),
            "episode_start": torch.tensor([[False, True] * (worlds // 2)]),
        },
    )


def heads_of(cost: Intrinsic) -> Any:
    torch.manual_seed(0)
    return cost.heads(Sizes(SIZES, {}))


def scored(cost: Intrinsic, seen: Trace, heads: Any, state: Any = None) -> tuple[np.ndarray, Any]:
    notes, state = cost.annotate(seen, state or {}, heads)
    return cost.score(seen.noted(notes)).numpy(), state


def mlp(net: Any, x: np.ndarray) -> np.ndarray:
    """A perceptron, layer by layer, in float64."""
    layers = [layer for layer in net if hasattr(layer, "weight")]
    for i, layer in enumerate(layers):
        x = x @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
        x = np.maximum(x, 0.0) if i + 1 < len(layers) else x
    return x


def pairs(seen: Trace) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Standardised observations now and next, actions, and where there is a next one."""
    x = seen["vision"].double().numpy()
    flat = x.reshape(-1, x.shape[-1])
    mean, deviation = flat.mean(0), flat.std(0)
    later = np.concatenate((x[1:], seen.after["vision"].double().numpy()))
    known = ~np.concatenate((seen.episode_start[1:].numpy(), seen.after["episode_start"].numpy()))
    now, later = (np.clip((z - mean) / deviation, -5, 5) for z in (x, later))
    return now, later, seen["action"].double().numpy(), known


def test_observations_are_standardised_by_all_that_was_seen() -> None:
    made, parts = Standardiser(3), []
    for i, scale in enumerate((1.0, 30.0)):
        x = scale * torch.randn(50, 4, 3, generator=torch.Generator().manual_seed(i)) + 7.0
        x[..., 2] = 4.0
        made.update(x)
        parts.append(x.flatten(0, 1).double().numpy())
    whole = np.concatenate(parts)
    z = made(torch.as_tensor(whole, dtype=torch.float32)).numpy()
    expected = (whole[:, :2] - whole[:, :2].mean(0)) / whole[:, :2].std(0)
    np.testing.assert_allclose(z[:, :2], np.clip(expected, -5, 5), atol=1e-4)
    assert not z[:, 2].any()  # never varied
    assert made(torch.full((1, 3), 1e6)).max() == 5.0


def test_rnd_is_the_error_of_distilling_a_fixed_network() -> None:
    cost, seen = RND(), trace(1)
    made = heads_of(cost)
    now, later, _, known = pairs(seen)
    score, _ = scored(cost, seen, made)
    errors = [((mlp(made.predictor, z) - mlp(made.target, z)) ** 2).mean(-1) for z in (later, now)]
    np.testing.assert_allclose(score, errors[0] * known, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(cost.loss(seen, made).detach().numpy(), errors[1], rtol=1e-4)
    torch.autograd.backward(cost.loss(seen, made).sum())
    assert all(p.grad is None for p in made.target.parameters())


def scored_by_its_error(cost: PredictionErrorCuriosity, seen: Trace) -> tuple[Any, np.ndarray]:
    """The heads, and the forward model's errors where a next step is known, which the score is."""
    made = heads_of(cost)
    now, later, action, known = pairs(seen)
    a, b = mlp(made.encoder, now), mlp(made.encoder, later)
    error = mlp(made.forward_model, np.concatenate((a, action), -1)) - b
    score, _ = scored(cost, seen, made)
    np.testing.assert_allclose(score, 0.5 * (error**2).sum(-1) * known, rtol=1e-3, atol=1e-6)
    return made, error[known]


def test_curiosity_is_the_error_in_features_that_tell_the_action() -> None:
    cost, seen = PredictionErrorCuriosity(), trace(2)
    made, _ = scored_by_its_error(cost, seen)
    # The features learn from the inverse model only.
    made.forward_model.requires_grad_(False)
    made.inverse.requires_grad_(False)
    torch.autograd.backward(cost.loss(seen, made).sum())
    whole = [p.grad.clone() for p in made.encoder.parameters()]
    made.zero_grad()
    told = made.action(made(seen["vision"]), made(seen.next("vision")))
    torch.autograd.backward(unexplained(told, seen["action"], seen.has_next).sum())
    for expected, p in zip(whole, made.encoder.parameters(), strict=True):
        torch.testing.assert_close(p.grad, expected)


def test_random_features_are_kept_and_only_their_model_learns() -> None:
    cost, seen = RandomFeatureCuriosity(), trace(2)
    made, errors = scored_by_its_error(cost, seen)
    loss = cost.loss(seen, made)
    assert loss.mean().item() == pytest.approx((errors**2).mean(), rel=1e-3)
    torch.autograd.backward(loss.sum())
    learning = {name.split(".")[0] for name, p in made.named_parameters() if p.grad is not None}
    assert learning == {"forward_model"}


def turned(generator: torch.Generator) -> Trace:
    """A wheel of four positions that one of two actions turns, beside a screen.

    On the screen is noise in half of the worlds, which comes about by itself. The action that led
    to a step is felt at it.
    """
    action = torch.randint(2, (33, 16), generator=generator)
    first = torch.zeros(1, 16, dtype=torch.int64)
    wheel = torch.cat((first, action[:-1])).cumsum(0) % 4
    screen = torch.randn(33, 16, 8, generator=generator)
    screen[:, :8] = 0.0
    seen = torch.cat((torch.eye(4)[wheel], screen), -1)
    felt = torch.eye(2)[torch.cat((first, action[:-1]))]
    start = torch.zeros(33, 16, dtype=torch.bool)
    return Trace(
        {"vision": seen, "action": torch.eye(2)[action], "egomotion": felt, "episode_start": start}
    )


def trained(cost: Intrinsic, steps: int = 400) -> tuple[Any, Trace]:
    """The cost's learner, trained by its loss where a wheel is turned; and a trace held out."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    made: Any = cost.heads(Sizes({"vision": 12, "action": 2, "egomotion": 2}, {}))
    assert made is not None
    learning = [p for p in made.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, 3e-3)
    for _ in range(steps):
        seen = turned(generator)
        made.standardise.update(cost.seen(seen))
        optimizer.zero_grad()
        torch.autograd.backward(cost.loss(seen, made).mean())
        optimizer.step()
    return made, turned(generator)


def surprise(cost: Intrinsic) -> tuple[float, float]:
    """The mean score where a wheel is turned, and where there is a screen of noise beside it."""
    made, seen = trained(cost)
    score, _ = scored(cost, seen, made)
    return float(score[:, :8].mean()), float(score[:, 8:].mean())


@pytest.mark.parametrize("kind", [PredictionErrorCuriosity, EpisodicNovelty])
def test_felt_motion_would_take_features_that_tell_the_action(
    kind: type[PredictionErrorCuriosity | EpisodicNovelty],
) -> None:
    """Share of the features' variance that is left where the view is held at its mean."""
    for senses, least, most in ((("vision",), 0.0, 0.0), (("vision", "egomotion"), 0.6, 1.0)):
        cost = kind(senses=senses)
        made, held_out = trained(cost)
        seen = cost.seen(held_out)[:, :8]
        blind = seen.clone()
        blind[..., :12] = seen[..., :12].mean((0, 1))
        with torch.no_grad():
            left, whole = (made(x).flatten(0, 1).var(0).sum() for x in (blind, seen))
        assert least <= left / whole <= most


def test_noise_that_no_action_sets_off_fades_from_features_that_tell_the_action() -> None:
    controlled, random = surprise(PredictionErrorCuriosity()), surprise(RandomFeatureCuriosity())
    assert max(controlled[0], random[0]) < 0.01
    assert 0.1 < controlled[1] < 0.5 * random[1]


def test_what_tells_the_action_by_itself_is_set_apart_from_features_that_are_to_tell_it() -> None:
    senses = {"vision": 5, "egomotion": 3, "cue": 2, "proprioception": 4}
    for kind in (PredictionErrorCuriosity, EpisodicNovelty):
        assert kind.fitted(senses).senses == ("vision", "cue")
        assert kind.fitted({"egomotion": 3}).senses == ("egomotion",)
    for other in (RandomFeatureCuriosity, RND, EnsembleDisagreement, CountNovelty):
        assert other.fitted(senses).senses == tuple(senses)


def test_episodic_novelty_is_the_elliptical_bonus() -> None:
    """Against a matrix inverted anew at each step, through episodes and two rollouts."""
    cost = EpisodicNovelty(ridge=0.3, features=5)
    made, state = heads_of(cost), None
    matrices = np.tile(0.3 * np.eye(5), (4, 1, 1))
    for seed in (3, 4):
        seen = trace(seed)
        if seed == 4:  # goes on where the first rollout ended
            seen.episode_start[0] = torch.tensor([False, True, False, True])
        score, state = scored(cost, seen, made, state)
        with torch.no_grad():
            now, later = (made(x).double().numpy() for x in (seen["vision"], seen.next("vision")))
        known = seen.has_next.numpy()
        for t in range(len(now)):
            for i in range(4):
                if seen.episode_start[t, i]:
                    matrices[i] = 0.3 * np.eye(5) + np.outer(now[t, i], now[t, i])
                phi = later[t, i]
                expected = phi @ np.linalg.inv(matrices[i]) @ phi * known[t, i]
                matrices[i] += np.outer(phi, phi)
                assert score[t, i] == pytest.approx(expected, rel=2e-3, abs=1e-5)


def test_episodic_novelty_learns_what_tells_the_action_and_begins_anew_with_episodes() -> None:
    assert EpisodicNovelty().episodic
    assert EpisodicNovelty.in_time  # its loss compares steps
    made, seen = trained(EpisodicNovelty(), 200)
    with torch.no_grad():
        told = made.action(made(seen["vision"]), made(seen.next("vision")))
    right = told.argmax(-1) == seen["action"].argmax(-1)
    assert right[seen.has_next].float().mean() > 0.95  # by chance one half
    # What follows the last step of an episode is another's, and tells nothing of the action.
    cost, seen = EpisodicNovelty(), trace(4)
    loss = cost.loss(seen, heads_of(cost))
    ends = ~seen.has_next
    assert ends[:-1].any()
    assert not loss[ends].any()
    assert (loss[~ends] > 0).all()


def test_learning_progress_is_what_an_older_average_errs_more() -> None:
    """Against averages kept one by one, over more rollouts than lie between the two."""
    cost, seen = LearningProgress(kept=0.75, age=2), trace(5)
    made = heads_of(cost)
    assert not scored(cost, seen, made)[0].any()  # of one age at first
    averages = [parameters_to_vector(made.model.parameters()).detach().clone()] * 3
    generator = torch.Generator().manual_seed(0)
    later = cost.seen_next(seen)
    for _ in range(4):
        with torch.no_grad():
            for p in made.model.parameters():
                p += 0.1 * torch.randn(p.shape, generator=generator)
        weights = parameters_to_vector(made.model.parameters()).detach()
        averages.append(0.75 * averages[-1] + 0.25 * weights)
        score, _ = scored(cost, seen, made)
        errors = []
        for average in (averages[-3], averages[-1]):
            model = deepcopy(made.model)
            vector_to_parameters(average, model.parameters())
            with torch.no_grad():
                z, after = made.standardise(seen["vision"]), made.standardise(later)
                errors.append((model(z, seen["action"]) - after).square().mean(-1))
        expected = (errors[0] - errors[1]) * seen.has_next
        np.testing.assert_allclose(score, expected.numpy(), atol=1e-5)
    with pytest.raises(ValueError, match=r"age=0\): give 1 rollout or more"):
        LearningProgress(age=0)


@pytest.mark.parametrize(("rehearsed", "forgets"), [(0, True), (2_000, False)])
def test_what_is_rehearsed_is_not_forgotten(rehearsed: int, forgets: bool) -> None:
    """Of two places, each with a law of its own, the one that was left is known when it is back."""
    cost = LearningProgress(rehearsed=rehearsed)
    torch.manual_seed(0)
    made: Any = cost.heads(Sizes({"vision": 6, "action": 4}, {}))
    optimizer = torch.optim.Adam(made.model.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(1)
    laws, state = torch.randn(2, 4, 4, generator=generator), dict[str, torch.Tensor]()

    def lived(place: int) -> Trace:
        action = torch.rand(1, 200, 4, generator=generator) * 2 - 1
        where = torch.eye(2)[place].expand(1, 200, 2)
        before = torch.randn(1, 200, 4, generator=generator)
        none = torch.zeros(1, 200) > 0
        return Trace(
            {"vision": torch.cat((where, before), -1), "action": action, "episode_start": none},
            after={"vision": torch.cat((where, action @ laws[place]), -1), "episode_start": none},
        )

    def error(place: int) -> float:
        seen = lived(place)
        off = made.wrong(cost.seen(seen), seen["action"], cost.seen_next(seen))
        return float(off.detach().square().mean())

    learnt = {}
    for place in (0, 1):
        for _ in range(250):
            seen = lived(place)
            notes, state = cost.annotate(seen, state, made)
            optimizer.zero_grad()
            torch.autograd.backward(cost.loss(seen.noted(notes), made).mean())
            optimizer.step()
        learnt[place] = error(place)
    assert max(learnt.values()) < 0.15
    assert (error(0) > 0.4) == forgets


def test_what_is_rehearsed_keeps_every_row_with_the_same_chance() -> None:
    kept, generator = np.zeros(300), torch.Generator().manual_seed(0)
    for _ in range(400):
        sample = Rehearsal(30, 1)
        assert not sample.draw((2,), generator).any()
        for part in torch.split(torch.arange(300.0), [7, 60, 133, 100]):
            sample.take(part.unsqueeze(-1), generator)
        rows = sample.kept.flatten().int().numpy()
        assert len({*rows.tolist()}) == 30
        assert np.isin(sample.draw((50,), generator), sample.kept).all()
        kept[rows] += 1
    # Each third's share is a tenth of 400 x 100, with a deviation of 1.5%.
    thirds = kept.reshape(3, 100).sum(1)
    np.testing.assert_allclose(thirds, 4_000, rtol=0.06)


def test_learning_progress_charges_nothing_where_nothing_is_left_to_learn() -> None:
    """A learner that jitters about what it has mastered errs as much as it did, on average."""
    cost, seen = LearningProgress(), trace(5)
    made = heads_of(cost)
    scored(cost, seen, made)
    mastered = parameters_to_vector(made.model.parameters()).detach()
    generator = torch.Generator().manual_seed(1)

    def error(weights: torch.Tensor) -> float:
        vector_to_parameters(weights, made.model.parameters())
        return cost.loss(seen, made).mean().item()

    scores, jitters = [], []
    for _ in range(400):
        jitter = 0.05 * torch.randn(mastered.shape, generator=generator)
        jitters.append(error(mastered + jitter) - error(mastered))
        vector_to_parameters(mastered + jitter, made.model.parameters())
        scores.append(scored(cost, seen, made)[0].mean())
    assert np.mean(jitters) > 0.01
    assert abs(np.mean(scores)) < 0.05 * np.mean(jitters)


def test_learning_progress_is_first_in_what_is_easy_then_in_what_is_hard() -> None:
    """The order easy -> hard, and noise is worth nothing once its mean is known.

    All three are practised alike, so that the order is the score's and nobody's choice.
    """
    cost, count = LearningProgress(), 400
    torch.manual_seed(0)
    made: Any = cost.heads(Sizes({"vision": 9, "action": 3}, {}))
    optimizer = torch.optim.Adam(made.model.parameters(), 2e-3)
    generator = torch.Generator().manual_seed(1)
    mix = torch.randn(3, 6, generator=generator)
    kind = torch.eye(3).repeat_interleave(count, 0)
    course = []
    for _ in range(125):
        action = torch.rand(3 * count, 3, generator=generator) * 2 - 1
        before, noise = torch.randn(2, 3 * count, 6, generator=generator)
        easy, hard, _ = (action @ mix).view(3, count, 6)
        came = torch.cat((0.6 * easy, torch.sin(4.0 * hard), noise[2 * count :]))
        seen = Trace(
            {
                "vision": torch.cat((kind, before), 1)[None],
                "action": action[None],
                "episode_start": torch.ones(1, 3 * count) > 0,
            },
            after={
                "vision": torch.cat((kind, came), 1)[None],
                "episode_start": torch.zeros(1, 3 * count) > 0,
            },
        )
        course.append(scored(cost, seen, made)[0].reshape(3, count).mean(1))
        for _ in range(4):
            optimizer.zero_grad()
            torch.autograd.backward(cost.loss(seen, made).mean())
            optimizer.step()
    easy, hard, noise = np.mean(course[25:50], 0)
    assert easy > 2 * max(hard, noise)
    easy, hard, noise = np.mean(course[90:], 0)
    assert hard > 2 * max(easy, noise)
    assert hard > 1e-3


def test_disagreement_is_the_variance_over_members() -> None:
    cost, seen = EnsembleDisagreement(members=3), trace(6)
    made = heads_of(cost)
    now, _, action, known = pairs(seen)
    x = np.concatenate((now, action), -1)
    predicted = np.stack([mlp(m.net, x) + mlp([m.linear], x) for m in made.members])
    score, _ = scored(cost, seen, made)
    expected = predicted.var(0, ddof=1).mean(-1) * known
    np.testing.assert_allclose(score, expected, rtol=1e-3, atol=1e-6)
    with pytest.raises(ValueError, match="give 2 or more"):
        EnsembleDisagreement(members=1)


def sampled(count: int, seed: int, rare: float) -> Trace:
    """Moments of one step; a share is from anywhere, all others from one spot of the world."""
    generator = torch.Generator().manual_seed(seed)
    now = torch.rand(count, 6, generator=generator) * 2 - 1
    now[torch.rand(count, generator=generator) > rare, :2] *= 0.1
    action = torch.rand(count, 3, generator=generator) * 2 - 1
    mix = torch.randn(3, 6, generator=torch.Generator().manual_seed(5))
    later = torch.sin(0.7 * torch.cat((now[:, :2], action[:, :1]), -1) @ mix)
    return Trace(
        {"vision": now[None], "action": action[None], "episode_start": torch.ones(1, count) > 0},
        after={"vision": later[None], "episode_start": torch.zeros(1, count) > 0},
    )


def test_samples_that_learners_disagree_on_teach_more_than_random_ones() -> None:
    """Of two equal learners, the one that chooses its samples errs less by as many."""
    pool, test = sampled(2_000, 10, rare=0.1), sampled(1_000, 1, rare=1.0)

    def error(active: bool) -> float:
        """Held-out share of variance not told after 80 samples, of which 16 were given."""
        cost = EnsembleDisagreement()
        made, known = heads_of(cost), torch.zeros(2_000, dtype=torch.bool)
        optimizer = torch.optim.Adam(made.parameters(), 3e-3)
        drawn = torch.rand(2_000, generator=torch.Generator().manual_seed(0)).numpy()
        known[:16] = True
        for _ in range(5):
            taken = {name: x[:, known] for name, x in pool.tensors.items()}
            seen = Trace(taken, after={name: x[:, known] for name, x in pool.after.items()})
            for _ in range(60):
                optimizer.zero_grad()
                torch.autograd.backward(cost.loss(seen, made).mean())
                optimizer.step()
            found, _ = scored(cost, pool, made)  # also at random, which takes in the same scales
            score = found[0] if active else drawn
            known[np.argsort(np.where(known, -1.0, score))[-16:]] = True
        with torch.no_grad():
            later = made.standardise(test.next("vision"))
            return float(cost.loss(test, made).mean() / later.var((0, 1)).mean())

    chosen, random = error(active=True), error(active=False)
    assert chosen < 0.75 * random


def test_counts_are_counted() -> None:
    """By the signs of projections of what was standardised by all that was seen so far."""
    cost = CountNovelty(bits=12)
    made, generator = heads_of(cost), torch.Generator().manual_seed(0)
    projection = made.get_buffer("projection").numpy()
    kinds = torch.randn(5, 6, generator=generator)
    counts: Counter[bytes] = Counter()
    so_far: list[np.ndarray] = []
    for seed in (7, 8, 9):
        which = torch.randint(5, (10, 4), generator=generator)
        seen = trace(seed).noted({"vision": kinds[which[:9]]})
        seen = Trace(seen.tensors, after={**seen.after, "vision": kinds[which[9:]]})
        score, _ = scored(cost, seen, made)
        so_far.append(kinds[which[:9]].flatten(0, 1).numpy())
        everything = np.concatenate(so_far).astype(np.float64)
        z = (kinds[which[1:]].numpy() - everything.mean(0)) / everything.std(0)
        codes = np.concatenate((z, np.ones_like(z[..., :1])), -1) @ projection > 0
        known = seen.has_next.numpy()
        counts.update(code.tobytes() for code in codes[known])
        expected = [counts[code.tobytes()] ** -0.5 for code in codes[known]]
        np.testing.assert_allclose(score[known], expected, rtol=1e-6)
        assert not score[~known].any()


def test_counts_tell_apart_what_lies_far_from_zero() -> None:
    """Senses are seldom centred, and signs of projections are told by where zero is."""
    generator = torch.Generator().manual_seed(0)
    seen = trace(7).noted({"vision": 3.0 + torch.rand(9, 4, 6, generator=generator)})
    cost = CountNovelty(bits=12)
    score, _ = scored(cost, seen, heads_of(cost))
    assert (score[seen.has_next.numpy()] > 0.7).mean() > 0.6  # counted once or twice


@pytest.mark.parametrize("name", NOVELTIES)
def test_a_placebo_deals_the_scores_of_a_rollout_out_anew(name: str) -> None:
    """What its learner learns and how much is paid stay; which step is paid does not."""
    kind: Any = COSTS[name]
    true, false = kind(), kind(meaningless=True)
    heads = [heads_of(true), heads_of(true)]
    states: list[Any] = [None, None]
    for seed in (9, 10):
        seen = trace(seed, time=30)
        for heads_now in heads:  # so that even progress is not zero
            for p in heads_now.parameters():
                p.data += 0.1
        score, states[0] = scored(true, seen, heads[0], states[0])
        dealt, states[1] = scored(false, seen, heads[1], states[1])
        known = seen.has_next.numpy()
        np.testing.assert_array_equal(np.sort(dealt[known]), np.sort(score[known]))
        assert not dealt[~known].any()
        assert abs(np.corrcoef(dealt[known], score[known])[0, 1]) < 0.5
    assert int(states[1]["draws"]) == 2


def live(kind: type[gym.Env[Any, Any]], costs: str, steps: int, rate: float) -> list[Any]:
    """Train in 32 worlds and return these."""
    env = DummyVecEnv([kind for _ in range(32)])
    settings: dict[str, Any] = {"budget": None, "seed": 0, "final_rate": 1.0}
    agent = Agent("feedforward", env, costs, n_steps=16, n_minibatches=2, learning_rate=rate,
                  **settings)  # fmt: skip
    agent.learn(steps)
    return [e.unwrapped for e in env.envs]


def covered(costs: str) -> float:
    """Positions of the lock that an agent comes to in an episode, on average over its life."""
    episodes = [e for world in live(Lock, costs, 8192, 3e-3) for e in world.visited[:-1]]
    return float(np.mean([len(positions) for positions in episodes]))


@pytest.fixture(scope="module")
def by_chance() -> float:
    """The same of an agent without a novelty score, which nothing leads."""
    found = covered("reward")
    # It acts at random for life: the longest run of one side in 48 throws of a coin is about 5. The
    # furthest position of all tells little of it, since that is one lucky episode's.
    assert 5 < found < 7
    return found


@pytest.mark.parametrize("name", NOVELTIES)
def test_novelty_covers_more(name: str, by_chance: float) -> None:
    """Each further position halves the chance to get there at random."""
    assert covered(f"reward+{name}") >= by_chance + 1


def test_curiosity_is_drawn_to_noise_and_learning_progress_is_not() -> None:
    """A third of the time would be chance. What noise is like on average takes time to learn."""
    for name, steps, low, high in (
        ("prediction_error_curiosity", 12_288, 0.5, 1.0),
        ("learning_progress", 24_576, 0.0, 0.3),
    ):
        worlds = live(Screens, f"reward+{name}", steps, 1e-3)
        looks = np.mean([np.mean(world.looks[len(world.looks) // 3 :]) for world in worlds])
        assert low < looks < high, (name, looks)
