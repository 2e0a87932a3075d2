"""Sequences of different lengths in one tensor: padded to the longest, or packed step by step without padding.

Packed, the rows of step 0 come first (one of each sequence, the longest sequence first), then those of step 1 of the
sequences that have one, and so on. Source: torch's page "torch.nn.utils.rnn".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ...core.dtypes import float16, float32, float64, int8, int16, int32, int64, uint8
from ...core.function import Function
from ...creation import arange, as_tensor, empty_like, full
from ...ops._common import broadcast_shapes, to_dtype
from ...ops.joining import cat
from ...ops.sorting import sort
from ...tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """A batch of sequences, packed: what the pack functions here return and recurrent layers take and give.

    Attributes:
        data: (R, *), the rows of all steps, R the sum of all lengths.
        batch_sizes: int64 (T,), how many rows each step has; never growing.
        sorted_indices: int64 (N,), where each of the sequences, longest first, stood in the batch; None: there.
        unsorted_indices: the inverse permutation, worked out unless given.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Any = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not isinstance(data, list | tuple) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def pin_memory(self) -> PackedSequence:
        """The sequence in pinned memory, as Tensor.pin_memory; the batch sizes stay where they are."""
        order = (t if t is None else t.pin_memory() for t in (self.sorted_indices, self.unsorted_indices))
        return type(self)(self.data.pin_memory(), self.batch_sizes, *order)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequence with `data` in another dtype or on another device, as Tensor.to; self where it is so already."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = (t if t is None else t.to(data.device) for t in (self.sorted_indices, self.unsorted_indices))
        return type(self)(data, self.batch_sizes, *indices)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        return self._on("cuda", args, kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        return self._on("cpu", args, kwargs)

    def _on(self, kind: str, args: Any, kwargs: Any) -> PackedSequence:
        """What `to` gives, on a device of this kind, which the arguments may name themselves."""
        there = empty_like(self.data[:0]).to(*args, **kwargs).device.type == kind
        return self.to(*args, **kwargs) if there else self.to(*args, **kwargs, device=kind)

    def double(self) -> PackedSequence:
        return self.to(float64)

    def float(self) -> PackedSequence:
        return self.to(float32)

    def half(self) -> PackedSequence:
        return self.to(float16)

    def long(self) -> PackedSequence:
        return self.to(int64)

    def int(self) -> PackedSequence:
        return self.to(int32)

    def short(self) -> PackedSequence:
        return self.to(int16)

    def char(self) -> PackedSequence:
        return self.to(int8)

    def byte(self) -> PackedSequence:
        return self.to(uint8)

    @property
    def is_cuda(self) -> bool:
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one; None for None."""
    if permutation is None:
        return None
    inverse = empty_like(permutation)
    return inverse.scatter_(0, permutation, arange(0, permutation.numel(), device=permutation.device))


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs input (T, N, *), or (N, T, *) with batch_first, of sequences of these lengths (N); the padding is dropped.

    enforce_sorted: the lengths must not grow; otherwise the sequences are sorted here, and the result knows how.
    RuntimeError for a length below 1 or above T.
    """
    lengths = lengths.to(int64) if isinstance(lengths, Tensor) else as_tensor(lengths, dtype=int64, device="cpu")
    batch_dim = 0 if batch_first else 1
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = sort(lengths, descending=True)
        sorted_indices = sorted_indices.to(input.device)
        input = input.index_select(batch_dim, sorted_indices)
    if lengths.dim() != 1 or lengths.is_cuda:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D {lengths.device} Long tensor"
        )
    batch, steps = input.size(batch_dim), input.size(1 - batch_dim)
    if not input.numel():
        raise RuntimeError("Cannot pack empty tensors.")
    n = lengths._data
    if len(n) != batch:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(n)} (batch_size={batch})")
    if n.min() <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if (n[1:] > n[:-1]).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    if n[0] > steps:
        raise RuntimeError(
            f"pack_padded_sequence: a length of {n[0]} is more than the {steps} steps of input {list(input.shape)}"
        )
    places, batch_sizes = _places(n, int(n[0]), batch_first, steps)
    rows = input.reshape(-1, *input.shape[2:]).index_select(0, places.to(input.device))
    return PackedSequence(rows, batch_sizes, sorted_indices, None)


