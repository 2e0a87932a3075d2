"""vmap: a function of one sample as a function of a batch of them."""

from __future__ import annotations

import contextlib
import functools
import itertools
from typing import Any

from ..core.grad_mode import state
from ..core.transforming import transforming
from ..core.variable import Variable
from ..ops.comparison import equal
from ..ops.joining import stack
from ..ops.views import narrow, select
from ..utils.checkpoint import generators_of
from . import tree


def vmap(func, in_dims: Any = 0, out_dims: Any = 0, randomness="error", *, chunk_size=None):
    """The function that maps func over one dim of its inputs and stacks what it returns.

    in_dims: for each input the dim to map over, or None for an input that every sample gets whole: an int for all, or a
    tree that begins as the tuple of inputs does. Keyword arguments go to every sample whole. out_dims: where the
    results' new dim goes, likewise; None keeps one sample's value, which must not depend on the sample. randomness:
    what a draw of random numbers inside means: an "error", the "same" numbers for every sample, or "different" ones.

    The samples go through func one after the other: the results are those of a batch, the time is that of a loop, and
    what torch refuses because it would look into a batched tensor (`.item()`, `if x > 0`) works. So chunk_size, how
    many samples torch takes at once, changes nothing. "different" numbers are not those that torch draws for a batch.

    Raises ValueError for dims that do not fit the inputs or outputs, RuntimeError for random numbers and for writes
    into an input that is not mapped over.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args, **kwargs):
        samples = _Samples(_name(func), in_dims, args)
        _check_out_dims(out_dims, samples.name)
        draws = _Draws(randomness, (args, kwargs))
        found = []
        for i in range(max(samples.n, 1)):  # of none, one of zeros says how results look
            draws.begin()
            with _graphs_kept(i < samples.n - 1), transforming():
                found.append(tree.flatten(func(*samples.sample(i), **kwargs)))
            draws.end()
            samples.check_unwritten()
        shape = found[0][1]
        dims = _spread_out_dims(out_dims, shape, samples.name)
        columns = zip(*[leaves for leaves, _ in found], strict=True)
        joined = [_join(column, dim, samples) for column, dim in zip(columns, dims, strict=True)]
        return tree.unflatten(joined, shape)

    return mapped


@contextlib.contextmanager
def _graphs_kept(more: bool):
    """A block in which backward keeps the graphs it runs through, where more samples may come to the same ones."""
    state.mapped += more
    try:
        yield
    finally:
        state.mapped -= more


class _Samples:
    """The inputs of one call, sample by sample."""

    def __init__(self, name, in_dims, args):
        self.name = name
        self.of = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "
        if not isinstance(in_dims, int | tuple):
            raise ValueError(
                f"{self.of}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of "
                f"inputs, got: {type(in_dims)}."
            )
        if not args:
            raise ValueError(
                f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap "
                "over a function with no inputs. The latter is unsupported."
            )
        leaves, shape = tree.flatten(args)
        dims = tree.spread(in_dims, shape)
        if dims is None:
            raise ValueError(
                f"{self.of}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
                f"{tree.describe(tree.flatten(in_dims)[1])} but inputs has structure {tree.describe(shape)}."
            )
        dims = [self._checked(dim, leaf) for dim, leaf in zip(dims, leaves, strict=True)]
        sizes = [leaf.shape[dim] for dim, leaf in zip(dims, leaves, strict=True) if dim is not None]
        if not sizes:
            raise ValueError("vmap: Expected at least one Tensor to vmap over")
        if set(sizes) != {sizes[0]}:
            raise ValueError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
                f"{sizes} for the mapped dimension"
            )
        self.n = sizes[0]
        self.leaves, self.dims, self.shape = leaves, dims, shape
        self.versions = [
            (leaf, leaf._counter[0])
            for leaf, dim in zip(leaves, dims, strict=True)
            if dim is None and isinstance(leaf, Variable)
        ]

    def _checked(self, dim, leaf):
        if dim is None:
            return None
        if not isinstance(dim, int):
            raise ValueError(
                f"{self.of}Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(leaf, Variable):
            raise ValueError(
                f"{self.of}Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        n = leaf._data.ndim
        if not -n <= dim < n:
            raise ValueError(
                f"{self.of}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {n} so "
                f"expected in_dim to satisfy -{n} <= in_dim < {n}."
            )
        return dim % n

    def sample(self, i):
        """The arguments of sample i: views into the inputs."""
        return tree.unflatten(map(self._one, self.leaves, self.dims, itertools.repeat(i)), self.shape)

    def _one(self, leaf, dim, i):
        if dim is None:
            return leaf
        if self.n:
            return select(leaf, dim, i)
        shape = leaf._data.shape
        return leaf.new_zeros(shape[:dim] + shape[dim + 1 :])

    def check_unwritten(self):
        """An input that all samples share keeps nothing that one of them writes: there would be one per sample."""
        for leaf, version in self.versions:
            if leaf._counter[0] != version:
                raise RuntimeError(
                    f"vmap({self.name}): the function writes in place into an input that is not mapped over, which "
                    "would have to hold one result per sample. Map over it, or call the out-of-place function. (The "
                    "running statistics of batch normalisation: func.replace_all_batch_norm_modules_.)"
                )


class _Draws:
    """Watches over the random numbers that samples draw, by the generators' states."""

    def __init__(self, randomness, inputs):
        self.randomness = randomness
        self.generators = generators_of(inputs)
        self.before = self._states()

    def begin(self):
        if self.randomness == "same":
            self._restore()

    def end(self):
        if self.randomness == "error" and any(
            (was._data != now._data).any() for was, now in zip(self.before, self._states(), strict=True)
        ):
            self._restore()
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                "'different' randomness flags on vmap or perform the randomness operation out of vmap"
            )

    def _states(self):
        return [generator.get_state() for generator in self.generators]

    def _restore(self):
        for generator, before in zip(self.generators, self.before, strict=True):
            generator.set_state(before)


def _check_out_dims(out_dims, name) -> None:
    for dim in tree.flatten(out_dims)[0]:
        if dim is not None and not isinstance(dim, int):
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of "
                "ints representing where in the outputs the vmapped dimension should appear."
            )


def _spread_out_dims(out_dims, shape, name):
    """One out_dim for each tensor of the output."""
    if shape is tree.LEAF and isinstance(out_dims, tuple) and len(out_dims) == 1:
        return list(out_dims)
    dims = tree.spread(out_dims, shape)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. out_dims has structure {tree.describe(tree.flatten(out_dims)[1])} but outputs has structure "
            f"{tree.describe(shape)}."
        )
    return dims


def _join(column, dim, samples):
    """The values that all samples gave for one place of the output, as one tensor."""
    first = column[0]
    if dim is None:
        if isinstance(first, Variable) and not all(equal(first, each) for each in column[1:]):
            raise ValueError(
                f"vmap({samples.name}, ...): `{samples.name}` can not return a BatchedTensor when out_dim is None"
            )
        return first
    if not isinstance(first, Variable):
        raise ValueError(
            f"vmap({samples.name}, ...): `{samples.name}` must only return Tensors, got type {type(first)}. Did you "
            "mean to set out_dims= to None for output?"
        )
    joined = stack(column, dim)
    return joined if samples.n else narrow(joined, dim, 0, 0)


def _name(func) -> str:
    if hasattr(func, "__name__"):
        return func.__name__
    return f"functools.partial({_name(func.func)}, ...)" if isinstance(func, functools.partial) else repr(func)
