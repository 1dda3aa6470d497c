"""What a rollout was worth: each cost's notes and score, and advantages, with a critic a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from motley.agents.batch import Batch
from motley.agents.rollout import Rollout
from motley.agents.values import ReturnNormaliser, gae
from motley.costs import Cost, Trace
from motley.costs.base import check_loss, fitting

if TYPE_CHECKING:
    from motley.agents.update import Learner


@torch.no_grad()
def scored(learner: Learner, rollout: Rollout, age: int) -> tuple[Batch, dict[str, Tensor]]:
    """Score a rollout and estimate advantages; returns' normalisers and costs' states move on.

    Args:
        learner: whose areas, costs and critics.
        rollout: what happened.
        age: environment steps lived before it.

    Returns:
        What to learn from, and to log ``score/<cost>`` and ``value/<cost>``, the means of each
        score and of its value.
    """
    brain, tensors = learner.brain, dict(rollout.tensors)
    starts = tensors["episode_start"]
    known = {**tensors, **rollout.outputs}
    watched, _ = brain(known, rollout.state, starts, brain.watching)
    outputs = {**rollout.outputs, **watched}
    known_after, state_after = rollout.after
    # The step after the last begins an episode where one ended; those that were cut off go on.
    fresh = torch.zeros_like(next(iter(known_after.values()))[..., 0], dtype=torch.bool)
    fresh[0, : starts.shape[1]] = rollout.ends[-1]
    outputs_after, _ = brain(known_after, state_after, fresh)

    # What a step that was cut off led to is for the critics alone: costs look on from the last.
    after = {k: x[:, : starts.shape[1]] for k, x in {**known_after, **outputs_after}.items()}
    after |= rollout.truths_after
    after["episode_start"] = rollout.ends[-1:]
    # What a cost values by itself it values in the unit in which it was taught so far.
    tensors |= {
        f"value/{cost.name}/unit": critic_of(learner, cost.name)[0].unit(starts)
        for cost in learner.scores
        if cost.name in learner.units
    }
    trace = Trace({**tensors, **outputs}, brain.roles, after, learner.seed)
    for name, cost in learner.costs.items():
        with fitting(cost):
            notes, state = cost.annotate(
                trace, learner.cost_states.get(name, {}), learner.heads[name]
            )
        tensors |= notes
        if state:
            learner.cost_states[name] = state
    tensors |= {name: outputs[name] for name in brain.fixed}
    trace = trace.noted(tensors)
    trace_after = Trace({**known_after, **outputs_after}, brain.roles)

    x = outputs[brain.roles["actor"]]
    log_prob = learner.distribution.log_prob(x, brain.actor.log_std, rollout.actions)
    advantages, log, weights = dict[str, Tensor](), dict[str, Tensor](), learner.weights(age)
    for cost in learner.scores:
        with fitting(cost):
            name, score = cost.name, cost.score(trace)
        check_loss(cost, score, (starts.shape[0], starts.shape[1]), "score")
        advantage, returns, values = _advantages(learner, cost, score, rollout, trace, trace_after)
        normaliser, head = critic_of(learner, name)
        # What never came is worth nothing. Normalised, the critic's error about it, all that
        # there is, would lead the actor as strongly as any score.
        silent = normaliser.silent(score)
        advantage, returns = (x.masked_fill(silent, 0.0) for x in (advantage, returns))
        normaliser.update(returns, head)
        tensors[f"value/{name}/target"] = normaliser.normalise(returns)
        if name in learner.units:
            tensors[f"value/{name}/unit"] = normaliser.unit(starts)
        if weights[name] > 0:
            advantages[name] = advantage * (weights[name] / normaliser.deviation)
        log |= {f"score/{name}": score.mean(), f"value/{name}": values.mean()}
    return Batch(tensors, rollout.actions, log_prob, advantages, rollout.state), log


def critic_of(learner: Learner, score: str) -> tuple[ReturnNormaliser, nn.Linear]:
    """Return what a score's critic has of its own: the normaliser and the read-out."""
    normaliser, head = learner.normalisers[score], learner.heads[learner.values[score].name]
    return cast(ReturnNormaliser, normaliser), cast(nn.Linear, head)


def _advantages(
    learner: Learner, cost: Cost, score: Tensor, rollout: Rollout, trace: Trace, after: Trace
) -> tuple[Tensor, Tensor, Tensor]:
    """Return advantages, returns and values of a score, each (time, worlds), in its units."""
    critic = learner.values[cost.name]
    normaliser, head = critic_of(learner, cost.name)
    values = normaliser.restore(critic.predict(trace, head))
    last = normaliser.restore(critic.predict(after, head))[0]
    worlds = values.shape[1]
    next_values, ends = torch.cat((values[1:], last[None, :worlds])), rollout.ends
    if cost.episodic:
        next_values = next_values * ~rollout.terminated
        time, world = rollout.truncated_at
        next_values[time, world] = last[worlds:]
    else:
        ends = torch.zeros_like(ends)
    gamma = learner.settings.gamma if cost.gamma is None else cost.gamma
    advantage = gae(score, values, next_values, ends, gamma, learner.settings.gae_lambda)
    return advantage, advantage + values, values
