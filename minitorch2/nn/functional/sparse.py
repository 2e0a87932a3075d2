"""Tables looked up by index."""

from __future__ import annotations

import operator

import minitorch2_kernels as K

from ...core.function import Function
from ...ops._common import can_be_asked, require_tensor, within
from ...ops.embedding import Embedding, limit_norms


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of weight (V, D) at the integers of input (*): (*, D).

    padding_idx: a row that gets no gradient. max_norm: rows that are looked up and whose norm_type-norm is larger are
    scaled down to it first, in weight itself. scale_grad_by_freq: a row's gradient is divided by its count.
    """
    if sparse:
        raise NotImplementedError(
            "minitorch2: embedding(sparse=True) is not supported: there are no sparse gradients; use False"
        )
    require_tensor("embedding", weight)
    require_tensor("embedding", input, "indices", 2)
    indices, table = input._data, weight._data
    if table.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices.dtype not in (K.int64, K.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{input.dtype.torch_type}Tensor instead (while checking arguments for embedding)"
        )
    rows = table.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx = operator.index(padding_idx) % rows
    if not within(indices, rows):
        raise IndexError("index out of range in self")
    if max_norm is not None:
        limit_norms(weight, indices, max_norm, norm_type)
    return Embedding.apply(weight, indices.copy(), padding_idx, scale_grad_by_freq)


def one_hot(input, num_classes=-1):
    """input (*) of class numbers as (*, num_classes) of zeros and ones, int64; -1: the largest class plus one."""
    require_tensor("one_hot", input)
    classes, num_classes = input._data, operator.index(num_classes)
    if classes.dtype != K.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if not classes.size:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return Function.as_tensor(K.namespace(classes).zeros((*classes.shape, num_classes), K.int64))
    asked = num_classes == -1 or can_be_asked(classes)
    if asked and classes.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(classes.max()) + 1
    elif num_classes <= 0:
        raise RuntimeError("num_classes should be positive")
    elif asked and classes.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return Function.as_tensor((classes[..., None] == K.namespace(classes).arange(num_classes)).astype(K.int64))


__all__ = ["embedding", "one_hot"]
