"""The GRU: the compiled scan against the plain loop, torch's own GRU and finite differences."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from motley.agents.areas import GRU
from motley.agents.areas.gru_scan import scan

Result = tuple[Tensor, dict[str, Tensor]]


def a_gru(inputs: int, units: int, dtype: torch.dtype = torch.float32) -> GRU:
    """With biases that are not zero, as they are after learning."""
    torch.manual_seed(1)
    gru = GRU((inputs,), units)
    for parameter in gru.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return gru.to(dtype)


def a_sequence(
    time: int, worlds: int, inputs: int, units: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Input, random episode starts and the state before."""
    torch.manual_seed(2)
    x = 2 * torch.randn(time, worlds, inputs, dtype=dtype)
    first = torch.randn(worlds, units, dtype=dtype)
    return x.requires_grad_(), torch.rand(time, worlds) < 0.2, first.requires_grad_()


def by_loop(gru: GRU, x: Tensor, start: Tensor, first: Tensor) -> Tensor:
    return gru.loop(gru.input(x), start, first)


def by_scan(gru: GRU, x: Tensor, start: Tensor, first: Tensor) -> Tensor:
    output: Tensor = gru((x,), {"hidden": first}, start)[0]
    return output


def gradients(output: Tensor, gru: GRU, x: Tensor, first: Tensor) -> dict[str, Tensor]:
    """Of a sum with random weights, by input, first state and every parameter."""
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(3))
    wanted = {"input": x, "first": first, **dict(gru.named_parameters())}
    found = torch.autograd.grad((output * weights).sum(), list(wanted.values()))
    return dict(zip(wanted, found, strict=True))


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        scale = float(expected.abs().max())
        error = float((ours[name] - expected).abs().max())
        assert error <= 1e-5 * scale, f"{name}: {error} of {scale}"


# Numbers of worlds and units that are and are not multiples of what the scan takes at a time.
@pytest.mark.parametrize(
    ("time", "worlds", "inputs", "units"),
    [(20, 8, 6, 8), (33, 7, 5, 13), (1, 5, 3, 6), (9, 1, 1, 1), (128, 16, 72, 58)],
)
def test_scan_and_every_gradient_equal_the_plain_loop(
    time: int, worlds: int, inputs: int, units: int
) -> None:
    gru = a_gru(inputs, units)
    x, start, first = a_sequence(time, worlds, inputs, units)
    ours, plain = by_scan(gru, x, start, first), by_loop(gru, x, start, first)
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=0)
    assert_same(gradients(ours, gru, x, first), gradients(plain, gru, x, first))


def test_without_resets_it_is_torchs_gru() -> None:
    gru, theirs = a_gru(6, 9), torch.nn.GRU(6, 9)
    x, start, first = a_sequence(25, 5, 6, 9)
    names = {"input": "ih", "recurrent": "hh"}
    same = {
        f"{area}.{kind}": theirs.get_parameter(f"{kind}_{name}_l0")
        for area, name in names.items()
        for kind in ("weight", "bias")
    }
    ours = dict(gru.named_parameters())
    with torch.no_grad():
        for name, parameter in same.items():
            parameter.copy_(ours[name])
    output = by_scan(gru, x, torch.zeros_like(start), first)
    expected, last = theirs(x, first.unsqueeze(0))
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(output[-1], last[0], atol=1e-5, rtol=0)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(3))
    wanted = [x, first, *same.values()]
    found = torch.autograd.grad((expected * weights).sum(), wanted)
    by_name = dict(zip(["input", "first", *same], found, strict=True))
    assert_same(gradients(output, gru, x, first), by_name)


def test_the_plain_loop_agrees_with_finite_differences() -> None:
    gru = a_gru(3, 4, torch.float64)
    x, start, first = a_sequence(6, 3, 3, 4, torch.float64)
    assert start[1:].any()

    def run(x: Tensor, first: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(dict(gru.named_parameters()), parameters, strict=True))
        arguments = ((x,), {"hidden": first}, start)
        output: Tensor = torch.func.functional_call(gru, named, arguments)[0]
        return output

    assert torch.autograd.gradcheck(run, (x, first, *gru.parameters()))


