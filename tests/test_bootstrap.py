"""Bootstrapping: the innate rule, the net that it teaches, and the net that that one teaches."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents import BLUEPRINTS, Agent
from motley.agents.areas import Appearance, Gaze, MoverDetector
from motley.agents.areas.gaze import PRIORS
from motley.costs import (
    AreaTarget,
    ExtrinsicReward,
    GazeFromHand,
    MoverEvent,
    NextObservation,
    Trace,
    sighting,
)
from motley.costs.base import Sizes
from motley.costs.mover_event import mover_events
from motley.envs import World
from motley.envs.tasks.caregiver import Caregiver

WORLDS, TIME = 64, 36


@cache
def life(ood: bool = False, seed: int = 0) -> dict[str, Tensor]:
    """What is sensed beside a caregiver, on which rays the hand is, and where the head looks."""
    task = Caregiver(ood=ood)
    world = World(task, WORLDS)
    world.seed(seed + np.arange(WORLDS))
    world.reset()
    rows = []
    for step in range(TIME):
        seen = world.observe()
        rays = seen["vision"].reshape(WORLDS, 24, 4)[..., 1:]
        cosine, sine = np.cos(world.heading), np.sin(world.heading)
        x, y = world.gaze.T
        hand = np.abs(rays - world.shape_color[:, None, task.hand]).max(-1) < 1e-4
        rows.append(
            {name: seen[name] for name in ("vision", "egomotion", "go")}
            | {
                "hand": hand,
                "direction": np.stack((cosine * x + sine * y, cosine * y - sine * x), -1),
                "start": (world.clock == 8) & world.free,
                "target": world.shape_color[
                    world.rows, world.target[world.rows, np.minimum(world.trial, 3)]
                ].copy(),
                "episode_start": np.full(WORLDS, step == 0),
            }
        )
        world.step(task.oracle(world))
    return {name: torch.as_tensor(np.stack([row[name] for row in rows])) for name in rows[0]}


def annotated(cost: MoverEvent | GazeFromHand, tensors: dict[str, Tensor]) -> Trace:
    trace = Trace(tensors)
    return trace.noted(cost.annotate(trace, {}, nn.Module())[0])


def fit(area: nn.Module, loss: Callable[[], Tensor]) -> None:
    learn = torch.optim.Adam(area.parameters(), lr=0.03)
    for _ in range(50):
        learn.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        learn.step()


@cache
def taught(meaningless: bool = False) -> Appearance:
    """An appearance net after a life under the rule, or under the placebo teacher."""
    torch.manual_seed(0)
    area, cost = Appearance((96,)), MoverEvent(meaningless=meaningless)
    trace = annotated(cost, life())
    vision, start = trace["vision"], trace.episode_start
    fit(
        area,
        lambda: cost.loss(
            trace.noted({"appearance": area((vision,), {}, start)[0]}), nn.Identity()
        ).mean(),
    )
    return area


def looks(area: Appearance, tensors: dict[str, Tensor]) -> Tensor:
    """Its logits in a life, without gradient."""
    with torch.no_grad():
        logits: Tensor = area((tensors["vision"],), {}, tensors["episode_start"])[0]
    return logits


def gaze_error(appearance: Appearance, shuffle: bool = False) -> float:
    """Mean error (degrees) in other worlds of a gaze net taught by an appearance net."""
    torch.manual_seed(0)
    area = Gaze((96, 1))
    teach(area, appearance, shuffle)
    return gaze_error_of(area)


def teach(area: Gaze, appearance: Appearance, shuffle: bool = False) -> None:
    """Train a gaze net in a life, by where an appearance net says that the hands are."""
    cost = GazeFromHand(shuffle=shuffle)
    trace = annotated(cost, life() | {"appearance": looks(appearance, life())})
    fit(area, lambda: cost.loss(trace.noted({"gaze": gaze_in(area, life())}), nn.Identity()).mean())


def gaze_in(area: nn.Module, tensors: dict[str, Tensor]) -> Tensor:
    """The output of a gaze net in a life."""
    assert isinstance(area, Gaze)
    inputs, start = (tensors["vision"], tensors["go"]), tensors["episode_start"]
    output: Tensor = area(inputs, area.initial_state(WORLDS), start)[0]
    return output


def gaze_error_of(area: nn.Module) -> float:
    """Mean error (degrees) of a gaze net in other worlds than those of training."""
    other = life(seed=5_000)
    with torch.no_grad():
        cosine = (gaze_in(area, other)[..., :2] * other["direction"]).sum(-1)[other["start"]]
    return float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean())


def score(says: Tensor, hand: Tensor) -> tuple[float, float]:
    """Precision and recall."""
    right = float((says & hand).sum())
    return right / max(float(says.sum()), 1.0), right / float(hand.sum())


def test_the_rule_is_right_where_it_speaks_and_mostly_silent() -> None:
    tensors = life()
    events, _ = mover_events(tensors["vision"], tensors["egomotion"], tensors["episode_start"], {})
    precision, recall = score(events.bool(), tensors["hand"])
    assert precision > 0.9
    assert 0.02 < recall < 0.15
    assert float((events.sum(-1) > 0).float().mean()) < 0.1
    still = life(ood=True)
    silent, _ = mover_events(still["vision"], still["egomotion"], still["episode_start"], {})
    assert not silent.any()


def test_what_only_passes_by_is_no_mover() -> None:
    """A ball before a thing that stays; the same with the thing displaced is one."""
    thing, ball, empty = (0.8, 0.1, 0.5, 0.1), (0.9, 0.2, 0.9, 0.9), (0.0, 0.0, 0.0, 0.0)
    for after, expected in ((0.8, 0), (0.75, 1)):
        views = torch.zeros(6, 1, 24, 4)
        for t, (at, here) in enumerate(
            ((9, thing), (9, thing), (7, ball), (5, None), (3, None), (3, None))
        ):
            views[t, 0, 5] = torch.tensor(thing)
            views[t, 0, 9 - 2 * t if t < 2 else at] = torch.tensor(here or empty)
            if t == 3:
                views[t, 0, 5] = torch.tensor(ball)
            if t > 3:
                views[t, 0, 5] = torch.tensor((after, *thing[1:]))
                views[t, 0, 3] = torch.tensor(ball)
        egomotion = torch.tensor([0.0, 0.0, 1.0]).expand(6, 1, 3)
        start = torch.zeros(6, 1, dtype=torch.bool)
        start[0] = True
        events, _ = mover_events(views.flatten(2), egomotion, start, {})
        assert int(events.sum()) == expected
        if expected:
            assert events[4, 0, 3] == 1
        moving = egomotion + torch.tensor([0.1, 0.0, 0.0])
        assert not mover_events(views.flatten(2), moving, start, {})[0].any()


def test_the_student_finds_unseen_hands_on_still_frames_and_beats_its_teacher() -> None:
    area = taught()
    familiar, still = life(seed=5_000), life(ood=True, seed=5_000)
    rule, _ = mover_events(familiar["vision"], familiar["egomotion"], familiar["episode_start"], {})
    _, teacher = score(rule.bool(), familiar["hand"])
    for tensors in (familiar, still):
        precision, recall = score(looks(area, tensors) > 0, tensors["hand"])
        assert precision > 0.9
        assert recall > 0.9 > teacher


def test_a_teacher_without_meaning_teaches_nothing() -> None:
    """As many labels in the same steps; the rule's share of right labels is the base rate."""
    labels = {
        meaningless: annotated(MoverEvent(meaningless=meaningless), life())["mover_event/labels"]
        for meaningless in (False, True)
    }
    assert torch.equal(labels[False].sum(-1), labels[True].sum(-1))
    hand = life()["hand"]
    assert score(labels[True].bool(), hand)[0] < 0.3
    still = life(ood=True, seed=5_000)
    precision, recall = score(looks(taught(meaningless=True), still) > 0, still["hand"])
    assert precision * recall < 0.3


