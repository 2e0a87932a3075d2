"""Calls of the kernels of arithmetic, rectifiers, softmax, losses, biases, indices and many parameters at once, for
test_kernels.py."""

import numpy as np
from kernel_draws import channels_last

import minitorch2_kernels as K

EXACT, ANOTHER_ORDER = 0.0, 64.0  # as in test_kernels.py
ANOTHER_EXP = 4.0  # a polynomial of another library, and products rounded with their sums


def joined(d):
    shape = [d.int(1, 4) for _ in range(d.int(1, 3))]
    axis = d.int(0, len(shape) - 1)
    arrays = [d.array(*shape[:axis], d.int(0, 4), *shape[axis + 1 :]) for _ in range(d.int(1, 4))]
    return arrays, axis


def relu(d):
    return (d.array(d.int(1, 9), d.int(1, 40), special=True),)


def relu_grad(d):
    (x,) = relu(d)
    return d.array(*x.shape, special=True), np.maximum(x, 0)


def hardtanh(d):
    return d.array(d.int(1, 5), d.int(1, 9), special=True), -1.0, 1.0


def hardtanh_grad(d):
    x, low, high = hardtanh(d)
    return d.array(*x.shape, special=True), x, low, high


def tanh(d):
    x = d.array(d.int(1, 9), d.int(1, 40), special=True)
    return (x * x.dtype.type(d.of(1, 10, 100)),)


def tanh_grad(d):
    (x,) = tanh(d)
    return d.array(*x.shape), np.tanh(x)


def silu(d):
    """silu and its gradient are NaN at -inf, and what tells -1e30 from it is the reference's business."""
    x = d.array(d.int(1, 9), d.int(1, 40))
    return (x * x.dtype.type(d.of(1, 10)),)


def silu_grad(d):
    (x,) = silu(d)
    return d.array(*x.shape), x


def glu(d):
    shape, dim = d.of(((20,), 0), ((3, 40), 1), ((6, 20), 0), ((3, 4, 9), 1))
    return d.array(*shape) * d.of(1, 10), dim


