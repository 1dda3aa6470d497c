"""The learning rule against SB3's PPO, slow loops and environments with known answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from torch import nn

from motley.agents import Agent
from motley.agents.actions import action_distribution
from motley.agents.batch import Batch
from motley.agents.rollout import collect
from motley.agents.scoring import critic_of, scored
from motley.agents.surrogate import _Surrogate, plain, surrogate
from motley.agents.values import ReturnNormaliser, gae
from motley.costs import Cost, Entropy, Trace

GAMMA, LAMBDA = 0.9, 0.8
ACTIONS: dict[str, spaces.Space[Any]] = {
    "Box": spaces.Box(-1.0, 1.0, (2,), np.float32),
    "Discrete": spaces.Discrete(4),
    "MultiDiscrete": spaces.MultiDiscrete([3, 2]),
}


class Drift(gym.Env[np.ndarray, Any]):
    """A random walk that pays its first number; ends and cuts off episodes at random."""

    def __init__(self, action_space: spaces.Space[Any]):
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = self.np_random.normal(size=3).astype(np.float32)
        return self.at.copy(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        step = self.np_random.normal(size=3) + 0.1 * np.sum(action)
        self.at = (self.at + step).astype(np.float32)
        end = self.np_random.random(2) < 0.1
        return self.at.copy(), float(self.at[0]), bool(end[0]), bool(end[1]), {}


def worlds(action_space: spaces.Space[Any], n: int = 4) -> VecEnv:
    env = DummyVecEnv([lambda: Drift(action_space) for _ in range(n)])
    env.seed(5)
    return env


def pair(
    env: VecEnv,
    n_epochs: int,
    n_minibatches: int,
    n_steps: int = 32,
    entropy: float = 0.0,
    normalise: bool = True,
) -> tuple[Agent, PPO]:
    """Our agent and SB3's with equal weights and settings."""
    agent = Agent(
        "feedforward", env, ["reward", Entropy(weight=entropy)], learning_rate=1e-3,
        n_steps=n_steps, n_epochs=n_epochs, gamma=GAMMA, n_minibatches=n_minibatches,
        gae_lambda=LAMBDA, clip_by_area=False, normalise_returns=False,
        normalise_advantages=normalise, budget=None, seed=1,
    )  # fmt: skip
    size = n_steps * env.num_envs // n_minibatches
    peer = PPO(
        "MlpPolicy", env, learning_rate=1e-3, n_steps=n_steps, n_epochs=n_epochs, gamma=GAMMA,
        batch_size=size, gae_lambda=LAMBDA, ent_coef=entropy, seed=1, device="cpu",
        normalize_advantage=normalise,
    )  # fmt: skip
    peer.set_logger(Logger(None, []))
    ours = dict(agent.learner.named_parameters())
    with torch.no_grad():
        for theirs, mine in weights_of(peer):
            ours[mine].copy_(theirs)
    return agent, peer


def weights_of(peer: PPO) -> Iterator[tuple[torch.Tensor, str]]:
    """SB3's parameters with our names."""
    policy = peer.policy
    modules = {
        "brain.areas.actor.layer0": policy.mlp_extractor.policy_net[0],
        "brain.areas.actor.layer1": policy.mlp_extractor.policy_net[2],
        "brain.areas.actor.last": policy.action_net,
        "brain.areas.critic.layer0": policy.mlp_extractor.value_net[0],
        "brain.areas.critic.layer1": policy.mlp_extractor.value_net[2],
        "heads.value_reward": policy.value_net,
    }
    for name, module in modules.items():
        assert isinstance(module, nn.Linear)
        yield module.weight, f"{name}.weight"
        yield module.bias, f"{name}.bias"
    if hasattr(policy, "log_std"):
        yield policy.log_std, "brain.areas.actor.log_std"


class Ordered(Batch):
    """A batch with SB3's permutations."""

    def minibatches(
        self, count: int, keep_order: bool, generator: torch.Generator
    ) -> Iterator[Batch]:
        n = self.log_prob.numel()
        order = np.random.permutation(n)  # noqa: NPY002 (as SB3 does)
        yield from self.steps(torch.as_tensor(order), count)