def test_hands_teach_gaze_without_labels_and_only_good_hands_do() -> None:
    """The competence of one area follows that of the area that computes its cost."""
    good = gaze_error(taught())
    assert good < 15.0  # chance is 90 degrees
    assert gaze_error(taught(meaningless=True)) > 2 * good
    assert gaze_error(taught(), shuffle=True) > 2 * good


def test_the_shuffled_hands_are_those_of_other_episodes_and_nothing_else_differs() -> None:
    """Same steps, same directions as often and in the same order; none of the world's own."""
    tensors = life() | {"appearance": 20.0 * life()["hand"] - 10.0}
    real, shuffled = (annotated(GazeFromHand(shuffle=s), tensors) for s in (False, True))
    name = "gaze_from_hand/counts"
    assert torch.equal(real[name], shuffled[name])
    assert int(real[name].sum()) > 100

    def by_world(trace: Trace) -> Tensor:
        return trace["gaze_from_hand/target"].transpose(0, 1)[trace[name].t()]

    mine, theirs = by_world(real), by_world(shuffled)
    far = next(k for k in range(len(mine)) if torch.equal(mine.roll(k, 0), theirs))
    of = torch.arange(WORLDS).unsqueeze(1).expand(-1, TIME)[real[name].t()]
    assert not (of == of.roll(far)).any()
    # The head looks at its own hand; what another's hand says of it is what all hands do.
    looks_at = tensors["direction"].transpose(0, 1)[real[name].t()]
    assert float((mine * looks_at).sum(-1).mean()) > 0.95
    together = (theirs * looks_at).sum(-1).mean() - theirs.mean(0) @ looks_at.mean(0)
    assert abs(float(together)) < 0.15
    one = {name: x[:, :1] for name, x in tensors.items()}
    assert not annotated(GazeFromHand(shuffle=True), one)["gaze_from_hand/counts"].any()


