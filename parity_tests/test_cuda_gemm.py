"""gemm against NumPy's matmul in float64: shapes, batches, strides and dtypes as drawn.

Without a GPU cuBLAS is the one of the stand-in, which multiplies what the addresses, flags and leading dimensions that
it is given say. On a GPU (`-m gpu`) it is NVIDIA's.
"""

import itertools
from contextlib import nullcontext

import numpy as np
import pytest
from cuda_cases import cupy_or_standin, has_gpu
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch2_kernels import precision
from minitorch2_kernels.reference.cast import BFLOAT16, cast

DTYPES = [*map(np.dtype, (np.float32, np.float64, np.float16)), BFLOAT16]
LAYOUTS = ("C", "transposed", "gaps between rows", "gaps between elements", "transposed with gaps", "backwards")
# In units of the largest sum of |products|: the order of summation, and one rounding to the dtype.
TOLERANCE = dict(zip(DTYPES, (2e-6, 4e-15, 1e-3, 8e-3), strict=True))

only_standin = pytest.mark.skipif(has_gpu(), reason="a GPU is here: see the tests marked gpu")


@pytest.fixture(scope="module")
def cupy():
    with cupy_or_standin() as module:
        yield module


def laid_out(cupy, values, layout):
    """`values` on the device, lying in memory as `layout` says."""

    def filled(shape, view):
        memory = cupy.zeros(shape, values.dtype)
        part = view(memory)
        part[...] = cupy.asarray(values)
        return part

    *batch, rows, columns = values.shape
    if layout == "transposed":
        return filled((*batch, columns, rows), lambda x: x.swapaxes(-1, -2))
    if layout == "gaps between rows":
        return filled((*batch, rows, columns + 3), lambda x: x[..., :columns])
    if layout == "gaps between elements":
        return filled((*batch, rows, 2 * columns), lambda x: x[..., ::2])
    if layout == "transposed with gaps":
        return filled((*batch, columns, rows + 2), lambda x: x[..., 1 : rows + 1].swapaxes(-1, -2))
    if layout == "backwards":
        return filled(values.shape, lambda x: x[::-1] if batch else x[:, ::-1])
    return cupy.asarray(values)


def numbers(shape, dtype, seed):
    return cast(np.random.default_rng(seed).standard_normal(shape), dtype)


@st.composite
def products(draw):
    """(a, its layout, b, its layout, out's layout or None)."""
    dtype, size = draw(st.sampled_from(DTYPES)), st.sampled_from((0, 1, 1, 2, 3, 5, 8))
    m, k, n = draw(size), draw(size), draw(size)
    batch = draw(st.lists(st.integers(1, 3), max_size=3))

    def operand(rows, columns, seed):
        own = [1 if draw(st.integers(0, 3)) == 0 else length for length in batch]
        own = own[draw(st.integers(0, len(own))) :] if draw(st.booleans()) else own
        return numbers((*own, rows, columns), dtype, seed)

    layout = st.sampled_from(LAYOUTS)
    out = draw(st.none() | st.sampled_from(("C", "transposed", "gaps between rows", "transposed with gaps")))
    return operand(m, k, 1), draw(layout), operand(k, n, 2), draw(layout), out


def check(cupy, a, a_layout, b, b_layout, out_layout, alpha, beta):
    from minitorch2_kernels.cuda.gemm import gemm

    wide_a, wide_b = cast(a, np.float64), cast(b, np.float64)
    exact, scale = wide_a @ wide_b, np.abs(wide_a) @ np.abs(wide_b)
    expected, bound = alpha * exact, abs(alpha) * scale
    out = None
    if out_layout is not None:
        before = numbers(exact.shape, a.dtype, 3)
        out = laid_out(cupy, before if beta else cast(np.full(before.shape, np.nan), a.dtype), out_layout)
        if beta:
            wide = cast(before, np.float64)
            expected, bound = expected + beta * wide, bound + abs(beta) * np.abs(wide)
    on_device = laid_out(cupy, a, a_layout), laid_out(cupy, b, b_layout)
    found = gemm(*on_device, out, alpha, beta if out is not None else 0.0)
    if out is not None:
        assert found.data.ptr == out.data.ptr or not found.size
        np.testing.assert_array_equal(found.get(), out.get())
    assert found.dtype == a.dtype
    assert found.shape == exact.shape
    error = np.abs(cast(found.get(), np.float64) - expected)
    assert (error <= TOLERANCE[a.dtype] * (bound + 1)).all(), error.max()
    for before, after in zip((a, b), on_device, strict=True):
        np.testing.assert_array_equal(after.get(), before)