@pytest.mark.parametrize("space", ACTIONS)
@pytest.mark.parametrize(
    ("n_minibatches", "entropy", "normalise"),
    [(1, 0.0, True), (4, 0.0, True), (4, 0.01, True), (4, 0.0, False)],
)
def test_three_updates_give_the_weights_of_sb3s_ppo(
    space: str, n_minibatches: int, entropy: float, normalise: bool
) -> None:
    env = worlds(ACTIONS[space])
    agent, peer = pair(env, 3, n_minibatches, entropy=entropy, normalise=normalise)
    _, callback = peer._setup_learn(10_000)
    for n in range(3):
        peer.collect_rollouts(env, callback, peer.rollout_buffer, peer.n_steps)
        batch = batch_of(peer.rollout_buffer, agent)
        np.random.seed(n)  # noqa: NPY002
        peer.train()
        np.random.seed(n)  # noqa: NPY002
        agent.learner.update(batch, 0, 0.2, torch.Generator(), n_update=1)
    ours = dict(agent.learner.named_parameters())
    seen = set()
    for theirs, name in weights_of(peer):
        seen.add(name)
        np.testing.assert_allclose(
            ours[name].detach().numpy(), theirs.detach().numpy(), atol=1e-5, rtol=0, err_msg=name
        )
    assert seen >= {name for name, p in ours.items() if p.numel()}
    # The comparison means something only where the weights have moved.
    first = dict(pair(worlds(ACTIONS[space]), 3, n_minibatches)[0].learner.named_parameters())
    assert all(not torch.equal(first[name], ours[name]) for name in seen if ours[name].numel())


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("scores", [1, 3])
def test_the_compiled_surrogate_and_its_gradient_are_those_of_plain_torch(
    scores: int, normalise: bool
) -> None:
    """For any mix of the losses, one that is asked for alone included."""
    generator = torch.Generator().manual_seed(scores)

    def drawn(scale: float) -> torch.Tensor:
        return scale * torch.randn(9, 5, generator=generator)

    log_prob, before = drawn(0.3).requires_grad_(), drawn(0.1)
    advantages = {f"score {k}": drawn(1.0) + k for k in range(scores)}
    ours, facts = surrogate(log_prob, before, advantages, 0.2, normalise)
    theirs, expected = plain(log_prob, before, advantages, 0.2, normalise)
    assert 0.1 < float(expected["clip_fraction"]) < 0.9
    torch.testing.assert_close(facts, expected)
    torch.testing.assert_close(ours, theirs)
    mixes = [{name: drawn(1.0) for name in advantages}, {"score 0": drawn(1.0)}]
    for mix in mixes:
        found = [
            torch.autograd.grad(
                torch.stack([(losses[name] * x).sum() for name, x in mix.items()]).sum(),
                log_prob,
                retain_graph=True,
            )
            for losses in (ours, theirs)
        ]
        torch.testing.assert_close(*found)


