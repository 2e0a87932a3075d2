"""Random numbers: generators as torch shows them, and the tensors' methods that draw from one."""

from __future__ import annotations

import functools
import operator
from typing import Any

from ..core import generator as core
from ..core import meta, rejection
from ..core.cuda_generator import CudaGenerator, cuda_generator
from ..core.device import CPU, META, check_available, device_of
from ..core.function import Function
from ..core.grad_mode import state
from ..core.memory_order import memory_order, transposed_back
from ..core.multinomial import multinomial as draw_categories
from ..core.variable import Variable
from ._common import Broadcasting, Zeros, broadcast_shapes
from ._inplace import check_writable, write
from .views import expand


class Generator(core.Generator):
    """A stream of random numbers: torch.Generator, with its seeds and its saved states.

    Seeded with 67280421310721 until told otherwise. Threads may share one. Generator("cuda") is a CudaGenerator.
    """

    def __new__(cls, device="cpu") -> Any:  # a CudaGenerator for a GPU
        where = check_available(device)
        return object.__new__(cls) if where == CPU else CudaGenerator(where)

    def __init__(self, device="cpu"):
        super().__init__()

    device = CPU

    def get_state(self):
        """All of the state: a uint8 tensor of 5056 numbers, which torch.Generator.set_state takes as well."""
        return Function.as_tensor(self.saved_state())

    def set_state(self, new_state) -> Generator:
        """Goes on from a state that `get_state` (or torch) gave; RuntimeError for anything else."""
        if not isinstance(new_state, Variable):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        self.load_state(new_state._data)
        return self

    def clone_state(self) -> Generator:
        """A generator of its own with the same state."""
        return Generator().set_state(self.get_state())


default_generator = Generator()
default_generator.seed()  # a program that does not seed gets other numbers each time, as with torch


def resolved(generator: Generator | None, where=CPU) -> Any:
    """The generator meant by a `generator=` argument, for numbers on this device; RuntimeError for one of another."""
    if where == META:
        return meta.generator
    if generator is None:
        return default_generator if where == CPU else cuda_generator(where.index or 0)
    if not isinstance(generator, Generator | CudaGenerator):
        raise TypeError(f"argument 'generator' must be torch.Generator, not {type(generator).__name__}")
    if generator.device.type != where.type:
        raise RuntimeError(f"Expected a '{where}' device type for generator but found '{generator.device}'")
    return generator


class _Redrawn(Function):
    """`x` replaced by numbers that do not depend on it: its gradient is zero."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, x, values):
        return values

    @staticmethod
    def backward(ctx, g):
        return Zeros.apply(g), None


class Uniform(_Redrawn): ...


class Normal(_Redrawn): ...


class Bernoulli(_Redrawn): ...


class Exponential(_Redrawn): ...


class Random(_Redrawn): ...


class Geometric(_Redrawn): ...


class Cauchy(_Redrawn): ...


class LogNormal(_Redrawn): ...


class Poisson(_Redrawn): ...


class Binomial(Broadcasting):
    @staticmethod
    def forward(ctx, count, prob, values):
        return values

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("derivative for aten::binomial is not implemented")


def _refill(x, op, draw):
    """x with numbers of draw(shape, NumPy dtype) written into it, in the order of its memory."""
    check_writable(x)
    axes = memory_order(x._data)
    view = x._data.transpose(axes)
    values = draw(view.shape, view.dtype)
    if state.grad and x.requires_grad:
        return write(x, op.apply(x, transposed_back(values, axes)), op.__name__)
    view[...] = values
    x._bump()
    return x


def uniform_(input, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None):
    """Fills the tensor with numbers uniform in [from, to)."""
    g = resolved(generator, device_of(input._data))
    return _refill(input, Uniform, lambda shape, dtype: g.uniform(shape, dtype, float(from_), float(to)))


def normal_(input, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None):
    """Fills the tensor with normal numbers of this mean and standard deviation."""
    g, contiguous = resolved(generator, device_of(input._data)), input._data.flags.c_contiguous
    return _refill(input, Normal, lambda shape, dtype: g.normal(shape, dtype, float(mean), float(std), contiguous))


def log_normal_(input, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None):
    """Fills the tensor with exp of normal numbers; mean and std are the normal's."""
    g = resolved(generator, device_of(input._data))
    return _refill(input, LogNormal, lambda shape, dtype: g.log_normal(shape, dtype, float(mean), float(std)))


def exponential_(input, lambd: float = 1.0, *, generator: Generator | None = None):
    """Fills the tensor with exponential numbers of rate lambd."""
    g = resolved(generator, device_of(input._data))
    return _refill(input, Exponential, lambda shape, dtype: g.exponential(shape, dtype, float(lambd)))


def geometric_(input, p: float, *, generator: Generator | None = None):
    """Fills the tensor with the numbers of trials up to a first success of probability p."""
    g = resolved(generator, device_of(input._data))
    return _refill(input, Geometric, lambda shape, dtype: g.geometric(shape, dtype, float(p)))


