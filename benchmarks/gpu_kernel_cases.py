"""The kernels that gpu_kernels.py times: arguments of about 256 MB, and what a call must move or compute."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minitorch2_kernels as K
from minitorch2_kernels.reference import optim

ENOUGH = 0.02  # how far a result may be from the reference's, relatively: half precision at its worst


@dataclass
class Work:
    call: Callable[[], Any]
    reference: Callable[[], Any] | None
    amount: float  # bytes that must be moved, or floating point operations
    of: str  # the ceiling: "copy", or a dtype whose products are the measure
    in_place: bool = False
    by: str | None = None  # the implementation that runs, if the call is one kernel's


class Arrays:
    """Random arrays where the kernels run; `small` ones to try the program."""

    def __init__(self, xp: Any, small: bool):
        self.xp, self.small = xp, small
        self.random = np.random.RandomState(0) if small else xp.random.RandomState(0)

    def size(self, large: int, small: int) -> int:
        return small if self.small else large

    def normal(self, *shape: int, dtype: Any = np.float32) -> Any:
        return K.cast(self.xp.asarray(self.random.standard_normal(shape)).astype(np.float32), np.dtype(dtype))

    def integers(self, below: int, *shape: int) -> Any:
        return self.xp.asarray(self.random.randint(0, below, shape)).astype(np.int64)


def bfloat16(arrays: Arrays) -> np.dtype | None:
    """The dtype on a GPU; None where there is none (NumPy cannot multiply it)."""
    return None if arrays.xp is np else K.BFLOAT16


def implementation(kernel: Any, args: tuple) -> str:
    """The function that the kernel's dispatch takes for these arguments; "reference" where no override wants them."""
    first = args[0][0] if isinstance(args[0], list) else args[0]
    overrides = kernel.overrides if isinstance(first, np.ndarray) else kernel.cuda_overrides
    taken = (function for supports, function in reversed(overrides) if supports(*args))
    function = next(taken, None)
    return "reference" if function is None else f"{function.__module__.removeprefix('minitorch2_kernels.')}.py"


def bound_by_memory(kernel: Any, args: tuple, *counted: Any, in_place: bool = False) -> Work:
    """`counted`: every array that must be read or written, once for each time."""
    amount, by = sum(array.nbytes for array in counted), implementation(kernel, args)
    return Work(lambda: kernel(*args), lambda: kernel.reference(*args), amount, "copy", in_place, by)


def bound_by_products(kernel: Any, args: tuple, operations: float) -> Work:
    by = implementation(kernel, args)
    return Work(lambda: kernel(*args), lambda: kernel.reference(*args), operations, args[0].dtype.name, by=by)


CASES: dict[str, Callable[[Arrays], Work]] = {}


def case(name: str) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    def add(make: Callable[..., Work]) -> Callable[..., Work]:
        CASES[name] = make
        return make

    return add


def each(names: dict[str, Any]) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    """One case for each name, made by the same function with another second argument."""

    def add(make: Callable[..., Work]) -> Callable[..., Work]:
        for name, value in names.items():
            CASES[name] = lambda a, value=value: make(a, value)
        return make

    return add


def rows(a: Arrays) -> Any:
    return a.normal(a.size(65536, 4), a.size(1024, 8))


@case("add (CuPy's own)")
def _(a: Arrays) -> Work:
    x, y = rows(a), rows(a)
    return Work(lambda: x + y, None, 3 * x.nbytes, "copy")


@each({"softmax 65536x1024": K.softmax, "log_softmax 65536x1024": K.log_softmax})
def _(a: Arrays, kernel: Any) -> Work:
    x = rows(a)
    return bound_by_memory(kernel, (x, 1), x, x)


@case("layer_norm 65536x1024")
def _(a: Arrays) -> Work:
    x = rows(a)
    return bound_by_memory(K.layer_norm, (x, x[0].copy(), x[1].copy(), 1e-5), x, x)


@case("layer_norm_grad 65536x1024")
def _(a: Arrays) -> Work:
    x = rows(a)
    _, mean, rstd = K.layer_norm.reference(x, None, None, 1e-5)
    return bound_by_memory(K.layer_norm_grad, (rows(a), x, mean, rstd, x[0].copy()), x, x, x)


FLAT = {"256x64x4096": (256, 64, 4096, 4, 3, 8), "65536x1024x1": (65536, 1024, 1, 8, 4, 1)}


def volume(a: Arrays, sizes: tuple[int, ...]) -> Any:
    return a.normal(*(sizes[3:] if a.small else sizes[:3]))