def pupil(plastic: float, **weights: float) -> tuple[Agent, dict[str, Tensor]]:
    """An agent whose appearance net was taught before, and its areas' first weights."""
    development = {"plasticity": {"appearance": plastic}, "weights": weights}
    agent = Agent("bootstrap", "motley/Caregiver-v0", "heterogeneous", n_envs=16, n_steps=36,
                  n_epochs=8, n_minibatches=1, learning_rate=0.1, final_rate=1.0, budget=None,
                  width=8, log_gradients_every=1, seed=2, development=development)  # fmt: skip
    agent.brain.areas["appearance"].load_state_dict(taught().state_dict())
    before = {name: p.detach().clone() for name, p in agent.brain.areas.named_parameters()}
    return agent, before


def changed(agent: Agent, before: dict[str, Tensor]) -> set[str]:
    """Areas of which a weight is another now."""
    now = agent.brain.areas.named_parameters()
    return {name.split(".")[0] for name, p in now if not torch.equal(p, before[name])}


def test_the_teacher_is_not_changed_by_what_it_teaches() -> None:
    """Routing: the cost of gaze reaches the gaze net and no other area, and reward neither net."""
    agent, before = pupil(1.0, mover_event=0.0)
    routes = agent.learner.routes
    assert routes["gaze_from_hand"] == {"gaze"}
    assert routes["mover_event"] == {"appearance"}
    assert not {"gaze", "appearance"} & routes["reward"]
    agent.learn(16 * 36)
    # Without its own teacher nothing trains the appearance net, plastic as it is.
    assert changed(agent, before) == {n.split(".")[0] for n in before} - {"appearance"}


