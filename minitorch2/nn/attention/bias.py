"""torch.nn.attention.bias: causal masks for queries and keys of different numbers, for scaled_dot_product_attention."""

from __future__ import annotations

import warnings
from enum import IntEnum

from ...creation import ones
from ...tensor import Tensor

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """Where the diagonal ends: in the upper left corner or in the lower right one."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """A mask (seq_len_q, seq_len_kv) of bools, True where a query may look: attn_mask= of
    scaled_dot_product_attention."""

    def __init__(self, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> None:
        if not isinstance(variant, CausalVariant):
            raise AssertionError("variant must be a CausalVariant")
        super().__init__()
        self.variant, self.seq_len_q, self.seq_len_kv = variant, seq_len_q, seq_len_kv
        lower_right = variant is CausalVariant.LOWER_RIGHT
        if lower_right and seq_len_q > seq_len_kv:
            warnings.warn(
                "Lower right causal bias will produce NaNs in the output when seq_len_q > seq_len_kv!", stacklevel=2
            )
        diagonal = seq_len_kv - seq_len_q if lower_right else 0
        self._data = ones(seq_len_q, seq_len_kv, device="cpu").bool().tril(diagonal)._data

    def _materialize(self, device=None) -> Tensor:
        """The mask as a plain tensor."""
        return Tensor._wrap(self._data).to("cpu" if device is None else device)


def causal_upper_left(*size: int) -> CausalBias:
    """The mask of is_causal=True: query i looks at keys 0 to i. size: of queries and of keys."""
    return _causal(CausalVariant.UPPER_LEFT, size)


def causal_lower_right(*size: int) -> CausalBias:
    """The mask under which the last query looks at all keys. size: of queries and of keys."""
    return _causal(CausalVariant.LOWER_RIGHT, size)


def _causal(variant: CausalVariant, size: tuple[int, ...]) -> CausalBias:
    if len(size) != 2:
        raise AssertionError("a causal bias has two sizes, of queries and of keys")
    return CausalBias(variant, *size)
