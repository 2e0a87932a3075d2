"""Calls of the kernels that stand beside NumPy's own functions for long arrays, for test_kernels.py."""

import numpy as np

import minitorch2_kernels as K

EXACT, ANOTHER_ORDER = 0.0, 64.0  # as in test_kernels.py
ANOTHER_EXP = 4.0  # as in row_kernels.py

SHAPES = [(), (1,), (20,), (5, 20), (5, 1), (3, 5, 20), (3, 1, 20), (3, 5, 1), (1, 5, 1), (2, 3, 5, 20), (1, 3, 1, 20)]
SHAPES += [(1, 3, 1, 1), (7,), (3, 7)]


def fitting(d, count):
    """Shapes that broadcast together, most of them by rows of at least a vector."""
    shapes = [d.of(*SHAPES)]
    while len(shapes) < count:
        shape = d.of(*SHAPES)
        try:
            np.broadcast_shapes(shape, *shapes)
        except ValueError:
            continue
        shapes.append(shape)
    return shapes


def filled(d, shape):
    return d.array(*shape, special=True) if shape else np.asarray(d.array(1)[0])


def two(d):
    """Two arrays that broadcast, or one and a number."""
    a, b = (filled(d, shape) for shape in fitting(d, 2))
    if d.of(False, False, True):
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = d.of((a, np.broadcast_to(b, shape)), (np.broadcast_to(a, shape), b))
    if a.shape and d.of(False, False, True):
        return d.of((a, 2.5), (a, 3), (-1.5, a))
    return (a, b) if a.shape or b.shape else (d.array(5, 20), b)


def two_and_where(d):
    """As two, and perhaps the first as the place of the result."""
    a, b = two(d)
    fits = isinstance(a, np.ndarray) and a.shape == np.broadcast_shapes(a.shape, np.shape(b)) and 0 not in a.strides
    return (a, b, a) if fits and d.of(True, False) else (a, b)


def arrays(d):
    a, b = (filled(d, shape) for shape in fitting(d, 2))
    return a, b.astype(a.dtype)


def two_with_dims(d):
    return tuple(filled(d, shape or (1,)) for shape in fitting(d, 2))


def three_with_dims(d):
    return tuple(filled(d, shape or (1,)) for shape in fitting(d, 3))


def fmod(d):
    """With quotients of all sizes; two arrays, or one and a number."""
    a, b = two_with_dims(d)
    with np.errstate(all="ignore"):
        b = b * a.dtype.type(d.of(1, 1e-3, 1e-12, 1e-30))
    return d.of((a, b), (a, 0.5), (a, 3), (-1.5, b))


def division(d):
    """As fmod, or of integers, none by 0."""
    if d.of(False, True):
        return fmod(d)
    dtype, (a, b) = d.of(np.int32, np.int64), two_with_dims(d)
    high = d.of(10, np.iinfo(dtype).max)
    a, b = (d.rng.randint(-high, high, x.shape, dtype) for x in (a, b))
    b[b == 0] = -1
    return d.of((a, b), (a, 7), (-3, b))


def one(d):
    return (d.array(d.int(1, 9), d.int(1, 40), special=True),)


def slope(d):
    (x,) = one(d)
    return d.array(*x.shape, special=True), x


def positive(d):
    (x,) = one(d)
    return (abs(x),)


def interpolated(d):
    a, b = (filled(d, shape or (1,)) for shape in fitting(d, 2)) if d.of(True, False) else slope(d)
    return a, b, d.of(0.3, 0.5, -2.0, 1.5)


def choice(d):
    condition, a, b = fitting(d, 3)
    condition = d.rng.rand(*condition or (1,)) > 0.5
    a, b = filled(d, a), filled(d, b)
    return d.of((condition, a, b), (condition, a, 0.0), (condition, 2, b))