@pytest.mark.parametrize("normalise", [True, False])
def test_the_compiled_surrogate_agrees_with_finite_differences(normalise: bool) -> None:
    """In float64, which agents do not use; away from where clipping begins, which has no slope."""
    generator = torch.Generator().manual_seed(0)
    log_ratio = torch.tensor([-0.4, -0.3, -0.1, 0.0, 0.1, 0.3, 0.4], dtype=torch.float64)
    log_ratio = log_ratio[torch.randint(7, (9, 5), generator=generator)]
    before = torch.randn(9, 5, generator=generator, dtype=torch.float64)
    advantages = torch.randn(3, 9, 5, generator=generator, dtype=torch.float64)
    ratio = log_ratio.exp()
    assert min(float((ratio - bound).abs().min()) for bound in (0.8, 1.2)) > 0.05

    def losses(log_prob: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found: Any = _Surrogate.apply(log_prob, before, advantages, 0.2, normalise)  # type: ignore[no-untyped-call]
        return tuple(found[2:])

    log_prob = (before + log_ratio).requires_grad_()
    [free] = torch.autograd.grad(torch.stack(losses(log_prob)).sum(), log_prob)
    assert free.any()
    assert not free.all()
    assert torch.autograd.gradcheck(losses, (log_prob,))


@pytest.mark.parametrize("form", [surrogate, plain])
def test_a_score_that_is_the_same_everywhere_changes_no_gradient(form: Any) -> None:
    """Neither that of its own loss nor of another's, whatever areas each of them trains."""
    generator = torch.Generator().manual_seed(0)
    log_prob, before, advantage = (torch.randn(256, 64, generator=generator) for _ in range(3))
    log_prob.mul_(0.3).requires_grad_()
    alone, _ = form(log_prob, before * 0.1, {"reward": advantage}, 0.2)
    beside = {f"still {k}": torch.full((256, 64), 3.3 * k) for k in range(8)}
    losses, _ = form(log_prob, before * 0.1, {"reward": advantage, **beside}, 0.2)
    for name, loss in losses.items():
        [found] = torch.autograd.grad(loss.sum(), log_prob, retain_graph=True)
        expected = torch.zeros_like(found)
        if name == "reward":
            [expected] = torch.autograd.grad(alone[name].sum(), log_prob, retain_graph=True)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("at", ["log_prob", "advantage"])
def test_the_compiled_surrogate_hides_nothing_that_is_not_finite(value: float, at: str) -> None:
    log_prob, advantage = torch.zeros(4, 3), -torch.arange(12.0).reshape(4, 3)
    (log_prob if at == "log_prob" else advantage)[2, 1] = value
    for form in (surrogate, plain):
        losses, _ = form(log_prob, torch.zeros(4, 3), {"reward": advantage}, 0.2)
        assert not losses["reward"].mean().isfinite()


def test_the_gradient_of_a_gaussians_log_probability_is_right() -> None:
    distribution = action_distribution(ACTIONS["Box"])
    generator = torch.Generator().manual_seed(0)
    shapes = ((4, 3, 2), (2,), (4, 3, 2))
    x, log_std, action = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    leaves = x.clone().requires_grad_(), log_std.clone().requires_grad_()

    def by_leaves(x: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
        return distribution.log_prob(x, log_std, action)

    assert torch.autograd.gradcheck(by_leaves, leaves)
    scaled = (action - x) / log_std.exp()
    expected = -(0.5 * scaled.square() + log_std + 0.5 * np.log(2 * np.pi)).sum(-1)
    torch.testing.assert_close(distribution.log_prob(x, log_std, action), expected)


def batch_of(buffer: RolloutBuffer, agent: Agent) -> Batch:
    """SB3's rollout as ours."""
    time, n = buffer.rewards.shape
    actions = torch.as_tensor(buffer.actions.reshape(time, n, -1), dtype=torch.float32)
    return Ordered(
        {
            "observation": torch.as_tensor(buffer.observations),
            "previous_action": torch.zeros(time, n, agent.learner.distribution.features),
            "episode_start": torch.as_tensor(buffer.episode_starts).bool(),
            "value/reward/target": torch.as_tensor(buffer.returns),
        },
        actions,
        torch.as_tensor(buffer.log_probs),
        {"reward": torch.as_tensor(buffer.advantages)},
        {},
    )


def test_advantages_and_targets_of_a_rollout_are_sb3s() -> None:
    """Ends and cut-offs included; fails where the value at a cut-off is left out."""
    env = worlds(ACTIONS["Box"], n=6)
    agent, peer = pair(env, 1, 1, n_steps=40)
    agent._setup_learn(1)
    agent._present = agent._stand()
    learner, heard = agent.learner, list[dict[str, Any]]()

    def listen(facts: dict[str, Any]) -> bool:
        heard.append(facts)
        return True

    rollout = collect(
        env, agent.brain, learner.distribution, agent.policy.senses, agent._present,
        learner.distribution.draw((40, env.num_envs), agent._generator), listen,
    )  # fmt: skip
    assert rollout is not None
    assert rollout.terminated.any()
    assert rollout.truncated_at.shape[1] > 0
    batch, _ = scored(learner, rollout, 0)

    def value(x: torch.Tensor) -> torch.Tensor:
        return peer.policy.predict_values(x).flatten()

    buffer = RolloutBuffer(
        40, env.observation_space, env.action_space, "cpu", LAMBDA, GAMMA, env.num_envs
    )
    with torch.no_grad():
        for t, facts in enumerate(heard):
            observation = rollout.tensors["observation"][t]
            reward = facts["rewards"].copy()
            for i, info in enumerate(facts["infos"]):
                if facts["dones"][i] and info["TimeLimit.truncated"]:
                    last = torch.as_tensor(info["terminal_observation"])[None]
                    reward[i] += GAMMA * value(last).item()
            _, log_prob, _ = peer.policy.evaluate_actions(observation, rollout.actions[t])
            buffer.add(
                observation.numpy(), rollout.actions[t].numpy(), reward,
                rollout.tensors["episode_start"][t].numpy(), value(observation), log_prob,
            )  # fmt: skip
        buffer.compute_returns_and_advantage(
            value(torch.as_tensor(heard[-1]["new_obs"])), heard[-1]["dones"]
        )

    def close(ours: torch.Tensor, theirs: np.ndarray) -> None:
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-5, rtol=1e-5)

    close(batch.log_prob, buffer.log_probs)
    close(batch.advantages["reward"], buffer.advantages)
    close(batch.tensors["value/reward/target"], buffer.returns)


@dataclass(frozen=True)
class Still(Cost):
    """A score of 0 whose returns do not end with the episode."""

    episodic: bool = False
    gamma: float | None = 1.0

    def score(self, trace: Trace) -> torch.Tensor:
        return torch.zeros_like(trace["reward"])


def test_what_follows_an_episodes_end_is_valued_as_acting_will_see_it() -> None:
    """Without the memory of the episode that ended with a rollout's last step."""
    env = worlds(ACTIONS["Box"], n=32)
    agent = Agent("uniform", env, ["reward", Still()], n_steps=6, gae_lambda=0.0, seed=0,
                  normalise_returns=False, budget=None)  # fmt: skip
    agent._setup_learn(1)
    agent._present, learner = agent._stand(), agent.learner
    rollouts = []
    for _ in range(2):
        rollout = collect(
            env, agent.brain, learner.distribution, agent.policy.senses, agent._present,
            agent.noise(), lambda facts: True,
        )  # fmt: skip
        assert rollout is not None
        rollouts.append(rollout)
    first, second = rollouts
    assert 3 < int(first.ends[-1].sum()) < 32
    batch, _ = scored(learner, first, 0)
    outputs, _ = agent.brain(
        second.tensors, second.state, second.tensors["episode_start"], tuple(agent.brain.areas)
    )
    _, head = critic_of(learner, "still")
    seen = learner.values["still"].predict(Trace(outputs, agent.brain.roles), head)[0]
    # With lambda 0 the target of a last step that pays nothing is the value of what follows.
    torch.testing.assert_close(batch.tensors["value/still/target"][-1], seen)


def test_gae_is_the_weighted_sum_of_its_definition() -> None:
    """Against the sum over later errors, each step by itself, in float64."""
    rng = np.random.default_rng(0)
    time, n = 23, 5
    rewards, values, after = rng.normal(size=(3, time, n))
    ends = rng.random((time, n)) < 0.2
    terminated = ends & (rng.random((time, n)) < 0.5)
    assert (ends & ~terminated).any()
    next_values = np.where(
        terminated, 0.0, np.where(ends, after, np.vstack((values[1:], after[:1])))
    )
    expected = np.zeros((time, n))
    for i in range(n):
        for t in range(time):
            factor = 1.0
            for later in range(t, time):
                follows = 0.0
                if ends[later, i]:
                    follows = 0.0 if terminated[later, i] else after[later, i]
                else:
                    follows = values[later + 1, i] if later + 1 < time else after[0, i]
                error = rewards[later, i] + GAMMA * follows - values[later, i]
                expected[t, i] += factor * error
                factor *= GAMMA * LAMBDA
                if ends[later, i]:
                    break
    advantages = gae(
        torch.as_tensor(rewards), torch.as_tensor(values), torch.as_tensor(next_values),
        torch.as_tensor(ends), GAMMA, LAMBDA,
    )  # fmt: skip
    np.testing.assert_allclose(advantages.numpy(), expected, atol=1e-12)


def test_normalised_returns_leave_predictions_as_they_were() -> None:
    torch.manual_seed(0)
    normaliser, head, x = ReturnNormaliser(), nn.Linear(4, 1), torch.randn(50, 4)
    for scale, shift in ((1.0, 0.0), (100.0, -30.0), (0.01, 5.0)):
        returns = scale * torch.randn(64, 8) + shift
        before = normaliser.restore(head(x))
        normaliser.update(returns, head)
        after = normaliser.restore(head(x))
        torch.testing.assert_close(before, after, atol=1e-3, rtol=1e-4)
    assert not torch.equal(normaliser.mean, torch.zeros(()))


def test_normalised_returns_have_mean_zero_and_deviation_one() -> None:
    normaliser, head = ReturnNormaliser(), nn.Linear(4, 1)
    returns = 7.0 * torch.randn(4000, generator=torch.Generator().manual_seed(1)) + 3.0
    normaliser.update(returns, head)
    z = normaliser.normalise(returns)
    assert abs(float(z.mean())) < 1e-3
    assert abs(float(z.std()) - 1.0) < 1e-2


def test_a_score_is_silent_until_it_is_first_not_zero() -> None:
    normaliser, head, none = ReturnNormaliser(), nn.Linear(4, 1), torch.zeros(16, 4)
    fresh, first = ReturnNormaliser(), nn.Linear(4, 1)
    first.load_state_dict(head.state_dict())
    once = none.index_put((torch.tensor(3), torch.tensor(1)), torch.tensor(1.0))
    for _ in range(3):
        assert normaliser.silent(none)
        assert not normaliser.silent(once)
        normaliser.update(none, head)
    # Nothing was measured yet: what comes first is measured as if it had come at once.
    for one, other in ((normaliser, fresh), (head, first)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])
    normaliser.update(once, head)
    fresh.update(once, first)
    assert normaliser.deviation == fresh.deviation == once.std(correction=0)
    assert torch.equal(head.weight, first.weight)
    for _ in range(500):
        normaliser.update(none, head)
    assert not normaliser.silent(none)
    assert not ReturnNormaliser(enabled=False).silent(none)


