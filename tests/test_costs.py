"""Every cost on traces whose answer is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents import BLUEPRINTS, Agent
from motley.agents.blueprints import PROBLEMS
from motley.costs import (
    COSTS,
    RND,
    Cost,
    DriveReduction,
    Entropy,
    EpisodicNovelty,
    ExtrinsicReward,
    Intrinsic,
    InverseDynamics,
    LatentSelfPrediction,
    LearningProgress,
    LocalTDError,
    MatchPrediction,
    NextObservation,
    NoiseTarget,
    Prediction,
    Reconstruction,
    Schedule,
    SelfLocalisation,
    Trace,
    Value,
    WorldPrediction,
    cost_set,
    ramp,
    register,
    unexplained,
)
from motley.costs.base import Sizes, UnfitError
from motley.costs.prediction import FLOOR
from motley.costs.routing import ROLES, routing
from motley.costs.sets import from_json, to_json
from motley.envs import TASKS, World
from motley.envs.sb3 import WorldVecEnv
from motley.envs.tasks.dark_home import DarkHome
from motley.scripts.main import main
from motley.studies.config import ConfigError, RunConfig, check
from motley.studies.folder import read_csv, read_json
from motley.studies.model import open_run
from motley.studies.run import run

TIME, WORLDS = 12, 5
SIZES = {"vision": 8, "egomotion": 3, "go": 1, "cue": 4, "interoception": 4}
SIZES |= {"encoder": 5, "core": 6, "critic": 4, "world_model": 5, "action": 2}


def trace(seed: int = 0, time: int = TIME) -> Trace:
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.rand(time, WORLDS, n, generator=generator) for name, n in SIZES.items()}
    tensors["reward"] = torch.rand(time, WORLDS, generator=generator)
    tensors["log_prob"] = -torch.rand(time, WORLDS, generator=generator)
    tensors["taught"] = torch.rand(time, WORLDS, generator=generator) < 0.5
    tensors["entropy"] = torch.rand(time, WORLDS, generator=generator)
    tensors["value/reward/target"] = torch.rand(time, WORLDS, generator=generator)
    tensors["episode_start"] = torch.rand(time, WORLDS, generator=generator) < 0.2
    tensors["terminated"] = torch.rand(time, WORLDS, generator=generator) < 0.1
    return Trace(tensors)


def annotated(cost: Cost, before: Trace) -> Trace:
    notes, _ = cost.annotate(before, {}, head(cost))
    return before.noted(notes)


def head(cost: Cost) -> nn.Module:
    torch.manual_seed(0)
    return cost.heads(Sizes(SIZES, {})) or nn.Module()


@pytest.mark.parametrize("name", COSTS)
def test_losses_and_scores_are_per_step_and_finite(name: str) -> None:
    cost = COSTS[name]()
    assert cost.scores or cost.has_loss
    seen = annotated(cost, trace())
    out = [cost.score(seen)] if cost.scores else []
    out += [cost.loss(seen, head(cost))] if cost.has_loss else []
    for x in out:
        assert x.shape == (TIME, WORLDS)
        assert torch.isfinite(x).all()


def test_the_reward_is_the_environments() -> None:
    seen = trace()
    assert torch.equal(ExtrinsicReward().score(seen), seen["reward"])


def test_entropy_is_a_cost_when_small() -> None:
    assert torch.equal(Entropy().loss(trace(), nn.Module()), -trace()["entropy"])


def linear(cost: Cost, weight: list[list[float]], bias: list[float], sizes: dict[str, int]) -> Any:
    made = cost.heads(Sizes(sizes, {}))
    assert isinstance(made, nn.Linear)
    with torch.no_grad():
        made.weight.copy_(torch.tensor(weight))
        made.bias.copy_(torch.tensor(bias))
    return made


def test_value_is_the_squared_error_of_its_target() -> None:
    seen = Trace({"critic": torch.tensor([[[1.0]], [[2.0]]]),
                  "value/reward/target": torch.tensor([[5.0], [4.0]])})  # fmt: skip
    made = linear(Value(), [[2.0]], [1.0], {"critic": 1})
    assert Value().loss(seen, made).flatten().tolist() == [4.0, 1.0]


def test_the_next_observation_is_compared_within_episodes_only() -> None:
    """Two of four steps have a next one, 0 and 7, of variance 12.25; each counts twice."""
    seen = Trace({
        "core": torch.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]),
        "action": torch.zeros(4, 1, 1),
        "vision": torch.tensor([[[9.0]], [[0.0]], [[5.0]], [[7.0]]]),
        "episode_start": torch.tensor([[True], [False], [True], [False]]),
    })  # fmt: skip
    sizes = {"core": 1, "action": 1, "vision": 1}
    made = linear(NextObservation(), [[1.0, 100.0]], [0.0], sizes)
    loss = NextObservation().loss(seen, made).flatten().tolist()
    # 1 predicts 0; 2 has no next in its episode; 3 predicts 7; the last step has none.
    assert loss == pytest.approx([1.0 * 2 / 12.25, 0.0, 16.0 * 2 / 12.25, 0.0])


def test_a_prediction_is_judged_in_units_of_its_targets_variance() -> None:
    """1 - R2 whatever the scale, and senses that never vary change nothing."""
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(50, 8, 3, generator=generator)
    guess = target + 0.5 * torch.randn(50, 8, 3, generator=generator)
    mask = torch.rand(50, 8, generator=generator) < 0.4
    kept, guessed = target[mask].numpy(), guess[mask].numpy()
    expected = ((guessed - kept) ** 2).sum() / ((kept - kept.mean(0)) ** 2).sum()
    for scale in (1.0, 20.0):
        loss = unexplained(scale * guess, scale * target, mask)
        assert loss.shape == (50, 8)
        assert float(loss[~mask].abs().sum()) == 0.0
        assert float(loss.mean()) == pytest.approx(float(expected), rel=1e-4)
    still = torch.zeros(50, 8, 90)
    wide = unexplained(torch.cat((guess, still), -1), torch.cat((target, still), -1), mask)
    torch.testing.assert_close(wide, unexplained(guess, target, mask))
    nothing = unexplained(guess, target, torch.zeros_like(mask))
    assert torch.equal(nothing, torch.zeros(50, 8))


@dataclass(frozen=True)
class Stretched(Prediction):
    """Says two numbers, and its target is one."""

    def size(self, sizes: Any) -> int:
        return 2

    def target(self, trace: Trace) -> Tensor:
        return trace["go"]


def test_a_target_of_another_size_than_stated_is_refused() -> None:
    """Broadcast, it would be learnt as if each of the numbers were that one."""
    cost, seen = Stretched(), trace()
    said = rf"'stretched': target\(\) gives \({TIME}, {WORLDS}, 1\), .* \({TIME}, {WORLDS}, 2\)"
    with pytest.raises(ValueError, match=said):
        cost.loss(seen, cost.heads(SIZES))


def test_a_target_that_is_all_but_constant_is_not_counted_in_its_own_variance() -> None:
    """Reward before any came, and a single one: an untrained read-out is off by a few units."""
    generator = torch.Generator().manual_seed(1)
    mask, guess = torch.ones(32, 64, dtype=torch.bool), 0.15 * torch.randn(32, 64, 1)
    target = torch.zeros(32, 64, 1)
    torch.testing.assert_close(unexplained(guess, target, mask), guess.square().squeeze(-1) / FLOOR)
    target[3, 5] = 1.0
    assert float(unexplained(guess, target, mask).mean()) < 5.0
    # Continuous where the floor takes over, and 1 - R2 from there on.
    noise = torch.randn(32, 64, 1, generator=generator)
    noise = (noise - noise.mean()) / noise.std(unbiased=False)
    for times, loss in ((0.5, 0.25), (0.99, 0.98), (1.01, 1.0), (3.0, 1.0)):
        varying = times * FLOOR**0.5 * noise
        error = unexplained(torch.zeros_like(varying), varying, mask).mean()
        assert float(error) == pytest.approx(loss, abs=2e-3)


def test_a_whole_rollout_knows_the_step_after_its_last() -> None:
    tensors = {
        "vision": torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]]),
        "episode_start": torch.tensor([[True, True], [False, True]]),
    }
    after = {
        "vision": torch.tensor([[[5.0], [6.0]]]),
        "episode_start": torch.tensor([[True, False]]),
    }
    part, whole = Trace(tensors), Trace(tensors, after=after)
    assert part.has_next.tolist() == [[True, False], [False, False]]
    assert whole.has_next.tolist() == [[True, False], [False, True]]
    assert whole.next("vision")[..., 0].tolist() == [[3.0, 4.0], [5.0, 6.0]]
    assert whole.noted({"x": tensors["vision"]}).has_next.tolist() == whole.has_next.tolist()


def test_the_next_observation_is_every_sense() -> None:
    fitted = NextObservation.fitted({"vision": 8, "go": 1})
    assert fitted.senses == ("vision", "go")
    seen = trace()
    expected = torch.cat((seen["vision"][1:], seen["go"][1:]), -1)
    assert torch.equal(fitted.target(seen)[:-1], expected)


def test_reconstruction_counts_while_the_body_is_held() -> None:
    seen = Trace({
        "core": torch.tensor([[[1.0]], [[2.0]], [[5.0]]]),
        "vision": torch.tensor([[[3.0]], [[9.0]], [[4.0]]]),
        "go": torch.tensor([[[0.0]], [[1.0]], [[0.0]]]),
        "episode_start": torch.tensor([[True], [False], [False]]),
    })  # fmt: skip
    made = linear(Reconstruction(), [[1.0]], [0.0], {"core": 1, "vision": 1})
    held = Reconstruction(when="go").loss(seen, made).flatten().tolist()
    assert held == pytest.approx([4.0 * 1.5 / 0.25, 0.0, 1.0 * 1.5 / 0.25])
    variance = np.var([3.0, 9.0, 4.0])
    always = Reconstruction().loss(seen, made).flatten().tolist()
    assert always == pytest.approx([4.0 / variance, 49.0 / variance, 1.0 / variance])


def test_reconstruction_can_ask_for_what_is_seen_wherever_it_is() -> None:
    """One disc of one of four hues on some ray: the target tells the hue and not the ray."""
    cost = Reconstruction.fitted({"vision": 96, "go": 1})
    assert (cost.sense, cost.channels, cost.size({"vision": 96})) == ("vision", 4, 4)
    view = torch.zeros(1, 24, 24, 4)
    view[0, range(24), range(24)] = torch.tensor([0.5, 1.0, 0.0, 0.25])
    seen = Trace({"vision": view.flatten(-2), "episode_start": torch.zeros(1, 24).bool()})
    assert torch.equal(cost.target(seen), torch.tensor([0.5, 1.0, 0.0, 0.25]).expand(1, 24, 4))
    with pytest.raises(ValueError, match=r"'vision' has 10 features, .* 4 channels"):
        cost.heads({"vision": 10, "memory|core": 3})
    assert Reconstruction.fitted({"vision": 10}).channels is None


def test_the_way_home_is_integrated_across_rollouts_and_starts() -> None:
    """Against one loop over both rollouts, in float64."""
    cost, targets = SelfLocalisation(reach=2.0), []
    state: dict[str, Tensor] = {}
    parts = [trace(1), trace(2, time=7)]
    for part in parts:
        notes, state = cost.annotate(part, state, nn.Module())
        targets.append(notes["self_localisation/target"])
    felt = torch.cat([p["egomotion"] for p in parts]).double().numpy()
    start = torch.cat([p.episode_start for p in parts]).numpy()
    assert not start[TIME].all()  # something is carried over
    expected = np.zeros((TIME + 7, WORLDS, 2))
    for i in range(WORLDS):
        home = np.zeros(2)
        for t in range(TIME + 7):
            forward, sine, cosine = felt[t, i]
            home = np.array([[cosine, sine], [-sine, cosine]]) @ home - [forward, 0.0]
            home = home * (not start[t, i])
            expected[t, i] = home / 2.0
    np.testing.assert_allclose(torch.cat(targets).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    "cost", [SelfLocalisation(), NextObservation(), Reconstruction(sense="egomotion", reads="core")]
)
def test_the_placebo_has_the_targets_of_another_cost_and_tells_nothing(cost: Prediction) -> None:
    seen = trace(1, time=800)
    real = annotated(cost, seen)
    placebo = NoiseTarget.like(cost)
    dealt = annotated(placebo, seen)
    assert (placebo.reads, placebo.trains) == (cost.reads, cost.trains)
    assert torch.equal(placebo.mask(dealt), cost.mask(real))
    counts = cost.mask(real)
    ours, theirs = placebo.target(dealt)[counts], cost.target(real)[counts]
    # The same numbers, in another order ...
    assert torch.equal(ours.sort(0).values, theirs.sort(0).values)
    # ... each step's kept together, but unrelated to the step.
    assert torch.equal(ours.sum(-1).sort().values, theirs.sum(-1).sort().values)
    correlation = np.corrcoef(ours[:, 0].numpy(), theirs[:, 0].numpy())[0, 1]
    assert abs(correlation) < 0.06
    made = head(placebo)
    assert isinstance(made, nn.Linear)
    assert made.out_features == cost.size(Sizes(SIZES, {}))


def test_the_placebo_is_reproducible_and_goes_on_where_it_was() -> None:
    name, first, second = "noise_target_self_localisation/target", trace(1), trace(2)
    one, state = NoiseTarget(seed=3).annotate(first, {}, nn.Module())
    again, _ = NoiseTarget(seed=3).annotate(first, {}, nn.Module())
    other, _ = NoiseTarget(seed=4).annotate(first, {}, nn.Module())
    assert torch.equal(one[name], again[name])
    assert not torch.equal(one[name], other[name])
    elsewhere, _ = NoiseTarget(seed=3).annotate(
        Trace(first.tensors, first.roles, seed=1), {}, nn.Module()
    )
    assert not torch.equal(one[name], elsewhere[name])
    # The way home is integrated on from rollout to rollout underneath.
    _, inner = SelfLocalisation().annotate(first, {}, nn.Module())
    expected, _ = SelfLocalisation().annotate(second, inner, nn.Module())
    target = expected["self_localisation/target"]
    following, _ = NoiseTarget(seed=3).annotate(second, state, nn.Module())
    counts = SelfLocalisation().mask(second)
    assert torch.equal(
        following[name][counts].sum(-1).sort().values, target[counts].sum(-1).sort().values
    )


@dataclass(frozen=True)
class Broken(Cost):
    """Not a number."""

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        return (trace["core"].sum(-1) * 0.0 - 1.0).sqrt()


@dataclass(frozen=True)
class Summed(Cost):
    """One number for a whole batch."""

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        return trace["core"].mean()


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_bad_loss_stops_the_run_by_the_costs_name() -> None:
    with pytest.raises(FloatingPointError, match="'broken' is not finite"):
        Agent("uniform", "DarkHome", ["reward", Broken()], n_envs=2, n_steps=8).learn(16)
    with pytest.raises(ValueError, match=r"cost 'summed': loss must be \(time, worlds\)"):
        Agent("uniform", "DarkHome", ["reward", Summed()], n_envs=2, n_steps=8).learn(16)


@pytest.mark.parametrize("form", ["loss", "score"])
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_loss_or_score_of_another_form_is_named(form: str) -> None:
    def nothing(*given: Any) -> None:
        """A plug-in's method without a return."""

    def lines(cost: Cost, trace: Trace, *rest: Any) -> Tensor:
        return trace["reward"].mean(1)

    for method, said in ((nothing, "gave None, not a tensor"), (lines, "must be")):
        cost = type("Odd", (Cost,), {form: method})()
        with pytest.raises(ValueError, match=rf"cost 'odd': {form} {said} \(time, worlds\)"):
            Agent("uniform", "DarkHome", ["reward", cost], n_envs=2, n_steps=8).learn(16)


