"""Calls of the kernels of normalisation, for test_kernels.py."""

import minitorch2_kernels as K

ANOTHER_ORDER = 64.0  # as in test_kernels.py


def moments(d):
    return (d.array(d.int(1, 3), d.int(1, 5), d.of(1, d.int(1, 9))),)


def normalize(d):
    (x,) = moments(d)
    weight, bias = (d.array(x.shape[1]) if d.of(True, False) else None for _ in range(2))
    return x, d.array(x.shape[1]), d.array(x.shape[1]) ** 2, weight, bias


def normalize_grad(d):
    x, mean, rstd, weight, _ = normalize(d)
    return d.array(*x.shape), x, mean, rstd, weight, d.of(True, False)


def affine_grad(d, normalize_grad=normalize_grad):
    return normalize_grad(d)[:4]


def mix(d, normalize_grad=normalize_grad):
    g, x, mean, by, _, _ = normalize_grad(d)
    return g, x, mean, by, d.array(len(mean)), d.array(len(mean))


def group_norm(d):
    groups, each = d.int(1, 3), d.int(1, 3)
    x = d.array(d.int(1, 3), groups * each, d.int(2, 9))
    weight, bias = (d.array(groups * each) if d.of(True, False) else None for _ in range(2))
    return x, weight, bias, groups, 1e-3


def group_norm_grad(d):
    x, weight, _, groups, _ = group_norm(d)
    rows = len(x) * groups
    return d.array(*x.shape), x, d.array(rows), d.array(rows) ** 2, weight, groups


def layer_norm(d):
    rows, width = d.int(1, 9), d.int(1, 40)
    weight, bias = (d.array(width) if d.of(True, False) else None for _ in range(2))
    return d.array(rows, width), weight, bias, 1e-2  # an eps that keeps rows of one number from exploding


def layer_norm_grad(d):
    x, weight, _, eps = layer_norm(d)
    _, mean, rstd = K.layer_norm.reference(x, weight, None, eps)
    return d.array(*x.shape), x, mean, rstd, weight


def rms_norm(d, layer_norm=layer_norm):
    x, weight, _, eps = layer_norm(d)
    return x, weight, eps


def rms_norm_grad(d, layer_norm_grad=layer_norm_grad):
    g, x, _, rstd, weight = layer_norm_grad(d)
    return g, x, rstd, weight


CASES = {
    "moments": (moments, ANOTHER_ORDER),
    "normalize": (normalize, ANOTHER_ORDER),
    "normalize_grad": (normalize_grad, ANOTHER_ORDER),
    "affine_grad": (affine_grad, ANOTHER_ORDER),
    "mix": (mix, ANOTHER_ORDER),
    "group_norm": (group_norm, ANOTHER_ORDER),
    "group_norm_grad": (group_norm_grad, ANOTHER_ORDER),
    "layer_norm": (layer_norm, ANOTHER_ORDER),
    "layer_norm_grad": (layer_norm_grad, ANOTHER_ORDER),
    "rms_norm": (rms_norm, ANOTHER_ORDER),
    "rms_norm_grad": (rms_norm_grad, ANOTHER_ORDER),
}
