"""Depthwise convolution of large maps without numba: the shifted images of planes.py, scaled and added up.

im2col copies KH*KW numbers for each one computed, for a product of one row. Adding up the shifted images passes over
memory twice for each tap, but over long rows: measured on two cores, batch 1, 0.4 to 0.8 of conv.py's time for 3x3
windows on maps of 56x56 and 112x112. For smaller maps im2col's copies stay in cache and the passes are too short.
"""

from __future__ import annotations

import numpy as np

from ..reference import conv as reference
from ..reference.conv import out_size
from ..reference.copying import ascontiguousarray
from .conv import share_work, workspace
from .depthwise import depthwise, floats
from .planes import layout
from .rows import unbuffered

BLOCK = 256 * 1024  # numbers of the images at a time: a pass should be long, each takes the interpreter's lock
LARGE = 3000  # places of a map


def _out(x, w, stride, padding, dilation):
    return tuple(out_size(x.shape[2 + i], w.shape[2 + i], stride[i], padding[i], dilation[i]) for i in (0, 1))


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    if not (floats(x, w) and depthwise(x.shape, w.shape[:1] * 2, groups)):
        return False
    oh, ow = _out(x, w, stride, padding, dilation)
    return oh * ow >= LARGE


@reference.conv2d.override(_supports)
def conv2d(x, w, stride, padding, dilation, groups):
    """Depthwise: y is the sum of the shifted images, some channels at a time."""
    (n, c, *hw), (o, _, *khw) = x.shape, w.shape
    oh, ow = out = _out(x, w, stride, padding, dilation)
    place, of_each = layout((*hw,), (*khw,), stride, padding, dilation, out), o // c
    y = np.empty((n * c, of_each, oh, ow), x.dtype)
    images = ascontiguousarray(x).reshape(n * c, *hw)
    taps = np.tile(w.reshape(c, of_each, -1), (n, 1, 1))
    step = max(1, BLOCK // place.size)

    @unbuffered()
    def part(first, last):
        for a in range(first, last, step):
            b = min(last, a + step)
            padded = workspace("padded", (b - a) * place.size, x.dtype)
            padded[...] = 0
            phases = padded.reshape(b - a, len(place.phases), place.height, place.width)
            for number, phase in enumerate(place.phases):
                phases[:, number, phase.to_rows, phase.to_columns] = images[a:b, phase.rows, phase.columns]
            pixels = padded.reshape(b - a, place.size)
            total = workspace("total", (b - a) * oh * place.width, x.dtype).reshape(b - a, -1)
            scaled = workspace("scaled", (b - a) * place.length, x.dtype).reshape(b - a, -1)
            for each in range(of_each):
                sums = total[:, : place.length]
                for tap, start in enumerate(place.offsets.tolist()):
                    shifted = pixels[:, start : start + place.length]
                    np.multiply(shifted, taps[a:b, each, tap, None], out=scaled if tap else sums)
                    if tap:
                        sums += scaled
                y[a:b, each] = total.reshape(b - a, oh, place.width)[:, :, :ow]

    share_work(part, n * c, y.size * khw[0] * khw[1])
    return y.reshape(n, o, oh, ow)
