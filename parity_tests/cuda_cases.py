"""Calls of the CUDA kernels, for test_cuda_kernels.py and others: what to draw, what to compare with, how closely.

A kernel with overrides for the GPU is held to its reference on NumPy by the draws of test_kernels.py; it needs a row in
`KERNELS` only. What is no such kernel (the multi-tensor optimizers, the random numbers) goes into `FUNCTIONS`.

On a machine with a GPU the arrays are CuPy's and the kernels run there. Elsewhere the stand-in for CuPy holds the
arrays and the sources run emulated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cuda_cases_shapes
import norm_kernels
import numpy as np
import test_kernels
from kernel_draws import copied
from on_gpu import REAL, gpu

from minitorch2.core import device
from minitorch2_kernels import dispatch
from minitorch2_kernels.reference import cast

SOURCES = Path(dispatch.__file__).with_name("cuda")  # where the .cu files are
EXACT = 0.0
ANOTHER_ORDER = test_kernels.ANOTHER_ORDER
FUSED = 8.0  # the reference's operations in its order, some of them contracted to a fused multiply-add


class Case(NamedTuple):
    draw: Callable[[Any], tuple]  # test_kernels.Draw -> the arguments, arrays NumPy's
    tolerance: float  # in units of the dtype's eps and of the largest value


def kernel(name: str, tolerance: float, draw: Callable | None = None) -> Case:
    """The case of a kernel of that name: the CPU's draw, unless the GPU's needs other sizes."""
    return Case(draw or test_kernels.CASES[name][0], tolerance)


def linear(d):
    rows, inputs, outputs = d.int(1, 9), d.int(1, 9), d.int(1, 9)
    return d.array(rows, inputs), d.array(outputs, inputs), d.array(outputs) if d.int(0, 1) else None


def sgd(d):
    """test_kernels.sgd with sizes that reach beyond one pack and one block's chunk."""
    param, grad, buffer, *rest = test_kernels.sgd(d)
    shape = (d.of(0, 1, 3, 4, 8, 63, 64, 2048, 2049, 4100),)
    return tuple(None if a is None else d.array(*shape, own=True) for a in (param, grad, buffer)) + tuple(rest)


def adam(d):
    param, grad, avg, square, top, *rest = test_kernels.adam(d)
    shape = (d.of(0, 1, 3, 4, 8, 63, 64, 2048, 2049, 4100),)
    arrays = [None if a is None else d.array(*shape, own=True) for a in (param, grad, avg, square, top)]
    return (*arrays[:3], *(None if a is None else abs(a) for a in arrays[3:]), *rest)


def many(single, state: int):
    """Lists of what `single` draws: as many as do or do not fit one launch, some not on a multiple of 16 bytes."""

    def draw(d):
        first = single(d)
        lists = [None if a is None else [a] for a in first[: 2 + state]]
        for _ in range(d.of(0, 1, 3, 63, 64, 513)):
            n, offset = d.of(0, 1, 5, 40), d.of(0, 0, 1)
            for i, arrays in enumerate(lists):
                if arrays is not None:
                    a = np.ascontiguousarray(d.rng.standard_normal(n + offset).astype(d.dtype)[offset:])
                    arrays.append(abs(a) if i > 2 else a)
        return lists, list(first[2 + state :])

    return draw


def sgd_many(d):
    lists, rest = many(sgd, 1)(d)
    if d.of(True, False):
        rest[0] = np.asarray(rest[0], d.dtype)
    return (*lists, *rest)


def adam_many(d):
    lists, rest = many(adam, 3)(d)
    if d.of(True, False):
        dtype = d.of("float32", "float64")
        rest[0] = [np.asarray(d.int(0, 5), dtype) for _ in lists[0]]
    if d.of(True, False):
        rest[1] = np.asarray(rest[1], d.dtype)
    return (*lists, *rest)


WIDTHS = (1, 3, 4, 32, 64, 65, 200, 256, 300, 1024, 1025, 2052, 4096)  # for each way to hold a row, and at its ends


def softmax(d):
    kind = d.of("rows", "rows", "wide", "columns")
    if kind == "columns":
        x = d.array(*(d.int(1, 6) for _ in range(d.int(2, 4))), special=True)
        return x, d.int(-x.ndim, x.ndim - 1)
    width = d.of(*WIDTHS) if kind == "rows" else d.of(4097, 5000)
    return d.array(d.int(1, 9) if width < 2000 else 2, width, special=True) * d.of(1, 30), d.of(1, -1)


