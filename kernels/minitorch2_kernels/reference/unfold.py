"""im2col and its transpose as layers of their own: sliding windows to columns and back."""

from __future__ import annotations

from ..dispatch import kernel, namespace
from .conv import out_size, pad_hw, windows


def places(hw, kernel_size, stride, padding, dilation) -> tuple[int, int]:
    """(OH, OW): how many windows there are."""
    oh, ow = (out_size(hw[i], kernel_size[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    return oh, ow


@kernel
def unfold(x, kernel_size, stride, padding, dilation):
    """x (N, C, H, W) as columns (N, C*KH*KW, OH*OW)."""
    n, c = x.shape[:2]
    (kh, kw), (oh, ow) = kernel_size, places(x.shape[2:], kernel_size, stride, padding, dilation)
    return windows(pad_hw(x, *padding), kh, kw, stride, dilation, oh, ow).reshape(n, c * kh * kw, oh * ow)


@kernel
def fold(columns, hw, kernel_size, stride, padding, dilation):
    """x (N, C, H, W), hw = (H, W): every column added back to where its window was."""
    xp = namespace(columns)
    (kh, kw), (oh, ow) = kernel_size, places(hw, kernel_size, stride, padding, dilation)
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    n, c = columns.shape[0], columns.shape[1] // (kh * kw)
    columns = columns.reshape(n, c, kh, kw, oh, ow)
    x = xp.zeros((n, c, hw[0] + 2 * ph, hw[1] + 2 * pw), columns.dtype)
    for k in range(kh):  # windows never meet within one tap
        for m in range(kw):
            rows = slice(k * dh, k * dh + sh * (oh - 1) + 1, sh)
            cols = slice(m * dw, m * dw + sw * (ow - 1) + 1, sw)
            x[:, :, rows, cols] += columns[:, :, k, m]
    return xp.ascontiguousarray(x[:, :, ph : ph + hw[0], pw : pw + hw[1]])
