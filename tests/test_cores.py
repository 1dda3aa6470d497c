"""Generic cores: each against torch's own module or its equations written as a plain loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from motley.agents.areas import GRU, LSTM, Area, Attention, MinGRU, Reservoir
from motley.agents.areas.min_gru import linear_scan

TIME, WORLDS = 23, 4


def sequence(features: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Float64 inputs, and episode starts at random."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(TIME, WORLDS, features, generator=generator, dtype=torch.float64)
    return x, torch.rand(TIME, WORLDS, generator=generator) < 0.15


def episodes(start: Tensor, world: int) -> list[slice]:
    """Return the stretches of a world between starts."""
    begins = [0, *(t for t in range(1, TIME) if start[t, world])]
    return [slice(a, b) for a, b in zip(begins, [*begins[1:], TIME], strict=True)]


def test_lstm_is_torchs_lstm_begun_anew_at_each_start() -> None:
    """Values and gradients."""
    torch.manual_seed(0)
    area, peer = LSTM((7,), 5).double(), nn.LSTM(7, 5).double()
    with torch.no_grad():
        for name, x in {
            "weight_ih_l0": area.input.weight,
            "weight_hh_l0": area.recurrent.weight,
            "bias_ih_l0": area.input.bias,
            "bias_hh_l0": torch.zeros(20),
        }.items():
            peer.get_parameter(name).copy_(x)
    x, start = sequence(7)
    start[0] = True
    x1, x2 = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, state = area((x1,), area.initial_state(WORLDS), start)
    expected = torch.stack(
        [torch.cat([peer(x2[part, i])[0] for part in episodes(start, i)]) for i in range(WORLDS)], 1
    )
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(state["hidden"], out[-1])
    weight = torch.randn_like(out)
    torch.autograd.backward([(out * weight).sum(), (expected * weight).sum()])
    theirs = [x2, *(peer.get_parameter(f"{kind}_l0") for kind in ("weight_hh", "weight_ih"))]
    for a, b in zip([x1, area.recurrent.weight, area.input.weight], theirs, strict=True):
        assert a.grad is not None
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("time", [1, 2, 3, 8, 23, 64])
def test_the_scan_is_its_recurrence(time: int) -> None:
    torch.manual_seed(0)
    factor, term = torch.rand(2, time, 3, 5, dtype=torch.float64)
    factor[torch.rand(time, 3) < 0.2] = 0.0
    first = torch.randn(3, 5, dtype=torch.float64)
    found = linear_scan(factor, term, first)
    h = first
    for t in range(time):
        h = factor[t] * h + term[t]
        torch.testing.assert_close(found[t], h)


def test_mingru_is_its_equations_step_by_step() -> None:
    torch.manual_seed(0)
    area = MinGRU((7,), 5, depth=2).double()
    x, start = sequence(7)
    first = torch.randn(WORLDS, 2, 5, dtype=torch.float64)
    with torch.no_grad():
        out, state = area((x,), {"hidden": first}, start)
        for i in range(WORLDS):
            h = [first[i, 0], first[i, 1]]
            for t in range(TIME):
                given = x[t, i]
                for j, layer in enumerate(area.layers):
                    if start[t, i]:
                        h[j] = torch.zeros(5, dtype=torch.float64)
                    both = layer.weight @ given + layer.bias
                    z = torch.sigmoid(both[:5])
                    given = h[j] = (1 - z) * h[j] + z * both[5:]
                torch.testing.assert_close(out[t, i], given)
            torch.testing.assert_close(state["hidden"][i], torch.stack(h))


def attended(area: Attention, x: Tensor) -> Tensor:
    """One episode of one world, (time, features), by torch's own attention and norm."""
    size, heads, width = area.size, area.heads, area.head_size
    h = nn.functional.linear(x, area.embed.weight, area.embed.bias)
    normal = nn.functional.layer_norm(h, (size,), area.normal.weight, area.normal.bias)
    q, k, v = (
        (normal @ layer.weight.t()).view(len(x), heads, width).transpose(0, 1)
        for layer in (area.query, area.key, area.value)
    )
    age = torch.arange(len(x)).unsqueeze(1) - torch.arange(len(x))
    slope = torch.tensor([2 ** (-8 * (i + 1) / heads) for i in range(heads)], dtype=x.dtype)
    bias = -slope.view(-1, 1, 1) * age
    bias = bias.masked_fill((age < 0) | (age >= area.window), -math.inf)
    read = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    h = h + area.join(read.transpose(0, 1).reshape(len(x), -1))
    normal = nn.functional.layer_norm(h, (size,), area.normal_out.weight, area.normal_out.bias)
    result: Tensor = h + area.out(torch.relu(area.hidden(normal)))
    return result


@pytest.mark.parametrize("window", [1, 5, 64])
def test_attention_is_torchs_within_each_episode(window: int) -> None:
    torch.manual_seed(0)
    area = Attention((7,), 6, window=window, heads=2, head_size=3).double()
    x, start = sequence(7)
    with torch.no_grad():
        out, state = area((x,), area.initial_state(WORLDS), start)
        for i in range(WORLDS):
            parts = episodes(start, i)
            expected = torch.cat([attended(area, x[part, i]) for part in parts])
            torch.testing.assert_close(out[:, i], expected)
            newest = TIME - parts[-1].start
            assert state["length"][i] == min(newest, window)


