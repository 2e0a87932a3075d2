"""Every CUDA kernel against the reference: executed, emulated on the CPU in four orders of threads, or on a GPU.

Without a GPU: `test_emulated`. With one: `pytest -m gpu parity_tests/test_cuda_kernels.py`. The table is cuda_cases.py.
"""

import cuda_cases
import cuda_cases_shapes
import cuda_emulation
import numpy as np
import pytest
from cuda_cases import FUNCTIONS, KERNELS, fresh, results, to_device
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_draws import Draw
from reached import assert_all_reached
from test_kernels import assert_same

from minitorch2_kernels import KERNELS as ALL

NAMES = [*KERNELS, *FUNCTIONS]
SANITIZING = cuda_emulation.build.sanitizing()  # what is built is five times as slow: see test_cuda_emulation.py
emulated = [
    pytest.mark.skipif(cuda_cases.has_gpu(), reason="a GPU is here: these kernels run on it, with `-m gpu`"),
    pytest.mark.skipif(not cuda_emulation.available(), reason="no C++ compiler to build the emulated kernels with"),
]


@pytest.fixture(scope="module")
def cupy():
    with cuda_cases.cupy_or_standin() as module, cuda_cases_shapes.tiny_blocks():
        yield module


def implementations(name, cupy, args):
    """(what it is, function, reference) for each implementation that takes these arguments, which are on the device."""
    if name in FUNCTIONS:
        case = FUNCTIONS[name]
        module = __import__(f"minitorch2_kernels.cuda.{case.module}", fromlist=[case.name])
        return [(name, getattr(module, case.name), case.reference)]
    chosen = ALL[name]
    found = [(f"{name}: {f.__doc__}", f, chosen.reference) for supports, f in chosen.cuda_overrides if supports(*args)]
    return [(f"{name} as dispatched", chosen, chosen.reference), *found]


def check(name, cupy, data, orders):
    case = KERNELS.get(name) or FUNCTIONS[name]
    draw = Draw(data.draw)
    if SANITIZING:
        draw.dtype = "float32"
    args = case.draw(draw)
    expected = None
    for what, function, reference in implementations(name, cupy, to_device(cupy, fresh(args))):
        if expected is None:
            expected = results(reference, fresh(args))
        for order in orders:
            with cuda_emulation.order(order):
                found = results(function, to_device(cupy, fresh(args)))
            assert_same(found, expected, case.tolerance, f"{what}, order {order}")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3 if SANITIZING else 10)
@given(data=st.data())
def test_emulated(name, cupy, data):
    check(name, cupy, data, (2,) if SANITIZING else cuda_emulation.ORDERS)


test_emulated.pytestmark.extend(emulated)


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_on_gpu(name, cupy, data):
    check(name, cupy, data, (0,))


def test_every_override_has_a_case(cupy):
    assert {name for name, kernel in ALL.items() if kernel.cuda_overrides} == set(KERNELS)


@pytest.mark.parametrize("name", KERNELS)
def test_overrides_are_reached(name, cupy):
    """Ordinary float32 arrays in row-major order find each override: the fast path is not dead code."""

    def draw(d):
        args = KERNELS[name].draw(Draw(d))
        return to_device(cupy, tuple(np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in args))

    assert_all_reached([supports for supports, _ in cuda_cases.own_overrides(ALL[name])], draw, 40)
