"""The GRU's loop over time, compiled, with its gradient by hand: for float32 on the CPU.

torch's own loop costs a dozen small operations a step, forwards, and as many backwards; here a
step is one pass over the numbers. Four worlds are taken through time together, so that each
weight is read once for four.

Everything compiled is in this one file, because Numba's cache on disk does not notice a change
in an imported one. Products and sums are taken in one order whatever the number of worlds and
steps, so that a world's numbers are the same bits alone or among others, step by step or in a
whole sequence. The only fast-math flag is ``contract``, which joins a product and a sum into one
rounding and reorders nothing.
"""

# Numba's decorators carry no types.
# mypy: allow-untyped-decorators

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})

ROWS = 4
"""Worlds taken through time together, and terms of a sum added in one pass over its row."""
_HALF, _ONE, _LIMIT = np.float32(0.5), np.float32(1.0), np.float32(7.90531110763549805)
# fmt: off
_ODD = tuple(map(np.float32, (
    4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08,
    -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16,
)))
_EVEN = tuple(map(np.float32, (
    4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06,
)))
# fmt: on


@compiled
def _tanh(x):  # type: ignore[no-untyped-def]
    """Eigen's rational approximation, within 3e-7; NaN stays NaN."""
    x = -_LIMIT if x < -_LIMIT else x
    x = _LIMIT if x > _LIMIT else x
    z = x * x
    odd = z * (z * (z * (z * _ODD[6] + _ODD[5]) + _ODD[4]) + _ODD[3]) + _ODD[2]
    odd = z * (z * odd + _ODD[1]) + _ODD[0]
    even = z * (z * (z * _EVEN[3] + _EVEN[2]) + _EVEN[1]) + _EVEN[0]
    return x * odd / even


@compiled
def _add_product(a, b, out):  # type: ignore[no-untyped-def]
    """``out`` (4, M) += ``a`` (4, K) @ ``b`` (K, M), K a multiple of ROWS, terms in order."""
    out0, out1, out2, out3 = out[0], out[1], out[2], out[3]
    for k in range(0, a.shape[1], ROWS):
        a00, a01, a02, a03 = a[0, k], a[0, k + 1], a[0, k + 2], a[0, k + 3]
        a10, a11, a12, a13 = a[1, k], a[1, k + 1], a[1, k + 2], a[1, k + 3]
        a20, a21, a22, a23 = a[2, k], a[2, k + 1], a[2, k + 2], a[2, k + 3]
        a30, a31, a32, a33 = a[3, k], a[3, k + 1], a[3, k + 2], a[3, k + 3]
        row0, row1, row2, row3 = b[k], b[k + 1], b[k + 2], b[k + 3]
        for j in range(out0.size):
            b0, b1, b2, b3 = row0[j], row1[j], row2[j], row3[j]
            out0[j] = out0[j] + a00 * b0 + a01 * b1 + a02 * b2 + a03 * b3
            out1[j] = out1[j] + a10 * b0 + a11 * b1 + a12 * b2 + a13 * b3
            out2[j] = out2[j] + a20 * b0 + a21 * b1 + a22 * b2 + a23 * b3
            out3[j] = out3[j] + a30 * b0 + a31 * b1 + a32 * b2 + a33 * b3