def test_a_frozen_teacher_teaches_on() -> None:
    """What the gaze net learns depends on what its teacher says, not on whether it still learns."""
    errors = []
    for plastic in (0.0, 1.0):
        agent, before = pupil(plastic)
        untaught = gaze_error_of(agent.brain.areas["gaze"])
        for _ in range(2):
            agent.learn(16 * 36, reset_num_timesteps=False)
            told = agent.diagnostics()
            assert told["grad/gaze_from_hand/gaze"] > 0
            assert told["grad/gaze_from_hand/appearance"] == 0
        assert ("appearance" in changed(agent, before)) == (plastic > 0)
        assert "gaze" in changed(agent, before)
        errors.append(gaze_error_of(agent.brain.areas["gaze"]))
        assert errors[-1] < untaught / 2
    assert abs(errors[0] - errors[1]) < 5.0  # degrees


def test_an_area_teaches_another_and_is_frozen_by_its_gate() -> None:
    """AreaTarget: the teacher's weights are its own costs' and its gate's business alone."""
    own = NextObservation(trains=("encoder",), reads="encoder")
    for plastic in (0.0, 1.0):
        agent = Agent("uniform", "motley/DarkHome-v0", [ExtrinsicReward(), AreaTarget(), own],
                      n_envs=16, n_steps=16, n_epochs=8, n_minibatches=1, learning_rate=0.01,
                      final_rate=1.0, budget=None, width=32, log_gradients_every=1, seed=0,
                      development={"plasticity": {"encoder": plastic}})  # fmt: skip
        before = {name: p.detach().clone() for name, p in agent.brain.areas.named_parameters()}
        errors = []
        for _ in range(5):
            agent.learn(16 * 16, reset_num_timesteps=False)
            told = agent.diagnostics()
            assert told["grad/area_target/core"] > 0
            assert told["grad/area_target/encoder"] == 0
            errors.append(told["cost/area_target"])
        assert ("encoder" in changed(agent, before)) == (plastic > 0)
        assert errors[-1] < errors[0] / 2


def test_gaze_finds_what_is_looked_at_and_holds_it_while_the_body_is_free() -> None:
    """With the direction read rightly: a hue's cosine and sine, turned by half a turn."""
    area, tensors = Gaze((96, 1)), life()
    with torch.no_grad():
        angle = torch.arange(3) * (2 * torch.pi / 3)
        area.read.weight.copy_(-torch.stack((angle.cos(), angle.sin())))
        inputs = (tensors["vision"], tensors["go"])
        out, _ = area(inputs, area.initial_state(WORLDS), tensors["episode_start"])
    start = tensors["start"]
    cosine = (out[..., :2] * tensors["direction"]).sum(-1)[start]
    assert float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean()) < 3.0
    color = out[..., 4:] + 0.5
    right = (color - tensors["target"]).abs().amax(-1) < 0.05
    # Hand or ball lie on the line now and then.
    assert float(right[start].float().mean()) > 0.7
    free = (tensors["go"][1:, :, 0] > 0.5) & (tensors["go"][:-1, :, 0] > 0.5)
    assert torch.equal(out[1:][free], out[:-1][free])


