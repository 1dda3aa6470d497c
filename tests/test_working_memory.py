"""Working memory: slots, their gate, and what trains the gate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents import Agent
from motley.agents.areas import BasalGangliaGate, WorkingMemory
from motley.agents.rollout import collect
from motley.agents.scoring import scored
from motley.agents.structures.working_memory import GAIN
from motley.costs import HeldContent, LocalTDError, Trace
from motley.costs.base import Sizes

SIGNS, SLOTS = 6, 2


def empty(steps: int, worlds: int) -> Tensor:
    return torch.zeros(steps, worlds, dtype=torch.bool)


def test_slots_are_a_loop_over_steps() -> None:
    """Against NumPy, one step at a time, with resets and learnt contents."""
    torch.manual_seed(0)
    area = WorkingMemory((3, 2, 4), 12, "learnt")
    a, b, gate = torch.randn(9, 5, 3), torch.randn(9, 5, 2), torch.rand(9, 5, 4)
    held = torch.randn(5, 4, 3)
    start = torch.rand(9, 5) < 0.3
    assert area.content is not None
    with torch.no_grad():
        out, state = area((a, b, gate), {"held": held}, start)
        content = (torch.cat((a, b), -1) @ area.content.weight.t()).double().numpy()
    slots = held.double().numpy()
    for t in range(9):
        slots = np.where(start[t].numpy()[:, None, None], 0.0, slots)
        g = gate[t].double().numpy()[:, :, None]
        slots = g * content[t][:, None] + (1 - g) * slots
        np.testing.assert_allclose(out[t].numpy(), slots.reshape(5, 12), atol=1e-6)
    np.testing.assert_allclose(state["held"].numpy(), slots, atol=1e-6)


@pytest.mark.parametrize("slots", [2, 4])
def test_as_many_items_as_slots_are_kept_and_no_more(slots: int) -> None:
    """Items let in one slot after another are all there up to the slots' number, K / n beyond."""
    area, kept = WorkingMemory((8, slots), 8 * slots), {}
    for n in range(1, 9):
        items = torch.eye(8)[:n].unsqueeze(1)
        gate = torch.eye(slots)[torch.arange(n) % slots].unsqueeze(1)
        out, _ = area((items, gate), area.initial_state(1), empty(n, 1))
        held = out[-1, 0].view(slots, 8)
        kept[n] = float((held @ torch.eye(8)[:n].t()).amax(0).mean())
    assert kept == pytest.approx({n: min(1.0, slots / n) for n in range(1, 9)})


@pytest.mark.parametrize("delay", [1, 10, 1_000])
def test_a_closed_slot_keeps_its_content_to_the_bit(delay: int) -> None:
    area = WorkingMemory((3, 1), 3)
    content, gate = torch.randn(delay + 1, 4, 3), torch.zeros(delay + 1, 4, 1)
    gate[0] = 1.0
    out, _ = area((content, gate), area.initial_state(4), empty(delay + 1, 4))
    assert torch.equal(out[-1], content[0])


def test_a_hard_gate_is_open_or_closed_and_has_the_soft_gates_gradient() -> None:
    gradients = []
    for hard in (False, True):
        torch.manual_seed(0)
        area = BasalGangliaGate((5,), 3, hard=hard, openness=0.0)
        x = torch.randn(7, 4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
        out, _ = area((x,), {}, empty(7, 4))
        assert bool(((out == 0) | (out == 1)).all()) == hard
        assert 0 < float((out > 0.5).float().mean()) < 1
        torch.autograd.backward(out.sum())
        assert x.grad is not None
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="2 slots of 3 features sensed want 6 for prior='raw'"):
        WorkingMemory((3, 2), 8)
    with pytest.raises(ValueError, match="give one of raw, learnt"):
        WorkingMemory((3, 2), 6, prior="exact")


class Lesson(NamedTuple):
    """Signs (time, worlds, SIGNS) of which one of the first two comes once, and which it was."""

    signs: Tensor
    task_cue: Tensor
    sign: Tensor


def lesson(generator: torch.Generator, worlds: int, delay: int) -> Lesson:
    """A task cue at any of three steps among distractors, then more of them, then nothing."""
    steps = 3 + delay
    shown = torch.randint(2, SIGNS, (steps, worlds), generator=generator)
    which = torch.randint(2, (worlds,), generator=generator)
    when = torch.randint(3, (worlds,), generator=generator)
    shown[when, torch.arange(worlds)] = which
    signs = torch.cat((torch.eye(SIGNS)[shown], torch.zeros(2, worlds, SIGNS)))
    return Lesson(signs, torch.cat((shown < 2, empty(2, worlds))), which)


