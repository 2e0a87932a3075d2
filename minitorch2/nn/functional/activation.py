"""Activations. Where there is an `inplace`, the result is written into the input's memory."""

from __future__ import annotations

import warnings

import minitorch2_kernels as K

from ...core.autocast import stacklevel
from ...core.dtypes import LOW_PRECISION, float32, float64, int64
from ...core.function import Function
from ...ops import unary
from ...ops._common import fitting, require_floating, require_tensor, wrap_dim
from ...ops._inplace import check_writable, overwrite, write
from ...ops.activation import log_softmax as log_softmax_along
from ...ops.activation import softmax as softmax_along
from ...ops.random import resolved
from ...ops.rectifiers import (
    Elu,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyRelu,
    Softshrink,
    Threshold,
    hardshrink,
    prelu,
)
from ...ops.reduce import PutAlong
from ...ops.smooth_activations import Gelu, GeluTanh, Glu, LogSigmoid, Mish, Silu, Softplus
from ...ops.unary import sigmoid, tanh

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _activate(op, name, input, *settings, inplace=False, floating=True):
    require_tensor(name, input)
    if floating:
        require_floating(name, input)
    if not inplace:
        return op.apply(input, *settings)
    return overwrite(op, input, *settings, name=name)


def relu(input, inplace=False):
    """max(input, 0)."""
    require_tensor("relu", input)
    return input.relu_() if inplace else unary.relu(input)


def relu_(input):
    """relu in place."""
    return input.relu_()