def glu_grad(d):
    x, dim = glu(d)
    return d.array(*(n // 2 if axis == dim else n for axis, n in enumerate(x.shape))), x, dim


def logits_loss(d):
    x = d.array(d.int(1, 9), d.int(1, 40)) * d.of(1, 10)
    return x, d.rng.rand(*x.shape).astype(x.dtype)


def masked_scale(d):
    """Single numbers, or whole rows."""
    x = d.array(d.int(1, 9), d.int(1, 40), special=True)
    return x, d.rng.rand(len(x), d.of(1, x.shape[1])) > 0.3, 0.7


def softmax(d):
    shape = tuple(d.int(1, 9) for _ in range(d.int(1, 2)))
    return d.array(*shape, d.int(1, 40), special=True), d.of(len(shape), len(shape), 0)


def softmax_grad(d):
    x, axis = softmax(d)
    y = K.softmax.reference(x if np.isfinite(x).all() else np.zeros_like(x), axis)
    return d.array(*x.shape), y, axis


def log_softmax_grad(d):
    x, axis = softmax(d)
    x = np.round(x) if np.isfinite(x).all() else np.zeros_like(x)
    return d.array(*x.shape), x - 2, axis


def add_bias(d):
    """Rows of whole packs and others; what comes in is written to, and so without gaps."""
    y = np.ascontiguousarray(d.array(d.int(1, 3), d.int(1, 5), d.of(1, 3, 4), d.of(1, 4, 7)))
    y = d.of(y, y, channels_last(y))
    return y, np.ascontiguousarray(d.array(y.shape[1]))


def channel_sums(d):
    outer, channels, inner = d.of(
        (1, 1, 1), (3, 70, 1), (300, 33, 1), (7, 3, 5), (2, 5, 300), (5, 2, 2000), (9, 40, 49)
    )
    inner = ((), (1,))[d.int(0, 1)] if inner == 1 else ((inner,), (1, inner))[d.int(0, 1)]
    return (d.array(outer, channels, *inner),)


def nll_mean(d):
    shape = d.int(1, 9), d.int(1, 6), *(d.int(1, 3) for _ in range(d.of(0, 0, 1)))
    return d.array(*shape, special=True), d.rng.randint(0, shape[1], (shape[0], *shape[2:]))


def nll_mean_put(d):
    x, target = nll_mean(d)
    return d.array(1).reshape(()), target, x.shape


def cross_entropy_mean(d):
    x = d.array(d.int(1, 9), d.int(1, 9)) * d.of(1, 30)
    return x, d.rng.randint(0, x.shape[1], len(x))


def cross_entropy_mean_grad(d):
    x, target = cross_entropy_mean(d)
    return d.array(1).reshape(()), x, target, K.cross_entropy_mean.reference(x, target)[1]


def index_add(d):
    out = d.array(d.int(1, 6), *(d.int(1, 4) for _ in range(d.int(0, 2))), own=True)
    n = d.int(0, 12)
    return out, d.rng.randint(0, len(out), n), d.array(n, *out.shape[1:])


def take_mesh(d):
    """Rows and columns at random, or a stretch of these with some before and after it."""
    x = d.array(*d.of((), (2,), (2, 3)), d.int(1, 5), d.int(1, 9), special=True)
    h, w = x.shape[-2:]
    rows, columns = d.rng.randint(0, h, d.int(1, 6)), d.rng.randint(0, w, d.int(1, 9))
    if d.of(True, False):
        columns = np.concatenate([columns[:2], np.arange(w), columns[2:]])
    return x, rows, columns


def add_mesh(d):
    x, rows, columns = take_mesh(d)
    return d.array(*x.shape[:-2], len(rows), len(columns)), rows, columns, x.shape[-2:]


def bags(d):
    """A table, indices and the bag of each: some empty, some indices in none."""
    rows, count, n = d.int(1, 6), d.int(1, 6), d.int(0, 12)
    bag = np.sort(d.rng.randint(0, count, n))
    bag[d.rng.rand(n) < 0.2] = count
    return d.array(rows, d.int(1, 9), special=True), d.rng.randint(0, rows, n), bag, count


def bag_sums(d):
    table, indices, bag, count = bags(d)
    table = np.where(np.isfinite(table), table, 0)  # a product with infinity is no number, and its sign anyone's
    return table, indices, bag, count, d.of(None, d.array(indices.size)) if indices.size else None


def bag_sums_grad(d):
    table, indices, bag, count, factors = bag_sums(d)
    return d.array(count, table.shape[1]), indices, bag, len(table), factors


def bag_factors_grad(d):
    table, indices, bag, count, _ = bag_sums(d)
    return d.array(count, table.shape[1]), table, indices, bag


def grid_sample(d):
    """Places in the image and around it, some of them infinite."""
    n, c, h, w = d.int(1, 4), d.int(1, 3), d.int(1, 5), d.int(1, 5)
    grid = d.array(n, d.int(1, 4), d.int(1, 5), 2, special=True)
    return d.array(n, c, h, w), grid, d.of("zeros", "border", "reflection"), d.of(True, False)


def grid_sample_grad(d):
    x, grid, *settings = grid_sample(d)
    return (
        d.array(*x.shape[:2], *grid.shape[1:3]),
        x,
        grid,
        *settings,
        *d.of((True, True), (True, False), (False, True)),
    )


def _many(single, states):
    """Lists of what `single` draws, and of a few arrays more."""

    def draw(d):
        first = single(d)
        lists = [None if a is None else [a] for a in first[: 2 + states]]
        for _ in range(d.int(0, 4)):
            shape = tuple(d.int(1, 9) for _ in range(d.int(1, 2)))
            for i, arrays in enumerate(lists):
                if arrays is not None:
                    a = d.array(*shape, own=True)
                    arrays.append(abs(a) if i > 2 else a)
        return (*lists, *first[2 + states :])

    return draw


def cases(sgd, adam, state):
    """name -> (draw, tolerance), from the draws of the updates of one parameter and of its state."""

    def rprop(d):
        return *state(d, 2, (3,)), 0.5, 1.2, 1e-6, 50, d.of(True, False)

    def asgd(d):
        return *state(d, 1), 0.1, d.of(1.0, 0.25), 1e-4, d.of(0.0, 0.1), d.of(True, False)

    return {
        "rprop": (rprop, EXACT),
        "asgd": (asgd, EXACT),
        "joined": (joined, EXACT),
        "take_mesh": (take_mesh, EXACT),
        "add_mesh": (add_mesh, ANOTHER_ORDER),
        "bag_sums": (bag_sums, ANOTHER_ORDER),  # a product is rounded once with its sum
        "bag_sums_grad": (bag_sums_grad, ANOTHER_ORDER),
        "bag_factors_grad": (bag_factors_grad, ANOTHER_ORDER),
        "bag_largest": (bags, EXACT),
        "grid_sample": (grid_sample, ANOTHER_ORDER),  # products are rounded once with their sums
        "grid_sample_grad": (grid_sample_grad, ANOTHER_ORDER),
        **{name: (relu, EXACT) for name in ("hardsigmoid", "hardswish")},
        **{f"{name}_grad": (relu_grad, EXACT) for name in ("hardsigmoid", "hardswish")},
        "leaky_relu": (lambda d: (*relu(d), 0.1), EXACT),
        "leaky_relu_grad": (lambda d: (*relu_grad(d), 0.1), EXACT),
        "hardtanh": (hardtanh, EXACT),
        "hardtanh_grad": (hardtanh_grad, EXACT),
        "threshold": (lambda d: (*relu(d), 0.5, d.of(0.0, 2.0)), EXACT),
        "threshold_grad": (lambda d: (*relu_grad(d), 0.5), EXACT),
        **{name: (lambda d: (*relu(d), 0.5), EXACT) for name in ("hardshrink", "softshrink")},
        "shrink_grad": (lambda d: (*relu_grad(d), 0.5), EXACT),
        "masked_scale": (masked_scale, EXACT),
        "huber": (lambda d: (*tanh(d), d.of(1.0, 0.3)), ANOTHER_EXP),
        "logits_loss": (logits_loss, ANOTHER_EXP),
        "logits_loss_grad": (lambda d: (d.array(3, 20), d.array(3, 20), d.array(3, 20)), ANOTHER_EXP),
        "relu": (relu, EXACT),
        "relu_grad": (relu_grad, EXACT),
        "exp": (silu, ANOTHER_EXP),
        "expm1": (silu, ANOTHER_EXP),
        "softplus": (lambda d: (*tanh(d), d.of(1.0, 0.5, 3.0), 20.0), ANOTHER_EXP),
        "softplus_grad": (lambda d: (*tanh_grad(d), d.of(1.0, 0.5, 3.0), 20.0), ANOTHER_EXP),
        "erf": (tanh, ANOTHER_EXP),
        "elu": (lambda d: (*tanh(d), 1.5, 0.7, 2.0), ANOTHER_EXP),
        "elu_grad": (lambda d: (*tanh_grad(d), 1.5, 0.7, 2.0), ANOTHER_EXP),
        "tanh": (tanh, ANOTHER_EXP),
        "tanh_grad": (tanh_grad, ANOTHER_EXP),
        "sigmoid": (tanh, ANOTHER_EXP),
        "sigmoid_grad": (tanh_grad, ANOTHER_EXP),
        "log_sigmoid": (tanh, ANOTHER_EXP),
        "log_sigmoid_grad": (tanh_grad, ANOTHER_EXP),
        "silu": (silu, ANOTHER_EXP),
        "silu_grad": (silu_grad, ANOTHER_EXP),
        "glu": (glu, ANOTHER_EXP),
        "glu_grad": (glu_grad, ANOTHER_EXP),
        "softmax": (softmax, ANOTHER_ORDER),
        "softmax_grad": (softmax_grad, ANOTHER_ORDER),
        "log_softmax": (softmax, ANOTHER_ORDER),
        "log_softmax_grad": (log_softmax_grad, ANOTHER_ORDER),
        "add_bias": (add_bias, EXACT),
        "channel_sums": (channel_sums, ANOTHER_ORDER),
        "index_add": (index_add, EXACT),
        "nll_mean": (nll_mean, ANOTHER_ORDER),
        "nll_mean_put": (nll_mean_put, EXACT),
        "cross_entropy_mean": (cross_entropy_mean, ANOTHER_ORDER),
        "cross_entropy_mean_grad": (cross_entropy_mean_grad, ANOTHER_ORDER),
        "sgd_many": (_many(sgd, 1), EXACT),
        "adam_many": (_many(adam, 3), EXACT),
    }