def hold(gate: BasalGangliaGate, memory: WorkingMemory, signs: Tensor) -> tuple[Tensor, Tensor]:
    start = empty(*signs.shape[:2])
    opened, _ = gate((signs,), {}, start)
    held, _ = memory((signs, opened), memory.initial_state(signs.shape[1]), start)
    return opened, held


@pytest.mark.parametrize("hard", [False, True])
def test_a_slot_learns_by_the_gates_own_cost_to_open_on_the_task_cue_alone(hard: bool) -> None:
    """A press (+1 or -1) at the end pays 1 where the task cue asked for it, else -1.

    Presses are drawn at random, so that nothing but the gate and its critic learns. Then: d' of
    the gate's logit between task cue and distractors; what the critic expects of the right and
    of the wrong press, also after a delay five times as long; and with the gate held open.
    """
    torch.manual_seed(1)
    gate = BasalGangliaGate((SIGNS,), SLOTS, hard=hard, gain=GAIN)
    memory, cost = WorkingMemory((SIGNS, SLOTS), SIGNS * SLOTS), LocalTDError()
    critic = cost.heads(Sizes({"memory": SIGNS * SLOTS, "vision": 1, "action": 1}, {}))
    optimizer = torch.optim.Adam([*gate.parameters(), *critic.parameters()], lr=1e-2)
    generator = torch.Generator().manual_seed(2)

    def trace(held: Tensor, press: Tensor, sign: Tensor) -> Trace:
        worlds = held.shape[1]
        seen = Trace({
            "memory": held[-1:],
            "vision": torch.zeros(1, worlds, 1),
            "action": press.view(1, worlds, 1),
            "reward": press.view(1, -1) * (1.0 - 2.0 * sign),
            "terminated": ~empty(1, worlds),
            "episode_start": empty(1, worlds),
        })  # fmt: skip
        return seen.noted(cost.annotate(seen, {}, critic)[0])

    for _ in range(150):
        signs, _, sign = lesson(generator, 128, delay=4)
        press = 2.0 * torch.randint(2, (128,), generator=generator) - 1.0
        _, held = hold(gate, memory, signs)
        loss = cost.loss(trace(held, press, sign), critic).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    @torch.no_grad()
    def right(delay: int, always_open: bool = False) -> float:
        signs, _, sign = lesson(generator, 500, delay)
        _, held = hold(gate, memory, signs)
        if always_open:
            held = signs.repeat(1, 1, SLOTS)
        slope = critic(nn.functional.pad(held[-1], (0, 1)))[:, 2]  # beside a blank view
        return float(((slope > 0) == (sign == 0)).float().mean())

    signs, task_cue, _ = lesson(generator, 500, delay=4)
    with torch.no_grad():
        logit = gate.last(torch.tanh(gate.layer(signs)))
    cue, distractor = logit[task_cue], logit[~task_cue & signs.any(-1)]
    if hard:
        # Of two cues one may do: that nothing was let in tells the other.
        opens, lets_pass = (cue > 0).float().mean(0), (distractor > 0).float().mean(0)
        assert ((opens > 0.4) & (lets_pass < 0.01)).any()
    else:
        spread = ((cue.var(0) + distractor.var(0)) / 2).sqrt()
        assert float(((cue.mean(0) - distractor.mean(0)) / spread).max()) > 2
    assert right(delay=4) > 0.95
    assert right(delay=20) > 0.95
    assert abs(right(delay=4, always_open=True) - 0.5) < 0.1


