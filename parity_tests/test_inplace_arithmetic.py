"""add_, sub_, mul_ and div_ where nothing is recorded: they write to the array at once, in whatever order it lies."""

import numpy as np
import pytest
import torch

import minitorch2 as mt

LARGE = (200, 300)  # more than LONG numbers, so that compiled loops are asked
WRITTEN = {
    "rows": lambda lib, x: x,
    "columns": lambda lib, x: x.t(),
    "every second": lambda lib, x: x[:, ::2],
    "half of each row": lambda lib, x: x[:, :160],
    "one number": lambda lib, x: x[0, 0],
    "a row": lambda lib, x: x[3],
}
OTHERS = {
    "a float": lambda lib, x, y: 1.7,
    "an int": lambda lib, x, y: 3,
    "an infinite number": lambda lib, x, y: float("inf"),
    "zero": lambda lib, x, y: 0,
    "a tensor without dims": lambda lib, x, y: y[0, 0],
    "itself": lambda lib, x, y: x,
    "a row": lambda lib, x, y: y.reshape(-1)[: x.shape[-1]] if x.dim() else y[0, 0],
    "a column": lambda lib, x, y: y.reshape(-1)[: x.shape[0]].reshape(-1, 1) if x.dim() == 2 else y[0, 0],
    "an expanded column": lambda lib, x, y: (
        y.reshape(-1)[: x.shape[0], None].expand(x.shape) if x.dim() == 2 else y[0, 0]
    ),
    "as many": lambda lib, x, y: y.reshape(-1)[: x.numel()].reshape(x.shape),
    "as many in columns": lambda lib, x, y: (
        y.reshape(-1)[: x.numel()].reshape(x.shape[::-1]).t() if x.dim() else y[0, 0]
    ),
    "doubles": lambda lib, x, y: y.double()[0, 0],
    "ints": lambda lib, x, y: lib.arange(x.numel()).reshape(x.shape),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("written", WRITTEN)
def test_values_and_memory(written, other, dtype):
    numbers = np.random.RandomState(0).standard_normal((2, *LARGE)).astype(dtype)
    found = {}
    for lib in (mt, torch):
        whole, y = (lib.tensor(a) for a in numbers)
        found[lib] = []
        for name in ("add_", "sub_", "mul_", "div_"):
            x = WRITTEN[written](lib, whole)
            before, version = x, x._version
            result = getattr(x, name)(OTHERS[other](lib, x, y))
            assert result is before and x._version == version + 1
            found[lib].append(whole.numpy().copy())
        WRITTEN[written](lib, whole).add_(OTHERS[other](lib, WRITTEN[written](lib, whole), y), alpha=2)
        found[lib].append(whole.numpy().copy())
    for ours, theirs in zip(*found.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=4 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("lib", [mt, torch])
def test_what_is_recorded_stays_so(lib):
    """A history, a leaf and a shape that does not fit are met by the ordinary way."""
    x, w = lib.ones(LARGE), lib.full(LARGE, 2.0, requires_grad=True)
    x.mul_(w)
    x.sum().backward()
    assert w.grad.sum().item() == LARGE[0] * LARGE[1]
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        w.add_(1)
    with lib.no_grad():
        w.add_(1)
    assert w[0, 0].item() == 3
    with pytest.raises(RuntimeError):
        lib.ones(3).add_(lib.ones(2, 3))
