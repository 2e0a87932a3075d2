"""The functions of the torch namespace, gathered from the ops: torch.add, torch.cat ..."""

# A list, kept compact: a new function is added to its file's line and to __all__.
# isort: skip_file
# ruff: noqa: RUF022
# fmt: off

from __future__ import annotations

from .ops._arguments import names_arguments
from .ops.activation import log_softmax, logsumexp, softmax
from .ops.arithmetic import (
    add, atan2, div, floor_divide, fmod, maximum, minimum, mul, remainder, rsub, sub, where,
)
from .ops.bessel import i0
from .ops.clamping import clamp, clamp_max, clamp_min
from .ops.comparison import (
    allclose, bitwise_and, bitwise_not, bitwise_or, bitwise_xor, eq, equal, ge, gt, isclose, isfinite, isinf,
    isnan, le, logical_and, logical_not, logical_or, logical_xor, lt, ne,
)
from .ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from .ops.conv3d import conv3d, conv_transpose3d
from .ops.complex_names import angle, conj, conj_physical, imag, is_conj, is_neg
from .ops.complex_names import isreal, real, resolve_conj, resolve_neg
from .ops.conversion import clone, detach, fill
from .ops.decompositions import cholesky, qr, svd
from .ops.determinants import det, logdet, matrix_exp, slogdet
from .ops.einsum import einsum
from .ops.finite_differences import gradient
from .ops.floats import frexp, isneginf, isposinf, nextafter, signbit
from .ops.gathering import gather, index_add, index_copy, index_fill, index_select
from .ops.histogram import histogram, histogramdd
from .ops.householder import geqrf, orgqr, ormqr
from .ops.indexing import index_put
from .ops.inquiry import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_shapes, broadcast_tensors, can_cast, column_stack, get_device,
    is_complex, is_distributed, is_floating_point, is_inference, is_nonzero, is_same_size, is_signed, is_tensor, numel,
    result_type, typename,
)
from .ops.integers import bitwise_left_shift, bitwise_right_shift, gcd, lcm
from .ops.joining import cat, hstack, stack, tile, vstack
from .ops.least_squares import pinverse
from .ops.linalg import addbmm, addmm, addmv, addr, baddbmm, bmm, dot, matmul, mm, mv, norm, outer, tensordot
from .ops.lowrank import pca_lowrank, svd_lowrank
from .ops.lu import lu, lu_solve, lu_unpack
from .ops.masking import masked_fill, masked_scatter, masked_select, put, take, take_along_dim
from .ops.mixing import addcdiv, addcmul, lerp
from .ops.nans import nan_to_num, nanmean, nansum
from .ops.norm import batch_norm
from .ops.norms import frobenius_norm, norm_except_dim, nuclear_norm
from .ops.powers import pow
from .ops.probability import igamma, igammac, mvlgamma
from .ops.products import block_diag, cdist, chain_matmul, cross, inner, kron, matrix_power, pdist, vdot
from .ops.random import bernoulli, binomial, multinomial, poisson
from .ops.rearranging import (
    cartesian_prod, diag, diag_embed, diagflat, flip, fliplr, flipud, meshgrid, repeat_interleave, roll, rot90, trace,
    tril, tril_indices, triu, triu_indices,
)
from .ops.reduce import (
    amax, amin, aminmax, argmax, argmin, max, mean, min, prod, std, std_mean, sum, var, var_mean,
)
from .ops.rounding import ceil, floor, frac, round, sign, trunc
from .ops.scan import cummax, cummin, cumprod, cumsum, diff, logcumsumexp
from .ops.scattering import index_reduce, scatter, scatter_add, scatter_reduce
from .ops.searching import (
    argwhere, bincount, bucketize, histc, isin, nonzero, nonzero_static, searchsorted, unique, unique_consecutive,
    unravel_index,
)
from .ops.segments import segment_reduce
from .ops.sorting import argsort, kthvalue, median, mode, msort, nanmedian, nanquantile, quantile, sort, topk
from .ops.solving import cholesky_inverse, cholesky_solve, inverse, triangular_solve
from .ops.special import (
    copysign, deg2rad, digamma, dist, erfinv, float_power, fmax, fmin, heaviside, hypot, ldexp, lgamma, logaddexp,
    logaddexp2, logit, polygamma, rad2deg, sgn, sinc, xlogy,
)
from .ops.splitting import (
    dsplit, dstack, hsplit, narrow_copy, split_with_sizes, tensor_split, unsafe_chunk, unsafe_split,
    unsafe_split_with_sizes, vsplit,
)
from .ops.statistics import combinations, corrcoef, cov, cumulative_trapezoid, renorm, trapezoid, vander
from .ops.storages import from_file, is_storage
from .ops.strided import as_strided, as_strided_scatter, empty_strided
from .ops.trigonometry import acos, acosh, asin, asinh, atan, atanh, cos, cosh, sin, sinh, tan
from .ops.truth import all, any, count_nonzero
from .ops.unary import (
    abs, erf, erfc, exp, exp2, expm1, log, log10, log1p, log2, neg, positive,
    reciprocal, relu, rsqrt, sigmoid, sqrt, square, tanh,
)
from .ops.view_scatter import diagonal_scatter, select_scatter, slice_scatter
from .ops.views import (
    adjoint, broadcast_to, chunk, diagonal, flatten, movedim, narrow, permute, ravel, reshape, select, split, squeeze,
    swapaxes, t, transpose, unbind, unflatten, unfold_copy, unsqueeze,
)