def test_the_compiled_gradient_agrees_with_finite_differences() -> None:
    """In float64, within 1e-5: the slope is that of tanh, what runs is an approximation of it."""
    torch.manual_seed(4)
    worlds, units = 5, 3
    shapes = ((6, worlds, 3 * units), (worlds, units), (3 * units, units), (3 * units,))
    given, first, weight, bias = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
    start = torch.rand(6, worlds) < 0.2
    assert start[1:].any()
    leaves = [x.requires_grad_() for x in (given, first, weight, bias)]

    def run(given: Tensor, first: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return scan(given, start, first, weight, bias)

    assert torch.autograd.gradcheck(run, leaves, atol=1e-5, rtol=1e-5)
    # Both are those of a GRU.
    gru = a_gru(3 * units, units, torch.float64)
    gru.recurrent.weight.data, gru.recurrent.bias.data = weight.data, bias.data
    expected = gru.loop(given, start, first)
    torch.testing.assert_close(run(*leaves), expected, atol=1e-5, rtol=1e-5)


def test_double_precision_takes_the_plain_loop() -> None:
    gru = a_gru(3, 4, torch.float64)
    x, start, first = a_sequence(6, 3, 3, 4, torch.float64)
    assert torch.equal(by_scan(gru, x, start, first), by_loop(gru, x, start, first))


def test_what_came_before_a_reset_has_no_effect_and_no_gradient() -> None:
    gru = a_gru(4, 6)
    x, start, first = a_sequence(10, 3, 4, 6)
    start = torch.zeros_like(start)
    start[5, 1] = True
    output = by_scan(gru, x, start, first)
    d_x, d_first = torch.autograd.grad(output[7].sum(), [x, first])
    assert not d_x[:5, 1].any()
    assert not d_first[1].any()
    assert d_x[:5, 0].all()
    assert d_first[0].all()
    fresh = by_scan(gru, x[5:, 1:2], start[5:, 1:2], torch.zeros(1, 6))
    assert torch.equal(output[5:, 1:2], fresh)


def test_one_step_at_a_time_or_in_two_calls_gives_the_bits_of_the_whole() -> None:
    gru = a_gru(5, 7)
    x, start, first = a_sequence(12, 6, 5, 7)
    given = gru.input(x).detach()
    gru.input = torch.nn.Identity()  # type: ignore[assignment]  # its bits depend on the batch
    whole, last = gru((given,), {"hidden": first}, start)
    for size in (1, 5):
        state, parts = {"hidden": first}, []
        with torch.no_grad():
            for t in range(0, 12, size):
                part, state = gru((given[t : t + size],), state, start[t : t + size])
                parts.append(part)
        assert torch.equal(torch.cat(parts), whole)
        assert torch.equal(state["hidden"], last["hidden"])


def test_a_worlds_bits_do_not_depend_on_the_others() -> None:
    gru = a_gru(5, 7)
    x, start, first = a_sequence(12, 6, 5, 7)
    given = gru.input(x).detach()
    gru.input = torch.nn.Identity()  # type: ignore[assignment]
    whole = by_scan(gru, given, start, first)
    some = torch.tensor([4, 1, 5])
    assert torch.equal(whole[:, some], by_scan(gru, given[:, some], start[:, some], first[some]))


def test_the_gradient_goes_on_through_the_state_to_an_earlier_call() -> None:
    gru = a_gru(4, 6)
    x, start, first = a_sequence(10, 3, 4, 6)
    head, state = gru((x[:4],), {"hidden": first}, start[:4])
    tail, _ = gru((x[4:],), state, start[4:])
    parts, whole = torch.cat((head, tail)), by_scan(gru, x, start, first)
    assert_same(gradients(parts, gru, x, first), gradients(whole, gru, x, first))


def test_memory_layout_does_not_matter() -> None:
    gru = a_gru(4, 6)
    x, start, first = a_sequence(10, 3, 4, 6)
    output = by_scan(gru, x, start, first)
    turned = x.detach().permute(2, 1, 0).contiguous().permute(2, 1, 0).requires_grad_()
    starts = start.t().contiguous().t()
    state = first.detach().t().contiguous().t().requires_grad_()
    assert not any(tensor.is_contiguous() for tensor in (turned, starts, state))
    strided = by_scan(gru, turned, starts, state)
    torch.testing.assert_close(strided, output, atol=1e-5, rtol=0)
    # The gradient of a sum arrives as one number, expanded.
    found = torch.autograd.grad(strided.sum(), [turned, state])
    expected = torch.autograd.grad(output.sum(), [x, first])
    assert_same(dict(enumerate_names(found)), dict(enumerate_names(expected)))


def enumerate_names(tensors: tuple[Tensor, ...]) -> list[tuple[str, Tensor]]:
    return [(str(i), x) for i, x in enumerate(tensors)]


def test_a_second_run_gives_the_same_bits() -> None:
    gru = a_gru(5, 7)
    x, start, first = a_sequence(12, 6, 5, 7)
    runs = [by_scan(gru, x, start, first) for _ in range(2)]
    assert torch.equal(*runs)
    one, other = (gradients(run, gru, x, first) for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_gradients_of_a_part_leave_the_graph_for_another() -> None:
    """As routing asks for them: one backward pass a group of costs."""
    gru = a_gru(4, 6)
    x, start, first = a_sequence(10, 3, 4, 6)
    gru.recurrent.requires_grad_(False)
    output = by_scan(gru, x, start, first)
    torch.autograd.backward(output.sum(), inputs=[gru.input.weight], retain_graph=True)
    assert x.grad is None
    torch.autograd.backward(output.sum(), inputs=[x])
    assert x.grad is not None
    assert gru.recurrent.weight.grad is None
    plain = by_loop(gru, x, start, first).sum()
    expected = torch.autograd.grad(plain, [x, gru.input.weight])
    assert gru.input.weight.grad is not None
    assert_same(
        dict(enumerate_names((x.grad, gru.input.weight.grad))), dict(enumerate_names(expected))
    )


def test_extreme_inputs_saturate_and_nan_stays() -> None:
    gru = a_gru(4, 6)
    x, start, first = a_sequence(10, 3, 4, 6)
    huge = (1e6 * x).detach()
    torch.testing.assert_close(
        by_scan(gru, huge, start, first), by_loop(gru, huge, start, first), atol=1e-5, rtol=0
    )
    huge[3, 1, 2] = torch.nan
    output = by_scan(gru, huge, torch.zeros_like(start), first)
    assert output[3:, 1].isnan().all()
    assert output[:3].isfinite().all()
    assert output[:, [0, 2]].isfinite().all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    gru = a_gru(4, 6)
    x, start, first = a_sequence(10, 3, 4, 6)
    with pytest.raises(ValueError, match=r"episode_start \(time, worlds\), not \(9, 3\)"):
        by_scan(gru, x, start[1:], first)
    with pytest.raises(ValueError, match=r"a state \(worlds, units\), not \(2, 6\)"):
        by_scan(gru, x, start, first[1:])


def test_a_command_to_train_compiles_nothing_and_waits_for_no_statistics() -> None:
    program = (
        "import sys, motley.scripts.train; from motley.agents.areas import gru_scan; "
        "assert not gru_scan._forward.signatures and not gru_scan._backward.signatures; "
        "assert 'scipy.stats' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
