"""Every override of every kernel against its reference, on drawn inputs and one, two and three threads.

The blocks are made tiny here, so that small arrays are cut and shared as large ones are.
"""

import long_kernels
import norm_kernels
import numpy as np
import pytest
import row_kernels
import sequence_kernels
from hypothesis import given
from hypothesis import strategies as st
from kernel_draws import Draw, copied
from reached import assert_all_reached
from tiny_blocks import forget_plans, tiny

import minitorch2_kernels as K
from minitorch2_kernels import KERNELS
from minitorch2_kernels.cpu import blas, channels_last, gathered, jit
from minitorch2_kernels.cpu.pool import get_num_threads, set_num_threads

OVERRIDDEN = {name: kernel for name, kernel in KERNELS.items() if kernel.overrides}
THREADS = (1, 2, 3)

EXACT = 0.0  # the override does the reference's own arithmetic, in the reference's order
ANOTHER_ORDER = 64.0  # eps times the sum of magnitudes: it sums the same products in another order


@pytest.fixture(autouse=True, scope="module")
def tiny_blocks():
    with pytest.MonkeyPatch.context() as patch:
        tiny(patch)
        yield
    forget_plans()


@pytest.fixture(autouse=True)
def threads_as_found():
    before = get_num_threads(), blas.get_threads() if blas.controllable else 0
    yield
    set_num_threads(before[0])
    after = get_num_threads(), blas.get_threads() if blas.controllable else 0
    assert before == after, "NumPy's BLAS has another number of threads than before"


def conv2d(d):
    x, w, _, settings = d.convolution()
    return *d.images(x), d.array(*w), *settings


def conv2d_input_grad(d):
    x, w, y, settings = d.convolution()
    return *d.images(y), d.array(*w), x[2:], *settings


def conv2d_weight_grad(d):
    x, w, y, settings = d.convolution()
    return *d.images(y, x), w[2:], *settings


def max_pool2d(d):
    x, out, settings = d.pool()
    return d.array(*x, special=True), *settings, out


def winners(d, x, out, settings):
    return K.max_pool2d.reference(d.array(*x), *settings, out)[1]


def pick(d):
    shape = d.int(1, 6), d.int(1, 6), *(d.int(1, 3) for _ in range(d.int(0, 2)))
    return d.array(*shape, special=True), d.rng.randint(0, shape[1], (shape[0], *shape[2:]))


def put(d):
    x, index = pick(d)
    return d.array(*index.shape), index, x.shape


def max_pool2d_put(d):
    x, out, settings = d.pool()
    return d.array(*x[:2], *out), winners(d, x, out, settings), x[2:], *settings


def max_pool2d_pick(d):
    x, out, settings = d.pool()
    return d.array(*x), winners(d, x, out, settings), *settings


def avg_pool2d(d):
    x, out, (kernel, stride, padding, _) = d.pool(dilated=False)
    return d.array(*x), d.array(*out) ** 2 + 1, kernel, stride, padding, out


def avg_pool2d_put(d):
    x, out, (kernel, stride, padding, _) = d.pool(dilated=False)
    return d.array(*x[:2], *out), d.array(*out) ** 2 + 1, x[2:], kernel, stride, padding


def adaptive_pool2d(d):
    batch = d.of((), (2,), (2, 3))
    return d.array(*batch, *d.pair(1, 8), special=True), d.pair(1, 5)


def adaptive_avg_pool2d(d):
    x, out = adaptive_pool2d(d)
    return np.where(np.isfinite(x), x, 1), out


def adaptive_avg_pool2d_put(d):
    batch = d.of((), (2,), (2, 3))
    return d.array(*batch, *d.pair(1, 5)), d.pair(1, 8)


def plane_put(d):
    g, size = d.array(d.int(1, 3), d.int(1, 3), d.int(1, 9)), d.int(1, 9)
    return g, d.rng.randint(0, size, g.shape), size


def state(d, count, positive=()):
    """param, grad and `count` arrays of state; those of the given numbers not negative."""
    shape = tuple(d.int(1, 9) for _ in range(d.int(0, 2)))
    arrays = [d.array(*shape, own=True) if shape else np.asarray(d.array(1)[0]) for _ in range(2 + count)]
    return [np.asarray(np.abs(a)) if i in positive else a for i, a in enumerate(arrays)]


def sgd(d):
    param, grad, buffer = state(d, 1)
    momentum = d.of(0.0, 0.9)
    buffer = buffer if momentum else None
    return (
        param,
        grad,
        buffer,
        0.1,
        momentum,
        d.of(0.0, 0.5),
        d.of(0.0, 0.1),
        d.of(True, False),
        d.of(True, False),
        d.of(True, False),
    )