def sums(d):
    """Of rows, of columns and in between; of more than one run, piece or block of rows."""
    shape, axes = d.of(
        ((20,), (0,)),
        ((3, 20), (1,)),
        ((3, 300), (1,)),
        ((9, 20), (0,)),
        ((200, 17), (0,)),
        ((7, 600), (0,)),
        ((2, 9, 20), (1,)),
        ((2, 9, 20), (0, 1)),
        ((2, 9, 20), (1, 2)),
        ((2, 9, 20), (0, 1, 2)),
        ((2, 9, 20), (0, 2)),
        ((4, 3), (0,)),
        ((4, 3), ()),
    )
    return d.array(*shape), axes, d.of(False, True)


def extremes(d):
    """Of rows, short and long, and of columns."""
    shape, axes = d.of(
        ((3, 20), (1,)), ((2, 3, 70), (2,)), ((9, 20), (0,)), ((2, 9, 600), (1,)), ((2, 3, 9), (1, 2)), ((5, 3), (0,))
    )
    return d.array(*shape, special=True), axes, d.of(False, True), d.of(False, True)


def positions(d):
    x, axes, keepdims, largest = extremes(d)
    return x, d.of(axes[-1], axes[-1] - x.ndim), keepdims, largest


def euclidean(d):
    """Some of the points in both sets, or far from the origin."""
    batch = d.of((), (), (2,), (2, 1))
    m = d.of(1, 3, 9, 20)
    x1, x2 = d.array(*batch, d.int(1, 5), m, own=True), d.array(*batch, d.int(1, 5), m)
    if d.of(True, False):
        x1[..., 0, :] = x2[..., 0, :]
    away = x1.dtype.type(d.of(0, 0, 30 if d.dtype == "float32" else 3))  # float64 has no digits to spare for more
    return x1 + away, x2 + away


def order(d):
    """With equals, zeros of both signs and NaN; whole numbers too."""
    shape, axis = around(d, d.of(1, 7, 70))
    x = d.array(*shape, special=True)
    if d.of(False, False, True):
        x = np.round(d.array(*shape) * 4).astype(d.of(np.int32, np.int64, np.int16))
    return x, axis, d.of(False, True)


