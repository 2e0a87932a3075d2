"""Drawing an index of any kind with hypothesis, together with a shape that it fits."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


class Array:
    """An index array, to be handed to either library as a tensor, a list, or a NumPy array."""

    def __init__(self, values, form):
        self.values, self.form = values, form

    def __repr__(self):
        return f"{self.form}({self.values.tolist()})"

    def given_to(self, lib):
        if self.form == "tensor":
            return lib.from_numpy(self.values.copy())
        return self.values.tolist() if self.form == "list" else self.values.copy()


def bounds(draw, n):
    return draw(st.one_of(st.none(), st.integers(-n - 2, n + 2)))


@st.composite
def index_arrays(draw, n, broadcast):
    shape = draw(st.sampled_from(broadcast))
    values = draw(st.lists(st.integers(-n, n - 1), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    form = draw(st.sampled_from(["tensor", "tensor", "ndarray", "list"]))
    return Array(np.array(values, np.int64).reshape(shape), form)


@st.composite
def shapes_and_indices(draw, advanced=True):
    """(shape, index): the index fits the shape, up to 3 dims."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=0, max_size=3)))
    broadcast = draw(st.sampled_from([[(3,), (1,)], [(2, 3), (3,), (2, 1)], [(2,)], [(0,), (1,)]]))
    kinds = ["int", "slice", "slice", "none"] + (["array", "array", "mask", "zero_dim", "bool"] if advanced else [])
    items, dim, ellipsis = [], 0, False
    masks = 0
    while dim < len(shape) and draw(st.integers(0, 4)):
        kind, n = draw(st.sampled_from(kinds)), shape[dim]
        if kind == "none" or kind == "bool":
            if len(items) < 6:
                items.append(None if kind == "none" else draw(st.booleans()))
            continue
        if kind == "mask":
            if masks:  # a second one would have to have as many Trues as the first
                continue
            masks += 1
            k = draw(st.integers(1, len(shape) - dim))
            size = int(np.prod(shape[dim : dim + k]))
            values = np.zeros(size, bool)
            values[draw(st.lists(st.integers(0, size - 1), max_size=size))] = True
            # as many as every array can be broadcast against
            alone = not any(isinstance(i, Array) for i in items)
            if alone and dim + k == len(shape):
                items.append(Array(values.reshape(shape[dim : dim + k]), "tensor"))
            else:
                values[:] = False
                values[draw(st.integers(0, size - 1))] = True
                items.append(Array(values.reshape(shape[dim : dim + k]), draw(st.sampled_from(["tensor", "ndarray"]))))
            dim += k
            continue
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            items.append(slice(bounds(draw, n), bounds(draw, n), draw(st.sampled_from([None, None, 1, 2, 3]))))
        elif kind == "zero_dim":
            items.append(Array(np.array(draw(st.integers(-n, n - 1))), "tensor"))
        else:
            items.append(draw(index_arrays(n, broadcast)))
        dim += 1
    if not ellipsis and draw(st.booleans()):
        items.append(...)
    if len(items) == 1 and draw(st.booleans()) and not (isinstance(items[0], Array) and items[0].form == "list"):
        return shape, items[0]
    return shape, tuple(items)


def given_to(lib, index):
    if isinstance(index, tuple):
        return tuple(i.given_to(lib) if isinstance(i, Array) else i for i in index)
    return index.given_to(lib) if isinstance(index, Array) else index


def filled(lib, shape, dtype="float64", requires_grad=False):
    """Distinct numbers, none of them 0."""
    values = (np.arange(int(np.prod(shape))) + 1.0).reshape(shape)
    return lib.from_numpy(values).to(getattr(lib, dtype)).requires_grad_(requires_grad)
