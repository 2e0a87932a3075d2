"""Random numbers on the GPU: Philox4x32-10 in the layout of torch's CUDA generator.

A draw for n elements runs as many blocks of 256 threads as n needs, at most as many as the device holds at once. Thread
t draws from subsequence t of the seed, from the state's offset on; a call of the generator gives four numbers (two of
64 bits), which go to elements that lie a whole grid apart. The offset then goes on by four times the calls of a thread.

Written after torch's sources (ATen's DistributionTemplates.h, Dropout.cu and Randperm.cu, and cuRAND's device functions
that they call), so that one seed gives torch's numbers on the same model of GPU: `uniform`, `normal`, `bernoulli`,
`bernoulli_each`, `integers`, `exponential`, `permutation`, and `dropout` of an array in C order. What the tests without
a GPU establish is that the numbers are those of this description, computed with NumPy; the float32 normals and
exponentials go through the GPU's fast sine, cosine and logarithm. Arrays of 2 GiB and more torch draws in parts; here
it is at once.

All shapes are tuples, all results CuPy arrays in C order.
"""

from __future__ import annotations

import functools
import math

import cupy
import numpy as np

from ..reference.cast import cast
from . import capture
from .arguments import packed
from .launch import FLOAT32, FLOAT64, FULL, REALS, acc, function, launch

BLOCK = 256
WIDE = 1 << 28  # spans from which integers are made of 64 bits: the remainder's bias stays small
_BOOL = np.dtype(np.bool_)


