"""The geometry that kernels over windows are handed: division by multiplication."""

import cuda_cases
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

MOST = 2**31 - 1


@pytest.fixture(scope="module")
def numbers():
    with cuda_cases.cupy_or_standin():
        from minitorch2_kernels.cuda import windows

        yield windows._numbers


@settings(max_examples=300)
@given(n=st.integers(0, MOST), by=st.integers(1, MOST), near=st.integers(-1, 1))
@example(n=MOST, by=1, near=0)
@example(n=MOST, by=MOST, near=0)
@example(n=MOST, by=2**30 + 1, near=-1)
def test_divisor(numbers, n, by, near):
    """windows.cuh's quotient, in whole numbers: of any n and of those where the quotient changes."""
    by, magic, shift = numbers(by)
    assert 0 < magic < 2**32 and 0 <= shift < 32
    for m in (n, min(max(n // by * by + near, 0), MOST)):
        upper = m * magic >> 32
        assert upper + m < 2**32, "the sum has 32 bits"
        assert (upper + m) >> shift == m // by
