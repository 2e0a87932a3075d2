"""One layer of a transformer: of the encoder, of the decoder. (Stacks of them: transformer.)

Shapes: source (S, N, E), target (T, N, E); with batch_first (N, S, E); without a batch (S, E). Masks (S, S), or (N *
heads, S, S), and key padding masks (N, S) are bool, True for what must not be seen, or numbers to be added.
Source: Vaswani et al., "Attention Is All You Need" (2017); norm_first: Xiong et al. (2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.grad_mode import is_grad_enabled
from ...tensor import Tensor
from .. import functional as F
from ..functional.multihead import canonical_mask, none_or_dtype
from .activation import GELU, ReLU
from .attention import MultiheadAttention
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

__all__ = ["Activation", "TransformerDecoderLayer", "TransformerEncoderLayer"]

Activation = str | Callable[[Tensor], Tensor]


class _Layer(Module):
    """What encoder and decoder layers have in common: attention blocks, then a feed-forward block, each added to its
    input and normalised, after it or (norm_first) before."""

    def __init__(
        self,
        attentions: tuple[str, ...],
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        dropout: float,
        activation: Activation,
        layer_norm_eps: float,
        batch_first: bool,
        norm_first: bool,
        bias: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        for name in attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **options
            )
            self.add_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        blocks = range(1, len(attentions) + 2)
        for i in blocks:
            self.add_module(f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options))
        for i in blocks:
            self.add_module(f"dropout{i}", Dropout(dropout))
        self.activation: Any = _get_activation_fn(activation) if isinstance(activation, str) else activation

    def _through(self, x: Any, *blocks: Callable[[Any], Any]) -> Any:
        """x through the blocks, each added to what goes into it and with a norm of its own."""
        for i, block in enumerate(blocks, start=1):
            norm = getattr(self, f"norm{i}")
            x = x + block(norm(x)) if self.norm_first else norm(x + block(x))
        return x

    # The blocks have torch's names and arguments, because programs override them.

    def _sa_block(self, x: Any, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False) -> Any:
        """Self-attention, and its dropout."""
        return self.dropout1(self.self_attn(x, x, x, key_padding_mask, False, attn_mask, is_causal=is_causal)[0])

    def _ff_block(self, x: Any) -> Any:
        """The feed-forward network, and its dropout: the last one."""
        last = self.dropout3 if "dropout3" in self._modules else self.dropout2
        return last(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward network: (S, N, d_model) -> (S, N, d_model).

    Args:
        dim_feedforward: width of the hidden layer of the feed-forward network.
        activation: "relu", "gelu" or a function, of that hidden layer.
        norm_first: normalise before each block, not after it.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        settings = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)
        super().__init__(("self_attn",), d_model, nhead, *settings)
        chosen = self.activation
        is_relu, is_gelu = chosen is F.relu or isinstance(chosen, ReLU), chosen is F.gelu or isinstance(chosen, GELU)
        self.activation_relu_or_gelu = 1 if is_relu else 2 if is_gelu else 0

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """is_causal: src_mask is the causal one; it must be given all the same."""
        padding = canonical_mask(
            src_key_padding_mask, "src_key_padding_mask", none_or_dtype(src_mask), "src_mask", src.dtype
        )
        mask = canonical_mask(src_mask, "src_mask", None, "", src.dtype, False)
        if self._infers(src):
            # torch's program for inference takes every number of a mask but 0 for "not to be seen"
            padding, mask = (
                m if m is None else canonical_mask(m != 0, "", None, "", src.dtype) for m in (padding, mask)
            )
            return self._through(src, lambda x: self.self_attn._infer(x, padding, mask, False, True)[0], self._ff_block)
        return self._through(src, lambda x: self._sa_block(x, mask, padding, is_causal), self._ff_block)

    def _infers(self, x: Tensor) -> bool:
        """Whether torch would run this layer by its program for inference."""
        attention = self.self_attn
        return (
            not self.training
            and x.dim() == 3
            and attention.batch_first
            and attention.in_proj_bias is not None
            and attention._qkv_same_embed_dim
            and bool(self.activation_relu_or_gelu)
            and self.norm1.eps == self.norm2.eps
            and attention.num_heads % 2 == 0
            and not (is_grad_enabled() and any(t.requires_grad for t in (x, *self.parameters())))
            and not any(m._forward_hooks or m._forward_pre_hooks for m in self.modules())
        )


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention over `memory`, and a feed-forward network: (T, N, d_model) -> (T, N, d_model).

    The arguments are those of TransformerEncoderLayer. A copy of a layer whose activation is a module uses relu,
    whatever module it was: see __setstate__.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        settings = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)
        super().__init__(("self_attn", "multihead_attn"), d_model, nhead, *settings)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """memory (S, N, d_model): what the encoder made of the source. ..._is_causal: that mask is the causal one."""

        return self._through(
            tgt,
            lambda x: self._sa_block(x, tgt_mask, tgt_key_padding_mask, tgt_is_causal),
            lambda x: self._mha_block(x, memory, memory_mask, memory_key_padding_mask, memory_is_causal),
            self._ff_block,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # torch looks for the activation among the attributes and takes relu where there is none; but a module is not
        # among them. So every layer of a TransformerDecoder has relu then, and weights trained in torch expect it.
        super().__setstate__({"activation": F.relu, **state})

    def _mha_block(self, x: Any, mem: Any, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False) -> Any:
        """Attention over `mem`, and its dropout."""
        y, _ = self.multihead_attn(x, mem, mem, key_padding_mask, False, attn_mask, is_causal=is_causal)
        return self.dropout2(y)


def _get_activation_fn(activation: str) -> Any:
    """The function of this name: relu or gelu."""
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return getattr(F, activation)
