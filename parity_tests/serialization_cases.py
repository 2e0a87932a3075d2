"""What the serialization tests share: nests of tensors to save, and the comparison with torch's objects."""

import io
import pickle
import time
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from minitorch2 import serialization
from minitorch2.core import dtypes
from minitorch2.core.device import device
from minitorch2.core.size import Size
from minitorch2.nn.parameter import Parameter
from minitorch2.serialization.zip_writer import ZipWriter
from minitorch2.tensor import Tensor

DTYPES = [getattr(torch, d.name) for d in dtypes.ALL]


def torch_bytes(obj, **options) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(obj, file, **options)
    file.seek(0)
    return file


def our_bytes(obj) -> io.BytesIO:
    file = io.BytesIO()
    serialization.save(obj, file)
    file.seek(0)
    return file


def tensor_of(reference: torch.Tensor) -> Tensor:
    """The same numbers as a minitorch2 tensor over the same strides, in a NumPy buffer of its own."""
    storage = reference.untyped_storage()
    dtype = dtypes.BY_NAME[str(reference.dtype).removeprefix("torch.")].numpy
    buffer = np.frombuffer(bytes(storage.tolist()), np.uint8).copy()
    strides = [s * dtype.itemsize for s in reference.stride()]
    offset = reference.storage_offset() * dtype.itemsize
    if reference.numel() == 0:
        return Tensor._wrap(np.empty(tuple(reference.shape), dtype))
    return Tensor._wrap(np.ndarray(tuple(reference.shape), dtype, buffer.view(dtype), offset, strides))


def raw(tensor) -> bytes:
    """The elements' bytes in row-major order, NaN payloads included."""
    if isinstance(tensor, Tensor):
        return np.ascontiguousarray(tensor._data).tobytes()
    flat = torch.empty(tensor.numel(), dtype=tensor.dtype).copy_(tensor.detach().reshape(-1))
    return flat.view(torch.uint8).numpy().tobytes()


def root_of(tensor) -> int | None:
    """What tells whether two tensors share a storage; None for an empty one."""
    if isinstance(tensor, torch.Tensor):
        return tensor.untyped_storage().data_ptr() if tensor.numel() else None
    array = tensor._data
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.__array_interface__["data"][0] if tensor._data.size else None


def assert_same(got, want, place="state"):
    """`got` (minitorch2's) is `want` (torch's): types, structure, numbers, strides and what is shared."""
    ours, theirs = [], []
    _assert_same(got, want, place, ours, theirs)
    # The same tensors share memory, and the same objects occur more than once.
    for key in (root_of, id):
        assert _partition(ours, key) == _partition(theirs, key)


def _partition(tensors, key):
    first = {}
    return [None if key(t) is None else first.setdefault(key(t), i) for i, t in enumerate(tensors)]


