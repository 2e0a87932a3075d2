"""CUDA kernels at the sizes of real networks, against their references computed by CuPy on the same GPU.

test_cuda_kernels.py draws small arrays, which also run emulated. These are large enough for many blocks, several pieces
of a workspace and every branch that sizes choose; they need a GPU.
"""

import cuda_cases
import numpy as np
import pytest

from minitorch2_kernels import KERNELS, precision

# N, C, H, W, O, KH, KW, stride, padding, dilation, groups
CONVOLUTIONS = {
    "LeNet, first": (64, 1, 28, 28, 6, 5, 5, 1, 2, 1, 1),
    "LeNet, second, batch 4": (4, 6, 14, 14, 16, 5, 5, 1, 0, 1, 1),
    "MNIST": (64, 32, 26, 26, 64, 3, 3, 1, 0, 1, 1),
    "ResNet, first": (16, 3, 224, 224, 64, 7, 7, 2, 3, 1, 1),
    "ResNet, wide maps": (128, 64, 32, 32, 64, 3, 3, 1, 1, 1, 1),
    "ResNet, small maps": (256, 512, 4, 4, 512, 3, 3, 1, 1, 1, 1),
    "ResNet, shortcut": (64, 64, 32, 32, 128, 1, 1, 2, 0, 1, 1),
    "bottleneck": (64, 256, 14, 14, 64, 1, 1, 1, 0, 1, 1),
    "bottleneck, small maps": (64, 512, 7, 7, 128, 1, 1, 1, 0, 1, 1),
    "depthwise": (32, 144, 56, 56, 144, 3, 3, 2, 1, 1, 144),
    "depthwise, 5x5": (32, 240, 28, 28, 240, 5, 5, 1, 2, 1, 240),
    "groups": (32, 128, 28, 28, 128, 3, 3, 1, 1, 1, 32),
    "dilated": (8, 64, 33, 35, 32, 3, 3, 1, 2, 2, 1),
}