def statistics_of(x: Any) -> tuple[Any, Any]:
    return K.statistics.reference(x, 1e-5, None, None, 0.0)


@each({f"statistics {name}": sizes for name, sizes in FLAT.items()})
def _(a: Arrays, sizes: tuple[int, ...]) -> Work:
    x = volume(a, sizes)
    return bound_by_memory(K.statistics, (x, 1e-5, None, None, 0.0), x)


@each({f"normalize {name}": sizes for name, sizes in FLAT.items()})
def _(a: Arrays, sizes: tuple[int, ...]) -> Work:
    x = volume(a, sizes)
    mean, rstd = statistics_of(x)
    return bound_by_memory(K.normalize, (x, mean, rstd, rstd, mean), x, x)


@each({f"normalize_grad {name}": sizes for name, sizes in FLAT.items()})
def _(a: Arrays, sizes: tuple[int, ...]) -> Work:
    """g and x must be read twice: dx needs the sums over both."""
    x, g = volume(a, sizes), volume(a, sizes)
    mean, rstd = statistics_of(x)
    return bound_by_memory(K.normalize_grad, (g, x, mean, rstd, rstd, True), g, x, g, x, x)


POOL = ((2, 2), (2, 2), (0, 0))


def images(a: Arrays) -> Any:
    return a.normal(a.size(256, 2), a.size(64, 3), a.size(64, 8), a.size(64, 8))


def halved(x: Any) -> tuple[int, int]:
    return x.shape[2] // 2, x.shape[3] // 2


@case("max_pool2d 2x2, 256x64x64x64")
def _(a: Arrays) -> Work:
    x = images(a)
    y, winner = K.max_pool2d.reference(x, *POOL, (1, 1), halved(x))
    return bound_by_memory(K.max_pool2d, (x, *POOL, (1, 1), halved(x)), x, y, winner)


@case("max_pool2d_put 2x2, 256x64x64x64")
def _(a: Arrays) -> Work:
    x = images(a)
    y, winner = K.max_pool2d.reference(x, *POOL, (1, 1), halved(x))
    return bound_by_memory(K.max_pool2d_put, (y, winner, x.shape[2:], *POOL, (1, 1)), y, winner, x)


@case("max_pool2d_put 3x3 by 2, 256x64x64x64")
def _(a: Arrays) -> Work:
    """ResNet's: its windows overlap."""
    x, overlapping = images(a), ((3, 3), (2, 2), (1, 1))
    y, winner = K.max_pool2d.reference(x, *overlapping, (1, 1), halved(x))
    return bound_by_memory(K.max_pool2d_put, (y, winner, x.shape[2:], *overlapping, (1, 1)), y, winner, x)


@case("avg_pool2d 2x2, 256x64x64x64")
def _(a: Arrays) -> Work:
    x = images(a)
    four = a.xp.full(halved(x), 4, x.dtype)
    y = K.avg_pool2d.reference(x, four, *POOL, halved(x))
    return bound_by_memory(K.avg_pool2d, (x, four, *POOL, halved(x)), x, y)


@case("avg_pool2d_put 2x2, 256x64x64x64")
def _(a: Arrays) -> Work:
    x = images(a)
    four = a.xp.full(halved(x), 4, x.dtype)
    y = K.avg_pool2d.reference(x, four, *POOL, halved(x))
    return bound_by_memory(K.avg_pool2d_put, (y, four, x.shape[2:], *POOL), y, x)


@each({"gelu": K.gelu, "gelu_tanh": K.gelu_tanh})
def _(a: Arrays, kernel: Any) -> Work:
    x = rows(a)
    return bound_by_memory(kernel, (x,), x, x, x)


@each({"gelu_grad": K.gelu_grad, "gelu_tanh_grad": K.gelu_tanh_grad})
def _(a: Arrays, kernel: Any) -> Work:
    x = rows(a)
    return bound_by_memory(kernel, (rows(a), x, a.xp.tanh(x)), x, x, x, x)


@case("hardtanh")
def _(a: Arrays) -> Work:
    x = rows(a)
    return bound_by_memory(K.hardtanh, (x, 0.0, 6.0), x, x)


@case("hardtanh_grad")
def _(a: Arrays) -> Work:
    x = rows(a)
    return bound_by_memory(K.hardtanh_grad, (rows(a), x, 0.0, 6.0), x, x, x)