def first_few(d):
    """Without equals, of which any may be taken."""
    shape, axis = around(d, d.of(8, 70, 200))
    return d.array(*shape, own=True), d.int(1, shape[axis] // 8), axis, d.of(False, True)


def running_sums(d):
    shape, axis = around(d, d.int(1, 9))
    return d.array(*shape, special=True), axis, d.of(False, True)


def products(d):
    """Of rows, of more than one run, and of columns."""
    shape = d.of((20,), (3, 20), (2, 300), (2, 9, 20))
    axis = d.of(0, len(shape) - 1)
    return d.array(*shape), axis, d.of(False, True)


def running_products(d):
    return running_sums(d)[:2]


def running_positions(d):
    shape, axis = around(d, d.int(1, 9))
    return d.array(*shape, special=True), axis, d.of(False, True)


def copy(d):
    """An array to be written to and one of its shape, both in any order of memory."""
    shape = d.of((7,), (5, 20), (20, 37), (33, 16), (3, 17, 18), (2, 3, 4, 20), (2, 2, 3, 4, 5), (2, 1, 3, 1, 2, 3, 2))
    dtype = d.of("u1", "i2", "f4", "f8")

    def made():
        axes = sorted(range(len(shape)), key=lambda _: d.rng.rand()) if d.of(True, False) else range(len(shape))
        wide = d.rng.randint(0, 99, [shape[i] + d.of(0, 0, 3) for i in axes]).astype(dtype)
        cut = wide[tuple(slice(shape[i]) for i in axes)]
        return cut.transpose(np.argsort(axes))

    source = made()
    if d.of(False, False, True):
        source = np.flip(source, [axis for axis in range(len(shape)) if d.of(True, False)])
    elif d.of(False, False, True):
        source = np.broadcast_to(source[:1], shape)
    return made(), source


def around(d, size):
    """(shape, axis) of an array with `size` along the axis."""
    shape = [d.int(1, 4) for _ in range(d.int(1, 3))]
    axis = d.int(0, len(shape) - 1)
    return (*shape[:axis], size, *shape[axis + 1 :]), axis


def take_slices(d):
    shape, axis = around(d, d.int(1, 6))
    return d.array(*shape), d.rng.randint(-shape[axis], shape[axis], d.int(1, 9)), axis


def add_slices(d):
    shape, axis = around(d, d.int(1, 6))
    index = d.rng.randint(0, shape[axis], d.int(1, 9))
    index = d.of(index, np.sort(index), np.arange(2 * shape[axis]) // 2)
    values = d.array(*shape[:axis], len(index), *shape[axis + 1 :])
    return np.ascontiguousarray(d.array(*shape)), index, values, axis


def mix_slices(d):
    shape, axis = around(d, d.int(1, 6))
    wanted = d.of(2, 4), d.int(1, 9)
    return d.array(*shape), d.rng.randint(0, shape[axis], wanted), d.array(*wanted), axis


def unmix_slices(d):
    x, index, weights, axis = mix_slices(d)
    values = d.array(*x.shape[:axis], index.shape[1], *x.shape[axis + 1 :])
    return np.ascontiguousarray(x), index, weights, values, axis


def all_within(d):
    index = d.rng.randint(d.of(-1, 0), d.int(1, 9), (d.int(1, 4), d.int(1, 9)))
    return index.astype(d.of(np.int32, np.int64)), d.int(5, 9)


def gather(d):
    shape, axis = around(d, d.int(1, 6))
    wanted = (*shape[:axis], d.int(1, 9), *shape[axis + 1 :])
    return d.array(*shape), d.rng.randint(0, shape[axis], wanted), axis


def scatter_add(d):
    x, index, axis = gather(d)
    if d.of(False, False, True):
        index = index[tuple(slice(d.int(1, n)) for n in index.shape)]
    return np.ascontiguousarray(x), index, d.array(*index.shape), axis


def scatter(d):
    x, index, values, axis = scatter_add(d)
    return x, index, d.of(values, values, np.asarray(values.reshape(-1)[0])), axis


def scatter_extremes(d):
    x, index, values, axis = scatter_add(d)
    special = d.array(*values.shape, special=True)
    return x, index, special, axis, d.of(False, True)


def cast(d):
    x = d.array(d.int(1, 4), d.int(1, 9), special=True)
    x = np.asarray(d.of(x, x > 0, np.round(d.array(3, 5)).astype(d.of(np.int32, np.int64))))
    return x, np.dtype(d.of("float32", "float64", "float16", "bool"))


def float32s(d):
    """Every exponent, and what lies halfway between two float16 or two bfloat16."""
    bits = d.rng.randint(0, 2**32, (d.int(1, 9), d.int(1, 40)), np.uint32)
    halfway = d.of(0xFFFFFFFF, 0xFFFF8000, 0xFFFFF000)
    return ((bits & np.uint32(halfway)).view(np.float32),)


def halves(d):
    with np.errstate(all="ignore"):
        return (K.to_half.reference(float32s(d)[0]),)


def bfloat16s(d):
    return (K.narrow.reference(float32s(d)[0]),)


def special(d):
    """With what has no value or an infinite one, and on either side of 0."""
    x = d.array(d.int(1, 9), d.int(1, 40), special=True) * d.of(1, 5, 30)
    return (x if d.of(True, False) else abs(x),)


def erfinv(d):
    """On both sides of where its two polynomials meet, near 0.999, and at 1 and beyond."""
    x = d.array(d.int(1, 9), d.int(1, 40), special=True)
    with np.errstate(invalid="ignore"):
        return (d.of(x, np.tanh(x), np.tanh(4 * x)),)


def polygamma(d):
    return d.of(1, 1, 2), *special(d)


def incomplete_gamma(d):
    """Where each of the series, the fraction and the integral is taken."""
    a, x = (filled(d, shape) for shape in fitting(d, 2))
    a, x = abs(a) * a.dtype.type(d.of(1e-3, 1, 10, 300)), abs(x)
    with np.errstate(invalid="ignore"):
        return a, d.of(x, a * x, a * (1 + x / 10))


CASES = {
    **{name: (two_and_where, EXACT) for name in ("long_plus", "long_minus", "long_times", "long_over")},
    "prelu": (arrays, EXACT),
    "long_negative": (one, EXACT),
    "long_absolute": (one, EXACT),
    "long_absolute_grad": (slope, EXACT),
    "long_square_root": (positive, EXACT),
    "long_reciprocal_square_root": (positive, EXACT),
    "long_reciprocal": (one, EXACT),
    "long_cube": (one, EXACT),
    # a product is rounded with its sum, which a difference may follow that leaves a few digits
    "long_interpolated": (interpolated, ANOTHER_ORDER),
    "long_where": (choice, EXACT),
    **{f"long_{name}": (one, EXACT) for name in ("sign", "floor", "ceil", "rint", "trunc", "frac")},
    "long_finite": (lambda d: (*one(d), d.of(0.0, 0.5), 3e38, -3e38), EXACT),
    **{name: (two_with_dims, EXACT) for name in ("maximum", "minimum", "copysign")},
    "maximum_grad": (three_with_dims, EXACT),
    "fmod": (fmod, EXACT),
    "remainder": (division, EXACT),
    "floor_divide": (division, EXACT),
    "hypot": (two_with_dims, ANOTHER_EXP),
    "hypot_grad": (three_with_dims, EXACT),
    "logaddexp": (two_with_dims, ANOTHER_EXP),
    "logaddexp_grad": (three_with_dims, ANOTHER_EXP),
    **{name: (special, ANOTHER_EXP) for name in ("log", "log1p", "logit")},
    **{f"{name}_grad": (slope, EXACT) for name in ("log1p", "logit")},
    "long_sums": (sums, ANOTHER_ORDER),
    "long_products": (products, ANOTHER_ORDER),
    "long_running_positions": (running_positions, EXACT),
    "long_extremes": (extremes, EXACT),
    "long_positions": (positions, EXACT),
    "euclidean": (euclidean, ANOTHER_ORDER),
    "order": (order, EXACT),
    "first_few": (first_few, EXACT),
    "running_sums": (running_sums, EXACT),
    "running_products": (running_products, EXACT),
    "long_cast": (cast, EXACT),
    "to_half": (float32s, EXACT),
    "from_half": (halves, EXACT),
    "narrow": (float32s, EXACT),
    "widen": (bfloat16s, EXACT),
    "long_copy": (copy, EXACT),
    "erfinv": (erfinv, ANOTHER_ORDER),
    "lgamma": (special, ANOTHER_ORDER),
    "digamma": (special, ANOTHER_ORDER),
    "polygamma": (polygamma, ANOTHER_ORDER),
    "gammainc": (incomplete_gamma, ANOTHER_ORDER),
    "gammaincc": (incomplete_gamma, ANOTHER_ORDER),
    "all_within": (all_within, EXACT),
    "take_slices": (take_slices, EXACT),
    "gather": (gather, EXACT),
    "mix_slices": (mix_slices, ANOTHER_ORDER),
    "unmix_slices": (unmix_slices, ANOTHER_ORDER),
    # the reference adds to zeros first where the axis is not the first
    "add_slices": (add_slices, ANOTHER_ORDER),
    "scatter": (scatter, EXACT),
    "scatter_add": (scatter_add, ANOTHER_ORDER),
    "scatter_extremes": (scatter_extremes, EXACT),
}