def cauchy_(input, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None):
    """Fills the tensor with Cauchy numbers of location median and scale sigma."""
    g = resolved(generator, device_of(input._data))
    return _refill(input, Cauchy, lambda shape, dtype: g.cauchy(shape, dtype, float(median), float(sigma)))


_MISSING: Any = object()


def random_(input, *bounds, to=_MISSING, generator: Generator | None = None, **low_bound):
    """Fills the tensor with integers: random_(), random_(to), random_(from, to), random_(from, None).

    Without bounds from 0 to the dtype's largest (2**digits for a floating one); `to` is excluded, None
    stands for the dtype's largest, included.
    """
    if "from" in low_bound:  # which Python takes for no name
        bounds = (low_bound.pop("from"), *bounds)
    if low_bound:
        raise TypeError(f"random_() got an unexpected keyword argument '{next(iter(low_bound))}'")
    if to is not _MISSING:
        bounds = (*bounds, to)
    if len(bounds) > 2:
        raise TypeError(f"random_() takes at most from and to, got {len(bounds)} numbers")
    low, high = (None, None) if not bounds else (0, *bounds)[-2:]
    g = resolved(generator, device_of(input._data))
    return _refill(input, Random, lambda shape, dtype: g.integers(shape, dtype, low, high))


def bernoulli_(input, p=0.5, *, generator: Generator | None = None):
    """Fills the tensor with 1 where a trial of probability p succeeds and 0 elsewhere.

    p: a number, or a tensor that broadcasts to this one's shape.
    """
    g = resolved(generator, device_of(input._data))
    if not isinstance(p, Variable):
        return _refill(input, Bernoulli, lambda shape, dtype: g.bernoulli(shape, dtype, float(p)))
    axes = memory_order(input._data)
    probabilities = expand(p, input.shape)._data.transpose(axes)
    return _refill(input, Bernoulli, lambda shape, dtype: g.bernoulli(shape, dtype, probabilities))


def bernoulli(input, p: float | None = None, *, generator: Generator | None = None):
    """0 or 1 for each element of `input`, 1 with that element as its probability (or p where given).

    Contiguous, of input's dtype; the gradient is zero.
    """
    data = input._data
    values = resolved(generator, device_of(data)).bernoulli(data.shape, data.dtype, data if p is None else float(p))
    return Bernoulli.apply(input, values)


def multinomial(input, num_samples: int, replacement: bool = False, *, generator: Generator | None = None):
    """num_samples category numbers for each row of weights: int64, shape (num_samples,) or (rows,
    num_samples).

    input: floating, shape (categories,) or (rows, categories), not negative, need not add up to 1.
    RuntimeError for more samples than categories without replacement.
    """
    g = resolved(generator, device_of(input._data))
    draw = g.categories if isinstance(g, CudaGenerator) else functools.partial(draw_categories, g)
    return Function.as_tensor(draw(input._data, operator.index(num_samples), replacement))


def poisson(input, generator: Generator | None = None):
    """The number of events, 0, 1, 2 ..., where `input` are expected: float32 or float64, like input.

    RuntimeError for a negative rate. The gradient is zero. CPU only.
    """
    return Poisson.apply(input, accepted("poisson", rejection.poisson, input._data, generator))


def binomial(count, prob, generator: Generator | None = None):
    """How many of `count` trials succeed, each with probability `prob`: float32 or float64, both the same, broadcast.

    CPU only; backward through it raises RuntimeError.
    """
    for name, x in (("count", count), ("prob", prob)):
        if x._data.dtype.kind not in "fV":
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {x.dtype.torch_type}")
    if count._data.dtype != prob._data.dtype:
        raise RuntimeError(f"Found dtype {prob.dtype.torch_type} but expected {count.dtype.torch_type}")
    if count._data.itemsize == 2:
        raise NotImplementedError(f"\"binomial_cpu\" not implemented for '{count.dtype.torch_type}'")
    shape = broadcast_shapes("binomial", count._data.shape, prob._data.shape)
    draw = functools.partial(rejection.binomial, probs=expand(prob, shape)._data)
    return Binomial.apply(count, prob, accepted("binomial", draw, expand(count, shape)._data, generator))


def accepted(op: str, draw, data, generator: Generator | None = None):
    """draw(generator, data), of a function that draws until it likes what it sees. CPU only."""
    where = device_of(data)
    if where != CPU:
        raise NotImplementedError(
            f"minitorch2: {op} on a GPU is not supported; draw on the CPU and move the numbers with .to('{where}')"
        )
    return draw(resolved(generator), data)


class RandomMethods:
    uniform_, normal_, log_normal_, exponential_ = uniform_, normal_, log_normal_, exponential_
    geometric_, cauchy_, random_, bernoulli_ = geometric_, cauchy_, random_, bernoulli_
    bernoulli, multinomial = bernoulli, multinomial
