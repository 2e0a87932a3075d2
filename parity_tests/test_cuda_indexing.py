"""Adding at repeated indices on the GPU where results must repeat bit for bit."""

import cuda_cases
import cuda_emulation
import numpy as np
import pytest
from cuda_cases import fresh, to_device
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_draws import Draw

from minitorch2_kernels import determinism, index_add


@pytest.fixture(scope="module")
def cupy():
    with cuda_cases.cupy_or_standin() as module:
        yield module


@pytest.mark.skipif(
    not (cuda_cases.has_gpu() or cuda_emulation.available()), reason="no GPU, and no C++ compiler to emulate one with"
)
@settings(max_examples=15)
@given(data=st.data())
def test_sorted_sums_are_in_the_order_of_the_indices(cupy, data):
    """So they are NumPy's to the last bit, whatever the order of the threads."""
    args = cuda_cases.KERNELS["index_add"].draw(Draw(data.draw))
    expected = index_add.reference(*fresh(args))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(determinism, "required", True)
        for order in cuda_emulation.ORDERS:
            with cuda_emulation.order(order):
                found = index_add(*to_device(cupy, fresh(args)))
            np.testing.assert_array_equal(found.get(), expected)
