"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

from ...core.grad_mode import is_grad_enabled
from ...creation import empty
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..functional.multihead import canonical_mask, none_or_dtype
from ..parameter import Parameter
from .linear import Linear
from .module import Module

__all__ = ["MultiheadAttention"]


class NonDynamicallyQuantizableLinear(Linear):
    """Linear, under the name that torch gives the output projection of an attention layer."""


class MultiheadAttention(Module):
    """Attention of query (L, N, embed_dim) over key (S, N, kdim) and value (S, N, vdim) with ``num_heads`` heads.

    Returns (output, weights): output like query, weights (N, L, S) averaged over the heads, (N, num_heads, L, S) with
    ``average_attn_weights=False``, None with ``need_weights=False``. With batch_first the first two dims are exchanged;
    without a batch, query is (L, embed_dim) and so on.

    Args:
        dropout: of the weights, in training mode.
        bias: whether the projections add one.
        add_bias_kv: one more key and value, trained. add_zero_attn: one more of zeros.
        kdim, vdim: widths of key and value; embed_dim unless told.

    Parameters: in_proj_weight (3 embed_dim, embed_dim), or where kdim or vdim differ q_proj_weight, k_proj_weight,
    v_proj_weight; in_proj_bias, out_proj.weight, out_proj.bias, bias_k, bias_v. Vaswani et al., "Attention Is All You
    Need" (2017).
    """

    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def parameter(*shape: int) -> Parameter:
            return Parameter(empty(shape, device=device, dtype=dtype))

        shapes = {"q_proj_weight": embed_dim, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter(3 * embed_dim, embed_dim)
            for name in shapes:
                self.register_parameter(name, None)
        else:
            for name, width in shapes.items():
                self.register_parameter(name, parameter(embed_dim, width))
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", parameter(3 * embed_dim) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.bias_k = parameter(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = parameter(1, 1, embed_dim) if add_bias_kv else None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)  # type: ignore[arg-type]
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """key_padding_mask: (N, S), True or -inf for keys that are padding. attn_mask: (L, S) or (N num_heads, L, S),
        True where a key must not be seen, or numbers to be added. is_causal: attn_mask is the causal one."""
        floating = any(m is not None and m.is_floating_point() for m in (key_padding_mask, attn_mask))
        other = none_or_dtype(attn_mask)
        padding = canonical_mask(key_padding_mask, "key_padding_mask", other, "attn_mask", query.dtype)
        mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
        if not floating and query is key is value and self._infers(query):
            return self._infer(query, padding, mask, need_weights, average_attn_weights)
        swap = self.batch_first and query.dim() == 3
        if swap:
            query, key, value = _swapped(query, key, value)
        output, weights = self._attend(query, key, value, padding, need_weights, mask, average_attn_weights, is_causal)
        return output.transpose(1, 0) if swap else output, weights

    def _attend(
        self, query: Any, key: Any, value: Any, padding: Any, need_weights: bool, mask: Any, average: bool, causal: bool
    ) -> tuple[Any, Any]:
        return F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=padding,
            need_weights=need_weights,
            attn_mask=mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average,
            is_causal=causal,
        )

    # In evaluation mode without gradients torch attends from a batch to itself by another program, which has results of
    # its own where a query sees no key (nan, not zeros) and does not look at is_causal. So do these two.

    def _infers(self, x: Tensor) -> bool:
        """Whether torch would take its program for inference."""
        weights = (self.in_proj_weight, self.in_proj_bias, self.out_proj.weight, self.out_proj.bias)
        return (
            not self.training
            and x.dim() == 3
            and self.batch_first
            and self.num_heads % 2 == 0
            and all(w is not None and w.dtype == x.dtype for w in weights[:2])
            and self.bias_k is None
            and not self.add_zero_attn
            and not (is_grad_enabled() and any(w is not None and w.requires_grad for w in (x, *weights)))
        )

    def _infer(self, x: Tensor, padding: Any, mask: Any, need_weights: bool, average: bool) -> tuple[Any, Any]:
        """Self-attention of x (N, L, E) with weights, whose softmax gives nan where nothing is seen."""
        x = x.transpose(1, 0)
        output, weights = self._attend(x, x, x, padding, True, mask, average, False)
        return output.transpose(1, 0).contiguous(), weights if need_weights else None


def _swapped(query: Tensor, key: Tensor, value: Tensor) -> tuple[Any, Any, Any]:
    """The first two dims exchanged; what was one tensor stays one."""
    q = query.transpose(1, 0)
    k = q if key is query else key.transpose(1, 0)
    return q, k, k if value is key else value.transpose(1, 0)
