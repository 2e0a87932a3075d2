"""embedding_bag: rows of a table looked up by index and reduced, bag by bag."""

from __future__ import annotations

import math
import warnings

import numpy as np

import minitorch2_kernels as K

from ...core.autocast import stacklevel
from ...core.dtypes import LOW_PRECISION
from ...core.function import Function
from ...ops._common import require_tensor, within
from ...ops.embedding import Embedding, limit_norms
from ...ops.index_ops import Index, IndexAccumulate
from ...ops.pad import Pad

_MODES = ("sum", "mean", "max")


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """The rows of weight (V, D), floating, at the integers of each bag, reduced by `mode`: (B, D) in weight's dtype.

    input: int64 or int32, (B, L) for bags of one length, or (n,) with offsets (B,), where bag i starts
    (include_last_offset: B + 1 of them, the last where the last bag ends). An empty bag gives zeros.
    mode: 'sum', 'mean' or 'max'. per_sample_weights: like input, in weight's dtype; factors of the rows, for 'sum'.
    padding_idx: a row that counts in no bag. max_norm, norm_type, scale_grad_by_freq: as in `embedding`.
    sparse=True is refused (NotImplementedError). Second derivatives, which torch lacks, are there. scale_grad_by_freq
    divides by the row's own count, as documented (torch 2.13 on the CPU takes other rows' counts in some batches).
    """
    require_tensor("embedding_bag", weight, "weight", 1)
    require_tensor("embedding_bag", input, "indices", 2)
    if weight._data.dtype == K.int64 and input._data.dtype.kind in "fV":
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is "
            "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=stacklevel(2),
        )
        weight, input = input, weight
    _check_settings(input, weight, mode, scale_grad_by_freq, sparse, per_sample_weights)
    indices = input._data.reshape(-1).astype(K.int64)
    bag, bags = bags_of(input._data, offsets, include_last_offset)
    rows = weight._data.shape[0]
    _check_indices(indices, rows)
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got "
                f"{padding_idx}"
            )
        bag = K.where(indices == padding_idx % rows, bags, bag)
    if max_norm is not None:
        limit_norms(weight, indices, max_norm, norm_type)
    low = weight._data.dtype
    if low in LOW_PRECISION:  # rounded once, at the end
        weight = weight.float()
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.float()
    values = Embedding.apply(weight, indices, None, scale_grad_by_freq)  # (n, D)
    if mode == "max":
        y = _largest(values, bag, bags)
    else:
        if per_sample_weights is not None:
            values = values * per_sample_weights.reshape(-1, 1)
        y = IndexAccumulate.apply(values, (bags + 1, values._data.shape[1]), (bag,))[:bags]
        if mode == "mean":
            counts = K.bincount(bag, minlength=bags + 1)[:bags, None]
            y = y / Function.as_tensor(K.maximum(counts, 1).astype(y._data.dtype))
    return Function.to_dtype(y, low)


def _check_settings(input, weight, mode, scale_grad_by_freq, sparse, per_sample_weights):
    if input._data.ndim not in (1, 2):
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input._data.ndim}")
    if weight._data.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight._data.ndim}")
    if mode not in _MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if sparse:
        raise NotImplementedError(
            "minitorch2: embedding_bag(sparse=True) is not supported: there are no sparse gradients; use False"
        )
    _check_integers("indices", input)
    if weight._data.dtype.kind not in "fV":
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, "
            f"Float, Double; but got torch.{weight.dtype.torch_type}Tensor instead (while checking arguments for "
            "embedding_bag)"
        )
    if per_sample_weights is None:
        return
    if per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}')."
        )
    if per_sample_weights._data.dtype != weight._data.dtype:
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
            f"'per_sample_weights'; but type torch.{weight.dtype.torch_type}Tensor does not equal "
            f"torch.{per_sample_weights.dtype.torch_type}Tensor (while checking arguments for embedding_bag)"
        )


def _check_integers(name, tensor):
    if tensor._data.dtype not in (K.int64, K.int32):
        raise RuntimeError(
            f"Expected tensor for argument #1 '{name}' to have one of the following scalar types: Long, Int; but got "
            f"torch.{tensor.dtype.torch_type}Tensor instead (while checking arguments for embedding_bag)"
        )


def _check_indices(indices, rows):
    if not within(indices, rows):
        place = int(((indices < 0) | (indices >= rows)).argmax())
        raise RuntimeError(
            f"Index {place} of input takes value {int(indices[place])} which is not in the valid range [0, {rows})"
        )


def bags_of(indices, offsets, include_last):
    """(the bag of each index (n,), how many bags there are): the number after the last bag for an index in none."""
    xp = K.namespace(indices)
    if indices.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
        if not indices.shape[1]:
            raise RuntimeError("step must be nonzero: bags of length 0 need 1-d input and offsets")
        return xp.arange(indices.size) // indices.shape[1], indices.shape[0]
    if offsets is None or offsets._data.ndim != 1:
        raise ValueError(f"offsets has to be a 1D Tensor{' but got None' if offsets is None else ''}")
    _check_integers("offsets", offsets)
    starts, n = offsets._data.astype(K.int64), indices.size
    if include_last and not starts.size:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if starts.size and not K.on_device(starts):  # on a GPU the answers would have to be waited for
        _check_offsets(starts, n)
    bag = K.searchsorted(starts, xp.arange(n), side="right") - 1
    bags = starts.size - 1 if include_last else starts.size
    return K.where(bag < 0, bags, bag), bags


def _check_offsets(starts, n):
    if starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {starts[0]}"
        )
    if starts[-1] > n:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {n} but got offsets[-1] of {starts[-1]}"
        )
    if (K.diff(starts) < 0).any():
        raise RuntimeError(f"offsets have to ascend, but got {starts.tolist()}")


def _largest(values, bag, bags):
    """The largest of each bag's values (n, D): (bags, D), zeros for an empty bag."""
    winner = largest_of_bags(values._data, bag, bags)
    values = Pad.apply(values, (0, 0), (1, 0), 0)  # the last row: what an empty bag has
    return Index.apply(values, (winner, K.namespace(winner).arange(winner.shape[1])[None]))


def largest_of_bags(array, bag, bags):
    """Where each bag's largest values (n, D) are: rows (bags, D), n for an empty bag, the first of equals. A NaN counts
    where it comes first."""
    n, d = array.shape
    xp = K.namespace(array)
    first = K.full_like(bag, n, shape=(bags + 1,))
    K.minimum.at(first, bag, xp.arange(n))  # (bags + 1,)
    leads = (first[bag] == xp.arange(n))[:, None]
    array = K.where(K.isnan(array), K.where(leads, array.dtype.type(math.inf), array.dtype.type(-math.inf)), array)
    ranks = _ranks(array)
    top = K.full_like(ranks, np.iinfo(ranks.dtype).min, shape=(bags + 1, d))
    K.maximum.at(top, bag, ranks)
    winner = K.full_like(bag, n, shape=(bags + 1, d))
    K.minimum.at(winner, bag, K.where(ranks == top[bag], xp.arange(n)[:, None], n))
    return winner[:bags]


def _ranks(x):
    """Integers in the order of the floats x, none of them NaN, -0 and 0 alike. CuPy's maximum.at is exact for integers;
    float64 it rounds to float32."""
    x = x.astype(np.promote_types(x.dtype, np.float32), copy=False) + 0.0  # -0 + 0 = 0
    bits = x.view(np.int32 if x.itemsize == 4 else np.int64)
    return K.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)


__all__ = ["embedding_bag"]
