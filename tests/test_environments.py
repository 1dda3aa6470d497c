"""Other people's environments, of every kind of space, and areas in other people's policies."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from motley.agents import Agent, Blueprint, Node
from motley.agents.actions import action_distribution
from motley.agents.areas import Actor, Convolution, PathIntegrator, Perceptron
from motley.agents.blueprints import BLUEPRINTS
from motley.agents.readable import Readable, hashed
from motley.agents.spaces import Senses, Sizes, from_json, to_json

pytest.importorskip("minigrid")


class Picture(gym.Env[Any, Any]):
    """An image, numbers in a tuple in a dict, and a text; acts on a MultiBinary."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict({
            "camera": spaces.Box(0, 255, (40, 36, 3), np.uint8),
            "hand": spaces.Tuple((spaces.Discrete(3), spaces.Box(-1.0, 1.0, (2,), np.float32))),
            "order": spaces.Text(20),
            "depth": spaces.Box(0.0, 1.0, (9, 8, 1), np.float32),
        })  # fmt: skip
        self.action_space = spaces.MultiBinary(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(np.asarray(action))
        return self.observation_space.sample(), 1.0, False, bool(self.np_random.random() < 0.1), {}


def wrapped(name: str) -> Callable[[], VecEnv]:
    """MiniGrid behind one of its own wrappers."""

    def make() -> VecEnv:
        import minigrid.wrappers

        wrapper = getattr(minigrid.wrappers, name)
        return make_vec_env("MiniGrid-Empty-5x5-v0", 2, wrapper_class=wrapper)

    return make


KINDS: dict[str, tuple[str | Callable[[], Any], dict[str, int]]] = {
    "CartPole-v1": ("CartPole-v1", {"observation": 4}),
    "Acrobot-v1": ("Acrobot-v1", {"observation": 6}),
    "MountainCarContinuous-v0": ("MountainCarContinuous-v0", {"observation": 2}),
    "FrozenLake-v1": ("FrozenLake-v1", {"observation": 16}),
    "Blackjack-v1": (
        "Blackjack-v1", {"observation/0": 32, "observation/1": 11, "observation/2": 2},
    ),
    "MiniGrid-DoorKey-5x5-v0": (
        "MiniGrid-DoorKey-5x5-v0", {"direction": 4, "image": 7 * 7 * 21, "mission": 64},
    ),
    "FlatObsWrapper": (wrapped("FlatObsWrapper"), {"observation": 2835}),
    "ImgObsWrapper": (wrapped("ImgObsWrapper"), {"observation": 147}),
    "a Gymnasium environment": (
        Picture,
        {"camera": 40 * 36 * 3, "hand/0": 3, "hand/1": 2, "order": 64, "depth": 72},
    ),
    "SB3's make_vec_env": (lambda: make_vec_env("Pendulum-v1", 2), {"observation": 3}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["uniform", "feedforward"])
def test_it_trains_acts_and_is_saved(kind: str, structure: str, tmp_path: Path) -> None:
    env, sizes = KINDS[kind]
    env = env if isinstance(env, str) else env()
    agent = Agent(
        structure, env, "reward", n_envs=2, n_steps=16, n_minibatches=2, budget=None, width=8,
        seed=0,
    ).learn(96)  # fmt: skip
    assert agent.policy.senses.sizes == sizes
    assert agent.n_updates == (6 if kind == "a Gymnasium environment" else 3)
    assert agent.env is not None
    seen: Any = agent.env.reset()
    action, _ = agent.predict(seen, deterministic=True)
    assert all(map(agent.action_space.contains, action))
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert np.array_equal(again.predict(seen, deterministic=True)[0], action)


def test_words_and_parts_can_be_read() -> None:
    env = Readable(Picture())
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert set(observation) == {"camera", "hand/0", "hand/1", "order", "depth"}
    assert hashed("a red a").sum() == 3
    assert hashed("a red a").max() == 2
    assert np.array_equal(hashed("open the Red door"), hashed("door open the red"))
    assert not np.array_equal(hashed("red"), hashed("blue"))


def test_a_table_of_codes_becomes_one_hot() -> None:
    plain = gym.make("MiniGrid-DoorKey-5x5-v0")
    codes, told = plain.reset(seed=3)[0], Readable(plain).reset(seed=3)[0]
    assert told["image"].shape == (7, 7, 21)
    parts = np.split(told["image"], [11, 17], -1)
    for i, part in enumerate(parts):
        assert np.array_equal(part.argmax(-1), codes["image"][..., i])
        assert np.array_equal(part.sum(-1), np.ones((7, 7)))


def test_an_environment_that_can_be_read_is_left_as_it_is() -> None:
    env = gym.make("CartPole-v1")
    assert Readable(env).observation_space is env.observation_space


def test_images_are_flattened_channels_first() -> None:
    space = spaces.Dict({
        "bytes": spaces.Box(0, 255, (3, 5, 4), np.uint8),
        "floats": spaces.Box(0.0, 1.0, (5, 4, 3), np.float32),
        "codes": spaces.Box(0, 7, (6,), np.uint8),
    })  # fmt: skip
    senses = Senses(space)
    assert senses.sizes.images == {"bytes": (3, 5, 4), "floats": (3, 5, 4)}
    given = {name: entry.sample()[None] for name, entry in space.spaces.items()}
    told = senses(given)
    np.testing.assert_allclose(told["bytes"].reshape(3, 5, 4), given["bytes"][0] / 255, atol=1e-6)
    assert np.array_equal(told["floats"].reshape(3, 5, 4), np.moveaxis(given["floats"][0], -1, 0))
    assert np.array_equal(told["codes"], given["codes"])


def test_an_image_has_an_encoder_of_its_own() -> None:
    agent = Agent("uniform", Picture(), budget=None, width=8, seed=0)
    nodes = agent.blueprint
    assert nodes["camera_encoder"].area is nodes["depth_encoder"].area is Convolution
    assert nodes["camera_encoder"].options["shape"] == (3, 40, 36)
    assert set(nodes["encoder"].inputs) == {"hand/0", "hand/1", "order"}
    assert {"camera_encoder", "depth_encoder", "encoder"} <= set(nodes["core"].inputs)


def test_the_encoder_of_images_stays_small_and_sees_everywhere() -> None:
    torch.manual_seed(0)
    area = Convolution((3 * 84 * 84,), (3, 84, 84))
    assert sum(p.numel() for p in area.parameters()) < 20_000
    x = torch.rand(1, 1, 3 * 84 * 84, requires_grad=True)
    torch.autograd.backward(area((x,), {}, torch.zeros(1, 1, dtype=torch.bool))[0].sum())
    assert x.grad is not None
    assert float((x.grad != 0).float().mean()) > 0.5
    with pytest.raises(ValueError, match="wants one input of 48 features, not"):
        Convolution((47,), (3, 4, 4))


def test_an_area_without_the_sense_it_needs_names_it() -> None:
    blueprint = Blueprint(
        {
            "home": Node(PathIntegrator, ("egomotion",), "integrator"),
            "actor": Node(Actor, ("home",), "actor"),
            "critic": Node(Perceptron, ("home",), "critic"),
        }
    )
    with pytest.raises(ValueError, match=r"area 'home': unknown input 'egomotion'; .* observation"):
        Agent(blueprint, "CartPole-v1", n_envs=1)


class Looking(BaseFeaturesExtractor):
    """An area as the features of SB3's own policies."""

    def __init__(self, space: spaces.Box):
        super().__init__(space, features_dim=12)
        self.area = Perceptron((space.shape[0],), size=12)

    def forward(self, x: Tensor) -> Tensor:
        start = torch.zeros(1, len(x), dtype=torch.bool)
        features: Tensor = self.area((x.unsqueeze(0),), {}, start)[0][0]
        return features


def test_an_area_works_inside_a_policy_of_sb3s() -> None:
    env = make_vec_env("CartPole-v1", 2)
    kwargs = {"features_extractor_class": Looking, "net_arch": []}
    ppo = PPO("MlpPolicy", env, n_steps=32, batch_size=32, policy_kwargs=kwargs, seed=0)
    extractor = ppo.policy.features_extractor
    assert isinstance(extractor, nn.Module)
    before = [p.detach().clone() for p in extractor.parameters()]
    assert sum(p.numel() for p in before) == 4 * 12 + 12
    ppo.learn(128)
    assert not any(map(torch.equal, before, extractor.parameters()))


def test_a_table_alone_becomes_one_hot_and_a_real_picture_stays() -> None:
    theirs: Any = importlib.import_module("minigrid.wrappers")

    bare = gym.make("MiniGrid-Empty-5x5-v0")
    assert Readable(theirs.ImgObsWrapper(bare)).reset(seed=0)[0].shape == (7, 7, 21)
    seen = Readable(theirs.RGBImgPartialObsWrapper(bare)).reset(seed=0)[0]["image"]
    assert seen.dtype == np.uint8
    assert seen.shape[-1] == 3


def test_worlds_can_be_given_later_by_id() -> None:
    agent = Agent("uniform", "MiniGrid-Empty-5x5-v0", "reward", n_envs=2, n_steps=8, width=8,
                  budget=None)  # fmt: skip
    agent.set_env("MiniGrid-Empty-5x5-v0")
    agent.learn(16)
    one = Agent("uniform", gym.make("MiniGrid-Empty-5x5-v0"), "reward", n_steps=8, width=8,
                budget=None)  # fmt: skip
    one.set_env(gym.make("MiniGrid-Empty-5x5-v0"))
    one.learn(8)
    with pytest.raises(ValueError, match="needs an environment, not None"):
        agent.set_env(None)


@pytest.mark.parametrize("name", ["action", "previous_action", "reward", "episode_start"])
def test_a_sense_with_the_name_of_something_else_is_refused(name: str) -> None:
    class Sensing(gym.Env[Any, Any]):
        observation_space = spaces.Dict(dict.fromkeys((name, "x"), spaces.Box(-1, 1, (2,))))
        action_space = spaces.Discrete(2)

    with pytest.raises(ValueError, match=f"no sense can be called '{name}'.*: rename it"):
        Agent("uniform", Sensing(), "reward")


def test_choices_may_begin_anywhere_and_stand_in_rows() -> None:
    space = spaces.MultiDiscrete([3, 2], start=[1, 5])
    over = action_distribution(space)
    x = torch.tensor([[0.0, 9.0, 0.0, 9.0, 0.0]])
    action = over.sample(x, torch.zeros(()), None)
    given = over.to_environment(action)
    assert given.tolist() == [[2, 5]]
    assert space.contains(given[0])
    assert torch.equal(over.from_environment(torch.as_tensor(given).float()), action)
    rows: Any = spaces.MultiDiscrete(np.array([[2, 3], [4, 2]]), dtype=np.int32)
    found = Senses(rows)(np.array([[[1, 2], [0, 1]]], np.int32))["observation"]
    assert found.tolist() == [[0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1]]
    assert from_json(json.loads(json.dumps(to_json(rows)))) == rows


def test_a_binding_memory_leaves_images_their_encoder() -> None:
    sizes = Sizes({"cue": 8, "camera": 3 * 16 * 16}, {"camera": (3, 16, 16)})
    assert "camera_encoder" in BLUEPRINTS["binding"](sizes)