@pytest.mark.parametrize("space", [*ACTIONS.values(), spaces.MultiBinary(3)], ids=str)
def test_distributions_agree_with_torchs(space: spaces.Space[Any]) -> None:
    distribution = action_distribution(space)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(distribution.parameters, generator=generator).expand(20_000, -1)
    log_std = torch.randn(distribution.deviations, generator=generator) * 0.3
    action = distribution.sample(x, log_std, distribution.draw((20_000,), generator))
    reference: list[torch.distributions.Distribution]
    if isinstance(space, spaces.Box):
        reference = [
            torch.distributions.Normal(x[:, i], log_std[i].exp()) for i in range(distribution.size)
        ]
    else:
        counts = {"Discrete": [4], "MultiDiscrete": [3, 2], "MultiBinary": [2, 2, 2]}
        parts = torch.split(x, counts[type(space).__name__], -1)
        reference = [torch.distributions.Categorical(logits=part) for part in parts]
    log_prob = sum(d.log_prob(action[:, i]) for i, d in enumerate(reference))
    entropy = sum(d.entropy() for d in reference)
    torch.testing.assert_close(distribution.log_prob(x, log_std, action), log_prob)
    torch.testing.assert_close(distribution.entropy(x, log_std), entropy)
    # Samples come from it: minus the mean log-probability is the entropy.
    assert float(-log_prob.mean()) == pytest.approx(float(entropy[0]), abs=0.05)  # type: ignore[union-attr, index]