def adam(d):
    amsgrad = d.of(True, False)
    param, grad, avg, square, top = state(d, 3, (3, 4))
    return (
        param,
        grad,
        avg,
        square,
        top if amsgrad else None,
        d.int(1, 5),
        0.1,
        0.9,
        0.99,
        1e-8,
        d.of(0.0, 0.1),
        d.of(True, False),
        d.of(True, False),
    )


def rmsprop(d):
    centered, momentum = d.of(True, False), d.of(0.0, 0.9)
    param, grad, square, average, buffer = state(d, 3, (2,))
    square = square + average**2 if centered else square
    return (
        param,
        grad,
        square,
        average if centered else None,
        buffer if momentum else None,
        0.1,
        0.99,
        1e-8,
        d.of(0.0, 0.1),
        momentum,
        d.of(True, False),
    )


def adagrad(d):
    return *state(d, 1, (2,)), d.int(1, 5), 0.1, d.of(0.0, 0.1), 1e-10, d.of(0.0, 0.1), d.of(True, False)


def adadelta(d):
    return *state(d, 2, (2, 3)), 1.0, 0.9, 1e-6, d.of(0.0, 0.1), d.of(True, False)


def adamax(d):
    return *state(d, 2, (3,)), d.int(1, 5), 0.1, 0.9, 0.99, 1e-8, d.of(0.0, 0.1), d.of(True, False)


def nadam(d):
    return (
        *state(d, 2, (3,)),
        d.int(1, 5),
        0.86,
        0.87,
        0.7,
        0.1,
        0.9,
        0.99,
        1e-8,
        d.of(0.0, 0.1),
        d.of(True, False),
        d.of(True, False),
    )


def radam(d):
    return (*state(d, 2, (3,)), d.int(1, 9), 0.1, 0.9, 0.99, 1e-8, d.of(0.0, 0.1), d.of(True, False), d.of(True, False))


def product(d):
    """Of two matrices, or of as many pairs as threads and more, rows or columns without gaps."""
    m, k, n = d.int(1, 9), d.of(1, d.int(1, 9)), d.int(1, 9)
    batch = d.of((), (3,), (2, 3))
    a, b = d.array(*batch, m, k), d.array(*batch, k, n)
    if batch and d.of(True, False):
        a = np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2)
    if len(batch) == 2 and d.of(True, False):
        b = np.ascontiguousarray(b.swapaxes(0, 1)).swapaxes(0, 1)
    return a, b


CASES = {
    "matmul": (product, ANOTHER_ORDER),
    "conv2d": (conv2d, ANOTHER_ORDER),
    "conv2d_input_grad": (conv2d_input_grad, ANOTHER_ORDER),
    "conv2d_weight_grad": (conv2d_weight_grad, ANOTHER_ORDER),
    "max_pool2d": (max_pool2d, EXACT),
    "max_pool2d_put": (max_pool2d_put, ANOTHER_ORDER),  # where windows overlap
    "pick": (pick, EXACT),
    "put": (put, EXACT),
    "max_pool2d_pick": (max_pool2d_pick, EXACT),
    "avg_pool2d": (avg_pool2d, ANOTHER_ORDER),
    "avg_pool2d_put": (avg_pool2d_put, ANOTHER_ORDER),
    "adaptive_avg_pool2d": (adaptive_avg_pool2d, ANOTHER_ORDER),
    "adaptive_avg_pool2d_put": (adaptive_avg_pool2d_put, ANOTHER_ORDER),
    "adaptive_max_pool2d": (adaptive_pool2d, EXACT),
    "plane_put": (plane_put, EXACT),
    "sgd": (sgd, EXACT),
    "adam": (adam, EXACT),
    "rmsprop": (rmsprop, EXACT),
    "adagrad": (adagrad, EXACT),
    "adadelta": (adadelta, EXACT),
    "adamax": (adamax, EXACT),
    "nadam": (nadam, EXACT),
    "radam": (radam, EXACT),
    **sequence_kernels.CASES,
    **long_kernels.CASES,
    **norm_kernels.CASES,
    **row_kernels.cases(sgd, adam, state),
}


HERE = [name for name in CASES if name in OVERRIDDEN or jit.available]  # some have no override but a compiled one


def test_every_overridden_kernel_has_a_case():
    assert set(HERE) == set(OVERRIDDEN)


