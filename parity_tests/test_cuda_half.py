"""CUDA kernels in half precision: float16 and bfloat16 in memory, float32 between. Held to the reference in float32."""

import cuda_cases
import cuda_cases_shapes
import cuda_emulation
import numpy as np
import pytest
from cuda_cases import fresh, to_device, to_host
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import Draw

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
        for ours, theirs in zip(to_host(function(*on_device)), expected, strict=True):
            assert ours.dtype == (dtype if theirs.dtype.kind == "f" else theirs.dtype)
            largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=0)
            atol = ROUNDINGS.get(name, 1) * eps * largest + 1e-7
            np.testing.assert_allclose(cast(ours, np.float64), theirs, rtol=eps, atol=atol, err_msg=function.__doc__)


@runnable
@settings(max_examples=8)
@given(data=st.data())
def test_layer_norm(cupy, data):
    """Its mean and rstd stay float32, and so they come back for the gradient."""
    draw = Draw(data.draw)
    draw.dtype = "float32"
    dtype = draw.of(np.dtype(np.float16), BFLOAT16)
    eps = 2.0**-10 if dtype == np.float16 else 2.0**-7
    x, weight, bias, epsilon = all_cast(cuda_cases.layer_norm(draw), dtype)
    x, weight, bias = (None if a is None else np.ascontiguousarray(a) for a in (x, weight, bias))
    g = cast(draw.rng.standard_normal(x.shape).astype(np.float32), dtype)
    on_device = to_device(cupy, (g, x, weight, bias))
    (supports, forward), (supports_grad, backward) = (
        ALL[name].cuda_overrides[0] for name in ("layer_norm", "layer_norm_grad")
    )
    assert supports(*on_device[1:], epsilon)
    y, mean, rstd = forward(*on_device[1:], epsilon)
    assert mean.dtype == rstd.dtype == np.float32
    grad_args = (*on_device[:2], mean, rstd, on_device[2])
    assert supports_grad(*grad_args)
    found = to_host([y, *backward(*grad_args)])
    wide = all_cast((g, x, weight, bias), np.float32)
    with np.errstate(all="ignore"):
        expected, *statistics = ALL["layer_norm"].reference(*wide[1:], epsilon)
        expected = [expected, *ALL["layer_norm_grad"].reference(*wide[:2], *statistics, wide[2])]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        largest = np.abs(theirs).max(initial=0)
        np.testing.assert_allclose(cast(ours, np.float64), theirs, rtol=eps, atol=eps * largest + 1e-6)