def gemm_test(count):
    def wrap(function):
        decorated = given(
            product=products(), alpha=st.sampled_from((1.0, -0.5)), beta=st.sampled_from((0.0, 1.0, 2.0))
        )(function)
        return settings(max_examples=count)(decorated)

    return wrap


@only_standin
@gemm_test(300)
def test_gemm(cupy, product, alpha, beta):
    check(cupy, *product, alpha, beta)


@pytest.mark.gpu
@gemm_test(300)
def test_gemm_on_gpu(cupy, product, alpha, beta):
    check(cupy, *product, alpha, beta)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_large_products_on_gpu(cupy, dtype):
    a, b = numbers((3, 1000, 515), dtype, 1), numbers((3, 515, 700), dtype, 2)
    for a_layout, b_layout in itertools.product(("C", "transposed"), repeat=2):
        check(cupy, a, a_layout, b, b_layout, None, 1.0, 0.0)


@only_standin
def test_what_is_called(cupy):
    """What lies regularly takes one call and no copy; a batch against one matrix is one product with more rows."""
    from minitorch2_kernels.cuda import cublas
    from minitorch2_kernels.cuda.gemm import gemm

    library = cublas._library
    x = cupy.asarray(numbers((4, 6, 8, 8), np.dtype("f"), 0))
    w = cupy.asarray(numbers((8, 8), np.dtype("f"), 1))
    for expected, call in (
        (["gemm"], lambda: gemm(w, w.T)),
        (["gemm"], lambda: gemm(x, w)),
        (["gemm"], lambda: gemm(x, w.T)),
        (["gemm_batched"], lambda: gemm(x, x.swapaxes(-1, -2))),
        (["gemm_batched"], lambda: gemm(w, x)),
        # heads taken out of (batch, length, heads, size): two batch dims that are no single one
        (["gemm_batched"] * 4, lambda: gemm(x.swapaxes(1, 2), x.swapaxes(1, 2).swapaxes(-1, -2))),
    ):
        library.calls.clear()
        call()
        assert library.calls == expected


@only_standin
@pytest.mark.parametrize("allowed", [False, True])
def test_tf32_only_where_allowed(cupy, allowed):
    from minitorch2_kernels.cuda import cublas
    from minitorch2_kernels.cuda.gemm import gemm

    precision.set_float32_matmul("high" if allowed else "highest")
    try:
        for dtype in DTYPES:
            a = cupy.asarray(numbers((3, 3), dtype, 0))
            gemm(a, a)
            full = cublas.COMPUTE_64F if dtype == np.float64 else cublas.COMPUTE_32F
            is_tf32 = allowed and dtype == np.float32
            assert cublas._library.compute == (cublas.COMPUTE_32F_FAST_TF32 if is_tf32 else full)
    finally:
        precision.set_float32_matmul("highest")


@only_standin
def test_workspace_follows_the_stream(cupy):
    """Setting a stream makes cuBLAS forget its workspace, so each change of streams sets both; no change sets none."""
    from minitorch2_kernels.cuda import cublas
    from minitorch2_kernels.cuda.gemm import gemm

    library, a = cublas._library, cupy.ones((2, 2), "float32")
    stream = cupy.cuda.Stream(non_blocking=True)
    gemm(a, a)
    library.streams.clear()
    library.workspaces.clear()
    for where in (stream, stream, nullcontext(), stream):
        with where:
            gemm(a, a)
    assert library.streams == [stream.ptr, 0, stream.ptr]
    first, _, third = library.workspaces
    assert first == third  # one for each stream, kept


def test_errors(cupy):
    from minitorch2_kernels.cuda import cublas
    from minitorch2_kernels.cuda.gemm import gemm

    a, b = cupy.ones((2, 3), "float32"), cupy.ones((3, 4), "float32")
    with pytest.raises(ValueError, match="no common size"):
        gemm(a, a)
    with pytest.raises(ValueError, match="out has shape"):
        gemm(a, b, cupy.ones((2, 5), "float32"))
    with pytest.raises(ValueError, match="beta needs an out"):
        gemm(a, b, beta=1.0)
    with pytest.raises(ValueError, match="neither rows nor columns"):
        gemm(a, b, cupy.ones((2, 8), "float32")[:, ::2])
    with pytest.raises(RuntimeError, match="CUBLAS_STATUS_INVALID_VALUE when calling `cublasGemmEx`"):
        cublas.check(7, "cublasGemmEx")


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_integers_are_cupys(cupy, dtype):
    from minitorch2_kernels.cuda.gemm import gemm

    a = np.arange(6).reshape(2, 3).astype(dtype)
    found = gemm(cupy.asarray(a), cupy.asarray(a.T.copy()))
    np.testing.assert_array_equal(found.get(), a @ a.T)
    assert found.dtype == dtype