@dataclass(frozen=True)
class Endless(Cost):
    """A score that is not a number."""

    def score(self, trace: Trace) -> Tensor:
        return trace["reward"] / 0.0 * 0.0


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_bad_score_stops_the_run_by_the_costs_name() -> None:
    with pytest.raises(FloatingPointError, match="'endless' gave a score that is not finite at 0"):
        Agent("uniform", "DarkHome", ["reward", Endless()], n_envs=2, n_steps=8).learn(16)


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_the_command_line_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COSTS, "endless", Endless)
    words = ["train", "--costs", "reward+endless", "--steps", "512", "--n-envs", "4"]
    words += ["--eval-episodes", "2", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    said = capsys.readouterr().err
    last = said.splitlines()[-1]
    assert last.startswith("motley: cost 'endless' gave a score that is not finite at 0 steps")
    assert "Traceback" not in said


@dataclass(frozen=True)
class Smelling(Cost):
    """Asks for a sense that there is not."""

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        return trace["odour"].mean(-1)


@pytest.mark.parametrize("kind", [Endless, Broken, Summed, Smelling])
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_run_whose_cost_cannot_be_computed_leaves_no_folder(
    kind: type[Cost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the command, once it is put right, finds nothing in its way."""
    monkeypatch.setitem(COSTS, kind.label(), kind)
    out = tmp_path / "run"
    config = RunConfig(costs=f"reward+{kind.label()}", steps=512, n_envs=4, eval_episodes=2)
    with pytest.raises((ValueError, FloatingPointError), match=f"cost '{kind.label()}'"):
        run(config, out)
    assert not out.exists()
    with pytest.raises(ValueError, match=r"cost 'saliency' does not fit .*called 'vision'"):
        run(replace(config, task="CartPole-v1", structure="uniform", costs="reward+saliency"), out)
    assert not out.exists()


class Unpaid(DarkHome):
    """A task whose reward is not a number in its second step."""

    def outcome(self, world: World) -> tuple[Any, Any]:
        reward, terminated = super().outcome(world)
        return np.where(world.elapsed == 2, np.nan, reward), terminated


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_bad_reward_is_the_environments() -> None:
    agent = Agent("uniform", WorldVecEnv(Unpaid(), 2, seed=0), "reward", n_steps=8)
    with pytest.raises(FloatingPointError, match="the environment's reward is not finite, within"):
        agent.learn(16)


class Blinding(DarkHome):
    """A task whose cue is no number in one step."""

    def __init__(self, step: int, reading: float, horizon: int):
        super().__init__()
        self.blind, self.reading, self.horizon = step, reading, horizon

    def outcome(self, world: World) -> tuple[Any, Any]:
        world.cue[world.elapsed == self.blind, 0] = self.reading
        return super().outcome(world)


@pytest.mark.parametrize("costs", ["reward", ["reward", "next_observation"], ["reward", "rnd"]])
@pytest.mark.parametrize(
    ("step", "reading", "horizon"),
    [(2, np.inf, 99), (2, np.nan, 99), (8, np.nan, 99), (5, np.nan, 5)],
)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_bad_observation_is_the_environments(
    costs: Any, step: int, reading: float, horizon: int
) -> None:
    """Within a rollout, after its last step, and before what was cut off began anew."""
    task = Blinding(step, reading, horizon)
    agent = Agent("uniform", WorldVecEnv(task, 2, seed=0), costs, n_steps=8)
    with pytest.raises(FloatingPointError, match="the environment's cue is not finite"):
        agent.learn(16)


def test_a_schedule_is_linear_between_its_ages() -> None:
    schedule = ramp(1.0, 0.0, 100, 300)
    assert [schedule.at(age) for age in (0, 100, 150, 200, 300, 999)] == [1, 1, 0.75, 0.5, 0, 0]
    with pytest.raises(ValueError, match="ages >= 0 that do not fall"):
        Schedule(((5, 0.0), (4, 1.0)))


def test_costs_go_through_json() -> None:
    costs = (
        *cost_set("heterogeneous", SIZES, "path integration"),
        *cost_set("placebo", SIZES, "episodic memory"),
        NoiseTarget(weight=ramp(0.0, 1.0, 5, 9)),
    )
    assert from_json(json.loads(json.dumps(to_json(costs)))) == costs


MEMBERS = {
    None: ["next_observation"],
    "path integration": ["next_observation", "self_localisation"],
    "episodic memory": ["next_observation", "reconstruction"],
    "bootstrapping": ["gaze_from_hand", "mover_event", "next_observation"],
    "object permanence": ["next_observation", "occlusion_prediction"],
    "gated working memory": ["next_observation", "local_td_error", "held_content"],
    "path integration + episodic memory": [
        "next_observation", "reconstruction", "self_localisation",
    ],
}  # fmt: skip


@pytest.mark.parametrize("problem", MEMBERS)
def test_the_heterogeneous_costs_are_those_of_the_problem(problem: str | None) -> None:
    def own(name: str) -> list[Cost]:
        costs = cost_set(name, SIZES, problem)
        return [c for c in costs if c.name not in ("reward", "value_reward")]

    members = own("heterogeneous")
    assert [c.name for c in members] == MEMBERS[problem]
    for member in members:
        (one,) = own(f"homogeneous.{member.name}")
        total = sum(m.schedule.at(0) for m in members)
        assert one == replace(member, trains=("all",), weight=total)
    assert own("homogeneous") == own("homogeneous.next_observation")


@pytest.mark.parametrize("problem", [None, *sorted({task.problem for task in TASKS.values()})])
def test_the_placebo_differs_from_the_heterogeneous_costs_in_what_targets_say(
    problem: str | None,
) -> None:
    """Areas, read-outs, weights, and what reward spares: all the same."""
    costs = cost_set("heterogeneous", SIZES, problem)
    placebos = cost_set("placebo", SIZES, problem)
    for cost, placebo in zip(costs, placebos, strict=True):
        if (cost.scores and not isinstance(cost, Intrinsic)) or isinstance(cost, Value):
            assert placebo == cost
            continue
        for name in ("trains", "weight", "rate", "in_time"):
            assert getattr(placebo, name) == getattr(cost, name)
        if isinstance(placebo, NoiseTarget):
            assert (placebo.of, placebo.name) == (cost, f"noise_target_{cost.name}")
        else:
            assert placebo == replace(cost, **MEANINGLESS)
    areas = {role: role for role in ROLES}
    routes, noise = routing(costs, areas), routing(placebos, areas)
    assert list(routes.values()) == list(noise.values())


MEANINGLESS: dict[str, Any] = {"meaningless": True}


@pytest.mark.parametrize("cost", [LocalTDError(), WorldPrediction()])
def test_a_placebo_of_its_own_deals_out_targets_too(cost: Cost) -> None:
    """The same numbers, at steps that they tell nothing of, dealt anew for each rollout."""
    placebo, time = replace(cost, **MEANINGLESS), 400
    generator = torch.Generator().manual_seed(0)
    returns = torch.randn(time, WORLDS, generator=generator)
    ends = torch.rand(time, WORLDS, generator=generator) < 0.5
    tensors = {
        **trace(1, time).tensors,
        "reward": returns * ends,
        "terminated": ends,
        "core": returns.unsqueeze(-1),
    }
    seen = Trace(tensors)
    sizes = Sizes({"core": 1} | {name: seen[name].shape[-1] for name in ("vision", "action")}, {})
    heads = cost.heads(sizes) or nn.Module()
    losses = list[Tensor]()
    state: dict[str, Tensor] = {}
    for _ in range(2):
        notes, state = placebo.annotate(seen, state, heads)
        losses.append(placebo.loss(seen.noted(notes), heads).detach())
    assert not torch.equal(*losses)
    again, _ = placebo.annotate(seen, {}, heads)
    assert torch.equal(placebo.loss(seen.noted(again), heads), losses[0])
    assert cost.annotate(seen, {}, heads)[1] == {}
    if isinstance(cost, WorldPrediction):
        dealt, known = again["world_prediction/target"], ~seen.episode_start
        now = seen["world_model"][..., -2:]
        assert torch.equal(dealt[known].sort(0).values, now[known].sort(0).values)
        assert (
            abs(float(torch.corrcoef(torch.stack((dealt[known][:, 0], now[known][:, 0])))[0, 1]))
            < 0.1
        )
    else:
        # The memory knows each step's return, and nothing of the one dealt out to it.
        def error(one: Cost) -> float:
            torch.manual_seed(0)
            made = one.heads(sizes)
            assert made is not None
            optimizer = torch.optim.Adam(made.parameters(), 0.03)
            for _ in range(100):
                loss = one.loss(seen.noted(again), made).mean()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
            return float(loss.detach())

        # Dealt out among the steps that count: what the others returned makes no difference.
        elsewhere = {"local_td_error/return": returns.where(ends, 9.0)}
        noted = seen.noted(again).noted(elsewhere)
        torch.testing.assert_close(placebo.loss(noted, heads), losses[0])
        assert error(cost) < 0.05
        assert 0.8 < error(placebo) < 1.2


def test_an_area_of_a_cost_alone_is_trained_by_no_score() -> None:
    areas = {"way": "integrator", "core": "core", "actor": "actor"}
    for problem, expected in (("path integration", {"core", "actor"}), (None, set(areas))):
        routes = routing(cost_set("heterogeneous", SIZES, problem), areas)
        assert routes["reward"] == routes["value_reward"] == expected


def test_a_set_has_no_other_member_than_the_problems() -> None:
    with pytest.raises(ValueError, match=r"unknown member .* 'reconstruction'.* next_observation"):
        cost_set("homogeneous.reconstruction", SIZES, "path integration")
    with pytest.raises(ValueError, match=r"unknown member .* 'recon'; there are: next_observation"):
        cost_set("homogeneous.recon", SIZES)


def test_unknown_and_useless_costs_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean heterogeneous"):
        cost_set("heterogenous", SIZES)
    with pytest.raises(ValueError, match="gives a score"):
        cost_set([Entropy()], SIZES)
    with pytest.raises(ValueError, match=r"an empty name among the costs 'reward\+'"):
        cost_set("reward+", SIZES)
    taken = type("Update", (Entropy,), {})
    with pytest.raises(
        ValueError, match=r"no cost can be called 'update'.*: rename the class Update"
    ):
        register(taken)
    with pytest.raises(ValueError, match="give a number >= 0"):
        Entropy(weight=-1.0)
    with pytest.raises(KeyError, match="nothing in this trace is called 'smell'"):
        trace()["smell"]


def test_what_a_joined_cost_has_alone_all_named_costs_spare() -> None:
    ring = ("all", "-head_direction", "-integrator")
    posed = cost_set("heterogeneous+entropy+heading_integration", SIZES, "path integration")
    trained = {c.name: c.trains for c in posed}
    assert trained["reward"] == trained["value_reward"] == ring
    assert trained["entropy"] == ("all", "-head_direction")
    # A set's own are its own matter: entropy beside it trains all, as the user's own costs do.
    names = {c.name: c.trains for c in cost_set("heterogeneous+entropy", SIZES, "path integration")}
    assert names["reward"] == ("all", "-integrator")
    assert names["entropy"] == ("all",)
    given = cost_set(["heading_integration", "reward", Entropy()], SIZES)
    assert {c.name: c.trains for c in given}["entropy"] == ("all",)


@pytest.mark.parametrize("structure", [s for s in BLUEPRINTS if "." not in s])
def test_a_joined_cost_leaves_no_area_untaught(structure: str) -> None:
    """What it has to itself it must train; a set has seen to its own."""
    task = next(
        (t for t in TASKS.values() if PROBLEMS.get(t.problem) == structure), TASKS["DarkHome"]
    )
    senses = {sense.name: sense.size for sense in task().senses}
    areas = BLUEPRINTS[structure](senses)
    roles = {name: node.role for name, node in areas.items()}
    for name, kind in COSTS.items():
        if kind.alone and kind.__module__.startswith("motley.costs."):
            costs = cost_set(f"reward+{name}", senses, task.problem)
            taught = set[str]().union(*routing(costs, roles).values())
            assert taught == set(areas), name


def test_names_may_be_joined_within_a_list() -> None:
    senses = {"vision": 96, "egomotion": 3}
    assert cost_set(["reward+rnd=0.1", Entropy()], senses) == cost_set(
        "reward+rnd=0.1+entropy", senses
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("reward+rdn=0.5", "unknown cost set or cost 'rdn'; did you mean rnd"),
        ("reward+rnd=much", "'rnd=much': a weight is a number >= 0, as in rnd=0.5"),
        ("reward+rnd=", "'rnd=': a weight is a number >= 0"),
        ("reward+rnd=-1", "'rnd=-1': a weight is a number >= 0"),
        ("reward+rnd=nan", "'rnd=nan': a weight is a number >= 0"),
        ("reward+rnd=inf", "'rnd=inf': a weight is a number >= 0"),
        ("reward=0.5", "'reward=0.5': reward is a set of costs; a cost alone takes a weight"),
        ("homogeneous.rnd=0.5", r"homogeneous\.rnd is a set of costs"),
    ],
)
def test_a_weight_that_cannot_be_is_named(names: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cost_set(names, SIZES)
    with pytest.raises(ConfigError, match=said):
        check(RunConfig(costs=names))


def test_a_cost_may_have_its_weight_by_its_name() -> None:
    plain, weighted = cost_set("reward+rnd", SIZES), cost_set("reward+rnd=0.1", SIZES)
    expected = [replace(c, weight=0.1) if c.name == "rnd" else c for c in plain]
    assert list(weighted) == expected
    assert cost_set(["reward", "rnd=0.1"], SIZES) == weighted
    # Without weight it is absent, and spares no area that it would have had to itself.
    assert cost_set("reward+world_prediction=0", SIZES) == cost_set("reward", SIZES)
    assert cost_set("reward+world_prediction=0.1", SIZES)[0].trains != ("all",)


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_run_keeps_a_weight_and_goes_on_with_it(tmp_path: Path) -> None:
    config = RunConfig(
        structure="uniform", costs="reward+entropy=0.25", steps=128, n_envs=4, eval_episodes=2,
        agent={"budget": None, "width": 8},
    )  # fmt: skip
    run(config, tmp_path)
    assert read_json(tmp_path / "config.json")["costs"] == "reward+entropy=0.25"
    assert read_csv(tmp_path / "progress.csv")["weight/entropy"].tolist() == [0.25]
    (tmp_path / "done").unlink()
    run(config, tmp_path, resume=True)
    opened, agent = open_run(tmp_path)
    assert opened.to_json() == config.to_json()
    assert agent.learner.weights(0)["entropy"] == 0.25


def test_a_score_brings_its_value() -> None:
    assert [c.name for c in cost_set([ExtrinsicReward()], SIZES)] == ["reward", "value_reward"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: NextObservation(rate=-1.0), r"NextObservation\(rate=-1.0\): give a number >= 0"),
        (lambda: ExtrinsicReward(gamma=1.5), r"ExtrinsicReward\(gamma=1.5\): give None, or 0 to 1"),
        (lambda: LearningProgress(kept=1.0), r"LearningProgress\(kept=1.0\): give a share"),
        (lambda: DriveReduction(need=-1), r"DriveReduction\(need=-1\): give None, or 0 to 7"),
        (lambda: DriveReduction(setpoint=0.3), r"DriveReduction\(setpoint=0.3\): give a level"),
        (lambda: RND(features=0), r"RND\(features=0\): give a whole number of at least 1"),
        (lambda: RND(senses=()), r"RND\(senses=\(\)\): give at least one sense"),
        (lambda: EpisodicNovelty(ridge=0.0), r"EpisodicNovelty\(ridge=0.0\): give a number above"),
        (lambda: SelfLocalisation(reach=0.0), r"SelfLocalisation\(reach=0.0\): give a number"),
        (lambda: Reconstruction(channels=0), r"Reconstruction\(channels=0\): give None, or 1"),
        (lambda: MatchPrediction(capacity=-1), r"MatchPrediction\(capacity=-1\): give a whole"),
        (lambda: LocalTDError(td_lambda=1.1), r"LocalTDError\(td_lambda=1.1\): give 0 to 1"),
        (lambda: LocalTDError(discount=1.1), r"LocalTDError\(discount=1.1\): give 0 to 1"),
        (lambda: NoiseTarget(reads="core"), r"NoiseTarget\(reads='core'\): give what the other"),
        (lambda: Schedule(((0, float("nan")),)), "a schedule's values are >= 0, not"),
    ],
)
def test_an_option_that_cannot_be_is_named(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("kind", "option", "value", "said"),
    [
        (Entropy, "weight", "1", "a number >= 0, or a schedule"),
        (ExtrinsicReward, "weight", float("nan"), "a number >= 0, or a schedule"),
        (DriveReduction, "exponent", "2", "a finite number"),
        (DriveReduction, "root", float("inf"), "a finite number"),
        (DriveReduction, "mixed", "no", "True or False"),
        (DriveReduction, "need", 1.0, "a whole number, or None"),
        (LearningProgress, "age", 2.5, "a whole number"),
        (RND, "gamma", "0.9", "a finite number, or None"),
        (NextObservation, "reads", None, "a name"),
        (NoiseTarget, "of", 0, "a cost that predicts"),
        (InverseDynamics, "hidden", -1, "a whole number of at least 1"),
        (RND, "senses", "vision", "a tuple of names, such as "),
        (RND, "senses", ("vision", 3), "a tuple of names"),
        (RND, "trains", None, "a tuple of names"),
        (Entropy, "trains", ["core"], "a tuple of names"),
    ],
)
def test_an_option_of_another_kind_is_named(
    kind: type[Cost], option: str, value: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}\({option}=.*\): give {said}"):
        kind(**{option: value})


def test_a_plug_ins_own_default_is_right_whatever_its_annotation() -> None:
    @dataclass(frozen=True)
    class Lenient(Entropy):
        limit: float = math.inf
        other: float | None = None

    assert Lenient().limit == math.inf
    assert Lenient(limit=1.0, other=2.0).other == 2.0
    assert Lenient(limit=float("inf")).limit == math.inf  # as a file gives it
    with pytest.raises(ValueError, match=r"Lenient\(limit='1'\): give a finite number"):
        Lenient(limit="1")  # type: ignore[arg-type]

    @dataclass(frozen=True)
    class Letters(Entropy):
        trains: Any = "core"

    with pytest.raises(ValueError, match=r"Letters\(trains='core'\): .* names: \('core',\)"):
        Letters()

    @dataclass(frozen=True)
    class Deep(Entropy):
        hidden: tuple[int, ...] = (64, 64)
        features: int | None = None

    assert Deep(hidden=(8,)).hidden == (8,)


def test_names_are_asked_for_whatever_form_an_annotation_has() -> None:
    fields: list[tuple[str, Any, Any]] = [("senses", tuple[str, ...], ("vision",))]
    kind: Any = make_dataclass("Plain", fields, bases=(Entropy,), frozen=True)
    assert kind().senses == ("vision",)
    with pytest.raises(ValueError, match=r"Plain\(senses='vision'\): give a tuple of names"):
        kind(senses="vision")


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        (["reward", Value(weight=0.0)], r"Value\(weight=0.0\): give a weight above 0"),
        (["reward", Value(of="rewrd")], r"Value\(of='rewrd'\): give one that scores: reward"),
        ("homogeneous.drive_reduction", "did you mean drive_reduction_0"),
        (["reward", Cost()], "cost 'cost' gives nothing to learn from: Cost defines neither score"),
    ],
)
def test_a_cost_that_does_not_fit_is_named(costs: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Agent("uniform", "ManyNeeds", costs, n_envs=2)


UNFIT = "cost '{}' does not fit structure 'uniform': {}"


@pytest.mark.parametrize(
    ("cost", "lack"),
    [
        (Reconstruction(channels=5), r"'vision' has 96 features, which are no .*; give channels"),
        (NextObservation(reads="hunger"), r"no sense or area is called 'hunger' \(.*\); take a "),
    ],
)
def test_what_a_cost_lacks_is_told_in_one_form(cost: Cost, lack: str) -> None:
    """Whatever it is, and what to do."""
    with pytest.raises(ValueError, match=UNFIT.format(cost.name, lack)):
        Agent("uniform", "ManyNeeds", ["reward", cost], n_envs=2)


def test_a_need_that_a_body_lacks_is_named() -> None:
    with pytest.raises(UnfitError, match="'interoception' has 4 needs, and none 7; give one below"):
        DriveReduction(need=7).heads(SIZES)


def test_a_drive_can_be_the_one_cost_of_all_areas() -> None:
    agent = Agent("uniform", "ManyNeeds", "homogeneous.drive_reduction_1", n_envs=2)
    assert agent.learner.routes["drive_reduction_1"] == agent.brain.areas.keys()


def test_a_placebo_by_name_reads_and_trains_what_its_target_does() -> None:
    made = NoiseTarget()
    assert (made.reads, made.trains) == (SelfLocalisation().reads, SelfLocalisation().trains)
    moved = made.applied("search", ["search"])
    assert (moved.reads, moved.of.reads, moved.trains) == ("search", "search", ("search",))


def test_a_placebo_counts_errors_as_its_target_does() -> None:
    for cost in (LatentSelfPrediction(), NextObservation()):
        assert NoiseTarget.like(cost).floor == cost.floor


def test_what_is_not_known_after_a_rollout_is_refused() -> None:
    x = torch.zeros(3, 2, 1)
    starts = torch.zeros(3, 2, dtype=torch.bool)
    trace = Trace({"x": x, "action": x, "episode_start": starts}, {}, {"x": x[:1]})
    assert trace.next("x").shape == x.shape
    with pytest.raises(KeyError, match="what 'action' will be after the last step"):
        trace.next("action")
    trace_alone = Trace(trace.tensors)
    assert trace_alone.next("action").shape == x.shape  # of which the last row means nothing


def test_a_single_step_that_counts_has_no_variance_to_be_counted_in() -> None:
    generator = torch.Generator().manual_seed(0)
    target = 0.5 * torch.randn(32, 8, 1, generator=generator)
    for count, low, high in ((1, 0.0, 0.0), (8, 0.5, 1.5), (256, 0.9, 1.1)):
        mask = (torch.arange(256) < count).view(32, 8)
        error = unexplained(torch.zeros_like(target), target, mask).mean()
        assert low <= error <= high