@pytest.mark.parametrize("space", [ACTIONS["Box"], ACTIONS["Discrete"]], ids=str)
def test_a_mixture_agrees_with_torchs(space: spaces.Space[Any]) -> None:
    mixture, one = action_distribution(space, choices=3), action_distribution(space)
    assert mixture.preference == one.parameters
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(mixture.parameters, generator=generator).expand(40_000, -1)
    log_std = torch.randn(mixture.deviations, generator=generator) * 0.3 - 1.0
    action = mixture.sample(x, log_std, mixture.draw((40_000,), generator))
    each = torch.unflatten(x, -1, (3, -1))
    choice = torch.distributions.Categorical(logits=each[..., 0])
    part: torch.distributions.Distribution
    if isinstance(space, spaces.Box):
        normal = torch.distributions.Normal(each[..., 1:], log_std.exp())
        part, given = torch.distributions.Independent(normal, 1), action
    else:
        part, given = torch.distributions.Categorical(logits=each[..., 1:]), action[:, 0]
    peer = torch.distributions.MixtureSameFamily(choice, part)
    log_prob = mixture.log_prob(x, log_std, action)
    expected: torch.Tensor = peer.log_prob(given)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(log_prob, expected, atol=1e-5, rtol=1e-5)
    if isinstance(space, spaces.Box):
        torch.testing.assert_close(action.mean(0), peer.mean[0], atol=0.03, rtol=0)
    # Of the draw and of the action together, which is no less than the mixture's own.
    entropy = mixture.entropy(x, log_std)
    each_has: torch.Tensor = part.entropy()  # type: ignore[no-untyped-call]
    expected = choice.entropy() + (choice.probs * each_has).sum(-1)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(entropy, expected, atol=1e-5, rtol=1e-5)
    assert entropy[0] > -log_prob.mean()
    likeliest = each[:, each[0, :, 0].argmax(), 1:]
    mode = one.sample(likeliest, log_std, None)
    torch.testing.assert_close(mixture.sample(x, log_std, None), mode)