absolute = abs
subtract = sub
multiply = mul
divide = div
true_divide = div
arctan2 = atan2
arcsin = asin
arccos = acos
arctan = atan
clip = clamp
concat = cat
trapz = trapezoid
concatenate = cat
swapdims = transpose
moveaxis = movedim
less = lt
less_equal = le
greater = gt
greater_equal = ge
not_equal = ne
ger = outer
row_stack = vstack
negative = neg
fix = trunc
arcsinh = asinh
arccosh = acosh
arctanh = atanh

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "adjoint",
    "all", "allclose", "amax", "amin", "aminmax", "angle", "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere", "as_strided", "as_strided_scatter", "asin",
    "asinh", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "baddbmm", "batch_norm", "bernoulli",
    "bincount", "binomial", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "block_diag", "bmm", "broadcast_shapes", "broadcast_tensors", "broadcast_to", "bucketize",
    "can_cast", "cartesian_prod", "cat", "cdist", "ceil", "chain_matmul", "cholesky", "cholesky_inverse",
    "cholesky_solve", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "clone", "column_stack", "combinations",
    "concat", "concatenate", "conj", "conj_physical", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "copysign", "corrcoef", "cos", "cosh", "count_nonzero", "cov", "cross",
    "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "deg2rad", "det", "detach", "diag", "diag_embed",
    "diagflat", "diagonal", "diagonal_scatter", "diff", "digamma", "dist", "div", "divide", "dot", "dsplit", "dstack",
    "einsum", "empty_strided", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fill", "fix",
    "flatten", "flip", "fliplr", "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac",
    "frexp", "frobenius_norm", "from_file", "gather", "gcd", "ge", "geqrf", "ger", "get_device", "gradient", "greater",
    "greater_equal", "gt", "heaviside", "histc", "histogram", "histogramdd", "hsplit", "hstack", "hypot", "i0",
    "igamma", "igammac", "imag", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "index_select",
    "inner", "inverse", "is_complex", "is_conj", "is_distributed", "is_floating_point", "is_inference", "is_neg",
    "is_nonzero", "is_same_size", "is_signed", "is_storage", "is_tensor", "isclose", "isfinite", "isin", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "kron", "kthvalue", "lcm", "ldexp", "le", "lerp", "less", "less_equal",
    "lgamma", "log", "log10", "log1p", "log2", "log_softmax", "logaddexp", "logaddexp2", "logcumsumexp", "logdet",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "logsumexp", "lt", "lu", "lu_solve",
    "lu_unpack", "masked_fill", "masked_scatter", "masked_select", "matmul", "matrix_exp", "matrix_power", "max",
    "maximum", "mean", "median", "meshgrid", "min", "minimum", "mm", "mode", "moveaxis", "movedim", "msort", "mul",
    "multinomial", "multiply", "mv", "mvlgamma", "nan_to_num", "nanmean", "nanmedian", "nanquantile", "nansum",
    "narrow", "narrow_copy", "ne", "neg", "negative", "nextafter", "nonzero", "nonzero_static", "norm",
    "norm_except_dim", "not_equal", "nuclear_norm", "numel", "orgqr", "ormqr", "outer", "pca_lowrank", "pdist",
    "permute", "pinverse", "poisson", "polygamma", "positive", "pow", "prod", "put", "qr", "quantile", "rad2deg",
    "ravel", "real", "reciprocal", "relu", "remainder", "renorm", "repeat_interleave", "reshape", "resolve_conj",
    "resolve_neg", "result_type", "roll", "rot90", "round", "row_stack", "rsqrt", "rsub", "scatter", "scatter_add",
    "scatter_reduce", "searchsorted", "segment_reduce", "select", "select_scatter", "sgn", "sigmoid", "sign",
    "signbit", "sin", "sinc", "sinh", "slice_scatter", "slogdet", "softmax", "sort", "split", "split_with_sizes",
    "sqrt", "square", "squeeze", "stack", "std", "std_mean", "sub", "subtract", "sum", "svd", "svd_lowrank",
    "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh", "tensor_split", "tensordot", "tile", "topk",
    "trace", "transpose", "trapezoid", "trapz", "triangular_solve", "tril", "tril_indices", "triu", "triu_indices",
    "true_divide", "trunc", "typename", "unbind", "unflatten", "unfold_copy", "unique", "unique_consecutive",
    "unravel_index", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "unsqueeze", "vander", "var",
    "var_mean", "vdot", "vsplit", "vstack", "where", "xlogy",
]

