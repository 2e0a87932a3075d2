"""Linear maps: of one input, of two."""

from __future__ import annotations

from ...core.autocast import listed
from ...ops.einsum import einsum
from ...ops.linalg import linear


def bilinear(input1, input2, weight, bias=None):
    """input1 (*, A) and input2 (*, B) with weight (O, A, B): sum of input1[a] weight[o, a, b] input2[b], plus bias."""
    first, second = input1._data.shape, input2._data.shape
    if len(first) != len(second):
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {len(first)} and {len(second)}")
    for dim, (a, b) in enumerate(zip(first[:-1], second[:-1], strict=True)):
        if a != b:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {dim}: got {a} and {b}")
    out, *sizes = weight._data.shape
    for i, (have, want) in enumerate(zip((first[-1], second[-1]), sizes, strict=True)):
        if have != want:
            raise RuntimeError(
                f"bilinear(): input{i + 1} size does not match weight size: got {have} but expected {want}"
            )
    if bias is not None and bias._data.shape[0] != out:
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias._data.shape[0]} but expected {out}"
        )
    y = einsum("na,oab,nb->no", input1.reshape(-1, first[-1]), weight, input2.reshape(-1, second[-1]))
    y = y if bias is None else y + bias
    return y.reshape(*first[:-1], out)


listed(globals())

__all__ = ["bilinear", "linear"]