class PhiloxState:
    """Where a stream stands: its seed and offset, which may be read and set.

    Between `begin_capture` and `end_capture` draws advance a count of their own, and the kernels read seed and offset
    from memory of the device: a captured graph draws anew in every replay, once `prepare` has been called for it.
    """

    def __init__(self, seed: int, offset: int = 0):
        self.seed, self.offset = seed, offset
        self._buffer: cupy.ndarray | None = None
        self._drawn = 0

    def take(self, increment: int) -> tuple:
        """(state, seed, offset) as the kernels take them, for a draw that uses up `increment`."""
        increment = -(-increment // 4) * 4
        if self._buffer is None and (recording := capture.current()) is not None:
            recording.enroll(self)
        if self._buffer is not None:
            taken = self._buffer, np.uint64(0), np.uint64(self._drawn)
            self._drawn += increment
            return taken
        taken = None, np.uint64(self.seed), np.uint64(self.offset)
        self.offset = (self.offset + increment) % 2**64
        return taken

    def begin_capture(self, buffer: cupy.ndarray) -> None:
        """From here on draws are a graph's. buffer: uint64 (2,) on the device; it must live as long as the graph."""
        if self._buffer is not None:
            raise RuntimeError("this generator is already used by a graph that is being captured")
        self._buffer, self._drawn = buffer, 0

    def end_capture(self) -> int:
        """Back to drawing at once; how much of the stream one replay of the graph uses up."""
        self._buffer = None
        return self._drawn

    def prepare(self, buffer: cupy.ndarray, increment: int) -> None:
        """Before a replay, on its stream: writes seed and offset to the graph's buffer, and goes on by `increment`."""
        arguments = buffer, np.uint64(self.seed), np.uint64(self.offset)
        launch(function("philox.cu", "philox_set_state", FLOAT32), 1, 1, arguments)
        self.offset = (self.offset + increment) % 2**64


@functools.cache
def _most_blocks(device: int) -> int:
    """As many blocks as run on the device at once."""
    properties = cupy.cuda.runtime.getDeviceProperties(device)
    return properties["multiProcessorCount"] * (properties["maxThreadsPerMultiProcessor"] // BLOCK)


def _blocks(n: int) -> int:
    return min(_most_blocks(cupy.cuda.runtime.getDevice()), -(-n // BLOCK))


def _draw(name: str, dtype, out, per_call: int, state: PhiloxState, *arguments) -> None:
    """Runs the kernel `name` for all elements of out, each call of whose generator gives `per_call` numbers."""
    n = out.size
    if n:
        blocks = _blocks(n)
        calls = (n - 1) // (BLOCK * blocks * per_call) + 1
        launch(
            function("philox.cu", name, dtype), blocks, BLOCK, (out, np.int64(n), *arguments, *state.take(4 * calls))
        )


def _real(shape, dtype):
    """(an array of this shape, how many numbers a call gives, the type of the kernel's numbers)"""
    dtype = np.dtype(dtype)
    if dtype not in REALS:
        raise TypeError(f"random real numbers are of a floating dtype, not {dtype}")
    return cupy.empty(shape, dtype), 2 if dtype == FLOAT64 else 4, acc(dtype)


def _rounded(number: float, dtype, kind):
    """The number as `dtype` has it, for a kernel to take."""
    return kind(cast(cast(np.asarray(number), dtype), np.dtype(kind)))


def uniform(shape, dtype, low: float, high: float, state: PhiloxState) -> cupy.ndarray:
    """Uniform in [low, high)."""
    out, per_call, kind = _real(shape, dtype)
    _draw(
        "philox_uniform", out.dtype, out, per_call, state, *(_rounded(bound, out.dtype, kind) for bound in (low, high))
    )
    return out


def normal(shape, dtype, mean: float, std: float, state: PhiloxState) -> cupy.ndarray:
    """Normal with this mean and standard deviation, by Box and Muller's method."""
    out, per_call, kind = _real(shape, dtype)
    _draw("philox_normal", out.dtype, out, per_call, state, kind(mean), kind(std))
    return out


def exponential(shape, dtype, rate: float, state: PhiloxState) -> cupy.ndarray:
    """Exponential of this rate; never 0."""
    out, per_call, kind = _real(shape, dtype)
    _draw("philox_exponential", out.dtype, out, per_call, state, kind(rate))
    return out


def bernoulli(shape, probability: float, state: PhiloxState, dtype=_BOOL) -> cupy.ndarray:
    """1 with this probability, else 0, of any dtype; float64 draws doubles, all others floats."""
    dtype = np.dtype(dtype)
    if dtype in REALS:
        out, per_call, kind = _real(shape, dtype)
        _draw("philox_bernoulli", dtype, out, per_call, state, kind(probability))
        return out
    out = cupy.empty(shape, _BOOL)
    _draw("philox_mask", FLOAT32, out, 4, state, np.float32(probability))
    return out if dtype == _BOOL else out.astype(dtype)


def bernoulli_each(probabilities: cupy.ndarray, dtype, state: PhiloxState) -> cupy.ndarray:
    """1 with the probability that stands there, else 0, of any dtype and probabilities' shape."""
    dtype = np.dtype(dtype)
    kind = dtype if dtype in FULL else FLOAT32
    given = packed(probabilities.astype(kind, copy=False))
    out = cupy.empty(given.shape, kind)
    if out.size:
        blocks = -(-out.size // (4 * BLOCK))
        arguments = given, out, np.int64(out.size), *state.take(10)
        launch(function("philox.cu", "philox_bernoulli_each", kind), blocks, BLOCK, arguments)
    return out if dtype == kind else cast(out, dtype)


def integers(shape, low: int, span: int, state: PhiloxState, wide: bool | None = None) -> cupy.ndarray:
    """int64 in [low, low + span), span up to 2**64 (then all of int64). wide: of 64 random bits each, not 32; torch's
    rule unless told, which is from a span of 2**28 on."""
    wide = span >= WIDE if wide is None else wide
    if not 0 < span <= (2**64 if wide else 2**32):
        raise ValueError(f"integers in a span of {span} cannot be drawn")
    out = cupy.empty(shape, np.int64)
    span = span % 2**64 if wide else span
    _draw("philox_integers", FLOAT32, out, 2 if wide else 4, state, np.uint64(span), np.int64(low), np.int32(wide))
    return out


def _key_bits(n: int) -> int:
    """How many bits of a key count, so that n of them are all different with a probability of 0.9."""
    return min(64, math.ceil(math.log2(n - (6.0 * n * n + 1) / (12 * math.log(0.9)))))


def permutation(n: int, state: PhiloxState) -> cupy.ndarray:
    """A permutation of 0 ... n-1, int64: the order of random keys, shuffled once more where keys are equal."""
    if n == 0:
        return cupy.empty(0, np.int64)
    bits = _key_bits(n)
    width = 32 if bits <= 32 else 64
    keys = integers((n,), -(2 ** (width - 1)), 2**width - 1, state)
    if bits < width:
        keys &= np.int64((1 << bits) - 1)
    order = keys.argsort(kind="stable")
    arguments = keys[order], order, np.int64(n), *state.take(n)
    launch(function("philox.cu", "philox_shuffle_equal", FLOAT32), -(-n // BLOCK), BLOCK, arguments)
    return order


def dropout(x: cupy.ndarray, keep: float, state: PhiloxState) -> tuple[cupy.ndarray, cupy.ndarray]:
    """(y, kept): kept, bool of x's shape, is true with the probability keep; y is x / keep there and 0 elsewhere. One
    launch. x: floating, 0 < keep < 1."""
    x = packed(x)
    y, _, kind = _real(x.shape, x.dtype)
    kept = cupy.empty(x.shape, _BOOL)
    if x.size:
        blocks = _blocks(x.size)
        together = math.gcd(
            16 // x.itemsize, x.size
        )  # elements of a thread that lie side by side, as far as torch's do
        while x.data.ptr % (together * x.itemsize):
            together //= 2
        increment = 4 * ((x.size - 1) // (BLOCK * blocks * 4) + 1)
        arguments = x, y, kept, np.int64(x.size), kind(keep), np.int32(together), *state.take(increment)
        launch(function("philox.cu", "philox_dropout", x.dtype), blocks, BLOCK, arguments)
    return y, kept