def test_attention_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match=r"window=0.*each must be at least 1"):
        Attention((7,), window=0)


def test_the_reservoir_has_the_radius_it_is_given_and_nothing_to_learn() -> None:
    torch.manual_seed(0)
    area = Reservoir((3,), 40, radius=0.8)
    assert not list(area.parameters())
    radius = float(torch.linalg.eigvals(area.recurrent).abs().max())
    assert abs(radius - 0.8) < 1e-5
    x = sequence(3)[0].float()
    out, _ = area((x,), area.initial_state(WORLDS), torch.zeros(TIME, WORLDS, dtype=torch.bool))
    h = torch.zeros(WORLDS, 40)
    for t in range(TIME):
        h = torch.tanh(h @ area.recurrent.t() + x[t] @ area.given.t() + area.bias)
        torch.testing.assert_close(out[t], h)


def capacity(radius: float, delays: int = 60) -> Tensor:
    """Memory capacity by delay (Jaeger 2001): r2 of a linear read-out of an input long gone."""
    torch.manual_seed(0)
    area = Reservoir((1,), 30, radius=radius, scale=0.1).double()
    time, washed = 3_000, 100
    u = torch.rand(time, 1, 1, dtype=torch.float64) * 2 - 1
    out, _ = area((u,), area.initial_state(1), torch.zeros(time, 1, dtype=torch.bool))
    x = torch.cat((out[washed:, 0], torch.ones(time - washed, 1, dtype=torch.float64)), 1)
    target = torch.stack([u[washed - k : time - k, 0, 0] for k in range(delays)], 1)
    half = len(x) // 2
    weights = torch.linalg.lstsq(x[:half], target[:half]).solution
    error = (x[half:] @ weights - target[half:]).square().mean(0)
    r2: Tensor = (1 - error / target[half:].var(0)).clamp(min=0.0)
    return r2


def test_a_reservoir_remembers_the_recent_and_no_more_than_it_has_units() -> None:
    remembered = capacity(0.95)
    assert float(remembered[:8].min()) > 0.9
    assert float(remembered[40:].max()) < 0.2
    assert 12 < float(remembered.sum()) <= 31
    without = capacity(0.0)
    assert float(without[0]) > 0.9
    assert float(without[1:].max()) < 0.1


def told(seed: int, worlds: int = 64) -> tuple[Tensor, dict[str, Tensor]]:
    """Numbers of which some are marked; what was said two steps ago, and what was marked last."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(TIME, worlds, 1, generator=generator) * 2 - 1
    mark = torch.rand(TIME, worlds, 1, generator=generator) < 0.15
    mark[0] = True
    last = torch.where(mark, torch.arange(TIME).view(-1, 1, 1), 0).cummax(0).values
    recent = torch.cat((torch.zeros(2, worlds, 1), x[:-2]))
    return torch.cat((x, mark.float()), -1), {"recent": recent, "marked": x.gather(0, last)}


def recalled(area: Area, what: str, updates: int) -> float:
    """R2, on sequences not seen before, of a read-out that is fitted once the area has learnt."""
    start = torch.zeros(TIME, 64, dtype=torch.bool)
    head = nn.Linear(area.size, 1)
    optimizer = torch.optim.Adam([*area.parameters(), *head.parameters()], 1e-2)

    def read(seed: int) -> tuple[Tensor, Tensor]:
        x, targets = told(seed)
        return area((x,), area.initial_state(64), start)[0], targets[what]

    for seed in range(updates):
        out, target = read(seed)
        optimizer.zero_grad()
        torch.autograd.backward((head(out) - target).square().mean())
        optimizer.step()
    with torch.no_grad():
        (x, y), (later, test) = (
            (nn.functional.pad(out, (0, 1), value=1.0).flatten(0, 1), target.flatten(0, 1))
            for out, target in (read(1_000), read(1_001))
        )
        error = (later @ torch.linalg.lstsq(x, y).solution - test).square().mean()
        return 1.0 - float(error / test.var())


def test_a_reservoir_recalls_the_recent_as_a_gru_does_but_cannot_select() -> None:
    """Equal on short memory; what to hold has to be learnt."""
    r2 = {}
    for kind in (GRU, Reservoir):
        for what in ("recent", "marked"):
            torch.manual_seed(0)
            updates = 100 if kind is GRU else 0  # nothing in a reservoir learns
            r2[kind, what] = recalled(kind((2,), 32), what, updates)
    assert r2[Reservoir, "recent"] > 0.9
    assert abs(r2[GRU, "recent"] - r2[Reservoir, "recent"]) < 0.1
    assert r2[GRU, "marked"] > 0.95
    assert r2[Reservoir, "marked"] < 0.5


def test_a_reservoir_forgets_where_it_began() -> None:
    torch.manual_seed(0)
    area = Reservoir((3,), 40)
    x, none = torch.randn(300, 1, 3), torch.zeros(300, 1, dtype=torch.bool)
    one, _ = area((x,), {"hidden": torch.randn(1, 40)}, none)
    two, _ = area((x,), {"hidden": torch.randn(1, 40)}, none)
    apart = (one - two).norm(dim=-1)[:, 0]
    assert apart[0] > 1.0
    assert apart[-1] < 1e-4
