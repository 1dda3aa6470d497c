"""Competing drives: what is rewarded, who gets its way, and which head learns from what."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor
from torch.nn.functional import normalize

from motley.agents import Agent
from motley.agents.actions import action_distribution
from motley.agents.areas import Arbiter, FoodFinder
from motley.agents.areas.food_finder import BRIGHTNESS, DRIVE, FACTS, LOOKS, by_need
from motley.agents.areas.over_needs import OverNeeds
from motley.agents.rollout import collect
from motley.agents.scoring import scored
from motley.costs import DriveReduction, MealAppearance, Trace
from motley.envs import World
from motley.envs.senses import hue
from motley.envs.tasks.many_needs import ManyNeeds

TIME, WORLDS, NEEDS = 15, 4, 5


def lived(seed: int = 0) -> Trace:
    """Levels at random, of which the last need is not there; ends, deaths among them."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.rand(TIME + 1, WORLDS, NEEDS, generator=generator) * 0.98 + 0.01
    levels[..., -1] = 0.0
    start = torch.rand(TIME + 1, WORLDS, generator=generator) < 0.25
    ends = start[1:]
    died = ends & (torch.rand(TIME, WORLDS, generator=generator) < 0.5)
    assert died.any()
    assert (ends & ~died).any()
    tensors = {"interoception": levels[:-1], "episode_start": start[:-1], "terminated": died}
    after = {"interoception": levels[-1:], "episode_start": start[-1:]}
    return Trace(tensors, after=after)


def slow(trace: Trace, needs: list[int], setpoint: float, exponent: float, root: float) -> Tensor:
    """The score of some needs together, one number at a time in float64."""
    levels = torch.cat((trace["interoception"], trace.after["interoception"])).double().numpy()
    start = torch.cat((trace.episode_start, trace.after["episode_start"])).numpy()

    def drive(level: np.ndarray) -> float:
        gaps = [abs(level[k] - setpoint) / setpoint for k in needs if level[k] > 0]
        return float(sum(gap**exponent for gap in gaps) ** (1 / root))

    out = np.zeros((TIME, WORLDS))
    for t in range(TIME):
        for i in range(WORLDS):
            before, present = drive(levels[t, i]), sum(levels[t, i, k] > 0 for k in needs)
            if trace["terminated"][t, i]:
                out[t, i] = before - present ** (1 / root)
            elif not start[t + 1, i]:
                out[t, i] = before - drive(levels[t + 1, i])
    return torch.as_tensor(out, dtype=torch.float32)


@pytest.mark.parametrize(("exponent", "root"), [(2.0, 1.0), (4.0, 3.0), (1.0, 1.0)])
def test_the_score_is_the_fall_of_the_drive(exponent: float, root: float) -> None:
    trace = lived()

    def cost(need: int | None) -> DriveReduction:
        return DriveReduction(need=need, setpoint=0.6, exponent=exponent, root=root)

    expected = slow(trace, list(range(NEEDS)), 0.6, exponent, root)
    torch.testing.assert_close(cost(None).score(trace), expected, atol=1e-5, rtol=1e-5)
    for need in range(NEEDS):
        expected = slow(trace, [need], 0.6, exponent, root)
        torch.testing.assert_close(cost(need).score(trace), expected, atol=1e-5, rtol=1e-5)
    assert not cost(NEEDS - 1).score(trace).any()


def test_food_is_worth_nothing_to_the_sated() -> None:
    """Devaluation: a meal of 0.3 from ever fuller levels, up to the setpoint and beyond."""
    worth = []
    for level in (0.1, 0.3, 0.5, 0.65, 0.8):
        levels = torch.tensor([level, level + 0.3 if level < 0.8 else 0.8]).reshape(2, 1, 1)
        none = torch.zeros(2, 1, dtype=torch.bool)
        trace = Trace({"interoception": levels, "episode_start": none, "terminated": none})
        worth.append(float(DriveReduction().score(trace)[0, 0]))
    assert worth[0] > worth[1] > worth[2] > worth[3]
    assert worth[3] == pytest.approx(0.0, abs=1e-6)  # as far above as it was below
    assert worth[4] == 0.0


