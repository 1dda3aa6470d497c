"""The roof of an update: the uniform agent's PPO in bare torch, with nothing that can be changed.

No blueprint, no costs, no routing, one clip over everything: the same layers on the same samples,
written out. What our update takes longer is the price of its generality.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motley.agents import Agent
from motley.agents.areas.gru_scan import scan
from motley.agents.batch import Batch
from motley.agents.rollout import Rollout, collect
from motley.agents.scoring import scored


def rollout_of(agent: Agent) -> Rollout:
    """Return a rollout of an agent from fresh worlds."""
    agent._setup_learn(1)
    assert agent.env is not None
    rollout = collect(
        agent.env,
        agent.brain,
        agent.learner.distribution,
        agent.policy.senses,
        agent._stand(),
        agent.noise(),
        lambda facts: True,
    )
    assert rollout is not None
    return rollout


def experience(agent: Agent) -> Batch:
    """Return a rollout of an agent, ready to learn from."""
    return scored(agent.learner, rollout_of(agent), 0)[0]


class Roof(nn.Module):
    """The layers of ``Agent("uniform", worlds, "reward")`` in bare torch, and their update.

    Args:
        agent: whose sizes and initial weights these are.
        batch: what to learn from, (time, worlds, ...).
    """

    def __init__(self, agent: Agent, batch: Batch):
        super().__init__()
        layer, sources = agent.brain.get_submodule, agent.brain.inputs["core"]
        self.encoder = copied(layer("areas.encoder.layer0"))
        self.input = copied(layer("areas.core.input"))
        self.recurrent = copied(layer("areas.core.recurrent"))
        self.query = copied(layer("areas.search.query"))
        self.actor = nn.Sequential(
            copied(layer("areas.actor.layer0")), nn.Tanh(), copied(layer("areas.actor.last"))
        )
        self.log_std = nn.Parameter(agent.brain.actor.log_std.detach().clone())
        self.critic = nn.Sequential(
            copied(layer("areas.critic.layer0")),
            nn.Tanh(),
            copied(agent.learner.heads["value_reward"]),
        )
        self.epochs, self.parts = agent.settings.n_epochs, agent.settings.n_minibatches
        self.max_grad_norm, self.clip_range = agent.settings.max_grad_norm, agent.clip_range
        tensors = batch.tensors
        self.data = {
            "vision": tensors["vision"],
            "others": torch.cat([tensors[s] for s in sources if s in tensors], -1),
            "start": tensors["episode_start"],
            "actions": batch.actions,
            "log_prob": batch.log_prob,
            "advantage": batch.advantages["reward"],
            "returns": tensors["value/reward/target"],
        }
        self.state = batch.state["core"]["hidden"]
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-5, fused=True)

    def loss(self, part: Tensor) -> Tensor:
        """Return PPO's loss on some worlds."""
        x = {name: value.index_select(1, part) for name, value in self.data.items()}
        seen = torch.tanh(self.encoder(x["vision"]))
        given = self.input(torch.cat((seen, x["others"]), -1))
        weight, bias = self.recurrent.weight, self.recurrent.bias
        core = scan(given, x["start"], self.state.index_select(0, part), weight, bias)
        rays: Tensor = torch.unflatten(x["vision"], -1, (-1, 4))
        search = torch.tanh(torch.matmul(rays, self.query(core).unsqueeze(-1)).squeeze(-1))
        features = torch.cat((core, search, seen), -1)
        error = (x["actions"] - self.actor(features)) / self.log_std.exp()
        log_prob = -(0.5 * error.square() + self.log_std + 0.9189385).sum(-1)
        ratio = (log_prob - x["log_prob"]).exp()
        advantage = (x["advantage"] - x["advantage"].mean()) / (x["advantage"].std() + 1e-8)
        clipped = ratio.clamp(1 - self.clip_range, 1 + self.clip_range)
        surrogate = torch.minimum(ratio * advantage, clipped * advantage).mean()
        missed: Tensor = (self.critic(features).squeeze(-1) - x["returns"]).square().mean()
        return 0.5 * missed - surrogate

    def update(self) -> None:
        """Take as many gradient steps as the agent would, on as many samples each."""
        for _ in range(self.epochs):
            for part in torch.randperm(self.state.shape[0]).chunk(self.parts):
                self.optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self.loss(part))
                nn.utils.clip_grad_norm_(self.parameters(), self.max_grad_norm)
                self.optimizer.step()


def copied(layer: nn.Module) -> nn.Linear:
    """Return a plain linear layer of the same weights."""
    assert isinstance(layer, nn.Linear)
    plain = nn.Linear(layer.in_features, layer.out_features)
    plain.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    return plain
