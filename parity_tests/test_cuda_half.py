"""CUDA kernels in half precision: float16 and bfloat16 in memory, float32 between. Held to the reference in float32."""

import cuda_cases
import cuda_cases_shapes
import cuda_emulation
import numpy as np
import pytest
from cuda_cases import fresh, to_device, to_host
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_draws import Draw

from minitorch2_kernels import KERNELS as ALL
from minitorch2_kernels.reference.cast import BFLOAT16, cast

NAMES = [*cuda_cases_shapes.CASES, "softmax", "log_softmax", "pick", "put"]
# Half an eps of the type for each rounding of what a kernel writes; recurrent layers round their states and gates in
# every step and go on with them, attention its weights.
ROUNDINGS = {
    "attention": 4,
    "attention_grad": 8,
    "rnn": 8,
    "rnn_grad": 8,
    "lstm": 8,
    "lstm_grad": 16,
    "gru": 8,
    "gru_grad": 16,
}


@pytest.fixture(scope="module")
def cupy():
    with cuda_cases.cupy_or_standin() as module, cuda_cases_shapes.tiny_blocks():
        yield module


def all_cast(value, dtype):
    """The floating arrays in it, in dtype."""
    if isinstance(value, tuple | list):
        return type(value)(all_cast(v, dtype) for v in value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fV":
        return cast(value, dtype)
    return value


runnable = pytest.mark.skipif(
    not (cuda_cases.has_gpu() or cuda_emulation.available()), reason="no GPU, and no C++ compiler to emulate one with"
)


@runnable
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(data=st.data())
def test_half(name, cupy, data):
    draw = Draw(data.draw)
    draw.dtype = "float32"
    args = cuda_cases.KERNELS[name].draw(draw)
    dtype = draw.of(np.dtype(np.float16), BFLOAT16)
    args = all_cast(args, dtype)
    on_device = to_device(cupy, fresh(args))
    with np.errstate(all="ignore"):
        expected = to_host(ALL[name].reference(*all_cast(fresh(args), np.float32)))
    eps = 2.0**-10 if dtype == np.float16 else 2.0**-7
    for supports, function in cuda_cases.own_overrides(ALL[name]):
        if not supports(*on_device):
            continue
        # What differences cancel has the roundings of its terms: these are as large as the other results.
        largest = max(np.abs(theirs[np.isfinite(theirs)]).max(initial=0) for theirs in expected)
        for ours, theirs in zip(to_host(function(*on_device)), expected, strict=True):
            assert ours.dtype == (dtype if theirs.dtype.kind == "f" else theirs.dtype)
            atol = ROUNDINGS.get(name, 1) * eps * largest + 1e-7
            np.testing.assert_allclose(cast(ours, np.float64), theirs, rtol=eps, atol=atol, err_msg=function.__doc__)


@runnable
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
@settings(max_examples=8)
@given(data=st.data())
def test_norms(name, cupy, data):
    """Their statistics stay float32, and so they come back for the gradient."""
    draw = Draw(data.draw)
    draw.dtype = "float32"
    dtype = draw.of(np.dtype(np.float16), BFLOAT16)
    eps = 2.0**-10 if dtype == np.float16 else 2.0**-7
    args = cuda_cases.KERNELS[name].draw(draw)
    args = tuple(np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in all_cast(args, dtype))
    x, weight = args[:2]
    g = cast(draw.rng.standard_normal(x.shape).astype(np.float32), dtype)
    on_device, g_on_device = to_device(cupy, args), to_device(cupy, g)
    (supports, forward), (supports_grad, backward) = (ALL[n].cuda_overrides[0] for n in (name, f"{name}_grad"))
    assert supports(*on_device)
    y, *statistics = forward(*on_device)
    assert all(a.dtype == np.float32 for a in statistics)
    grad_args = (g_on_device, on_device[0], *statistics, on_device[1])
    assert supports_grad(*grad_args)
    found = to_host([y, *backward(*grad_args)])
    g, x, weight, *rest = all_cast((g, *args), np.float32)
    with np.errstate(all="ignore"):
        expected, *statistics = ALL[name].reference(x, weight, *rest)
        expected = [expected, *ALL[f"{name}_grad"].reference(g, x, *statistics, weight)]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        largest = np.abs(theirs).max(initial=0)
        np.testing.assert_allclose(cast(ours, np.float64), theirs, rtol=eps, atol=eps * largest + 1e-6)
