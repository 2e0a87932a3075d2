"""Arithmetic in float16 and bfloat16, and powers, to the last bit of torch's: what is rounded when."""

import numpy as np
import pytest
import torch

import minitorch2

BOTH = (torch, minitorch2)
ALL_EQUAL = 0
OPS = {  # name -> (op, share of 4,000 numbers that may differ by the last bit: torch's vector code contracts a + w * b)
    "a + number": (lambda a, b, c: a + 0.3, ALL_EQUAL),
    "number - a": (lambda a, b, c: 0.3 - a, ALL_EQUAL),
    "a * number": (lambda a, b, c: a * 0.3, ALL_EQUAL),
    "number / a": (lambda a, b, c: 0.3 / a, ALL_EQUAL),
    "add, alpha": (lambda a, b, c: a.add(b, alpha=0.1), ALL_EQUAL),
    "sub, alpha": (lambda a, b, c: a.sub(b, alpha=0.1), ALL_EQUAL),
    "lerp, near": (lambda a, b, c: a.lerp(b, 0.1), ALL_EQUAL),
    "lerp, far": (lambda a, b, c: a.lerp(b, 0.9), 0.01),
    "lerp by a tensor": (lambda a, b, c: a.lerp(b, c), 0.001),
    "addcmul": (lambda a, b, c: a.addcmul(b, c, value=0.3), 0.002),
    "addcdiv": (lambda a, b, c: a.addcdiv(b, c, value=0.3), 0.002),
    "pow": (lambda a, b, c: a.abs() ** 0.3, ALL_EQUAL),
}
POWERS = {"pow 3": 3.0, "pow -2": -2, "pow -0.5": -0.5, "pow -1": -1}


def tensors(lib, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(4000).astype(np.float32) for _ in range(3)]
    return [lib.from_numpy(a).to(getattr(lib, dtype)) for a in arrays]


def differing(op, dtype):
    theirs, ours = (op(*tensors(lib, dtype)).double().numpy() for lib in BOTH)
    return np.mean((theirs != ours) & ~(np.isnan(theirs) & np.isnan(ours)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", OPS)
def test_half(name, dtype):
    op, share = OPS[name]
    assert differing(op, dtype) <= share


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", POWERS)
def test_powers_that_torch_computes_without_one(name, dtype):
    assert differing(lambda a, b, c: a.abs() ** POWERS[name], dtype) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_over_a_tensor_is_rounded_twice(dtype):
    """torch's operator multiplies by the reciprocal."""
    assert differing(lambda a, b, c: 0.3 / a, dtype) == 0
    assert (
        differing(lambda a, b, c: torch.div(0.3, a) if isinstance(a, torch.Tensor) else a.reciprocal() * 0.3, dtype) > 0
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_fused_functions(dtype):
    for op in (OPS["lerp, far"][0], OPS["addcmul"][0], OPS["addcdiv"][0], OPS["add, alpha"][0]):
        grads = []
        for lib in BOTH:
            leaves = [(x.abs() + 1).requires_grad_() for x in tensors(lib, dtype)]
            op(*leaves).float().sum().backward()
            grads.append([None if x.grad is None else x.grad.double().numpy() for x in leaves])
        for theirs, ours in zip(*grads, strict=True):
            if theirs is not None:
                # torch's backward rounds after each of its products, ours once
                np.testing.assert_allclose(ours, theirs, rtol=3 * 2.0 ** (-10 if dtype == "float16" else -7))


def test_a_float64_is_rounded_to_float32_first():
    """Twice, as torch does: to what lies halfway between two float16, and from there to even, or to infinity."""
    numbers = [1 + 2**-11 + 2**-40, 65519.999999999, -(2**-25) - 2**-60, 0.1]
    for lib in BOTH:
        assert lib.tensor(numbers, dtype=lib.float64).half().tolist() == [1.0, float("inf"), -0.0, 0.0999755859375]