def mapped(function, args):
    """args with `function` of every array in them, and in lists of arrays; one that comes twice stays one."""
    made = {}

    def of(a):
        if type(a) is list:
            return [of(each) for each in a]
        if isinstance(a, np.ndarray) and id(a) not in made:
            made[id(a)] = function(a)
        return made.get(id(a), a)

    return tuple(map(of, args))


def results(function, args, copied=copied):
    """What a kernel returns, and its arguments afterwards: the optimizer updates write to theirs."""
    args = mapped(copied, args)
    with np.errstate(all="ignore"):
        result = function(*args)
    returned = result if isinstance(result, tuple) else (result,)
    flat = [r for value in (*returned, *args) for r in (value if type(value) is list else (value,))]
    return [r for r in flat if isinstance(r, np.ndarray)]


def assert_same(ours, reference, tolerance, what):
    assert len(ours) == len(reference)
    for a, b in zip(ours, reference, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, f"{what}: {a.dtype} {a.shape}, reference {b.dtype} {b.shape}"
        if tolerance == EXACT or a.dtype.kind != "f":
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"{what}:\n{a}\nreference:\n{b}"
        else:
            different = (a != b) & ~(np.isnan(a) & np.isnan(b))  # not the infinities of a mask
            bound = tolerance * np.finfo(a.dtype).eps * max(1.0, np.abs(b[different]).max(initial=0.0))
            assert np.abs(a[different] - b[different]).max(initial=0.0) <= bound, f"{what}:\n{a}\nreference:\n{b}"


@pytest.mark.parametrize("name", HERE)
@given(data=st.data())
def test_overrides(name, data):
    """Each override that supports the input, and whatever the dispatcher chooses, against the reference."""
    draw, tolerance = CASES[name]
    kernel = OVERRIDDEN[name]
    args = draw(Draw(data.draw))
    with K.use_reference():  # a reference may be made of other kernels
        expected = results(kernel.reference, args)
        assert_same(results(kernel, args), expected, EXACT, f"{name} under use_reference()")
    for threads in THREADS:
        set_num_threads(threads)
        assert_same(results(kernel, args), expected, tolerance, f"{name} on {threads} threads")
        for supports, override in kernel.overrides:
            if supports(*args):
                what = f"{name}: {override.__doc__} on {threads} threads"
                assert_same(results(override, args), expected, tolerance, what)


@pytest.mark.parametrize("name", HERE)
def test_overrides_are_reached(name):
    """Ordinary float32 arrays in row-major order find an override, those with gaps and broadcast ones an override for
    these: the fast path is not dead code."""
    draw, _ = CASES[name]
    overrides = {True: [], False: []}
    for supports, override in OVERRIDDEN[name].overrides:
        overrides[override.__module__ in (gathered.__name__, channels_last.__name__)].append(supports)
    assert_all_reached(overrides[False], lambda d: mapped(np.ascontiguousarray, draw(Draw(d))), 300)
    as_drawn_or_with_gaps = st.sampled_from([np.asarray, with_gaps])
    assert_all_reached(overrides[True], lambda d: mapped(d(as_drawn_or_with_gaps), draw(Draw(d))), 1500)


def with_gaps(a):
    """The same rows, each with a gap after it."""
    return np.concatenate([a, a], axis=-1)[..., : a.shape[-1]] if a.ndim > 1 else a


@pytest.mark.parametrize("shape", [(2, 3, 20), (2, 3, 1, 20)])
def test_rows_that_repeat_between_others(shape):
    """They are no rows with gaps, whose distance is one number."""
    rows = np.random.RandomState(0).standard_normal((2, *(1,) * (len(shape) - 2), 40))[..., :20]
    x = np.broadcast_to(rows, shape)
    np.testing.assert_array_equal(KERNELS["long_plus"](x, x), x + x)


@pytest.mark.skipif(not blas.controllable, reason="NumPy's BLAS here has no thread count to set")
@pytest.mark.parametrize("found", [1, 2])
def test_blas_threads_are_given_back(found):
    """Whatever number the user has set for NumPy, that is what a kernel leaves behind, an error included."""
    before = blas.get_threads()
    try:
        blas.set_threads(found)
        set_num_threads(3)
        rng = np.random.RandomState(0)
        x, w = rng.standard_normal((6, 2, 8, 8)), rng.standard_normal((4, 2, 3, 3))
        K.conv2d(x, w, (1, 1), (0, 0), (1, 1), 1)
        assert blas.get_threads() == found
        with pytest.raises(ValueError), blas.one_thread():
            assert blas.get_threads() == 1
            raise ValueError
        assert blas.get_threads() == found
    finally:
        blas.set_threads(before)