def relu6(input, inplace=False):
    """min(max(input, 0), 6)."""
    return hardtanh(input, 0, 6, inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """input limited to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    kind = input._data.dtype.kind
    if kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if kind in "iu":
        min_val, max_val = (fitting(x, int64.numpy) for x in (min_val, max_val))
    if kind == "u" and min_val < 0:
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    min_val, max_val = (fitting(x, input._data.dtype) for x in (min_val, max_val))
    return _activate(Hardtanh, "hardtanh", input, min_val, max_val, inplace=inplace, floating=False)


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """hardtanh in place."""
    return hardtanh(input, min_val, max_val, True)


def threshold(input, threshold, value, inplace=False):
    """input where it is above threshold, else value."""
    require_tensor("threshold", input)
    dtype = input._data.dtype
    threshold, value = fitting(threshold, float32.numpy if dtype in LOW_PRECISION else dtype), fitting(value, dtype)
    return _activate(Threshold, "threshold", input, threshold, value, inplace=inplace, floating=False)


_threshold = threshold


def threshold_(input, threshold, value):
    """threshold in place."""
    return _threshold(input, threshold, value, True)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """input where it is above 0, else negative_slope * input. Source: Maas et al., 2013."""
    return _activate(LeakyRelu, "leaky_relu", input, negative_slope, inplace=inplace)


def leaky_relu_(input, negative_slope=0.01):
    """leaky_relu in place."""
    return leaky_relu(input, negative_slope, True)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """leaky_relu with a slope drawn uniformly from [lower, upper] for each element while training, else their mean.

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network", 2015.
    """
    require_floating("rrelu", input)
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    x = input if input._data.itemsize > 2 else input.float()
    slopes = K.ones_like(x._data)
    negative = x._data <= 0  # slopes are drawn for these alone, in their order
    slopes[negative] = resolved(None, x.device).uniform((int(negative.sum()),), float64.numpy, lower, upper)
    y = (x * Function.as_tensor(slopes)).to(input.dtype)
    if not inplace:
        return y
    check_writable(input)
    return write(input, y, "rrelu")


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """rrelu in place."""
    return rrelu(input, lower, upper, training, True)


def elu(input, alpha=1.0, inplace=False):
    """input where it is above 0, else alpha * (exp(input) - 1). Source: Clevert et al., 2015."""
    return _activate(Elu, "elu", input, alpha, 1.0, 1.0, inplace=inplace)


def elu_(input, alpha=1.0):
    """elu in place."""
    return elu(input, alpha, True)


def selu(input, inplace=False):
    """elu, scaled so that mean 0 and variance 1 are kept. Source: Klambauer et al., 2017."""
    return _activate(Elu, "selu", input, _SELU_ALPHA, _SELU_SCALE, 1.0, inplace=inplace)


def selu_(input):
    """selu in place."""
    return selu(input, True)


def celu(input, alpha=1.0, inplace=False):
    """max(0, input) + min(0, alpha * (exp(input / alpha) - 1)). Source: Barron, 2017."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _activate(Elu, "celu", input, alpha, 1.0, 1.0 / alpha, inplace=inplace)


def celu_(input, alpha=1.0):
    """celu in place."""
    return celu(input, alpha, True)


def gelu(input, approximate="none"):
    """input * Phi(input), Phi the normal distribution function; approximate="tanh" for the cheaper formula.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return _activate(Gelu if approximate == "none" else GeluTanh, "gelu", input)


def silu(input, inplace=False):
    """input * sigmoid(input), also called swish."""
    return _activate(Silu, "silu", input, inplace=inplace)


def mish(input, inplace=False):
    """input * tanh(softplus(input)). Source: Misra, 2019."""
    return _activate(Mish, "mish", input, inplace=inplace)


def logsigmoid(input):
    """log(sigmoid(input)), without overflow."""
    return _activate(LogSigmoid, "log_sigmoid", input)


def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * input)) / beta; input itself where beta * input is above threshold."""
    return _activate(Softplus, "softplus", input, beta, threshold)


def softsign(input):
    """input / (1 + |input|)."""
    return input / (unary.abs(input) + 1)


def tanhshrink(input):
    """input - tanh(input)."""
    return input - unary.tanh(input)


def hardsigmoid(input, inplace=False):
    """min(max(input + 3, 0), 6) / 6."""
    return _activate(Hardsigmoid, "hardsigmoid", input, inplace=inplace)


def hardswish(input, inplace=False):
    """input * hardsigmoid(input). Source: Howard et al., "Searching for MobileNetV3", 2019."""
    return _activate(Hardswish, "hardswish", input, inplace=inplace)


def softshrink(input, lambd=0.5):
    """input brought lambd closer to 0; 0 where |input| <= lambd."""
    if lambd < 0:
        raise RuntimeError(
            f"lambda must be in range [0, 3.40282e+38] for input dtype {input.dtype.torch_type}, but found {lambd:g}"
        )
    return _activate(Softshrink, "softshrink", input, lambd)


def glu(input, dim=-1):
    """a * sigmoid(b), input cut in halves a and b along dim. Source: Dauphin et al., 2016."""
    require_floating("glu", input)
    if input._data.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    dim = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[dim]
    if n % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {n}")
    return Glu.apply(input, dim)


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(input) / sum(exp(input)) along dim: non-negative, sums to 1. dtype: convert the input first."""
    return softmax_along(input, _implicit("softmax", input, dim, _stacklevel), dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-input)."""
    return softmax_along(-input, _implicit("softmin", input, dim, _stacklevel), dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(input)) along dim, without overflow. dtype: convert the input first."""
    return log_softmax_along(input, _implicit("log_softmax", input, dim, _stacklevel), dtype)


def _implicit(name, input, dim, level):
    """torch's first guess at a missing dim, with its warning."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel(level),
    )
    return 0 if input._data.ndim in (0, 1, 3) else 1


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """softmax((logits + Gumbel noise) / tau); hard: one-hot at its largest element, with the gradient of the soft one.

    Source: Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2016.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=stacklevel(2))
    noise = Function.as_tensor(resolved(None, logits.device).exponential(logits._data.shape, logits._data.dtype))
    soft = softmax_along((logits - noise.log()) / tau, dim)
    if not hard:
        return soft
    dim = wrap_dim(dim, soft._data.ndim)
    place = soft.detach().max(dim, keepdim=True)[1]._data
    one_hot = PutAlong.apply(
        Function.as_tensor(K.full_like(soft._data, 1.0, shape=place.shape)), place, soft._data.shape, dim
    )
    return one_hot - soft.detach() + soft


__all__ = [
    "celu",
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
]
