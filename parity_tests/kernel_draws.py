"""Arguments for the kernels, drawn by hypothesis, in every layout that an array can have."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from minitorch2_kernels.reference.conv import out_size


def channels_last(x):
    """The same images (N, C, H, W), the channels of a pixel side by side."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


class Draw:
    """Arrays and numbers for one call."""

    def __init__(self, draw):
        self.draw = draw
        self.rng = np.random.RandomState(draw(st.integers(0, 2**16)))
        self.dtype = draw(st.sampled_from(["float32", "float64"]))

    def int(self, low, high):
        return self.draw(st.integers(low, high))

    def pair(self, low, high):
        return self.int(low, high), self.int(low, high)

    def of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def array(self, *shape, special=False, own=False, scale=1.0):
        """Normal numbers of this scale, with ties, infinities and NaN where `special`. In row-major order or any other,
        with gaps, backwards, or one row that stands for all; not the last where each needs a place of its `own`."""
        x = (scale * self.rng.standard_normal(shape)).astype(self.dtype)
        if special and self.of(True, False):
            x = self.rng.choice([-np.inf, np.inf, np.nan, 0.0, -0.0, 1.0], shape).astype(self.dtype)
        elif special and self.of(True, False):
            x = np.round(x)
        order = self.of("rows", "rows", "columns", "any", "every second", "backwards", *() if own else ("one for all",))
        if order == "columns":
            return np.asarray(x, order="F")
        if order == "any":
            dims = self.draw(st.permutations(range(x.ndim)))
            return np.ascontiguousarray(x.transpose(dims)).transpose(np.argsort(dims))
        if order == "every second":
            wide = np.zeros((*shape[:-1], 2 * shape[-1]), self.dtype)
            wide[..., ::2] = x
            return wide[..., ::2]
        dim = self.int(0, x.ndim - 1)
        if order == "backwards":
            return np.flip(np.ascontiguousarray(np.flip(x, dim)), dim)
        if order == "one for all" and x.size:
            return np.broadcast_to(x.take([0], dim), x.shape)
        return x

    def images(self, *shapes):
        """Arrays (N, C, H, W) of these shapes; at times all of them channels_last."""
        arrays = [self.array(*shape) for shape in shapes]
        return [channels_last(x) for x in arrays] if self.of(False, True) else arrays

    def convolution(self):
        """(image sizes, weight sizes, output sizes, settings)"""
        kind = self.of("any", "depthwise", "pointwise", "plain", "patches")  # what has overrides of its own
        groups = 1 if kind in ("pointwise", "plain", "patches") else self.of(1, 2, 3)
        n, c, o = self.int(1, 5), groups * self.int(1, 3), groups * self.int(1, 3)
        c = groups if kind == "depthwise" else c
        kernel, stride, padding, dilation = self.pair(1, 3), self.pair(1, 3), self.pair(0, 2), self.pair(1, 2)
        if kind == "pointwise":
            kernel, stride, padding = (1, 1), (1, 1), (0, 0)
        stride = (1, 1) if kind == "plain" else stride
        stride, padding = (kernel, (0, 0)) if kind == "patches" else (stride, padding)
        h, w = self.pair(1, 8)
        out = tuple(out_size((h, w)[i], kernel[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
        assume(min(out) > 0)
        return (n, c, h, w), (o, c // groups, *kernel), (n, o, *out), (stride, padding, dilation, groups)

    def pool(self, dilated=True):
        """(image sizes, output sizes, settings); torch allows padding up to half the window"""
        kernel, stride = self.pair(1, 3), self.pair(1, 3)
        padding = tuple(self.int(0, k // 2) for k in kernel)
        dilation = self.pair(1, 2) if dilated else (1, 1)
        h, w = self.pair(1, 8)
        more = self.int(0, 1)  # a window that begins inside and ends outside: ceil_mode
        out = tuple(out_size((h, w)[i], kernel[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
        assume(min(out) > 0)
        reach = [(out[i] - 1 + more) * stride[i] < (h, w)[i] + padding[i] for i in (0, 1)]
        out = tuple(n + more * grows for n, grows in zip(out, reach, strict=True))
        return (self.int(2, 5), self.int(1, 3), h, w), out, (kernel, stride, padding, dilation)


def copied(a):
    """A copy whose numbers lie to one another as those of `a`: with its gaps, backwards, or several at one place, which
    ndarray.copy() would all put in order."""
    if not a.size:
        return a.copy()
    begin, end = np.lib.array_utils.byte_bounds(a)
    memory = np.empty(end - begin, np.uint8)
    copy = np.ndarray(a.shape, a.dtype, memory.data, a.__array_interface__["data"][0] - begin, a.strides)
    copy[...] = a
    return copy
