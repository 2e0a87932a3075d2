"""Transformer, and its stacks of layers. (The layers: transformer_layers, which says what shapes and masks are.)"""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

from ...core.grad_mode import is_grad_enabled
from ...creation import arange, full
from ...ops.rearranging import triu
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..functional.multihead import canonical_mask, none_or_dtype
from .activation import ReLU
from .container import ModuleList
from .module import Module
from .normalization import LayerNorm
from .transformer_layers import Activation, TransformerDecoderLayer, TransformerEncoderLayer
from .transformer_layers import _get_activation_fn as _get_activation_fn  # where torch has it

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerEncoder",
]


class TransformerEncoder(Module):
    """``num_layers`` deep copies of ``encoder_layer`` in a row, and ``norm`` at the end.

    Args:
        enable_nested_tensor: in evaluation mode without gradients, with a key padding mask and none other, the output
            is 0 where the source is padding, as it is in torch, whose nested tensors leave the padding out. Nothing
            else depends on it here.
        mask_check: leave padding out only where it stands at the end; with False it is taken to stand there.
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        obstacle = _why_not_nested(encoder_layer)
        if enable_nested_tensor and obstacle:
            warnings.warn(
                f"enable_nested_tensor is True, but self.use_nested_tensor is False because {obstacle}", stacklevel=2
            )
            self.use_nested_tensor = False

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """is_causal: whether mask is the causal one; None: look."""
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", none_or_dtype(mask), "mask", src.dtype)
        mask = canonical_mask(mask, "mask", None, "", src.dtype, False)
        first: Any = self.layers[0]
        absent = self._left_out(src, mask, padding)
        if absent is not None:
            # Where nothing but padding is left there is no row for torch to attend from. It is 0 in the end, so let it
            # see itself.
            seen = absent & ~absent.all(-1, keepdim=True)
            padding = canonical_mask(seen, "", None, "", src.dtype)
        causal = _is_causal(mask, is_causal, _length(src, first.self_attn.batch_first))
        output = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=causal, src_key_padding_mask=padding)
        if absent is not None:
            output = output.masked_fill(absent.unsqueeze(-1), 0.0)
        return output if self.norm is None else self.norm(output)

    def _left_out(self, src: Tensor, mask: Tensor | None, padding: Any) -> Any:
        """(N, S), True for padding that torch leaves out by means of a nested tensor; None where it does not."""
        first: Any = self.layers[0]
        if not self.use_nested_tensor or first.training or src.dim() != 3 or padding is None or mask is not None:
            return None
        if is_grad_enabled() and any(t.requires_grad for t in (src, *first.parameters())):
            return None
        present = padding == 0
        absent = arange(present.shape[1], device=present.device) >= present.sum(-1, keepdim=True)
        return None if self.mask_check and (absent == present).any() else absent


class TransformerDecoder(Module):
    """``num_layers`` deep copies of ``decoder_layer`` in a row, and ``norm`` at the end."""

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        if not isinstance(decoder_layer._modules.get("activation"), None | ReLU):
            warnings.warn(
                "the layers of a TransformerDecoder use relu, as in torch, when the activation of decoder_layer is a "
                "module: the copy of a layer loses it. Pass a function, such as torch.nn.functional.gelu",
                stacklevel=2,
            )
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """As TransformerDecoderLayer. tgt_is_causal: whether tgt_mask is the causal one; None: look."""
        first: Any = self.layers[0]
        output = tgt
        causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, first.self_attn.batch_first))
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """An encoder of the source and a decoder that makes the target of it: (S, N, d_model), (T, N, d_model) -> (T, N,
    d_model). custom_encoder and custom_decoder take the place of the stacks of layers; all else is as in the layers.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def stack(kind: Any, layer: Any, number: int) -> Any:
            made = layer(*settings, **options)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
            return kind(made, number, norm)

        if custom_encoder is None:
            custom_encoder = stack(TransformerEncoder, TransformerEncoderLayer, num_encoder_layers)
        if custom_decoder is None:
            custom_decoder = stack(TransformerDecoder, TransformerDecoderLayer, num_decoder_layers)
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """src_mask (S, S), tgt_mask (T, T), memory_mask (T, S), ..._key_padding_mask (N, S), (N, T), (N, S)."""
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(batch) != tgt.size(batch):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask (sz, sz): -inf above the diagonal, 0 elsewhere."""
        return triu(full((sz, sz), -math.inf, dtype=dtype, device=device), diagonal=1)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)


def _get_clones(module: Module, N: int) -> ModuleList:
    """N deep copies."""
    return ModuleList([copy.deepcopy(module) for _ in range(N)])


def _length(x: Tensor, batch_first: bool) -> int:
    return x.shape[1 if batch_first and x.dim() != 2 else 0]


def _is_causal(mask: Any, told: bool | None, size: int) -> bool:
    """Whether the mask is the causal one: what the caller told, or else what it looks like."""
    if told is None and mask is not None:
        causal: Any = Transformer.generate_square_subsequent_mask(size, device=mask.device, dtype=mask.dtype)
        return tuple(mask.shape) == (size, size) and bool((mask == causal).all())
    return told is True


def _why_not_nested(layer: Any) -> str:
    """Why torch would not leave out padding with layers like this one; "" where it would."""
    if not isinstance(layer, TransformerEncoderLayer):
        return "encoder_layer was not TransformerEncoderLayer"
    attention = layer.self_attn
    obstacles = {
        "norm_first was True": layer.norm_first,
        "self_attn.batch_first was not True(use batch_first for better inference performance)": not (
            attention.batch_first
        ),
        "self_attn._qkv_same_embed_dim was not True": not attention._qkv_same_embed_dim,
        "self_attn was passed bias=False": attention.in_proj_bias is None,
        "activation_relu_or_gelu was not True": not layer.activation_relu_or_gelu,
        "norm1.eps was not equal to encoder_layer.norm2.eps": layer.norm1.eps != layer.norm2.eps,
        "self_attn.num_heads is odd": attention.num_heads % 2 == 1,
    }
    return next((f"encoder_layer.{text}" for text, holds in obstacles.items() if holds), "")
