"""nn.utils.rnn against torch's: padding, packing and back, values and gradients, errors."""

import numpy as np
import pytest
import torch
from functional_side_by_side import check
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import outcome, same

import minitorch2 as mt

lengths_of = st.lists(st.integers(1, 5), min_size=1, max_size=5)
trailing_of = st.lists(st.integers(1, 3), max_size=2).map(tuple)


def sequences(lengths, trailing, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, *trailing)) for n in lengths]


@given(lengths_of, trailing_of, st.booleans(), st.sampled_from([0.0, -1.5]), st.sampled_from(["left", "right"]))
def test_pad_sequence(lengths, trailing, batch_first, value, side):
    check(
        lambda lib, F, *s: lib.nn.utils.rnn.pad_sequence(list(s), batch_first, value, side),
        *sequences(lengths, trailing),
    )


@given(lengths_of, trailing_of, st.booleans(), st.integers(0, 2), st.booleans())
def test_pack_and_pad(lengths, trailing, batch_first, more, sort):
    """Packing drops the padding, and padding again brings every sequence back to its place."""
    lengths = sorted(lengths, reverse=True) if sort else lengths
    steps = max(lengths) + more
    x = np.random.default_rng(0).normal(size=(len(lengths), steps, *trailing))
    x = x if batch_first else x.swapaxes(0, 1)

    def action(lib, F, x):
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, lib.tensor(lengths, device="cpu"), batch_first, enforce_sorted=sort)
        padded, counts = rnn.pad_packed_sequence(packed, not batch_first, 0.5, total_length=steps)
        order = [] if sort else [packed.sorted_indices, packed.unsorted_indices]
        assert sort == (packed.sorted_indices is None)
        return (packed.data, packed.batch_sizes, padded, counts, *order)

    check(action, x)


@given(lengths_of, trailing_of, st.booleans())
def test_pack_and_unpack_sequences(lengths, trailing, sort):
    lengths = sorted(lengths, reverse=True) if sort else lengths

    def action(lib, F, *s):
        packed = lib.nn.utils.rnn.pack_sequence(list(s), enforce_sorted=sort)
        return (packed.data, packed.batch_sizes, *lib.nn.utils.rnn.unpack_sequence(packed))

    check(action, *sequences(lengths, trailing))


@given(lengths_of, trailing_of, st.booleans())
def test_unpad_sequence(lengths, trailing, batch_first):
    x = np.random.default_rng(0).normal(size=(len(lengths), max(lengths), *trailing))
    x = x if batch_first else x.swapaxes(0, 1)

    def action(lib, F, x):  # a copy, because torch exchanges the dims of its argument in place
        return tuple(lib.nn.utils.rnn.unpad_sequence(x.clone(), lib.tensor(lengths), batch_first))

    check(action, x)


def test_unpad_leaves_its_argument_alone():
    x = mt.zeros(3, 2, 4)
    mt.nn.utils.rnn.unpad_sequence(x, mt.tensor([1, 3]))
    assert x.shape == (3, 2, 4)


@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "bool", "float16", "bfloat16"])
def test_dtypes(dtype):
    def action(lib):
        rnn, kind = lib.nn.utils.rnn, getattr(lib, dtype)
        padded = rnn.pad_sequence([lib.ones(2, dtype=kind), lib.zeros(3, dtype=kind)], padding_value=1.5)
        packed = rnn.pack_padded_sequence(padded, [2, 3], enforce_sorted=False)
        again, counts = rnn.pad_packed_sequence(packed, padding_value=1.5)
        return padded, packed.data, again, counts

    same(action)


@pytest.mark.cpu("it asks where things are")
def test_packed_sequence():
    def action(lib):
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_sequence([lib.tensor([[1.0]]), lib.tensor([[2.0], [3.0]])], enforce_sorted=False)
        data, sizes, order, back = packed
        kinds = ("double", "float", "half", "long", "int", "short", "char", "byte", "cpu")
        made = [getattr(packed, kind)() for kind in kinds]
        return (
            repr(packed),
            [data, sizes, order, back],
            [(str(p.data.dtype), p.data.tolist(), p.batch_sizes, p.sorted_indices) for p in made],
            packed.to(lib.float32) is packed,
            packed.to(dtype=lib.float64).data,
            (packed.is_cuda, packed.is_pinned(), len(packed), isinstance(packed, tuple)),
            rnn.PackedSequence((data, sizes)).batch_sizes,
            rnn.PackedSequence(data, sizes, order).unsorted_indices,
            rnn.invert_permutation(lib.tensor([2, 0, 1])),
            rnn.invert_permutation(None),
        )

    assert isinstance(same(action), list)