def conv2d(name, draw):
    n, c, h, w, o, kh, kw, stride, padding, dilation, groups = CONVOLUTIONS[name]
    settings = (stride,) * 2, (padding,) * 2, (dilation,) * 2, groups
    out = [(size + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for size, k in ((h, kh), (w, kw))]
    x, weight, g = draw(n, c, h, w), draw(o, c // groups, kh, kw), draw(n, o, *out)
    return [
        ("conv2d", (x, weight, *settings)),
        ("conv2d_input_grad", (g, weight, (h, w), *settings)),
        ("conv2d_weight_grad", (g, x, (kh, kw), *settings)),
    ]


def pooling(name, draw):
    kernel, stride, padding, out = {
        "2x2": ((2, 2), (2, 2), (0, 0), (56, 56)),
        "3x3": ((3, 3), (2, 2), (1, 1), (56, 56)),
    }[name]
    x, g = draw(16, 64, 112, 112), draw(16, 64, *out)
    winner = KERNELS["max_pool2d"](x, kernel, stride, padding, (1, 1), out)[1]
    return [
        ("max_pool2d", (x, kernel, stride, padding, (1, 1), out)),
        ("max_pool2d_put", (g, winner, (112, 112), kernel, stride, padding, (1, 1))),
        ("max_pool2d_pick", (x, winner, kernel, stride, padding, (1, 1))),
        ("avg_pool2d", (x, 9, kernel, stride, padding, out)),
        ("avg_pool2d_put", (g, 9, (112, 112), kernel, stride, padding)),
    ]


def attention(name, draw):
    length = int(name)
    q, k, v, g = (draw(4, 8, length, 64) for _ in range(4))
    weights = KERNELS["attention"].reference(q, k, v, None, True, 0.125, None, 1.0)[1]
    kept = draw(4, 8, length, length) > 0
    return [
        ("attention", (q, k, v, None, True, 0.125, None, 1.0)),
        ("attention", (q, k, v, draw(4, 1, 1, length), False, 0.125, kept, 0.5)),
        ("attention_grad", (g, q, k, v, weights, 0.125, kept, 0.5, True)),
    ]


def recurrent(name, draw):
    sizes, width, r = (64,) * 20 + (40,) * 15, 256, 64 * 20 + 40 * 15
    h, c = draw(64, width), draw(64, width)
    calls = [
        ("rnn", (draw(r, width), h, draw(width, width) / 16, draw(width), False, sizes, False)),
        ("gru", (draw(r, 3 * width), h, draw(3 * width, width) / 16, draw(3 * width), sizes, True)),
        ("lstm", (draw(r, 4 * width), h, c, draw(4 * width, width) / 16, None, sizes, False)),
    ]
    gates, cells = KERNELS["lstm"].reference(*(a.copy() if hasattr(a, "copy") else a for a in calls[2][1]))[3:]
    return [
        *calls,
        ("lstm_grad", (draw(r, width), h, c, gates, cells, cells, draw(4 * width, width) / 16, None, sizes, False)),
    ]


def others(name, draw):
    import cupy

    x, g = draw(3, 1000003), draw(3, 1000003)
    index = cupy.asarray(np.random.RandomState(0).randint(0, 5000, 30000))
    return [
        ("gelu", (x,)),
        ("gelu_tanh", (x,)),
        ("silu", (x,)),
        ("sigmoid", (x,)),
        ("relu_grad", (g, cupy.maximum(x, 0))),
        ("hardtanh_grad", (g, x, -1.0, 1.0)),
        ("masked_scale", (x, g > 0, 0.5)),
        ("channel_sums", (draw(128, 64, 32, 32),)),
        ("channel_sums", (draw(8192, 768),)),
        ("channel_sums", (draw(50000, 10),)),
        ("index_add", (cupy.zeros((5000, 64), x.dtype), index, draw(30000, 64))),
    ]


CASES = [
    *((conv2d, name) for name in CONVOLUTIONS),
    *((pooling, name) for name in ("2x2", "3x3")),
    *((attention, name) for name in ("128", "500", "1024")),
    (recurrent, ""),
    (others, ""),
]


def compare(calls):
    """Each kernel's overrides for the GPU against its reference, on copies of the same arrays."""

    def fresh(args):
        return [a.copy() if hasattr(a, "get") else a for a in args]

    for name, args in calls:
        overrides = [f for supports, f in cuda_cases.own_overrides(KERNELS[name]) if supports(*args)]
        assert overrides, name
        expected = cuda_cases.to_host([KERNELS[name].reference(*fresh(args))])
        for override in overrides:
            found = cuda_cases.to_host([override(*fresh(args))])
            for ours, theirs in zip(found, expected, strict=True):
                # sums of up to some 100,000 products in another order
                largest = np.abs(theirs.astype(np.float64)).max()
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5 * largest, err_msg=override.__doc__)


@pytest.mark.gpu
@pytest.mark.parametrize(("make", "name"), CASES)
def test_as_the_reference(make, name, monkeypatch):
    monkeypatch.setattr(precision, "layers_allow_tf32", False)
    with cuda_cases.cupy_or_standin() as cupy:
        rng = np.random.RandomState(0)
        compare(make(name, lambda *shape: cupy.asarray(rng.standard_normal(shape).astype(np.float32))))


@pytest.mark.gpu
def test_gradients_repeat_bit_for_bit(monkeypatch):
    """Nothing but index_add adds with atomics, and that sorts where it is asked to."""
    from minitorch2_kernels import determinism

    monkeypatch.setattr(determinism, "required", True)
    with cuda_cases.cupy_or_standin() as cupy:
        rng = np.random.RandomState(0)
        calls = []
        for make, name in ((conv2d, "ResNet, wide maps"), (conv2d, "depthwise"), (pooling, "3x3"), (others, "")):
            calls += make(name, lambda *shape: cupy.asarray(rng.standard_normal(shape).astype(np.float32)))
        for name, args in calls:
            first, second = (
                cuda_cases.to_host([KERNELS[name](*(a.copy() if hasattr(a, "get") else a for a in args))])
                for _ in range(2)
            )
            for one, other in zip(first, second, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=name)