def test_the_given_code_is_that_of_the_worlds_and_finds_what_is_looked_at() -> None:
    """Against hidden truth; the head stands up to 2 degrees aside, and its code is seen from it."""
    area, other = Gaze((96, 1), "exact"), life(seed=5_000)
    assert not list(area.parameters())
    out, start = gaze_in(area, other), other["start"]
    cosine = (out[..., :2] * other["direction"]).sum(-1)[start]
    assert float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).max()) < 2.1
    right = (out[..., 4:] + 0.5 - other["target"]).abs().amax(-1) < 0.05
    assert float(right[start].float().mean()) > 0.7
    turned = Gaze((96, 1), "exact", code=(270.0, 30.0, 150.0))  # a quarter turn on
    assert gaze_error_of(turned) == pytest.approx(90.0, abs=1.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_code_that_is_wrong_at_first_is_put_right_by_hands(seed: int) -> None:
    torch.manual_seed(seed)
    area = Gaze((96, 1), "noisy")
    assert {name for name, _ in area.named_parameters()} == {"turn", "stretch"}
    begun = gaze_error_of(area)
    assert begun > 5.0
    teach(area, taught())
    assert gaze_error_of(area) < 4.0
    assert abs(float(area.turn.detach())) < 0.06
    ratio = area.stretch.detach()[0] / area.stretch.detach()[1]
    assert float(ratio) == pytest.approx(1.0, abs=0.1)


def test_without_the_geometry_hands_teach_the_direction_alone() -> None:
    torch.manual_seed(0)
    area = Gaze((96, 1), "learnt")
    assert area.size == 2
    assert gaze_error_of(area) > 60.0
    teach(area, taught())
    assert gaze_error_of(area) < 35.0
    assert all(p.grad is not None and p.grad.any() for p in area.parameters())
    # It is told neither where the head is nor what a hand is: another ray's colour counts too.
    vision = life()["vision"].clone().requires_grad_()
    gaze_in(area, life() | {"vision": vision})[0, 0, 0].backward()  # type: ignore[no-untyped-call]
    assert vision.grad is not None
    assert vision.grad[0, 0].reshape(24, 4)[1:, 1:].any()


@pytest.mark.parametrize("prior", PRIORS)
def test_what_was_seen_when_set_free_is_held_at_every_rung(prior: str) -> None:
    torch.manual_seed(0)
    area, tensors = Gaze((96, 1), prior), life()
    out = gaze_in(area, tensors).detach()
    free = (tensors["go"][1:, :, 0] > 0.5) & (tensors["go"][:-1, :, 0] > 0.5)
    assert torch.equal(out[1:][free], out[:-1][free])
    assert float((out[1:] - out[:-1]).abs().amax(-1)[~free].mean()) > 0.01


@pytest.mark.filterwarnings("ignore:.*has no calibration")
@pytest.mark.parametrize("structure", [n for n in BLUEPRINTS if n.split(".")[0] == "bootstrap"])
def test_an_agent_learns_of_gaze_what_its_rung_leaves_open(structure: str) -> None:
    agent = Agent(structure, "motley/Caregiver-v0", "heterogeneous", n_envs=16, n_steps=36, seed=2)
    agent.brain.areas["appearance"].load_state_dict(taught().state_dict())
    before = {name: p.detach().clone() for name, p in agent.brain.areas.named_parameters()}
    agent.learn(16 * 36)
    told, exact = agent.diagnostics(), structure == "bootstrap.exact"
    assert (told["grad/gaze_from_hand/gaze"] == 0) == exact
    assert ("gaze_from_hand" in agent.learner.without_gradient) == exact
    learn = {name.split(".")[0] for name in before}
    assert changed(agent, before) == learn
    assert ("gaze" in learn) != exact


def test_the_core_learns_both_where_there_are_no_such_areas() -> None:
    """In a uniform agent the rule itself says where the hand is."""
    sizes = Sizes({"core": 8, "vision": 96}, {"core": "core"})
    tensors = life() | {"core": torch.zeros(TIME, WORLDS, 8)}
    for cost in (MoverEvent(), GazeFromHand()):
        head = cost.heads(sizes)
        assert isinstance(head, nn.Linear)
        loss = cost.loss(annotated(cost, tensors), head)
        assert loss.shape == (TIME, WORLDS)
        assert float(loss.mean().detach()) > 0
    counts = annotated(GazeFromHand(), tensors)["gaze_from_hand/counts"]
    events, _ = mover_events(tensors["vision"], tensors["egomotion"], tensors["episode_start"], {})
    assert not (counts & (events.sum(-1) == 0)).any()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="MoverDetector wants vision"):
        MoverDetector((96, 2))
    with pytest.raises(ValueError, match="Appearance wants vision"):
        Appearance((96, 3))
    with pytest.raises(ValueError, match="Gaze wants vision"):
        Gaze((96,))
    with pytest.raises(ValueError, match=r"Gaze\(prior='given'\): give one of exact, noisy"):
        Gaze((96, 1), "given")
    with pytest.raises(ValueError, match="Gaze wants a code of three angles"):
        Gaze((96, 1), "exact", code=(0.0, 90.0))  # type: ignore[arg-type]
    assert sighting.CHANNELS == 4