@pytest.mark.cpu("it asks where things are")
def test_where_a_packed_sequence_goes():
    def action(lib):
        packed = lib.nn.utils.rnn.pack_sequence([lib.ones(2), lib.ones(1)])
        return packed.cpu("cpu") is packed.cpu(device="cpu") is packed, packed.cpu(lib.float64).data

    assert isinstance(same(action), list)
    for lib in (mt, torch):
        packed = lib.nn.utils.rnn.pack_sequence([lib.ones(2), lib.ones(1)], enforce_sorted=False)
        if torch.cuda.is_available():
            there, pinned = packed.cuda(), packed.pin_memory()
            assert there.is_cuda and there.sorted_indices.is_cuda and there.batch_sizes.device.type == "cpu"
            assert there.cuda() is there and not there.cpu().is_cuda
            assert pinned.is_pinned() and pinned.sorted_indices.is_pinned() and not packed.is_pinned()
        else:
            with pytest.raises(RuntimeError, match=r"Cannot access accelerator device when none is|no NVIDIA driver"):
                packed.pin_memory()
            words = "not compiled with CUDA|not installed|no GPU|no NVIDIA"
            with pytest.raises((AssertionError, RuntimeError), match=words):
                packed.cuda()


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
def test_errors():
    def action(lib):
        rnn, zeros = lib.nn.utils.rnn, lib.zeros
        packed = rnn.pack_padded_sequence(zeros(3, 2), [3, 1])
        calls = [
            lambda _: rnn.pack_padded_sequence(zeros(3, 2, 4), [3, 0]),
            lambda _: rnn.pack_padded_sequence(zeros(3, 2, 4), [2, 3]),
            lambda _: rnn.pack_padded_sequence(zeros(3, 2, 4), [3]),
            lambda _: rnn.pack_padded_sequence(zeros(3), [3]),
            lambda _: rnn.pack_padded_sequence(zeros(3, 0, 4), []),
            lambda _: rnn.pack_padded_sequence(zeros(0, 2, 4), [0, 0]),
            lambda _: rnn.pack_padded_sequence(zeros(3, 2, 4), lib.tensor([[2], [1]])),
            lambda _: rnn.pack_sequence([zeros(2), zeros(3)]),
            lambda _: rnn.pad_packed_sequence(packed, total_length=2),
            lambda _: rnn.pad_sequence([]),
            lambda _: rnn.pad_sequence(3),
            lambda _: rnn.pad_sequence([1, 2]),
            lambda _: rnn.pad_sequence([zeros(2, 3), zeros(3, 4)]),
            lambda _: rnn.pad_sequence([zeros(2), zeros(3)], padding_side="top"),
            lambda _: rnn.unpad_sequence(zeros(3, 2), lib.tensor([1])),
            lambda _: rnn.PackedSequence(zeros(3)),
            lambda _: rnn.invert_permutation(lib.tensor([2, 0, 3])),
        ]
        return [outcome(call, lib) for call in calls]

    same(action)


def test_what_torch_lets_pass():
    """torch packs lengths beyond the padded batch into a sequence that says more rows than it has."""
    with pytest.raises(RuntimeError, match="a length of 5 is more than the 3 steps"):
        mt.nn.utils.rnn.pack_padded_sequence(mt.zeros(3, 2, 4), [5, 2])
    with pytest.raises(RuntimeError, match="at least one dimension"):
        mt.nn.utils.rnn.pad_sequence([mt.zeros(()), mt.zeros(())])


def test_every_name_is_torchs():
    assert sorted(mt.nn.utils.rnn.__all__) == sorted(torch.nn.utils.rnn.__all__)