def _assert_same(got, want, place, ours, theirs):
    if isinstance(want, torch.Tensor):
        assert type(got) is (Parameter if isinstance(want, torch.nn.Parameter) else Tensor), place
        assert str(got.dtype) == str(want.dtype) and tuple(got.shape) == tuple(want.shape), place
        assert got.requires_grad is want.requires_grad, place
        assert raw(got) == raw(want), place
        if want.numel():  # strides of dimensions that are never stepped along mean nothing
            strides = [s // got._data.itemsize for s in got._data.strides]
            used = [n > 1 for n in want.shape]
            assert [s for s, u in zip(strides, used, strict=True) if u] == [
                s for s, u in zip(want.stride(), used, strict=True) if u
            ], place
        ours.append(got)
        theirs.append(want)
    elif isinstance(want, torch.Size):
        assert type(got) is Size and tuple(got) == tuple(want), place
    elif isinstance(want, torch.dtype):
        assert isinstance(got, dtypes.dtype) and str(got) == str(want), place
    elif isinstance(want, torch.device):
        assert type(got) is device and str(got) == str(want), place
    elif isinstance(want, dict):
        assert type(got) is type(want) and list(got) == list(want), place
        for key in want:
            _assert_same(got[key], want[key], f"{place}[{key!r}]", ours, theirs)
        if isinstance(want, OrderedDict):
            assert vars(got) == vars(want), place
    elif isinstance(want, list | tuple):
        assert type(got) is type(want) and len(got) == len(want), place
        for i, (a, b) in enumerate(zip(got, want, strict=True)):
            _assert_same(a, b, f"{place}[{i}]", ours, theirs)
    else:
        assert type(got) is type(want) and (got == want or (got != got and want != want)), place


@st.composite
def torch_tensors(draw, pool):
    """A tensor of any dtype, contiguous or not, or another view of the memory of one in `pool`."""
    if pool and draw(st.booleans()):
        base = draw(st.sampled_from(pool))
    else:
        dtype = draw(st.sampled_from(DTYPES))
        shape = draw(st.lists(st.sampled_from([0, 1, 1, 2, 3, 5]), max_size=3))
        numel = int(np.prod(shape))
        nbytes = numel * torch.empty(0, dtype=dtype).element_size()
        data = draw(st.binary(min_size=nbytes, max_size=nbytes))
        base = torch.frombuffer(bytearray(data), dtype=torch.uint8) if nbytes else torch.empty(0, dtype=torch.uint8)
        base = (base % 2).bool() if dtype is torch.bool else base.clone().view(dtype)
        base = base.reshape(shape)
    change = draw(st.sampled_from(["same", "transpose", "slice", "step", "expand", "flat", "parameter"]))
    view = base.detach()
    if change == "transpose" and view.ndim > 1:
        view = view.transpose(0, -1)
    elif change == "slice" and view.ndim:
        view = view[draw(st.integers(0, view.shape[0])) :]
    elif change == "step" and view.ndim:
        view = view[..., ::2]
    elif change == "expand":
        view = view.unsqueeze(0).expand(3, *view.shape)
    elif change == "flat" and view.is_contiguous():
        view = view.flatten()
    elif change == "parameter":
        view = torch.nn.Parameter(view, requires_grad=view.is_floating_point() and draw(st.booleans()))
    elif view.is_floating_point() and draw(st.booleans()):
        view.requires_grad_()
    pool.append(view)
    return view


KEYS = st.one_of(
    st.text(max_size=8),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.tuples(st.integers(), st.text(max_size=3)).filter(lambda k: abs(k[0]) < 2**60),
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(max_size=20),
    st.binary(min_size=1, max_size=20),
    st.binary(max_size=5).map(bytearray),
    st.complex_numbers(allow_nan=False),
    st.sets(st.integers(0, 100), max_size=4),
    st.lists(st.integers(0, 9), max_size=4).map(torch.Size),
    st.sampled_from(DTYPES),
    st.sampled_from([torch.device("cpu"), torch.device("cuda", 1)]),
    st.lists(st.text(max_size=3), max_size=5).map(Counter),
)


@st.composite
def tensors_of_few_storages(draw):
    pool = []
    return draw(st.lists(torch_tensors(pool), min_size=1, max_size=4))


@st.composite
def nests(draw):
    """Dicts, lists and tuples of tensors (some sharing memory, some the same object) and plain values."""
    pool = []
    leaf = st.one_of(PLAIN, torch_tensors(pool), torch_tensors(pool))

    def containers(children):
        return st.one_of(
            st.lists(children, max_size=4),
            st.lists(children, max_size=4).map(tuple),
            st.dictionaries(KEYS, children, max_size=4),
            st.dictionaries(st.text(max_size=5), children, max_size=4).map(_state_dict),
        )

    tree = draw(st.recursive(leaf, containers, max_leaves=10))
    return [tree, *(t for t in pool if draw(st.booleans()))]


def _state_dict(items):
    result = OrderedDict(items)
    result._metadata = OrderedDict({"": {"version": 1}})
    return result


# What a file nobody should trust may end in.
ALLOWED = (pickle.UnpicklingError, RuntimeError, ValueError, EOFError)


def archive(pickled: bytes, **storages: bytes) -> bytes:
    """A checkpoint around any pickle, its checksums in order."""
    file = io.BytesIO()
    writer = ZipWriter(file, "archive")
    writer.write_record("data.pkl", pickled)
    for key, data in storages.items():
        writer.write_record(f"data/{key}", data)
    writer.write_record("version", b"3\n")
    writer.finish()
    return file.getvalue()


def load(data: bytes, **options):
    return serialization.load(io.BytesIO(data), **options)


def outcome(what: str, data: bytes, **options):
    """What load makes of `data`, or None after an allowed error; anything else, or taking long, fails."""
    started = time.perf_counter()
    try:
        return load(data, **options)
    except ALLOWED:
        return None
    except Exception as error:
        pytest.fail(f"{what}: {error!r}")
    finally:
        assert time.perf_counter() - started < 20, what