def softmax_grad(d):
    """Rows for a warp and for a block, columns; y may be anything."""
    kind = d.of("rows", "rows", "wide", "columns")
    if kind == "columns":
        shape = tuple(d.int(1, 6) for _ in range(d.int(2, 4)))
        return d.array(*shape), d.array(*shape), d.int(-len(shape), len(shape) - 1)
    shape = (d.int(1, 20), d.int(1, 70)) if kind == "rows" else (d.int(1, 3), d.of(1023, 1024, 1500))
    return d.array(*shape), d.array(*shape), d.of(1, -1)


def targets(d):
    """(x, class indices) with and without dims beyond the classes."""
    rest = d.of((), (3,), (2, 4))
    x = d.array(d.int(1, 40), d.int(1, 11), *rest)
    return x, d.rng.randint(0, x.shape[1], (x.shape[0], *rest))


def class_scale(d):
    """Targets in and out of range, some to be ignored."""
    x, target = targets(d)
    classes = x.shape[1]
    target = np.where(d.rng.rand(*target.shape) < 0.2, d.of(-100, -1, classes, 2), target)
    kind = d.of(np.int64, np.int32) if target.min() < 0 else d.of(np.int64, np.uint8)
    weight = abs(d.array(classes)) if d.of(True, False) else None
    return target.astype(kind), weight, classes, d.of(-100, 2), np.dtype(d.dtype)


def nll(d):
    x, target = targets(d)
    return x, target, d.of(None, np.round(d.array(*target.shape)))


def nll_put(d):
    x, target, scale = nll(d)
    g = d.array(*target.shape)
    return np.broadcast_to(g.ravel()[:1], g.shape) if d.of(True, False) else g, target, scale, x.shape


def layer_norm(d):
    width = d.of(*WIDTHS)
    x = d.array(d.int(0, 40) if width < 100 else d.int(1, 3), width)
    weight, bias = (d.array(width) if d.of(True, False) else None for _ in range(2))
    return x, weight, bias, 1e-5


def layer_norm_grad(d):
    x, weight, bias, eps = layer_norm(d)
    _, mean, rstd = dispatch.KERNELS["layer_norm"].reference(x, weight, bias, eps)
    return d.array(*x.shape), x, mean, rstd, weight


def moments(d):
    """Runs too short, short and long, in packs and not; few images and many."""
    images, channels, length = d.of(1, 2, 5, 40), d.of(1, 3, 4, 33), d.of(1, 2, 4, 7, 8, 9, 16, 49, 64, 1028, 5000)
    return (d.array(images if length < 1000 else 2, channels, length),)


def statistics(d):
    (x,) = moments(d)
    running = (abs(d.array(x.shape[1], own=True)) if d.of(True, False) else None for _ in range(2))
    return x, d.of(1e-5, 0.1), *running, d.of(0.0, 0.1, 1.0)


def kept_statistics(d):
    channels = d.of(1, 3, 257)
    return d.array(channels), abs(d.array(channels)), d.of(1e-5, 0.1), d.dtype


def normalize(d):
    (x,) = moments(d)
    weight, bias = (d.array(x.shape[1]) if d.of(True, False) else None for _ in range(2))
    return x, d.array(x.shape[1]), d.array(x.shape[1]) ** 2, weight, bias


def normalize_grad(d):
    x, mean, rstd, weight, _ = normalize(d)
    return d.array(*x.shape), x, mean, rstd, weight, d.of(True, False)


def own_overrides(kernel) -> list[tuple[Callable, Callable]]:
    """(supports, function) of each override for the GPU but cuDNN's, which test_cudnn.py is about."""
    return [pair for pair in kernel.cuda_overrides if not pair[1].__module__.endswith("cudnn_conv")]


def floats(d):
    """float32 with NaN, infinities and what lies halfway between two bfloat16."""
    d.dtype = "float32"
    x = d.array(*(d.of(0, 1, 7, 8, 9, 64, 300) for _ in range(d.int(1, 2))), special=True)
    if d.of(True, False):
        x = (x.copy().view(np.uint32) & 0xFFFF8000).view(np.float32)
    return (x,)


def bfloat16s(count):
    def draw(d):
        (x,) = floats(d)
        return tuple(cast.narrow.reference(d.rng.permutation(x.reshape(-1)).reshape(x.shape)) for _ in range(count))

    return draw


def gradients(d):
    """Arrays within one block's chunk and beyond it, more than one launch takes now and then."""
    sizes = [d.of(0, 1, 5, 2048, 5000) for _ in range(d.int(1, 3))] * d.of(1, 1, 200)
    return [d.array(size, own=True) for size in sizes]


def unscale(d):
    grads = gradients(d)
    if grads[0].size and d.of(True, False):
        grads[0][-1] = d.of(np.inf, -np.inf, np.nan)
    return grads, np.asarray(0.5, np.float32), np.zeros((), np.float32)