# Views, what has no one result, and what torch has without it.
_WITHOUT_OUT = {
    "adjoint", "allclose", "argwhere", "as_strided", "as_strided_scatter", "atleast_1d", "atleast_2d", "atleast_3d",
    "batch_norm", "bincount", "binomial", "block_diag", "broadcast_shapes", "broadcast_tensors", "broadcast_to",
    "can_cast", "cartesian_prod", "cdist", "chunk", "clone", "combinations", "conj", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "corrcoef", "count_nonzero", "cov",
    "cumulative_trapezoid", "detach", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "dist", "dsplit",
    "einsum", "empty_strided", "equal", "fill", "flatten", "flip", "fliplr", "flipud", "get_device", "gradient",
    "histogramdd", "hsplit", "imag", "index_fill", "index_put", "is_complex", "is_conj", "is_distributed",
    "is_floating_point", "is_inference", "is_neg", "is_nonzero", "is_same_size", "is_signed", "is_storage",
    "is_tensor", "isclose", "isfinite", "isinf", "isnan", "isreal", "logdet", "masked_fill", "masked_scatter",
    "matrix_exp", "meshgrid", "moveaxis", "movedim", "narrow", "norm_except_dim", "numel", "pca_lowrank", "pdist",
    "permute", "pinverse", "poisson", "positive", "put", "ravel", "real", "relu", "repeat_interleave", "reshape",
    "resolve_conj", "resolve_neg", "result_type", "roll", "rot90", "rsub", "segment_reduce", "select",
    "select_scatter", "slice_scatter", "split", "split_with_sizes", "squeeze", "svd_lowrank", "swapaxes", "swapdims",
    "t", "tensor_split", "tile", "trace", "transpose", "trapezoid", "trapz", "tril_indices", "triu_indices",
    "typename", "unbind", "unflatten", "unique", "unique_consecutive", "unravel_index", "unsafe_chunk", "unsafe_split",
    "unsafe_split_with_sizes", "unsqueeze", "vander", "vsplit",
}

for _name in __all__:
    globals()[_name] = names_arguments(globals()[_name], _name, takes_out=_name not in _WITHOUT_OUT)
    globals()[_name].__module__ = __name__
