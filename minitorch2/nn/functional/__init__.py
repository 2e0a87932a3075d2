"""torch.nn.functional: layers as functions."""

from ...ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from ...ops.linalg import linear
from .activation import log_softmax, relu, softmax
from .dropout import dropout, dropout2d
from .loss import cross_entropy, nll_loss
from .pooling import max_pool2d

__all__ = [
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cross_entropy",
    "dropout",
    "dropout2d",
    "linear",
    "log_softmax",
    "max_pool2d",
    "nll_loss",
    "relu",
    "softmax",
]
