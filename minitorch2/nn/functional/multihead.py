"""Attention with several heads: projections in, attention for every head, a projection out."""

from __future__ import annotations

import math
import warnings

from ...core.autocast import stacklevel
from ...core.dtypes import bool as bool_
from ...core.dtypes import c_name
from ...creation import zeros, zeros_like
from ...ops._common import require_tensor
from ...ops.activation import softmax
from ...ops.joining import cat
from ...ops.linalg import linear, matmul
from .attention import scaled_dot_product_attention
from .dropout import dropout
from .padding import pad


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """(output, weights) of query (L, N, E) over key (S, N, Ek) and value (S, N, Ev); without a batch (L, E), (S, ...).

    output: like query. weights: None unless need_weights; else (N, L, S), the heads' mean, or with
    average_attn_weights=False (N, num_heads, L, S).

    Args:
        in_proj_weight, in_proj_bias: (3 E, E) and (3 E), the projections of query, key and value one below the other;
            or, with use_separate_proj_weight, q_proj_weight (E, E), k_proj_weight (E, Ek), v_proj_weight (E, Ev).
        bias_k, bias_v: (1, 1, E), one more key and value for every sequence. add_zero_attn: one more of zeros.
        key_padding_mask: (N, S), True or -inf for keys that are padding. attn_mask: (L, S) or (N num_heads, L, S), True
            where a key must not be seen, or numbers to be added.
        static_k, static_v: (N num_heads, S, E / num_heads), in place of the projected key and value.
        is_causal: attn_mask is the causal one; without weights and padding it is not looked at.

    AssertionError and RuntimeError for shapes that do not fit, in torch's words. Source: Vaswani et al., 2017.
    """
    for i, (name, t) in enumerate((("query", query), ("key", key), ("value", value)), start=1):
        require_tensor("multi_head_attention_forward", t, name, i)
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    padding = canonical_mask(key_padding_mask, "key_padding_mask", none_or_dtype(attn_mask), "attn_mask", query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    causal = is_causal and padding is None and not need_weights
    mask = None if causal else canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)

    if use_separate_proj_weight:
        q, k, v = _project_separately(query, key, value, (q_proj_weight, k_proj_weight, v_proj_weight), in_proj_bias)
    elif in_proj_weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    else:
        q, k, v = _project_packed(query, key, value, in_proj_weight, in_proj_bias)
    mask = _with_three_dims(mask, (length, key.shape[0]), batch * num_heads)
    if bias_k is not None and bias_v is not None:
        for name, static in (("key", static_k), ("value", static_v)):
            if static is not None:
                raise AssertionError(f"bias cannot be added to static {name}.")
        k, v = (cat([t, bias.repeat(1, batch, 1)]) for t, bias in ((k, bias_k), (v, bias_v)))
        mask, padding = (m if m is None else pad(m, (0, 1)) for m in (mask, padding))
    elif bias_k is not None:
        raise AssertionError("bias_k is set but bias_v is None")
    elif bias_v is not None:
        raise AssertionError("bias_v is set but bias_k is None")

    q = _heads(q, num_heads)
    k = _heads(k, num_heads) if static_k is None else _static("static_k", static_k, q)
    v = _heads(v, num_heads) if static_v is None else _static("static_v", static_v, q)
    if add_zero_attn:
        nothing = zeros((batch, num_heads, 1, width // num_heads), dtype=k.dtype, device=k.device)
        k, v = cat([k, nothing], 2), cat([v, nothing], 2)
        mask, padding = (m if m is None else pad(m, (0, 1)) for m in (mask, padding))
    mask = _merged(mask, padding, batch, num_heads, k.shape[2])

    dropout_p = dropout_p if training else 0.0
    weights = None
    if need_weights:
        y, weights = _with_weights(q, k, v, mask, dropout_p)
        weights = weights.mean(1) if average_attn_weights else weights
    else:
        y = scaled_dot_product_attention(q, k, v, mask, dropout_p, causal)
    y = y.permute(2, 0, 1, 3).reshape(length * batch, width)
    y = linear(y, out_proj_weight, out_proj_bias)
    y = y.view(length, batch, y.shape[1])
    if batched:
        return y, weights
    return y.squeeze(1), None if weights is None else weights.squeeze(0)


def _with_weights(q, k, v, mask, dropout_p):
    """(attention's result, the weights after dropout); a query that sees no key gets nan, as in torch."""
    if mask is not None and mask.dtype != q.dtype:
        names = [c_name(t._data.dtype) for t in (mask, q, k)]
        raise RuntimeError(
            f"Input dtypes must be the same, got: input {names[0]}, batch1: {names[1]}, batch2: {names[2]}: a mask of "
            "numbers has the dtype of query"
        )
    scores = matmul(q * math.sqrt(1 / q.shape[-1]), k.transpose(-2, -1))
    weights = softmax(scores if mask is None else scores + mask, -1)
    weights = dropout(weights, dropout_p) if dropout_p > 0 else weights
    return matmul(weights, v), weights


def _project_packed(query, key, value, weight, bias):
    """The three projections, as few products as there are different inputs."""
    width = query.shape[-1]
    if key is value and query is key:
        return linear(query, weight, bias).chunk(3, -1)
    if key is value:
        weights = weight.split([width, 2 * width])
        biases = (None, None) if bias is None else bias.split([width, 2 * width])
        return linear(query, weights[0], biases[0]), *linear(key, weights[1], biases[1]).chunk(2, -1)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(linear(*each) for each in zip((query, key, value), weight.chunk(3), biases, strict=True))


def _project_separately(query, key, value, weights, bias):
    width = query.shape[-1]
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    projected = []
    for letter, name, x, weight, b in zip(
        "qkv", ("query", "key", "value"), (query, key, value), weights, biases, strict=True
    ):
        if weight is None:
            raise AssertionError(f"use_separate_proj_weight is True but {letter}_proj_weight is None")
        for what, t, shape in (("weights", weight, (width, x.shape[-1])), ("bias", b, (width,))):
            if t is not None and tuple(t.shape) != shape:
                raise AssertionError(f"expecting {name} {what} shape of {shape}, but got {t.shape}")
        projected.append(linear(x, weight, b))
    return projected


def _heads(t, num_heads):
    """(T, N, E) as (N, heads, T, E / heads): a view."""
    return t.unflatten(-1, (num_heads, t.shape[-1] // num_heads)).permute(1, 2, 0, 3)


def _static(name, t, q):
    """(N heads, S, E / heads) as (N, heads, S, E / heads)."""
    batch, heads, _, width = q.shape
    if t.shape[0] != batch * heads:
        raise AssertionError(f"expecting {name}.size(0) of {batch * heads}, but got {t.shape[0]}")
    if t.shape[2] != width:
        raise AssertionError(f"expecting {name}.size(2) of {width}, but got {t.shape[2]}")
    return t.unflatten(0, (batch, heads))


def _with_three_dims(mask, scores, number):
    if mask is None:
        return None
    if mask.dim() == 2:
        if tuple(mask.shape) != scores:
            raise RuntimeError(f"The shape of the 2D attn_mask is {mask.shape}, but should be {scores}.")
        return mask.unsqueeze(0)
    if tuple(mask.shape) != (number, *scores):
        raise RuntimeError(f"The shape of the 3D attn_mask is {mask.shape}, but should be {(number, *scores)}.")
    return mask


def _merged(mask, padding, batch, num_heads, keys):
    """Both masks in one that broadcasts to (N, heads, L, S); None where there is neither."""
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.shape[0] == 1 else mask.unflatten(0, (batch, num_heads))
    if padding is None:
        return mask
    for i, size in enumerate((batch, keys)):
        if padding.shape[i] != size:
            raise AssertionError(f"Expected key_padded_mask.shape[{i}] to be {size}, but got {padding.shape[i]}")
    padding = padding.reshape(batch, 1, 1, keys)
    return padding if mask is None else mask + padding


def canonical_mask(mask, mask_name, other_type, other_name, target_type, check_other=True):
    """A mask as numbers to be added, of target_type where it was bool (True: -inf); None stays None.

    Warns, if check_other, where the other mask is of another dtype; AssertionError for integers.
    """
    if mask is None:
        return None
    floating = mask.is_floating_point()
    if mask.dtype != bool_ and not floating:
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=stacklevel(3),
        )
    return mask if floating else zeros_like(mask, dtype=target_type).masked_fill_(mask, -math.inf)


def none_or_dtype(mask):
    """The mask's dtype; None for None."""
    return None if mask is None else mask.dtype


def _check_dims(query, key, value, padding, mask, num_heads):
    """Whether there is a batch; AssertionError where the number of dims is wrong."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    dims = query.dim()
    start = f"For {'batched (3-D)' if dims == 3 else 'unbatched (2-D)'} `query`, expected"
    if key.dim() != dims or value.dim() != dims:
        raise AssertionError(
            f"{start} `key` and `value` to be {dims}-D but found {key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if padding is not None and padding.dim() != dims - 1:
        raise AssertionError(
            f"{start} `key_padding_mask` to be `None` or {dims - 1}-D but found {padding.dim()}-D tensor instead"
        )
    if mask is not None:
        if mask.dim() not in (2, 3):
            raise AssertionError(
                f"{start} `attn_mask` to be `None`, 2-D or 3-D but found {mask.dim()}-D tensor instead"
            )
        expected = (num_heads, query.shape[0], key.shape[0])
        if dims == 2 and mask.dim() == 3 and tuple(mask.shape) != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {mask.shape}")
    return dims == 3


def _check_sizes(query, key, value, expected_width, num_heads, separate):
    width = query.shape[-1]
    if width != expected_width:
        raise AssertionError(f"was expecting embedding dimension of {expected_width}, but got {width}")
    if width // num_heads * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


__all__ = ["multi_head_attention_forward"]
