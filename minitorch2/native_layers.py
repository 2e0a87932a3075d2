"""Functions of torch's own namespace that are whole layers of its C++ library: recurrent stacks, bags of rows with what
their backward needs, normalisation with its statistics, convolution of any kind.

The names stand in minitorch2/__init__.py, which imports this when one is asked for. Statistics have no gradient.
"""

from __future__ import annotations

import inspect
from typing import Any

import minitorch2_kernels as K

from .core.absent import absent_function
from .core.dtypes import LOW_PRECISION, float32
from .core.dtypes import bool as bool_
from .core.function import Function
from .core.grad_mode import no_grad
from .creation import empty, empty_like, ones_like
from .nn import functional as F
from .nn.functional.bags import bags_of
from .nn.functional.rnn import recurrent_stack
from .tensor import Tensor

native_norm = absent_function("native_norm", "it is the norm of sparse tensors; torch.norm is that of others")


def _of_sequences(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first): ...


def _of_packed(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional): ...


def _recurrent(name: str, mode: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        several = mode == "LSTM"  # whose state is a sequence of tensors, as the third argument else is
        second = args[1] if len(args) > 1 else None
        third = args[2] if len(args) > 2 else None
        packed = "batch_sizes" in kwargs or (isinstance(second, Tensor) and (several or isinstance(third, Tensor)))
        form = _of_packed if packed else _of_sequences
        try:
            bound = inspect.signature(form).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        given = bound.arguments
        state = tuple(given["hx"]) if several else (given["hx"],)
        weights = _by_layer(name, given, state)
        stack_options = given["dropout"], given["train"]
        if packed:
            sizes = tuple(given["batch_sizes"].tolist())
            y, state = recurrent_stack(mode, given["data"], sizes, state, weights, *stack_options)
            return y, *state
        x = given["input"].transpose(0, 1) if given["batch_first"] else given["input"]
        length, batch, width = x.shape
        rows = x.reshape(length * batch, width)
        y, state = recurrent_stack(mode, rows, (batch,) * length, state, weights, *stack_options)
        y = y.reshape(length, batch, -1)
        return y.transpose(0, 1) if given["batch_first"] else y, *state

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""The layers of nn.{mode.partition("_")[0]}: (y, *state).

    {name}(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first), input (T, N, I), or
    with batch_first (N, T, I); {name}(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train,
    bidirectional) of a PackedSequence's rows. params: the weights of every layer and direction, in nn's order.
    """
    return function


def _by_layer(name: str, given: dict[str, Any], state: tuple[Tensor, ...]) -> list[list[list[Any]]]:
    """Of every layer a list of its directions' (w_ih, w_hh, b_ih, b_hh, w_hr), the last three perhaps None."""
    projected = len(state) == 2 and state[0].shape[2] != state[1].shape[2]
    biases = [None, None] if not given["has_biases"] else []
    each = 2 + 2 * bool(given["has_biases"]) + projected
    params, directions = list(given["params"]), 2 if given["bidirectional"] else 1
    if len(params) != each * given["num_layers"] * directions:
        raise RuntimeError(
            f"{name}: got {len(params)} weights for {given['num_layers']} layers of {directions} directions, each of "
            f"which has {each}"
        )
    parts = [params[i : i + each] for i in range(0, len(params), each)]
    parts = [[*p[:2], *biases, *p[2:], *([] if projected else [None])] for p in parts]
    return [parts[i : i + directions] for i in range(0, len(parts), directions)]


lstm, gru = _recurrent("lstm", "LSTM"), _recurrent("gru", "GRU")
rnn_tanh, rnn_relu = _recurrent("rnn_tanh", "RNN_TANH"), _recurrent("rnn_relu", "RNN_RELU")


def embedding_bag(
    weight,
    indices,
    offsets,
    scale_grad_by_freq=False,
    mode=0,
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """(nn.functional.embedding_bag with the table first, the bag of each index, the bags' sizes, and where max found
    its values), mode being 0 for the sum, 1 for the mean, 2 for max. The last three are what torch fills in on the CPU:
    of a sum no sizes, and no bags unless there is a padding_idx."""
    if mode not in (0, 1, 2):
        raise RuntimeError("`mode` must be sum, mean, or max.")
    offsets = None if indices.ndim == 2 else offsets
    y = F.embedding_bag(
        indices,
        weight,
        offsets,
        scale_grad_by_freq=scale_grad_by_freq,
        mode=("sum", "mean", "max")[mode],
        sparse=sparse,
        per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset,
        padding_idx=padding_idx,
    )
    kind, flat = indices._data.dtype, indices._data.reshape(-1)
    bag, bags = bags_of(indices._data, offsets, include_last_offset)
    counted = bag
    if padding_idx is not None:
        counted = K.where(flat == padding_idx % weight._data.shape[0], bags, bag)
    if mode == 0:
        bag = bag[:0] if padding_idx is None else bag
        sizes = most = K.full_like(flat, 0, shape=(bags + include_last_offset,))
    else:
        sizes = most = K.bincount(counted, minlength=bags + 1)[:bags]
    if mode == 2:
        _, rows = K.bag_largest(weight._data, flat.astype(K.int64), counted, bags)
        none = K.full_like(flat, 0, shape=(1,))
        most = K.concatenate([flat, none])[rows]
    return y, *(Function.as_tensor(found.astype(kind)) for found in (bag, sizes, most))


def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """conv1d, conv2d, conv3d or, transposed, conv_transpose1d, ..., by the number of weight's dims."""
    dims = weight.ndim - 2
    if not 1 <= dims <= 3:
        raise RuntimeError(f"weight should have at least three dimensions, and five at most, but got {weight.ndim}")
    if transposed:
        function = getattr(F, f"conv_transpose{dims}d")
        return function(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return getattr(F, f"conv{dims}d")(input, weight, bias, stride, padding, dilation, groups)


def native_dropout(input, p, train):
    """(dropout of input, the mask: True where it is kept); train=None is True."""
    if not input.numel():
        return input, empty_like(input)
    if train is False:
        return input.clone(), ones_like(input, dtype=bool_)
    keep = 1 - p
    mask = empty_like(input, dtype=bool_).bernoulli_(keep)
    return input * mask * (1 / keep if keep else 0), mask


def _statistics(x, dims, keepdim, eps, dtype):
    """(the mean over dims, 1 / sqrt(the biased variance + eps)), computed in float32 at least."""
    with no_grad():
        x = x.float() if x._data.dtype in LOW_PRECISION else x
        mean = x.mean(dims, keepdim=keepdim)
        rstd = (x.var(dims, correction=0, keepdim=keepdim) + eps).rsqrt()
        return mean.to(dtype), rstd.to(dtype)


def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """(nn.functional.layer_norm, mean, 1 / standard deviation), the latter two with dims of 1 where input has
    normalized_shape."""
    y = F.layer_norm(input, normalized_shape, weight, bias, eps)
    dims = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    return y, *_statistics(input, dims, True, eps, input.dtype if weight is None else weight.dtype)


def native_group_norm(input, weight, bias, N, C, HxW, group, eps):
    """(nn.functional.group_norm of input, which has N * C * HxW elements, mean, 1 / standard deviation), the latter two
    (N, group)."""
    y = F.group_norm(input, group, weight, bias, eps)
    rows = input.reshape(N, group, C // group * HxW)
    return y, *_statistics(rows, -1, False, eps, input.dtype if weight is None else weight.dtype)


def native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """(nn.functional.batch_norm, the batch's mean, 1 / its standard deviation), the latter two (C), or without elements
    unless training."""
    if training:
        dtype = input.dtype if weight is None else weight.dtype
        found = _statistics(input, (0, *range(2, input.ndim)), False, eps, dtype)
    else:
        dtype = float32 if input._data.dtype in LOW_PRECISION else input.dtype
        found = [empty(0, dtype=dtype, device=input.device) for _ in range(2)]
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps), *found