def _places(lengths, steps, batch_first, padded_steps):
    """For every packed row its place in the padded batch, both dims flattened; and the rows each step has."""
    present = np.arange(steps)[:, None] < lengths  # (T, N)
    step, sequence = present.nonzero()
    places = sequence * padded_steps + step if batch_first else step * len(lengths) + sequence
    sizes = present.sum(axis=1, dtype=np.int64)
    return Function.as_tensor(places), Function.as_tensor(sizes)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """(padded (T, N, *) or with batch_first (N, T, *), lengths int64 (N,)), the sequences in their first order.

    total_length: T, at least the longest length (ValueError), which it is by default.
    """
    data, sizes = sequence.data, sequence.batch_sizes._data
    steps, batch = len(sizes), int(sizes[0])
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    lengths = (np.arange(batch)[:, None] < sizes).sum(axis=1, dtype=np.int64)
    places, _ = _places(lengths, len(sizes), batch_first, steps)
    padded = full((steps * batch, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = padded.index_copy(0, places.to(data.device), data)
    padded = padded.reshape(*((batch, steps) if batch_first else (steps, batch)), *data.shape[1:])
    counts: Tensor = Function.as_tensor(lengths)
    if sequence.unsorted_indices is None:
        return padded, counts
    order = sequence.unsorted_indices
    return padded.index_select(0 if batch_first else 1, order), counts[order.to("cpu")]


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (L_i, *) as one tensor (T, N, *), or (N, T, *) with batch_first, T the longest; the first one's dtype.

    padding_side: "right" puts the padding behind the sequences, "left" before them.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    for i, s in enumerate(sequences):
        if not isinstance(s, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(s).__name__}")
        if not s.dim():
            raise RuntimeError("pad_sequence: a sequence has at least one dimension, its steps, but one is 0-d")
    first = sequences[0]
    trailing = tuple(first.shape[1:])
    lengths = np.array([s.size(0) for s in sequences])
    steps = int(lengths.max())
    present = np.arange(steps) < lengths[:, None]  # (N, T)
    present = present if padding_side == "right" else present[:, ::-1]
    sequence, step = present.nonzero()
    places = sequence * steps + step if batch_first else step * len(lengths) + sequence
    rows = cat([_like_first(s, trailing, first) for s in sequences])
    padded = full((steps * len(lengths), *trailing), float(padding_value), dtype=first.dtype, device=first.device)
    padded = padded.index_copy(0, as_tensor(places, device=first.device), rows)
    return padded.reshape(*((len(lengths), steps) if batch_first else (steps, len(lengths))), *trailing)


def _like_first(s, trailing, first):
    """A sequence in the first one's dtype, broadcast to its trailing dims."""
    shape = (s.size(0), *trailing)
    if tuple(s.shape) != shape:
        if broadcast_shapes("pad_sequence", shape, s.shape) != shape:
            raise RuntimeError(
                f"pad_sequence: a sequence of shape {list(s.shape)} does not fit the trailing dimensions "
                f"{list(trailing)} of the first"
            )
        s = s.expand(shape)
    return to_dtype(s, first._data.dtype)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of padded_sequences (T, N, *), or (N, T, *) with batch_first, each cut to its length.

    Unlike torch's, this one does not exchange the first two dims of the caller's tensor in place.
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    steps = arange(batch.shape[1], device=lengths.device)
    return [sequence[steps < length] for sequence, length in zip(batch, lengths, strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs a list of sequences (L_i, *): pad_sequence, then pack_padded_sequence."""
    lengths = as_tensor([s.size(0) for s in sequences], device="cpu")
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences (L_i, *) of a packed batch, in their first order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
