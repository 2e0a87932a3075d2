"""channels_last, for functions of images: memory in which the channels of a pixel lie side by side."""

from __future__ import annotations

import functools
from typing import Any

from ..core.layout import channels_last
from ..core.memory_order import is_channels_last
from ..core.variable import Variable
from .conversion import clone


def follows_format(function):
    """`function` of images (N, C, H, W), whose results are channels_last where the images or the weights are, as
    torch's are. But for 1x1 convolutions the kernels work in row-major order: there it saves nothing and costs a
    copy."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        result = function(*args, **kwargs)
        for given in (*args[:2], *kwargs.values()):
            if isinstance(given, Variable) and is_channels_last(given._data):
                return tuple(map(in_channels_last, result)) if isinstance(result, tuple) else in_channels_last(result)
        return result

    return call


def in_channels_last(x) -> Any:
    """x, or a copy of it that is channels_last."""
    return x if x._data.ndim != 4 or is_channels_last(x._data) else clone(x, memory_format=channels_last)