class Probe(gym.Env[np.ndarray, Any]):
    """Observations, rewards and ends as a table says; see the tests below."""

    def __init__(self, kind: str):
        self.kind, self.t, self.cue = kind, 0, 1.0
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = spaces.Discrete(2)

    def _see(self) -> np.ndarray:
        shown = self.cue if self.kind == "identity" or self.t == 0 else 0.0
        shown = 0.0 if self.kind in ("one step", "discount", "endless") else shown
        return np.array([shown, self.t / 4], np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.cue = 0, float(self.np_random.choice([-1.0, 1.0]))
        return self._see(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        right = float((action == 1) == (self.cue > 0))
        self.t += 1
        length = {"one step": 1, "discount": 2, "endless": 2, "identity": 1, "memory": 4}[self.kind]
        over = self.t == length
        reward = {"one step": 1.0, "discount": float(over), "endless": 1.0}.get(
            self.kind, right * over
        )
        return self._see(), reward, over and self.kind != "endless", over, {}


def probe(kind: str, structure: str, steps: int, **settings: Any) -> Agent:
    env = DummyVecEnv([lambda: Probe(kind) for _ in range(16)])
    settings = {"n_steps": 16, "budget": None, "seed": 0, "gamma": 0.5, "width": 16} | settings
    return Agent(structure, env, learning_rate=5e-3, **settings).learn(steps)


def values(agent: Agent, seen: list[list[float]]) -> list[float]:
    """The value of each of these observations, each at an episode's start."""
    known = {"observation": torch.tensor([seen]), "previous_action": torch.zeros(1, len(seen), 2)}
    starts = torch.ones(1, len(seen), dtype=torch.bool)
    outputs, _ = agent.brain(known, agent.brain.initial_state(len(seen)), starts)
    normaliser, head = critic_of(agent.learner, "reward")
    restored: list[float] = normaliser.restore(head(outputs["critic"]))[0, :, 0].tolist()
    return restored


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("one step", [1.0]),  # paid at once
        ("discount", [0.5, 1.0]),  # paid one step later, and no more after the end
        ("endless", [2.0, 2.0]),  # 1 / (1 - gamma): a cut-off is no end; if it were, 1.5 and 1
    ],
)
def test_the_critic_learns_known_values(kind: str, expected: list[float]) -> None:
    agent = probe(kind, "feedforward", 16_000)
    seen = [[0.0, t / 4] for t in range(len(expected))]
    assert values(agent, seen) == pytest.approx(expected, abs=0.1)


def success(agent: Agent) -> float:
    """Share of right answers of the deterministic policy over 64 episodes."""
    env = DummyVecEnv([lambda k=k: Probe(agent.env.envs[0].unwrapped.kind) for k in range(64)])  # type: ignore[union-attr, misc]
    env.seed(99)
    seen, state, starts = env.reset(), None, np.ones(64, bool)
    for _ in range(4):
        action, state = agent.predict(seen, state, starts, deterministic=True)
        seen, reward, starts, _ = env.step(action)
        if starts.all():
            return float(np.mean(reward))
    raise AssertionError("the episodes did not end together")


def test_an_identity_is_learnt() -> None:
    assert success(probe("identity", "feedforward", 8_000)) == 1.0


def test_a_cue_four_steps_ago_takes_a_memory() -> None:
    assert success(probe("memory", "uniform", 20_000, gamma=0.9)) == 1.0
    assert success(probe("memory", "feedforward", 8_000, gamma=0.9)) < 0.75
