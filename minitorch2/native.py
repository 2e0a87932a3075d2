"""Functions that torch has in its own namespace with other arguments than in nn.functional: those of its C++ library.

A reduction is a number here: 0 for none, 1 for the mean, 2 for the sum. Where torch's stubs say that it is 1 unless
told, it is 0: torch reads the default as no number, and these functions do as torch does. What takes `train` changes
its input only if it is true. The names stand in minitorch2/__init__.py, which imports this when one is asked for.
"""

from __future__ import annotations

from .nn import functional as F
from .nn.functional.dropout import feature_dropout as _feature_dropout
from .nn.functional.loss import reduced
from .nn.functional.rnn import recurrent_cell
from .ops.gamma_samples import dirichlet, standard_gamma
from .tensor import Tensor


def _word(op, reduction) -> str:
    if isinstance(reduction, bool) or not isinstance(reduction, int):
        raise TypeError(f"{op}(): argument 'reduction' must be int, not {type(reduction).__name__}")
    return {1: "mean", 2: "sum"}.get(reduction, "none")


def _dropping(function, input, p, train, inplace=False):
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    return function(input, p, train, inplace)


def dropout(input, p, train):
    """nn.functional.dropout."""
    return _dropping(F.dropout, input, p, train)


def dropout_(input, p, train):
    """nn.functional.dropout, written into input."""
    return _dropping(F.dropout, input, p, train, True)


def alpha_dropout(input, p, train):
    """nn.functional.alpha_dropout."""
    return _dropping(F.alpha_dropout, input, p, train)


def alpha_dropout_(input, p, train):
    """nn.functional.alpha_dropout, written into input."""
    return _dropping(F.alpha_dropout, input, p, train, True)


def feature_dropout(input, p, train):
    """dropout of whole channels of input (N, C, ...)."""
    return _dropping(_feature_dropout, input, p, train)


def feature_dropout_(input, p, train):
    """feature_dropout, written into input."""
    return _dropping(_feature_dropout, input, p, train, True)


def feature_alpha_dropout(input, p, train):
    """nn.functional.feature_alpha_dropout."""
    return _dropping(F.feature_alpha_dropout, input, p, train)


def feature_alpha_dropout_(input, p, train):
    """nn.functional.feature_alpha_dropout, written into input."""
    return _dropping(F.feature_alpha_dropout, input, p, train, True)


def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """nn.functional.embedding with the table first; a padding_idx that is no row, such as -1, stands for none."""
    known = weight._data.ndim == 2 and 0 <= padding_idx < weight._data.shape[0]
    return F.embedding(
        indices, weight, padding_idx if known else None, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse
    )


def constant_pad_nd(input, pad, value=0):
    """nn.functional.pad with a constant."""
    return F.pad(input, pad, "constant", value)


def adaptive_max_pool1d(input, output_size):
    """nn.functional.adaptive_max_pool1d, with the indices."""
    return F.adaptive_max_pool1d(input, output_size, True)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    """nn.functional.layer_norm; cudnn_enable changes nothing."""
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    """nn.functional.group_norm; cudnn_enabled changes nothing."""
    return F.group_norm(input, num_groups, weight, bias, eps)


def instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled):
    """nn.functional.instance_norm; cudnn_enabled changes nothing."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction=0):
    """nn.functional's; input may also broadcast to target's shape."""
    word = _word("binary_cross_entropy_with_logits", reduction)
    if input._data.shape != target._data.shape:
        input = input.expand(target._data.shape)
    return F.binary_cross_entropy_with_logits(input, target, weight, reduction=word, pos_weight=pos_weight)


def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=0):
    """nn.functional.cosine_embedding_loss."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_word("cosine_embedding_loss", reduction))


def hinge_embedding_loss(input, target, margin=1.0, reduction=0):
    """nn.functional.hinge_embedding_loss."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_word("hinge_embedding_loss", reduction))


def kl_div(input, target, reduction=0, *, log_target=False):
    """nn.functional.kl_div; its mean is over all elements."""
    word = _word("kl_div", reduction)
    return reduced(F.kl_div(input, target, reduction="none", log_target=log_target), word)


def margin_ranking_loss(input1, input2, target, margin=0.0, reduction=0):
    """nn.functional.margin_ranking_loss."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_word("margin_ranking_loss", reduction))


def poisson_nll_loss(input, target, log_input, full, eps, reduction):
    """nn.functional.poisson_nll_loss."""
    word = _word("poisson_nll_loss", reduction)
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=word)


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, reduction=0):
    """nn.functional.triplet_margin_loss."""
    word = _word("triplet_margin_loss", reduction)
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=word)


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=0, zero_infinity=False):
    """nn.functional.ctc_loss."""
    word = _word("ctc_loss", reduction)
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, word, zero_infinity)


def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of nn.RNNCell: input (N, I), hx (N, H), weights (H, I) and (H, H)."""
    return recurrent_cell("RNN_TANH", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of nn.RNNCell with relu: input (N, I), hx (N, H), weights (H, I) and (H, H)."""
    return recurrent_cell("RNN_RELU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of nn.LSTMCell: input (N, I), hx a pair of (N, H), weights (4 H, I) and (4 H, H); the new pair."""
    if isinstance(hx, Tensor) or not isinstance(hx, tuple | list):
        raise TypeError(f"lstm_cell(): argument 'hx' (position 2) must be tuple of Tensors, not {type(hx).__name__}")
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    return recurrent_cell("LSTM", input, tuple(hx), w_ih, w_hh, b_ih, b_hh)


def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of nn.GRUCell: input (N, I), hx (N, H), weights (3 H, I) and (3 H, H)."""
    return recurrent_cell("GRU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


_INTERPOLATIONS = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """nn.functional.grid_sample, its modes as numbers: bilinear, nearest, bicubic; zeros, border, reflection."""
    for name, number in (("interpolation_mode", interpolation_mode), ("padding_mode", padding_mode)):
        if number not in (0, 1, 2):
            raise RuntimeError(f"grid_sampler(): expected {name} to be 0, 1 or 2, but got {number}")
    return F.grid_sample(input, grid, _INTERPOLATIONS[interpolation_mode], _PADDINGS[padding_mode], align_corners)


def grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners):
    """grid_sampler of images (N, C, H, W)."""
    _check_dims(4, input, grid)
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(input, grid, interpolation_mode, padding_mode, align_corners):
    """grid_sampler of volumes (N, C, D, H, W)."""
    _check_dims(5, input, grid)
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def _check_dims(dims, input, grid):
    if input.ndim != dims or grid.ndim != dims:
        raise RuntimeError(
            f"grid_sampler(): expected {dims}D input and grid with same number of dimensions, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )


def affine_grid_generator(theta, size, align_corners):
    """nn.functional.affine_grid."""
    return F.affine_grid(theta, size, align_corners)


def _standard_gamma(input, generator=None):
    """Gamma numbers of rate 1 and these concentrations; packages' own distributions and mixtures draw so."""
    return _drawn("_standard_gamma", standard_gamma, input, generator)


def _sample_dirichlet(input, generator=None):
    """Probabilities along the last dim, for these concentrations."""
    return _drawn("_sample_dirichlet", dirichlet, input, generator)


def _drawn(op, draw, concentration, generator):
    if generator is not None:
        raise NotImplementedError(f"minitorch2: {op} draws from the default generator only")
    return draw(concentration)