def test_the_local_td_error_is_the_squared_error_of_its_own_critic() -> None:
    """By hand, at the steps that count, in units of the return; other steps have no part in it."""
    cost = LocalTDError(hidden=1)
    critic = cost.heads(Sizes({"memory": 1, "vision": 1, "action": 1}, {}))
    assert isinstance(critic, nn.Sequential)
    with torch.no_grad():
        weights = ([[1.0, 2.0]], 0.0, [[3.0], [7.0], [5.0]], [1.0, 0.5, -1.0])
        for parameter, value in zip(critic.parameters(), weights, strict=True):
            parameter.copy_(torch.as_tensor(value))
    memory = torch.full((3, 1, 1), 0.1, requires_grad=True)
    seen = Trace({"memory": memory, "vision": torch.full((3, 1, 1), 0.05),
                  "action": torch.full((3, 1, 1), -0.5),
                  "value/reward/unit": torch.tensor([1.0, 0.5]).expand(3, 1, 2),
                  "local_td_error/counts": torch.tensor([[False], [True], [True]]),
                  "local_td_error/return": torch.tensor([[9.0], [2.0], [2.0]])})  # fmt: skip
    loss = cost.loss(seen, critic)
    hidden, slope = np.tanh(0.2), 1 - np.tanh(0.2) ** 2
    error = (3 * hidden + 1) + 0.05 * (7 * hidden + 0.5) - 0.5 * (5 * hidden - 1) - 2
    assert loss[0].item() == 0.0
    assert loss.mean().item() == pytest.approx(error**2, rel=1e-5)
    torch.autograd.backward(loss.mean())
    assert memory.grad is not None
    expected = 2 * error * (3 + 0.05 * 7 - 0.5 * 5) * slope
    assert memory.grad.flatten().tolist() == pytest.approx([0.0, expected / 2, expected / 2])


@pytest.mark.parametrize("due", [False, True])
def test_its_returns_are_those_of_td_lambda_with_its_own_values(due: bool) -> None:
    """Against a loop over steps, with episodes that end, that are cut off, and that go on."""
    torch.manual_seed(0)
    cost, steps, worlds = LocalTDError(due=due, discount=0.9, td_lambda=0.7), 14, 6
    critic = cost.heads(Sizes({"memory": 3, "vision": 2, "action": 1}, {}))
    terminated, cut = torch.rand(steps, worlds) < 0.15, torch.rand(steps, worlds) < 0.1
    terminated[-1, 0], terminated[-1, 1], cut[-1, 1] = True, False, True
    start = torch.cat((~empty(1, worlds), (terminated | cut)[:-1]))
    reward = torch.randn(steps, worlds) * (torch.rand(steps, worlds) < 0.3)
    unit = torch.tensor([0.3, 2.0]).expand(steps, worlds, 2)
    seen = Trace({"memory": torch.randn(steps, worlds, 3), "vision": torch.randn(steps, worlds, 2),
                  "action": torch.randn(steps, worlds, 1), "reward": reward,
                  "terminated": terminated, "episode_start": start,
                  "value/reward/unit": unit})  # fmt: skip
    notes, _ = cost.annotate(seen, {}, critic)
    error = cost.td_error(seen, critic)
    with torch.no_grad():
        values = cost.expected(seen, critic).double().numpy() * 2.0 + 0.3
    for i in range(worlds):
        following = np.nan
        for t in range(steps - 1, -1, -1):
            known = t < steps - 1 and not start[t + 1, i]
            paid = float(reward[t, i])
            if terminated[t, i]:
                following, delta = paid, paid - values[t, i]
            elif known:
                later = values[t + 1, i]
                following = paid + 0.9 * (0.3 * later + 0.7 * following)
                delta = paid + 0.9 * later - values[t, i]
            else:
                following, delta = values[t, i], 0.0
            assert notes["local_td_error/return"][t, i] == pytest.approx(following, abs=1e-5)
            assert error[t, i] == pytest.approx(delta, abs=1e-5)
            counts = bool(terminated[t, i]) or (known and not (due and paid == 0.0))
            assert bool(notes["local_td_error/counts"][t, i]) == counts


def test_in_gate_maze_its_target_is_the_main_critics() -> None:
    """Reward comes with the end alone, so that neither return has a value in it."""
    agent = Agent("matched", "motley/GateMaze-v0", "heterogeneous", seed=0, n_envs=8, n_steps=32,
                  n_minibatches=1, budget=None, width=16)  # fmt: skip
    agent.learn(3 * 8 * 32)
    assert agent.env is not None
    rollout = collect(
        agent.env, agent.brain, agent.learner.distribution, agent.policy.senses, agent._stand(),
        agent.noise(), lambda facts: True,
    )  # fmt: skip
    assert rollout is not None
    told = scored(agent.learner, rollout, 0)[0].tensors
    counts = told["local_td_error/counts"]
    assert torch.equal(counts, (told["reward"] != 0) | told["terminated"])
    assert counts.sum() >= 8
    mean, deviation = told["value/reward/unit"].unbind(-1)
    assert float(deviation[0, 0]) != 1.0  # the returns' unit has moved
    own = (told["local_td_error/return"] - mean) / deviation
    torch.testing.assert_close(own[counts], told["value/reward/target"][counts])


