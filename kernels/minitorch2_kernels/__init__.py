"""Array kernels of minitorch2: arrays in, arrays out, no autograd. See kernels/README.md.

NumPy's own functions stand here too. They need no `xp`: through the __array_ufunc__ and __array_function__ protocols
`exp(x)` computes on the GPU when x is a CuPy array. What makes an array of nothing (zeros, arange) has to be told
where: `namespace(x).zeros`, or `zeros_like`.
"""

from numpy import (
    abs,
    add,
    all,
    any,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    bincount,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    bool,
    broadcast_arrays,
    broadcast_to,
    concatenate,
    copyto,
    cos,
    cosh,
    cumsum,
    deg2rad,
    diff,
    divide,
    equal,
    exp2,
    flip,
    float64,
    fmax,
    fmin,
    gcd,
    greater,
    greater_equal,
    heaviside,
    int32,
    int64,
    invert,
    isfinite,
    isinf,
    isnan,
    lcm,
    ldexp,
    left_shift,
    less,
    less_equal,
    lexsort,
    log2,
    log10,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    may_share_memory,
    moveaxis,
    multiply,
    nan_to_num,
    nextafter,
    nonzero,
    not_equal,
    partition,
    permute_dims,
    power,
    rad2deg,
    repeat,
    right_shift,
    rot90,
    searchsorted,
    signbit,
    sin,
    sinc,
    sinh,
    sqrt,
    square,
    stack,
    subtract,
    take_along_axis,
    tan,
    tile,
    tril,
    triu,
    uint8,
    unique,
)

from . import memory  # sets how the process keeps its memory
from .dispatch import (
    KERNELS,
    asarray,
    empty_like,
    full_like,
    is_array,
    kernel,
    namespace,
    on_device,
    ones_like,
    use_reference,
    where,
    zeros_like,
)
from .reference.adaptive_pooling import adaptive_avg_pool2d, adaptive_avg_pool2d_put, adaptive_max_pool2d, plane_put
from .reference.arithmetic import (
    absolute,
    absolute_grad,
    choose,
    cube,
    interpolated,
    minus,
    minus_into,
    negative,
    over,
    over_into,
    plus,
    plus_into,
    reciprocal,
    reciprocal_square_root,
    square_root,
    times,
    times_into,
)
from .reference.attention import attention, attention_grad, hidden
from .reference.bags import bag_factors_grad, bag_largest, bag_sums, bag_sums_grad
from .reference.bessel import i0, i0e, i1, i1e
from .reference.bias import add_bias
from .reference.cast import BFLOAT16, add_bfloat16, cast, from_half, narrow, to_half, widen
from .reference.class_loss import (
    class_scale,
    cross_entropy_mean,
    cross_entropy_mean_grad,
    nll,
    nll_mean,
    nll_mean_put,
    nll_put,
)
from .reference.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from .reference.copying import ascontiguousarray, copy_rolled, copy_to
from .reference.ctc import ctc_loss, ctc_loss_grad
from .reference.decompositions import cholesky, eigh, eigvalsh, geqrf, qr, svd, svdvals
from .reference.distances import euclidean
from .reference.division import floor_divide, fmod, remainder
from .reference.dropout import masked_scale
from .reference.elementwise_loss import huber, logits_loss, logits_loss_grad
from .reference.exponentials import (
    elu,
    elu_grad,
    exp,
    expm1,
    log_sigmoid,
    log_sigmoid_grad,
    sigmoid,
    sigmoid_grad,
    silu,
    silu_grad,
    softplus,
    softplus_grad,
    tanh,
    tanh_grad,
)
from .reference.extremes import extremes, positions, running_positions
from .reference.gamma_samples import dirichlet_grad, standard_gamma_grad
from .reference.gelu import gelu, gelu_grad, gelu_tanh, gelu_tanh_grad
from .reference.glu import glu, glu_grad
from .reference.gradients import lengths, scale
from .reference.incomplete_gamma import gammainc, gammaincc
from .reference.indexing import (
    add_mesh,
    add_slices,
    all_within,
    gather,
    index_add,
    linear_index,
    mix_slices,
    occurrences,
    open_grid,
    scatter,
    scatter_add,
    scatter_extremes,
    take_mesh,
    take_slices,
    unmix_slices,
)
from .reference.joining import joined
from .reference.linear_class_loss import linear_class_loss
from .reference.logarithms import log, log1p, log1p_grad, logaddexp, logaddexp_grad, logit, logit_grad
from .reference.lu import lu_factor, row_order
from .reference.matmul import linear, linear_grad, matmul
from .reference.norm import (
    group_norm,
    group_norm_grad,
    kept_statistics,
    layer_norm,
    layer_norm_grad,
    normalize,
    normalize_grad,
    rms_norm,
    rms_norm_grad,
    statistics,
)
from .reference.normal_tails import erfcx, log_ndtr, ndtri
from .reference.pairs import copysign, hypot, hypot_grad, maximum, maximum_grad, minimum
from .reference.picking import pick, put
from .reference.pooling import (
    avg_pool2d,
    avg_pool2d_put,
    max_pool2d,
    max_pool2d_pick,
    max_pool2d_put,
    winner_indices,
)
from .reference.rectifiers import (
    hardshrink,
    hardsigmoid,
    hardsigmoid_grad,
    hardswish,
    hardswish_grad,
    hardtanh,
    hardtanh_grad,
    leaky_relu,
    leaky_relu_grad,
    prelu,
    relu,
    relu_grad,
    shrink_grad,
    softshrink,
    threshold,
    threshold_grad,
)
from .reference.rnn import gru, gru_grad, lstm, lstm_grad, rnn, rnn_grad, states_before
from .reference.rounding import ceil, finite, floor, frac, rint, sign, trunc
from .reference.sampling import fold_back, grid_sample, grid_sample_grad, unnormalized
from .reference.softmax import log_softmax, log_softmax_grad, softmax, softmax_grad
from .reference.solving import det, inv, matrix_exp, slogdet, solve, solve_triangular
from .reference.sorting import first_few, order
from .reference.special import digamma, erf, erfc, erfinv, lgamma, polygamma
from .reference.sums import bias_grad, channel_sums, products, running_products, running_sums, sums
from .reference.unfold import fold, places, unfold
