"""Cases of cuda_cases.py: convolution, pooling, recurrent layers, attention, scattering, single elements."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import row_kernels
import sequence_kernels
import test_kernels
from hypothesis import assume
from test_kernels import ANOTHER_ORDER, EXACT

from minitorch2_kernels.reference.conv import out_size

# exp, tanh and erf of another library, each off by an eps or two, through a handful of operations
OTHER_LIBRARY = 32.0


@contextlib.contextmanager
def tiny_blocks():
    """Small arrays then go all the ways that large ones go: direct or by columns, for some images at a time or all."""
    from minitorch2_kernels import precision
    from minitorch2_kernels.cuda import conv, depthwise, sums

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "SMALL", 300)
        patch.setattr(conv, "WORKSPACE", 2048)
        patch.setattr(conv, "WIDE", 9)
        patch.setattr(sums, "LEAST", 2)
        patch.setattr(depthwise, "THREADS_ENOUGH", 20)
        patch.setattr(precision, "layers_allow_tf32", False)
        yield


def average(draw):
    """A draw of average pooling with one divisor for all windows now and then."""

    def drawn(d):
        x, divisor, *rest = draw(d)
        return x, 4 if d.of(True, False) else np.ascontiguousarray(divisor), *rest

    return drawn


def long_rows(draw):
    """A draw of attention with as many keys as need more than one value per lane, or do not fit in registers."""

    def drawn(d):
        if not d.of(True, False, False):
            return draw(d)
        length, keys = d.int(1, 3), d.of(31, 33, 128, 129, 255, 257, 512, 1024, 1030)
        q, k, v = d.array(2, length, 3), d.array(2, keys, 3), d.array(2, keys, 2)
        mask = d.of(None, d.array(length, keys))
        kept = d.of(None, d.rng.rand(2, length, keys) < 0.5)
        return q, k, v, mask, d.of(True, False), 0.5, kept, 0.5

    return drawn


def attention_grad(d):
    q, k, v, mask, causal, scale, kept, keep = long_rows(sequence_kernels.attention)(d)
    weights = test_kernels.K.attention.reference(q, k, v, mask, causal, scale, kept, keep)[1]
    return d.array(*q.shape[:-1], v.shape[-1]), q, k, v, weights, scale, kept, keep, d.of(True, False)


def depthwise(d):
    """As Draw.convolution: what depthwise.py takes, with strips of many rows and of few."""
    taps, stride = d.of(3, 3, 5, 7), (d.int(1, 2), d.int(1, 3))
    if d.of(True, False):
        stride = (1, 1)
    channels, each, padding = d.int(1, 4), d.of(1, 1, 2), d.pair(0, 4)
    h, w = d.of(1, 3, 6, 17, 40), d.int(1, 9)
    out = tuple(out_size((h, w)[i], taps, stride[i], padding[i], 1) for i in (0, 1))
    assume(min(out) > 0)
    n, o = d.int(1, 3), channels * each
    return (n, channels, h, w), (o, 1, taps, taps), (n, o, *out), (stride, padding, (1, 1), channels)


def convolution(make):
    """A draw of a convolution, half of them depthwise. make(d, sizes) -> the arguments"""
    return lambda d: make(d, depthwise(d) if d.of(True, False) else d.convolution())


@convolution
def conv2d(d, sizes):
    x, w, _, settings = sizes
    return d.array(*x), d.array(*w), *settings


@convolution
def conv2d_input_grad(d, sizes):
    x, w, y, settings = sizes
    return d.array(*y), d.array(*w), x[2:], *settings


@convolution
def conv2d_weight_grad(d, sizes):
    x, w, y, settings = sizes
    return d.array(*y), d.array(*x), w[2:], *settings


def unfolding(d):
    """(image sizes, settings, output sizes)"""
    x, _, settings = d.pool()
    kernel, stride, padding, dilation = settings
    out = tuple(out_size(x[2 + i], kernel[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    return x, settings, out


def unfold(d):
    x, settings, _ = unfolding(d)
    return d.array(*x), *settings


def fold(d):
    x, (kernel, *rest), out = unfolding(d)
    return d.array(x[0], x[1] * kernel[0] * kernel[1], out[0] * out[1]), x[2:], kernel, *rest


def masked_scale(d):
    x = d.array(d.int(1, 5), d.int(1, 9), special=True)
    return x, d.rng.rand(*x.shape) < 0.5, d.of(0.5, 0.9)


def wide(draw):
    """A draw whose first array is now and then long enough for sixteen bytes at a time and a rest."""

    def drawn(d):
        args = draw(d)
        if d.of(True, False):
            return args
        n = d.of(16, 19, 1031)
        return tuple(np.resize(a, n) if isinstance(a, np.ndarray) else a for a in args)

    return drawn


def joined(d):
    """As many arrays as one launch takes and more, of few numbers; or few of many."""
    shape = [d.int(1, 3), d.int(1, 3)]
    axis, count = d.int(0, 1), d.of(1, 3, 32, 33, 513)
    sizes = (d.int(0, 2) if count > 3 else d.of(0, 1, 7, 300) for _ in range(count))
    return [d.array(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes], axis


def into(draw):
    """A draw with an array for the result now and then."""

    def drawn(d):
        args = draw(d)
        return (*args, np.zeros_like(args[0])) if d.of(True, False) else args

    return drawn


def relu_grad(d):
    y = np.maximum(d.array(d.int(1, 5), d.int(1, 9), special=True), 0)
    return d.array(*y.shape, special=True), y


def index_add(d):
    """Of any dtype; now and then wide rows, many repetitions."""
    out, index, values = row_kernels.index_add(d)
    if d.of(True, False):
        out, index, values = d.array(3, 5, 7, own=True), d.rng.randint(0, 3, 60), d.array(60, 5, 7)
    kind = d.of(None, None, "int64", "int32", "int16", "uint8", "int8", "bool")
    return (out, index, values) if kind is None else ((out * 50).astype(kind), index, (values * 50).astype(kind))


def two_alike(d):
    (x,) = sequence_kernels.gelu(d)
    return d.array(*x.shape), x


def _of(name, tolerance, draw=None):
    return draw or test_kernels.CASES[name][0], tolerance


CASES = {
    "conv2d": _of("conv2d", ANOTHER_ORDER, conv2d),
    "conv2d_input_grad": _of("conv2d_input_grad", ANOTHER_ORDER, conv2d_input_grad),
    "conv2d_weight_grad": _of("conv2d_weight_grad", ANOTHER_ORDER, conv2d_weight_grad),
    "unfold": _of("unfold", EXACT, unfold),
    "fold": _of("fold", EXACT, fold),
    "max_pool2d": _of("max_pool2d", EXACT),
    "max_pool2d_put": _of("max_pool2d_put", EXACT),
    "max_pool2d_pick": _of("max_pool2d_pick", EXACT),
    "avg_pool2d": _of("avg_pool2d", EXACT, average(test_kernels.avg_pool2d)),
    "avg_pool2d_put": _of("avg_pool2d_put", EXACT, average(test_kernels.avg_pool2d_put)),
    "joined": _of("joined", EXACT, joined),
    "relu": _of("relu", EXACT, wide(into(row_kernels.relu))),
    "hardtanh": _of("hardtanh", EXACT, wide(into(row_kernels.hardtanh))),
    "hardtanh_grad": _of("hardtanh_grad", EXACT, wide(row_kernels.hardtanh_grad)),
    "relu_grad": _of("relu_grad", EXACT, wide(relu_grad)),
    "gelu": _of("gelu", OTHER_LIBRARY, wide(sequence_kernels.gelu)),
    "gelu_grad": _of("gelu_grad", OTHER_LIBRARY, wide(sequence_kernels.gelu_grad)),
    "gelu_tanh": _of("gelu_tanh", OTHER_LIBRARY, wide(sequence_kernels.gelu)),
    "gelu_tanh_grad": _of("gelu_tanh_grad", OTHER_LIBRARY, wide(sequence_kernels.gelu_tanh_grad)),
    "sigmoid": _of("sigmoid", OTHER_LIBRARY, wide(sequence_kernels.gelu)),
    "sigmoid_grad": _of("sigmoid_grad", OTHER_LIBRARY, wide(two_alike)),
    "tanh_grad": _of("tanh_grad", OTHER_LIBRARY, wide(two_alike)),
    "silu": _of("silu", OTHER_LIBRARY, wide(sequence_kernels.gelu)),
    "silu_grad": _of("silu_grad", OTHER_LIBRARY, wide(two_alike)),
    "masked_scale": _of("masked_scale", EXACT, wide(masked_scale)),
    "index_add": _of("index_add", ANOTHER_ORDER, index_add),
    "channel_sums": _of("channel_sums", ANOTHER_ORDER),
    "rnn": _of("rnn", ANOTHER_ORDER),
    "rnn_grad": _of("rnn_grad", ANOTHER_ORDER),
    "lstm": _of("lstm", ANOTHER_ORDER),
    "lstm_grad": _of("lstm_grad", ANOTHER_ORDER),
    "gru": _of("gru", ANOTHER_ORDER),
    "gru_grad": _of("gru_grad", ANOTHER_ORDER),
    "attention": _of("attention", ANOTHER_ORDER, long_rows(sequence_kernels.attention)),
    "attention_grad": _of("attention_grad", ANOTHER_ORDER, attention_grad),
}