def trials(worlds: int, generator: torch.Generator, paid: bool = True) -> tuple[Trace, Tensor]:
    """Conditioning: a cue in a quarter of the trials, at a time of its own, and 1 five steps later.

    The memory tells how long ago the cue came, a feature a step (a complete serial compound).

    Returns:
        The trials, and the steps since the cue, (time, worlds); before it, below 0.
    """
    steps, delay, kept = 16, 5, 9
    when = torch.randint(3, 8, (worlds,), generator=generator)
    when[torch.rand(worlds, generator=generator) > 0.25] = 2 * steps
    since = torch.arange(steps).unsqueeze(1) - when
    memory = torch.eye(steps)[since.clamp(min=0)] * (since >= 0).unsqueeze(-1)
    start, end = empty(steps, worlds), empty(steps, worlds)
    start[0] = end[-1] = True
    nothing = torch.zeros(steps, worlds, 1)
    reward = (since == delay).float() * float(paid)
    return Trace({"memory": memory[..., :kept], "vision": nothing, "action": nothing,
                  "reward": reward, "terminated": end, "episode_start": start}), since  # fmt: skip


def test_the_error_moves_from_reward_to_cue_and_dips_where_reward_is_left_out() -> None:
    """The reward-prediction error of dopamine (Schultz, Dayan & Montague 1997).

    Where only steps count at which reward is due, it moves by a step and no further.
    """
    found: dict[bool, list[dict[int, float]]] = {}
    for due in (False, True):
        torch.manual_seed(0)
        cost = LocalTDError(due=due)
        critic = cost.heads(Sizes({"memory": 9, "vision": 1, "action": 1}, {}))
        optimizer = torch.optim.Adam(critic.parameters(), 3e-3)

        def errors(paid: bool, cost: LocalTDError = cost, critic: nn.Module = critic) -> Any:
            seen, since = trials(400, torch.Generator().manual_seed(9), paid)
            error = cost.td_error(seen, critic)
            return {k: float(error[since == k].mean()) for k in range(-2, 8)}

        naive, generator = errors(True), torch.Generator().manual_seed(1)
        for _ in range(150):
            seen, _ = trials(64, generator)
            seen = seen.noted(cost.annotate(seen, {}, critic)[0])
            loss = cost.loss(seen, critic).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        found[due] = [naive, errors(True), errors(False)]
    # The cue is what the step before it leads to (-1); the reward is what comes of step 5.
    naive, taught, omitted = found[False]
    assert naive[5] > 0.8
    assert abs(naive[-1]) < 0.3
    assert abs(taught[5]) < 0.1
    assert taught[-1] > 0.7
    assert omitted[5] < -0.9
    for k in (-2, 0, 1, 2, 3, 4, 6, 7):
        assert abs(taught[k]) < 0.1
        assert omitted[k] == pytest.approx(taught[k], abs=1e-6)
    naive, taught, _ = found[True]
    assert taught[4] > 0.7
    assert abs(taught[-1]) < 0.3


def test_held_content_is_what_was_shown_last_whatever_the_gap() -> None:
    """Across blanks and rollouts, and not across episodes."""
    one, two, none = [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]
    shown = torch.tensor([one, none, two, none, none, none, one, two]).unsqueeze(1)
    start = torch.tensor([1, 0, 0, 0, 0, 1, 0, 0], dtype=torch.bool).unsqueeze(1)
    expected = torch.tensor([none, one, one, two, two, none, none, one]).unsqueeze(1)
    cost = HeldContent()
    for cut in range(1, 8):
        state: dict[str, Tensor] = {}
        targets = []
        for part in (slice(cut), slice(cut, None)):
            seen = Trace({"cue": shown[part], "episode_start": start[part]})
            notes, state = cost.annotate(seen, state, nn.Module())
            seen = seen.noted(notes)
            targets.append(cost.target(seen))
            assert torch.equal(cost.mask(seen), ~start[part])
        assert torch.equal(torch.cat(targets), expected)