def test_the_mixed_control_keeps_the_sum_and_the_variance() -> None:
    trace = lived()
    own = torch.stack([DriveReduction(need=k).score(trace) for k in range(NEEDS)], -1)
    mixed = torch.stack([DriveReduction(need=k, mixed=True).score(trace) for k in range(NEEDS)], -1)
    torch.testing.assert_close(own.sum(-1), mixed.sum(-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own.square().sum(-1), mixed.square().sum(-1), atol=1e-5, rtol=1e-5)
    assert not mixed[..., -1].any()
    assert float((own - mixed).abs().mean()) > 0.1


def arbiter(needs: int, **options: Any) -> Arbiter:
    """Of heads that prefer two numbers, with bids of nothing."""
    sizes = (needs, 3, needs * (FACTS + LOOKS), *[2] * needs)
    area = Arbiter(sizes, 3 * needs, 2, **options)
    torch.nn.init.zeros_(area.bid.weight)
    return area


def given(area: Arbiter, level: Tensor, heads: Tensor) -> Tensor:
    """Its output, (1, 1, size)."""
    facts = torch.zeros(len(level), FACTS + LOOKS)
    facts[:, DRIVE] = ((level - 0.8) / 0.8).square()
    inputs = tuple(x.view(1, 1, -1) for x in (level, torch.zeros(3), facts, *heads))
    out: Tensor = area(inputs, {}, torch.zeros(1, 1, dtype=torch.bool))[0]
    return out


def asked(area: Arbiter, level: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
    """The chance of each head and what it prefers, of levels (needs,) and heads (needs, 2)."""
    out = given(area, level, heads)
    each = torch.unflatten(out[0, 0].detach(), -1, (-1, 3))
    return each[:, 0].softmax(-1), each[:, 1:]


def test_the_strongest_drive_gets_its_way_whole() -> None:
    area = arbiter(4, sharpness=10.0)
    level, heads = torch.tensor([0.2, 0.7, 0.8, 0.0]), torch.randn(4, 2)
    chance, means = asked(area, level, heads)
    drive = ((np.array([0.2, 0.7, 0.8]) - 0.8) / 0.8) ** 2
    np.testing.assert_allclose(chance[:3], np.exp(10 * drive) / np.exp(10 * drive).sum(), rtol=1e-5)
    assert chance[3] == 0  # not there
    torch.testing.assert_close(means, heads)
    # The likeliest one's action, not the mean of all.
    mixture = action_distribution(spaces.Box(-1.0, 1.0, (2,)), choices=4)
    mode = mixture.sample(given(area, level, heads)[0, 0], area.log_std, None)
    torch.testing.assert_close(mode, heads[0])
    nobody, _ = asked(area, torch.zeros(4), heads)
    torch.testing.assert_close(nobody, torch.full((4,), 0.25))
    swapped, _ = asked(arbiter(4, swapped=True), torch.tensor([0.2, 0.7, 0.8, 0.8]), heads)
    assert swapped.argmax() == 1
    odd, _ = asked(arbiter(3, swapped=True), torch.tensor([0.8, 0.7, 0.2]), heads[:3])
    assert odd.argmax() == 2


def foods(level: np.ndarray, brightness: np.ndarray, colors: np.ndarray) -> Tensor:
    """What a FoodFinder says of needs (..., needs) whose foods have a colour at a brightness."""
    facts = np.zeros((*level.shape, FACTS + LOOKS), np.float32)
    facts[..., DRIVE] = ((level - 0.8) / 0.8) ** 2
    size = np.linalg.norm(colors, axis=-1)
    facts[..., BRIGHTNESS] = brightness * size
    facts[..., FACTS:] = colors / size[:, None]
    return torch.as_tensor(facts).flatten(-2)


def chances(area: Arbiter, level: np.ndarray, found: Tensor) -> np.ndarray:
    """The chance of each head, (time, worlds, needs), of levels (time, worlds, needs)."""
    time, worlds, needs = level.shape
    other, heads = torch.randn(time, worlds, 3), torch.randn(needs, time, worlds, 2)
    inputs = (torch.as_tensor(level, dtype=torch.float32), other, found, *heads)
    out = area(inputs, {}, torch.zeros(time, worlds, dtype=torch.bool))[0].detach()
    return np.asarray(torch.unflatten(out, -1, (needs, 3))[..., 0].softmax(-1))


def test_whose_turn_it_is_can_be_given() -> None:
    """Against NumPy: the softmax of drive x brightness, the length of a food's colour."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    level, bright = rng.uniform(0.1, 1.0, (2, 5, 3, 4))
    level[0, 0, 2] = 0.0
    found = foods(level, bright, hue(np.arange(4) * 45.0))
    area = Arbiter((4, 3, 4 * (FACTS + LOOKS), *[2] * 4), 12, 2, "exact")
    assert {name for name, _ in area.named_parameters()} == {"log_std"}
    length = bright * 1.125**0.5  # of all hues alike
    weight = np.exp(100 * ((level - 0.8) / 0.8) ** 2 * length) * (level > 0)
    np.testing.assert_allclose(
        chances(area, level, found), weight / weight.sum(-1, keepdims=True), atol=1e-4
    )
    # The most urgent need waits while its patch is bare.
    level = np.full((1, 1, 4), 0.7)
    level[..., 1], level[..., 3] = 0.2, 0.3
    for dim, first in ((0.3, 3), (1.0, 1)):
        found = foods(level, np.array([1.0, dim, 1.0, 1.0]), hue(np.arange(4) * 45.0))
        assert chances(area, level, found)[0, 0, first] > 0.99
    area = Arbiter((4, 3, 4 * (FACTS + LOOKS), *[2] * 4), 12, 2, "exact", swapped=True)
    assert chances(area, level, found)[0, 0, 0] > 0.99


def wandered(seed: int) -> tuple[np.ndarray, Tensor]:
    """Levels in lives of ManyNeeds in which the body runs about, and what is known of foods."""
    world, rng = World(ManyNeeds(), 32), np.random.default_rng(seed)
    world.seed(seed + np.arange(32))
    world.reset()
    views = []
    for _ in range(16):
        views.append(world.observe())
        world.step(rng.uniform(-1, 1, (32, 2)).astype(np.float32))
    level, vision = (
        np.stack([seen[name] for seen in views]) for name in ("interoception", "vision")
    )
    area, start = FoodFinder((4, 96)), torch.zeros(16, 32, dtype=torch.bool)
    start[0] = True
    with torch.no_grad():
        area.looks.copy_(torch.as_tensor(hue(np.arange(4) * 45.0)))
        inputs = (torch.as_tensor(level[..., :4]), torch.as_tensor(vision))
        found, _ = area(inputs, area.initial_state(32), start)
    return level[..., :4], found


def test_without_a_weight_of_their_own_drives_can_come_to_count() -> None:
    """All heads begin alike; taught the strongest drive in some lives, it is chosen in others."""
    torch.manual_seed(0)
    area = Arbiter((4, 3, 4 * (FACTS + LOOKS), *[2] * 4), 12, 2, "learnt")
    assert not hasattr(area, "log_sharpness")
    level, found = wandered(0)
    np.testing.assert_allclose(chances(area, level, found), 0.25, atol=0.01)

    def right() -> float:
        level, found = wandered(1_000)
        strongest = np.abs(level - 0.8).argmax(-1)
        return float((chances(area, level, found).argmax(-1) == strongest).mean())

    assert right() < 0.5
    strongest = torch.as_tensor(np.abs(level - 0.8).argmax(-1)).flatten()
    rest = [torch.zeros(16, 32, 2)] * 4
    inputs = torch.as_tensor(level), torch.zeros(16, 32, 3), found, *rest
    learn = torch.optim.Adam(area.parameters(), lr=0.01)
    for _ in range(100):
        out = area(inputs, {}, torch.zeros(16, 32, dtype=torch.bool))[0]
        logits = torch.unflatten(out, -1, (4, 3))[..., 0].flatten(0, 1)
        learn.zero_grad()
        torch.nn.functional.cross_entropy(logits, strongest).backward()  # type: ignore[no-untyped-call]
        learn.step()
    moved = {name for name, p in area.named_parameters() if p.grad is not None and p.grad.any()}
    # Nothing else was known, so that its weights had nothing to learn from.
    assert moved == {n for n, _ in area.named_parameters()} - {
        "log_std", "bid.bias", "over_needs.other.weight"
    }  # fmt: skip
    assert right() > 0.9


def test_an_arbiter_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Arbiter\(prior='given'\): give one of exact, weighed"):
        arbiter(3, prior="given")
    sizes = (2, 3, 2 * (FACTS + LOOKS), 2, 2, 2)
    with pytest.raises(ValueError, match="a rule for 2 needs and none for the last 1 heads"):
        Arbiter(sizes, 9, 2, "exact")
    assert Arbiter(sizes, 9, 2, "learnt").more is not None


@pytest.mark.filterwarnings("ignore:.*has no calibration")
@pytest.mark.parametrize("prior", ["exact", "learnt"])
def test_an_agent_learns_at_each_rung(prior: str) -> None:
    agent = Agent(f"drives.{prior}", "ManyNeeds", "heterogeneous", n_envs=8, n_steps=32, seed=1)
    before = {name: p.detach().clone() for name, p in agent.brain.areas.named_parameters()}
    agent.learn(8 * 32)
    now = dict(agent.brain.areas.named_parameters())
    arbitrates = {name for name in now if name.startswith("actor.")}
    assert (arbitrates == {"actor.log_std"}) == (prior == "exact")
    still = {name for name in now if torch.equal(now[name], before[name])}
    # Of all bids alike an offset says nothing; needs that are not there have heads that rest.
    assert {n for n in still if not n.startswith(tuple(f"drive_{k}." for k in range(4, 8)))} <= {
        "actor.bid.bias", "food.looks"
    }  # fmt: skip


def test_what_is_learnt_of_one_need_holds_for_all() -> None:
    torch.manual_seed(0)
    net, found, other = OverNeeds(5), torch.randn(2, 3, 4 * (FACTS + LOOKS)), torch.randn(2, 3, 5)
    present = torch.rand(2, 3, 4) < 0.7
    order = torch.tensor([2, 0, 3, 1])
    turned = torch.unflatten(found, -1, (4, -1))[..., order, :].flatten(-2)
    torch.testing.assert_close(
        net(found, other, present)[..., order, :], net(turned, other, present[..., order])
    )
    # A need that is not there says nothing and hears nothing.
    facts = torch.unflatten(found, -1, (4, -1)).clone()
    facts[~present] = 99.0
    torch.testing.assert_close(net(facts.flatten(-2), other, present), net(found, other, present))


def test_a_food_is_found_by_its_hue_and_kept_in_mind() -> None:
    """Two foods on two rays, one dim; then the second slips between rays; then a new episode."""
    area = FoodFinder((2, 4 * 24))
    with torch.no_grad():
        area.looks.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.3, 0.9, 0.0]]))
    vision = torch.zeros(3, 1, 24, 4)
    vision[:, 0, 3] = torch.tensor([0.7, 0.4, 0.0, 0.0])  # a dim red at 45 degrees
    vision[0, 0, 12] = torch.tensor([0.5, 0.25, 0.75, 0.0])  # a green behind
    vision[:, 0, 6] = torch.tensor([0.9, 0.0, 0.0, 1.0])  # a blue that is nobody's food
    level = torch.tensor([[0.9, 0.8], [0.88, 0.75], [0.86, 0.70]]).unsqueeze(1)
    start = torch.tensor([True, False, False]).unsqueeze(1)
    out, state = area((level, vision.flatten(-2)), area.initial_state(1), start)
    facts, looks = by_need(out.detach()[:, 0])
    half = math.sqrt(0.5)
    torch.testing.assert_close(
        facts[0, 0, :5], torch.tensor([half, half, 0.7, 0.4, 1.0]), atol=0.05, rtol=0
    )
    kept = torch.tensor([-1.0, 0.0, 0.5, math.hypot(0.25, 0.75)])
    for t in range(3):
        torch.testing.assert_close(facts[t, 1, :4], kept, atol=0.05, rtol=0)
    assert facts[0, 1, 4] > 0.9 > 0.1 > facts[1, 1, 4]  # in view, then not
    torch.testing.assert_close(facts[..., 5], level[:, 0])
    torch.testing.assert_close(facts[2, :, 6], 40 * torch.tensor([0.02, 0.05]))
    torch.testing.assert_close(facts[..., 7], ((level[:, 0] - 0.8) / 0.8).square())
    torch.testing.assert_close(looks.norm(dim=-1), torch.ones(3, 2))
    again, _ = area((level[:1], vision[1:2].flatten(-2)), state, start[:1])
    assert by_need(again)[0][0, 0, 1, :4].abs().max() < 1e-3


def test_a_food_is_looked_for_as_it_is_recalled() -> None:
    """One look that stays, and one that is the colour a memory recalls, at every step anew."""
    area = FoodFinder((2, 4 * 24, 3))
    assert area.recall is not None
    with torch.no_grad():
        area.looks.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
        area.recall.weight.copy_(torch.cat((torch.zeros(3, 3), torch.eye(3))))
    vision = torch.zeros(3, 1, 24, 4)
    for ray, color in ((3, [1.0, 0.0, 0.0]), (6, [0.0, 1.0, 0.0]), (12, [0.0, 0.0, 1.0])):
        vision[:, 0, ray] = torch.tensor([0.5, *color])
    recalled = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]]).unsqueeze(1)
    start = torch.tensor([True, False, False]).unsqueeze(1)
    inputs = torch.full((3, 1, 2), 0.5), vision.flatten(-2), recalled
    facts, _ = by_need(area(inputs, area.initial_state(1), start)[0].detach()[:, 0])
    half = math.sqrt(0.5)
    ways = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])  # to the green, then to the blue
    torch.testing.assert_close(facts[:2, 1, :2], ways, atol=0.05, rtol=0)
    torch.testing.assert_close(facts[:, 0, :2], torch.full((3, 2), half), atol=0.05, rtol=0)
    assert facts[:2, 1, 4].min() > 0.9
    assert facts[2, 1, 4] < 0.1  # nothing is recalled, and nothing looked for


def fed() -> Trace:
    """Need 1 is filled at the third step, at a yellow; the next episode begins fuller."""
    level = torch.tensor([[0.5, 0.5], [0.4, 0.4], [0.3, 0.9], [0.9, 0.9]]).unsqueeze(1)
    vision = torch.rand(4, 1, 24, 4, generator=torch.Generator().manual_seed(0)) * 0.8
    vision[2, 0, 5] = torch.tensor([1.0, 0.3, 0.3, 0.0])
    start = torch.tensor([True, False, False, True]).unsqueeze(1)
    looks = torch.zeros(4, 1, 2 * (FACTS + LOOKS))
    tensors = {"interoception": level, "vision": vision.flatten(-2), "episode_start": start}
    return Trace({**tensors, "food": looks}, {"food": "food"})


def test_meals_teach_what_food_looks_like() -> None:
    cost, trace = MealAppearance(), fed()
    heads = cost.heads({"food": 22, "interoception": 2})
    notes, _ = cost.annotate(trace, {}, heads)
    trace = trace.noted({**trace.tensors, **notes})
    # At the step before, in which it was looked for.
    assert cost.mask(trace).squeeze(-1).tolist() == [False, True, False, False]
    yellow = torch.tensor([0.5, 0.5, 0.0]).sqrt()
    torch.testing.assert_close(trace["meal_appearance/color"][1, 0], yellow)
    food = trace["food"].clone().requires_grad_()
    loss = cost.loss(trace.noted({**trace.tensors, "food": food}), heads)
    loss.mean().backward()  # type: ignore[no-untyped-call]
    assert food.grad is not None
    moved = torch.unflatten(food.grad, -1, (2, -1)) != 0
    assert moved[1, 0, 1, -3:-1].all()
    assert moved.sum() == 2  # of need 1 and no other, at the meal, and red and green alone
    right = torch.unflatten(food.detach().clone(), -1, (2, -1))
    right[1, 0, 1, -3:] = yellow
    right = right.flatten(-2)
    assert cost.loss(trace.noted({**trace.tensors, "food": right}), heads).max() < 1e-9


@pytest.mark.parametrize("ends", [False, True])
def test_a_meal_after_the_last_step_of_a_rollout_is_noted(ends: bool) -> None:
    whole = fed()
    before = {name: x[:2] for name, x in whole.tensors.items()}
    after = {name: x[2:3] for name, x in whole.tensors.items()}
    after["episode_start"] = torch.tensor([[ends]])
    notes, _ = MealAppearance().annotate(Trace(before, after=after), {}, torch.nn.Identity())
    assert notes["meal_appearance/meals"][:, 0].tolist() == [[0.0, 0.0], [0.0, float(not ends)]]
    yellow = torch.tensor([0.5, 0.5, 0.0]).sqrt()
    torch.testing.assert_close(notes["meal_appearance/color"][1, 0], yellow)


def test_a_meal_in_the_dark_teaches_nothing() -> None:
    seen = fed().tensors
    dark = {**seen, "vision": seen["vision"] * torch.tensor([1.0, 1.0, 0.0, 1.0])[:, None, None]}
    notes, _ = MealAppearance().annotate(Trace(dark), {}, torch.nn.Identity())
    assert notes["meal_appearance/meals"].sum() == 0


def test_the_placebo_of_meals_gives_each_the_color_of_one_that_was_met() -> None:
    generator = torch.Generator().manual_seed(1)
    time, worlds = 200, 3
    level = torch.rand(time, worlds, 4, generator=generator).cumsum(0)
    level = torch.where(torch.rand(level.shape, generator=generator) < 0.1, level, 0.0)
    vision = torch.rand(time, worlds, 96, generator=generator)
    start = torch.zeros(time, worlds, dtype=torch.bool)
    tensors = {"interoception": level, "vision": vision, "episode_start": start}
    real, placebo = (
        MealAppearance(meaningless=flag).annotate(Trace(tensors), {}, torch.nn.Identity())[0]
        for flag in (False, True)
    )
    assert torch.equal(real["meal_appearance/meals"], placebo["meal_appearance/meals"])
    ate = real["meal_appearance/meals"].any(-1)
    one, other = (x["meal_appearance/color"] for x in (real, placebo))
    assert torch.equal(one[~ate], other[~ate])
    same = (other[ate].unsqueeze(1) == one[ate]).all(-1)
    assert same.any(1).all()
    assert same.any(0).float().mean() > 0.5  # and not always the same ones
    assert same.diagonal().float().mean() < 0.1


def test_the_placebo_of_a_lone_meal_has_the_color_of_an_earlier_one() -> None:
    cost, heads, state = MealAppearance(meaningless=True), torch.nn.Identity(), dict[str, Tensor]()
    given, met = [], []
    for n in range(40):
        vision = torch.zeros(3, 1, 24, 4)
        vision[1, 0, 5] = torch.tensor([1.0, *hue(9.0 * n)])
        level = torch.tensor([0.5, 0.9, 0.8]).reshape(3, 1, 1)
        start = torch.tensor([n == 0, False, False]).unsqueeze(1)
        seen = {"interoception": level, "vision": vision.flatten(-2), "episode_start": start}
        notes, state = cost.annotate(Trace(seen), state, heads)
        assert notes["meal_appearance/meals"].flatten().tolist() == [1.0, 0.0, 0.0]
        given.append(notes["meal_appearance/color"][0, 0])
        met.append(normalize(torch.as_tensor(hue(9.0 * n)), dim=-1))
    alike = torch.isclose(torch.stack(given).unsqueeze(1), torch.stack(met)).all(-1)
    assert alike.any(1).all()
    assert alike.diagonal()[1:].sum() <= 8  # the newest is one of those drawn from
    nothing = {**seen, "interoception": torch.zeros(3, 1, 1)}
    notes, after = cost.annotate(Trace(nothing), state, heads)
    assert notes["meal_appearance/meals"].sum() == 0
    assert torch.equal(after["met"], state["met"])


@pytest.mark.filterwarnings("ignore:.*has no calibration")
@pytest.mark.parametrize("costs", ["heterogeneous", "placebo"])
def test_an_agent_learns_its_foods_hues_from_meals_and_not_from_the_placebo(costs: str) -> None:
    agent = Agent("matched", "ManyNeeds", costs, n_envs=64, seed=3)
    assert agent.learner.routes["meal_appearance"] == {"food"}
    assert "food" not in agent.learner.routes["reward"]
    hues = normalize(torch.as_tensor(hue(np.arange(4) * 45.0)), dim=-1).float()

    def alike() -> Tensor:
        food = agent.brain.areas["food"]
        assert isinstance(food, FoodFinder)
        looks = normalize(food.looks.detach()[:4], dim=-1)
        return (looks * hues).sum(-1)

    begun = alike()
    assert begun.min() < 0.9
    agent.learn(30_000)
    if costs == "heterogeneous":
        assert alike().min() > 0.98
    else:  # every look goes to the mean of what was met, which is near to one hue at most
        assert (alike() > 0.98).sum() <= 1
        assert (alike() - begun).abs().max() > 0.05


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_each_head_learns_from_its_own_need_and_absent_needs_do_nothing() -> None:
    agent = Agent("matched", "motley/ManyNeeds-v0", "heterogeneous", n_envs=16, n_steps=32, seed=1)
    assert agent.blueprint.name == "drives"
    routes = agent.learner.routes
    for need in range(8):
        assert routes[f"drive_reduction_{need}"] == {f"drive_{need}"}
    others = set(agent.blueprint) - {"food"} - {f"drive_{k}" for k in range(8)}
    for shared in ("reward", "value_reward", "value_drive_reduction_3"):
        assert routes[shared] == others
    agent._setup_learn(1)
    assert agent.env is not None
    present = agent._stand()
    for _ in range(2):
        rollout = collect(
            agent.env, agent.brain, agent.learner.distribution, agent.policy.senses,
            present, agent.noise(), lambda facts: True,
        )  # fmt: skip
    assert rollout is not None
    batch, _ = scored(agent.learner, rollout, 0)
    # The needs' own falls add up to what the task pays: its drive is their mean.
    trace = Trace(rollout.tensors, agent.brain.roles)
    total = torch.stack([DriveReduction(need=k).score(trace) for k in range(4)]).sum(0) / 4
    inside = trace.has_next | trace["terminated"]
    torch.testing.assert_close(total[inside], trace["reward"][inside], atol=1e-5, rtol=1e-4)
    for need in range(8):
        moves = bool(batch.advantages[f"drive_reduction_{need}"].any())
        assert moves == (need < 4)
    losses, _ = agent.learner.losses(batch, agent.learner.weights(0), 0.2)
    norms = agent.learner.gradient_norms(losses)
    for need in range(8):
        for head in range(8):
            norm = norms[f"grad/drive_reduction_{need}/drive_{head}"]
            assert (norm > 0) == (need == head < 4)


@pytest.mark.filterwarnings("ignore:.*has no calibration")
@pytest.mark.parametrize("structure", ["drives", "drives.swapped", "uniform"])
def test_the_arms_have_equally_many_parameters(structure: str) -> None:
    agent = Agent(structure, "motley/ManyNeeds-v0", "heterogeneous", n_envs=2)
    assert abs(agent.n_parameters / 40_000 - 1) < 0.02
    if structure == "uniform":  # one value head a need, on one critic
        assert agent.learner.routes["drive_reduction_2"] == {"actor"}