@case("dropout, the whole op")
def _(a: Arrays) -> Work:
    """x is read, y and the mask are written."""
    torch: Any = importlib.import_module("minitorch2")
    dropout = importlib.import_module("minitorch2.nn.functional").dropout
    x = torch.zeros(a.size(65536, 4), a.size(1024, 8), device="cpu" if a.xp is np else "cuda") + 1
    return Work(lambda: dropout(x, 0.5, True), None, x.numel() * (4 + 4 + 1), "copy")


@case("adam 67 M")
def _(a: Arrays) -> Work:
    param, grad, average = rows(a), rows(a), rows(a)
    square = average * average
    numbers = (None, 3, 1e-3, 0.9, 0.999, 1e-8, 0.0, False, False)
    counted = (param, grad, average, square, param, average, square)
    return bound_by_memory(optim.adam, (param, grad, average, square, *numbers), *counted, in_place=True)


@case("adam 67 M in 64 tensors")
def _(a: Arrays) -> Work:
    def parts(square: bool = False) -> list[Any]:
        whole = rows(a).reshape(-1)
        return a.xp.split(whole * whole if square else whole, a.size(64, 2))

    lists = parts(), parts(), parts(), parts(square=True)
    numbers = (None, 3, 1e-3, 0.9, 0.999, 1e-8, 0.0, False, False)
    counted = [array for i in (0, 1, 2, 3, 0, 2, 3) for array in lists[i]]
    return bound_by_memory(optim.adam_many, (*lists, *numbers), *counted, in_place=True)


@case("sgd momentum 67 M")
def _(a: Arrays) -> Work:
    param, grad, buffer = rows(a), rows(a), rows(a)
    numbers = (1e-3, 0.9, 0.0, 5e-4, False, False, False)
    return bound_by_memory(
        optim.sgd, (param, grad, buffer, *numbers), param, grad, buffer, param, buffer, in_place=True
    )


@case("index_add 65536 rows of 1024")
def _(a: Arrays) -> Work:
    """Each row that comes is read, and added to one that is read and written."""
    out, values = rows(a), rows(a)
    index = a.integers(len(out), len(out))
    return bound_by_memory(K.index_add, (out, index, values), values, out, out, in_place=True)


@case("pick 65536x1024")
def _(a: Arrays) -> Work:
    """A sector of 32 bytes is read for each number that is picked."""
    x = rows(a)
    index = a.integers(x.shape[1], len(x))
    work = bound_by_memory(K.pick, (x, index), index)
    work.amount += len(x) * 36
    return work


@case("put 65536x1024")
def _(a: Arrays) -> Work:
    x = rows(a)
    index = a.integers(x.shape[1], len(x))
    return bound_by_memory(K.put, (x[:, 0].copy(), index, x.shape), x, index)


@case("unfold 3x3, 64x64x32x32")
def _(a: Arrays) -> Work:
    x = a.normal(a.size(64, 2), a.size(64, 3), a.size(32, 8), a.size(32, 8))
    args = (x, (3, 3), (1, 1), (1, 1), (1, 1))
    return bound_by_memory(K.unfold, args, x, K.unfold.reference(*args))


@case("fold 3x3, 64x64x32x32")
def _(a: Arrays) -> Work:
    x = a.normal(a.size(64, 2), a.size(64, 3), a.size(32, 8), a.size(32, 8))
    settings = (3, 3), (1, 1), (1, 1), (1, 1)
    columns = K.unfold.reference(x, *settings)
    return bound_by_memory(K.fold, (columns, x.shape[2:], *settings), columns, x)


def product(a: Arrays, dtype: Any) -> Work:
    n = a.size(4096, 16)
    return bound_by_products(K.matmul, (a.normal(n, n, dtype=dtype), a.normal(n, n, dtype=dtype)), 2 * n**3)


@each({"matmul 4096^3 float32": np.float32, "matmul 4096^3 float16": np.float16})
def _(a: Arrays, dtype: Any) -> Work:
    return product(a, dtype)


@case("matmul 4096^3 bfloat16")
def _(a: Arrays) -> Work:
    return product(a, bfloat16(a) or np.float32)


@case("matmul 64 of 1024^3 float16")
def _(a: Arrays) -> Work:
    b, n = a.size(64, 2), a.size(1024, 8)
    operands = (a.normal(b, n, n, dtype=np.float16), a.normal(b, n, n, dtype=np.float16))
    return bound_by_products(K.matmul, operands, 2 * b * n**3)