@compiled
def _padded(matrix):  # type: ignore[no-untyped-def]
    """Return a matrix, in C order, with rows of zeros below up to a multiple of ROWS."""
    rows, columns = matrix.shape
    padded = np.zeros((-(-rows // ROWS) * ROWS, columns), matrix.dtype)
    padded[:rows] = matrix
    return padded


@compiled
def _forward(given, start, first, weight, bias, hidden, gates):  # type: ignore[no-untyped-def]
    """Run over a sequence.

    Args:
        given: (time, worlds, 3 units), the input's part of reset, update and candidate.
        start: (time, worlds) bool, where the state before is forgotten.
        first: (worlds, units), the state before the first step.
        weight: (3 units, units), the recurrent weights.
        bias: (3 units,), of the recurrent part.
        hidden: (time, worlds, units), written.
        gates: (time, worlds, 4 units), written: reset, update, candidate, and the recurrent part of
            the candidate. With a time of 1 every step overwrites it.
    """
    steps, worlds, units = hidden.shape
    weight_t = _padded(weight.T)
    before = np.zeros((ROWS, len(weight_t)), given.dtype)
    part = np.empty((ROWS, 3 * units), given.dtype)
    for n in range(0, worlds, ROWS):
        rows = min(ROWS, worlds - n)
        for t in range(steps):
            for i in range(rows):
                past = first[n + i] if t == 0 else hidden[t - 1, n + i]
                if start[t, n + i]:
                    before[i] = 0
                else:
                    before[i, :units] = past
            for i in range(ROWS):
                part[i] = bias
            _add_product(before, weight_t, part)
            for i in range(rows):
                x, y, h = given[t, n + i], part[i], before[i]
                gate, out = gates[t % len(gates), n + i], hidden[t, n + i]
                for j in range(units):
                    reset = _HALF + _HALF * _tanh(_HALF * (x[j] + y[j]))
                    update = _HALF + _HALF * _tanh(_HALF * (x[units + j] + y[units + j]))
                    inner = y[2 * units + j]
                    candidate = _tanh(x[2 * units + j] + reset * inner)
                    gate[j] = reset
                    gate[units + j] = update
                    gate[2 * units + j] = candidate
                    gate[3 * units + j] = inner
                    out[j] = candidate + update * (h[j] - candidate)


@compiled
def _backward(d_hidden, start, before, weight, gates, d_given, d_part, d_first):  # type: ignore[no-untyped-def]
    """Carry a gradient back through a sequence.

    Args:
        d_hidden: (time, worlds, units), the gradient by the output.
        start: as for :func:`_forward`.
        before: (time, worlds, units), the state that each step began with.
        weight: (3 units, units), the recurrent weights.
        gates: as :func:`_forward` left them.
        d_given: (time, worlds, 3 units), written: by the input's part.
        d_part: (time, worlds, 3 units), written: by the recurrent part.
        d_first: (worlds, units), written: by the state before the first step.
    """
    steps, worlds, units = d_hidden.shape
    weight = _padded(weight)
    d_sums = np.zeros((ROWS, len(weight)), weight.dtype)
    carried = np.empty((ROWS, units), weight.dtype)
    for n in range(0, worlds, ROWS):
        rows = min(ROWS, worlds - n)
        carried[:] = 0
        for t in range(steps - 1, -1, -1):
            for i in range(rows):
                d_out, gate, h = d_hidden[t, n + i], gates[t, n + i], before[t, n + i]
                d_x, d_y, d_h = d_given[t, n + i], d_sums[i], carried[i]
                for j in range(units):
                    reset, update = gate[j], gate[units + j]
                    candidate, inner = gate[2 * units + j], gate[3 * units + j]
                    d = d_h[j] + d_out[j]
                    d_candidate = d * (_ONE - update) * (_ONE - candidate * candidate)
                    d_update = d * (h[j] - candidate) * update * (_ONE - update)
                    d_reset = d_candidate * inner * reset * (_ONE - reset)
                    d_x[j] = d_y[j] = d_reset
                    d_x[units + j] = d_y[units + j] = d_update
                    d_x[2 * units + j] = d_candidate
                    d_y[2 * units + j] = d_candidate * reset
                    d_h[j] = d * update
                d_part[t, n + i] = d_y[: 3 * units]
            _add_product(d_sums, weight, carried)
            for i in range(rows):
                if start[t, n + i]:
                    carried[i] = 0
        d_first[n : n + rows] = carried[:rows]


def _array(x: Tensor) -> Any:
    """Return the tensor's memory as a C-ordered array, the one layout that is compiled."""
    return x.detach().contiguous().numpy()


def _run(
    given: Tensor, start: Tensor, first: Tensor, weight: Tensor, bias: Tensor, record: bool
) -> tuple[Tensor, Tensor]:
    """Return the hidden states and the gates, these of the last step only unless ``record``."""
    steps, worlds, units = len(given), given.shape[1], first.shape[1]
    hidden = given.new_empty(steps, worlds, units)
    gates = given.new_empty(steps if record else 1, worlds, 4 * units)
    _forward(
        _array(given),
        _array(start),
        _array(first),
        _array(weight),
        _array(bias),
        hidden.numpy(),
        gates.numpy(),
    )
    return hidden, gates


class _Scan(torch.autograd.Function):
    """:func:`scan` with a gradient; it is computed only by what asks for one."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, given: Tensor, start: Tensor, first: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        hidden, gates = _run(given, start, first, weight, bias, record=True)
        ctx.save_for_backward(start, first, weight, hidden, gates)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor | None, ...]:
        start, first, weight, hidden, gates = ctx.saved_tensors
        before = torch.cat((first.unsqueeze(0), hidden[:-1]))
        before.masked_fill_(start.unsqueeze(-1), 0.0)
        d_given = weight.new_empty(*start.shape, len(weight))
        d_part, d_first = torch.empty_like(d_given), weight.new_empty(first.shape)
        _backward(
            _array(d_hidden),
            _array(start),
            before.numpy(),
            _array(weight),
            gates.numpy(),
            d_given.numpy(),
            d_part.numpy(),
            d_first.numpy(),
        )
        d_part = d_part.flatten(0, 1)
        _, _, _, wants_weight, wants_bias = ctx.needs_input_grad
        d_weight = d_part.t() @ before.flatten(0, 1) if wants_weight else None
        return d_given, None, d_first, d_weight, d_part.sum(0) if wants_bias else None


def scan(given: Tensor, start: Tensor, first: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Run a GRU's recurrent part over a sequence, on the CPU: for float32.

    Float64 runs too, so that finite differences can tell whether the gradient is right; its tanh
    is no more accurate for that.

    Args:
        given: (time, worlds, 3 units), the input's part of reset, update and candidate.
        start: (time, worlds) bool, where the state before is forgotten.
        first: (worlds, units), the state before the first step.
        weight: (3 units, units), the recurrent weights.
        bias: (3 units,), of the recurrent part.

    Returns:
        The hidden states, (time, worlds, units).

    Raises:
        ValueError: shapes do not fit; compiled code would read past their ends.
    """
    if start.shape != given.shape[:2] or first.shape != (given.shape[1], weight.shape[1]):
        raise ValueError(
            f"the GRU has an input of (time, worlds, 3 units) = {tuple(given.shape)}; give it "
            f"episode_start (time, worlds), not {tuple(start.shape)}, and a state "
            f"(worlds, units), not {tuple(first.shape)}"
        )
    if torch.is_grad_enabled():
        hidden: Tensor = _Scan.apply(given, start, first, weight, bias)  # type: ignore[no-untyped-call]
        return hidden
    return _run(given, start, first, weight, bias, record=False)[0]