# The kernels with overrides for the GPU, by name.
KERNELS: dict[str, Case] = {
    "matmul": kernel("matmul", ANOTHER_ORDER),
    "linear": kernel("linear", ANOTHER_ORDER, linear),
    "pick": kernel("pick", EXACT),
    "put": kernel("put", EXACT),
    **{name: Case(*case) for name, case in cuda_cases_shapes.CASES.items()},
    "softmax": kernel("softmax", ANOTHER_ORDER, softmax),
    "log_softmax": kernel("log_softmax", ANOTHER_ORDER, softmax),
    "softmax_grad": kernel("softmax_grad", ANOTHER_ORDER, softmax_grad),
    "log_softmax_grad": kernel("log_softmax_grad", ANOTHER_ORDER, softmax_grad),
    "add_bias": kernel("add_bias", EXACT),
    "widen": kernel("widen", EXACT, bfloat16s(1)),
    "narrow": kernel("narrow", EXACT, floats),
    "add_bfloat16": kernel("add_bfloat16", EXACT, bfloat16s(2)),
    "class_scale": kernel("class_scale", EXACT, class_scale),
    "nll": kernel("nll", EXACT, nll),
    "nll_put": kernel("nll_put", EXACT, nll_put),
    "layer_norm": kernel("layer_norm", ANOTHER_ORDER, layer_norm),
    "layer_norm_grad": kernel("layer_norm_grad", ANOTHER_ORDER, layer_norm_grad),
    "rms_norm": kernel("rms_norm", ANOTHER_ORDER, lambda d: norm_kernels.rms_norm(d, layer_norm)),
    "rms_norm_grad": kernel("rms_norm_grad", ANOTHER_ORDER, lambda d: norm_kernels.rms_norm_grad(d, layer_norm_grad)),
    "moments": kernel("moments", ANOTHER_ORDER, moments),
    "statistics": kernel("statistics", ANOTHER_ORDER, statistics),
    "kept_statistics": kernel("kept_statistics", FUSED, kept_statistics),
    "normalize": kernel("normalize", FUSED, normalize),
    "normalize_grad": kernel("normalize_grad", ANOTHER_ORDER, normalize_grad),
    "affine_grad": kernel("affine_grad", ANOTHER_ORDER, lambda d: norm_kernels.affine_grad(d, normalize_grad)),
    "mix": kernel("mix", FUSED, lambda d: norm_kernels.mix(d, normalize_grad)),
    "lengths": kernel("lengths", ANOTHER_ORDER, lambda d: (gradients(d),)),
    "scale": kernel("scale", EXACT, lambda d: (gradients(d), np.asarray(0.3, d.dtype))),
    "unscale": kernel("unscale", EXACT, unscale),
    "sgd": kernel("sgd", FUSED, sgd),
    "adam": kernel("adam", FUSED, adam),
    "sgd_many": kernel("sgd_many", FUSED, sgd_many),
    "adam_many": kernel("adam_many", FUSED, adam_many),
}


class Function(NamedTuple):
    module: str  # in minitorch2_kernels.cuda
    name: str
    reference: Callable  # the same on NumPy arrays
    draw: Callable[[Any], tuple]
    tolerance: float


FUNCTIONS: dict[str, Function] = {}


def has_gpu() -> bool:
    """Whether there is a GPU and CuPy for it, the real one."""
    return REAL


@contextlib.contextmanager
def cupy_or_standin():
    """CuPy with a GPU, or else the stand-in as the module `cupy` for this block; the overrides are registered."""
    with gpu():
        yield device.cupy()


def to_device(cupy, value):
    """An array on the device like this one, lists and tuples of arrays included; with gaps where it has gaps."""
    if isinstance(value, list | tuple):
        return type(value)(to_device(cupy, v) for v in value)
    if not isinstance(value, np.ndarray):
        return value
    if value.flags.c_contiguous:
        return cupy.asarray(value)
    if value.flags.f_contiguous:
        return cupy.asarray(value.T).T
    wide = cupy.zeros((*value.shape[:-1], 2 * value.shape[-1]), value.dtype)
    wide[..., ::2] = cupy.asarray(np.ascontiguousarray(value))
    return wide[..., ::2]


def to_host(value):
    """The NumPy arrays in it, as a flat list."""
    if isinstance(value, list | tuple):
        return [array for v in value for array in to_host(v)]
    if hasattr(value, "get"):
        return [value.get()]
    return [value] if isinstance(value, np.ndarray) else []


def results(function, args) -> list[np.ndarray]:
    """What it returns, and its arguments afterwards: the optimizer updates write to theirs."""
    with np.errstate(all="ignore"):
        return to_host([function(*args), *args])


def fresh(args):
    """Copies, each laid out as its original."""
    if isinstance(args, list | tuple):
        return type(args)(fresh(a) for a in args)
    return copied(args) if isinstance(args, np.ndarray) else args