@case("linear 8192x4096-4096 float32")
def _(a: Arrays) -> Work:
    n, width = a.size(8192, 8), a.size(4096, 8)
    weight = a.normal(width, width)
    return bound_by_products(K.linear, (a.normal(n, width), weight, weight[0].copy()), 2 * n * width * width)


CONVOLUTIONS = {  # N, C, O, size of the image and of the kernel; the small ones behind them
    "3x3, 256x64x32x32": (256, 64, 64, 32, 3, 2, 3, 4, 8, 3),
    "3x3, 256x256x8x8": (256, 256, 256, 8, 3, 2, 4, 4, 4, 3),
    "1x1, 256x256x16x16": (256, 256, 256, 16, 1, 2, 4, 4, 4, 1),
    "5x5, 256x3x32x32": (256, 3, 32, 32, 5, 2, 3, 4, 8, 5),
}


def convolution(a: Arrays, sizes: tuple[int, ...]) -> tuple[Any, Any, Any, tuple, float]:
    """x, w, g, the settings, and how many operations each of the three products takes."""
    n, c, o, size, k = sizes[5:] if a.small else sizes[:5]
    x, w, g = a.normal(n, c, size, size), a.normal(o, c, k, k), a.normal(n, o, size, size)
    return x, w, g, ((1, 1), (k // 2, k // 2), (1, 1), 1), 2 * g.size * c * k * k


@each({f"conv2d {name}": sizes for name, sizes in CONVOLUTIONS.items()})
def _(a: Arrays, sizes: tuple[int, ...]) -> Work:
    x, w, _, settings, operations = convolution(a, sizes)
    return bound_by_products(K.conv2d, (x, w, *settings), operations)


@each({f"conv2d_input_grad {name}": sizes for name, sizes in CONVOLUTIONS.items()})
def _(a: Arrays, sizes: tuple[int, ...]) -> Work:
    x, w, g, settings, operations = convolution(a, sizes)
    return bound_by_products(K.conv2d_input_grad, (g, w, x.shape[2:], *settings), operations)


@each({f"conv2d_weight_grad {name}": sizes for name, sizes in CONVOLUTIONS.items()})
def _(a: Arrays, sizes: tuple[int, ...]) -> Work:
    x, w, g, settings, operations = convolution(a, sizes)
    return bound_by_products(K.conv2d_weight_grad, (g, x, w.shape[2:], *settings), operations)


DEPTHWISE = ((1, 1), (1, 1), (1, 1))


@case("depthwise 3x3, 64x256x56x56")
def _(a: Arrays) -> Work:
    c = a.size(256, 3)
    x, w = a.normal(a.size(64, 2), c, a.size(56, 8), a.size(56, 8)), a.normal(c, 1, 3, 3)
    return bound_by_memory(K.conv2d, (x, w, *DEPTHWISE, c), x, x)


@case("depthwise grads 3x3, 64x256x56x56")
def _(a: Arrays) -> Work:
    """The gradient of the input reads g and writes dx; that of the weights reads g and x."""
    c = a.size(256, 3)
    x, w = a.normal(a.size(64, 2), c, a.size(56, 8), a.size(56, 8)), a.normal(c, 1, 3, 3)
    g = a.normal(*x.shape)

    def both(input_grad: Any, weight_grad: Any) -> tuple[Any, Any]:
        return input_grad(g, w, x.shape[2:], *DEPTHWISE, c), weight_grad(g, x, (3, 3), *DEPTHWISE, c)

    kernels = K.conv2d_input_grad, K.conv2d_weight_grad
    return Work(lambda: both(*kernels), lambda: both(*(k.reference for k in kernels)), 4 * x.nbytes, "copy")


def heads(a: Arrays) -> tuple[Any, Any, Any, tuple, float]:
    b, h, length, width = a.size(32, 1), a.size(8, 2), a.size(512, 4), a.size(64, 4)
    q, k, v = (a.normal(b, h, length, width) for _ in range(3))
    return q, k, v, (None, True, width**-0.5, None, 1.0), 2 * b * h * length**2 * width


@case("attention 32x8x512x64 causal")
def _(a: Arrays) -> Work:
    q, k, v, settings, one = heads(a)
    return bound_by_products(K.attention, (q, k, v, *settings), 2 * one)


@case("attention_grad 32x8x512x64 causal")
def _(a: Arrays) -> Work:
    q, k, v, (*_, scale, kept, keep), one = heads(a)
    _, weights = K.attention.reference(q, k, v, None, True, scale, kept, keep)
    return bound_by_products(K.attention_grad, (v, q, k, v, weights, scale, kept, keep, False), 4 * one)
