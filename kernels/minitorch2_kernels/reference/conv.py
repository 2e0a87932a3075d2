"""Convolution and its two gradients, in two dimensions.

x (N, C, H, W), w (O, C/groups, KH, KW), y (N, O, OH, OW); stride, padding and dilation are pairs.

    y[n,o,i,j] = sum over c,k,l of  x[n, c, i*SH + k*DH - PH, j*SW + l*DW - PW] * w[o,c,k,l]

The three functions are each other's derivatives: they are all that convolution, transposed convolution and any of their
derivatives need.
"""

from __future__ import annotations

from ..dispatch import kernel, namespace
from .matmul import matmul


def out_size(n: int, k: int, stride: int, padding: int, dilation: int) -> int:
    """How many places a kernel of k taps has along n elements."""
    return (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1


def pad_hw(x, ph: int, pw: int):
    """x with zeros around H and W; x itself where there are none."""
    if not (ph or pw):
        return x
    n, c, h, w = x.shape
    padded = namespace(x).zeros((n, c, h + 2 * ph, w + 2 * pw), x.dtype)
    padded[:, :, ph : ph + h, pw : pw + w] = x
    return padded


def windows(x, kh: int, kw: int, stride, dilation, oh: int, ow: int):
    """A view (N, C, KH, KW, OH, OW) of the padded x: entry [.., k, l, i, j] is what tap (k, l) sees at place (i, j)."""
    n, c, h, w = x.strides
    (sh, sw), (dh, dw) = stride, dilation
    shape = (*x.shape[:2], kh, kw, oh, ow)
    strides = (n, c, h * dh, w * dw, h * sh, w * sw)
    return namespace(x).lib.stride_tricks.as_strided(x, shape, strides)


@kernel
def conv2d(x, w, stride, padding, dilation, groups):
    """y, the convolution of x with w."""
    n = x.shape[0]
    o, cg, kh, kw = w.shape
    oh, ow = (out_size(x.shape[2 + i], (kh, kw)[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    columns = windows(pad_hw(x, *padding), kh, kw, stride, dilation, oh, ow)
    columns = columns.reshape(n, groups, cg * kh * kw, oh * ow)  # im2col, a copy
    w = w.reshape(groups, o // groups, cg * kh * kw)
    return matmul(w, columns).reshape(n, o, oh, ow)


@kernel
def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """dx (N, C, H, W), hw = (H, W), from g = dy: every place of y gives w, scaled, back to where it looked."""
    xp = namespace(g)
    n, o, oh, ow = g.shape
    _, cg, kh, kw = w.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    w = w.reshape(groups, o // groups, cg * kh * kw)
    columns = matmul(w.swapaxes(1, 2), g.reshape(n, groups, o // groups, oh * ow))
    columns = columns.reshape(n, groups * cg, kh, kw, oh, ow)
    dx = xp.zeros((n, groups * cg, hw[0] + 2 * ph, hw[1] + 2 * pw), g.dtype)
    for k in range(kh):  # places never meet within one tap
        for m in range(kw):
            rows = slice(k * dh, k * dh + sh * (oh - 1) + 1, sh)
            cols = slice(m * dw, m * dw + sw * (ow - 1) + 1, sw)
            dx[:, :, rows, cols] += columns[:, :, k, m]
    return xp.ascontiguousarray(dx[:, :, ph : ph + hw[0], pw : pw + hw[1]])


@kernel
def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """dw (O, C/groups, KH, KW), khw = (KH, KW), from g = dy: each tap's sum of what it saw times what became of it."""
    n, o, oh, ow = g.shape
    (kh, kw), cg = khw, x.shape[1] // groups
    columns = windows(pad_hw(x, *padding), kh, kw, stride, dilation, oh, ow)
    columns = columns.reshape(n, groups, cg * kh * kw, oh * ow)
    g = g.reshape(n, groups, o // groups, oh * ow)
    return matmul(g, columns.swapaxes(2, 3)).sum(axis=0).reshape(o, cg, kh, kw)
