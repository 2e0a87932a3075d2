"""What autocast does with each function: torch's lists for the CPU and for CUDA, by the names the functions have here.

A policy says what happens to the floating arguments (all but float64) before the function runs:

    "lower"                to the region's lower dtype
    "float32"              to float32
    "float32 unless told"  to float32, where the call does not name a dtype itself
    "widest"               to float32 if one of them is, else to the lower dtype
    "rounded"              to the lower dtype, then to float32 again
    "as is"                nothing; but what the function is made of here is not on the lists where torch's own is not
    "refused"              an error
    None                   not on the list

or is a function of the lower dtype and the arguments that picks one of these.
"""

from __future__ import annotations

from collections.abc import Callable

Policy = str | None | Callable[..., str | None]


def _padding(lower, input, pad, mode="constant", value=None):
    return "float32" if mode == "replicate" or (mode == "reflect" and len(pad) < 6) else None


def _largest(lower, input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    return None if return_indices else "float32"  # the list names max_pool3d, not max_pool3d_with_indices


def _resizing(
    lower,
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    return None if mode == "area" else "float32"


def _response(lower, input, *rest, **settings):
    return "float32" if input.dim() > 3 else None  # torch's is made of avg_pool3d there


def _recurrence(lower, mode, x, state, *rest):
    """torch multiplies in the lower dtype there, but adds to a float32 state of LSTM and GRU in float32."""
    return "lower" if mode.startswith("RNN") or state[0].dtype is lower else "rounded"


_BOTH: dict[str, tuple[str, ...]] = {
    "lower": (
        "addbmm",
        "addmm",
        "baddbmm",
        "bmm",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "linear",
        "matmul",
        "mm",
        "prelu",
        "scaled_dot_product_attention",
        "vecdot",
    ),
    "float32": (
        "binary_cross_entropy_with_logits",
        "cdist",
        "cosine_embedding_loss",
        "hinge_embedding_loss",
        "huber_loss",
        "kl_div",
        "l1_loss",
        "margin_ranking_loss",
        "mse_loss",
        "multi_margin_loss",
        "multilabel_margin_loss",
        "nll_loss",
        "poisson_nll_loss",
        "smooth_l1_loss",
        "soft_margin_loss",
        "triplet_margin_loss",
    ),
}

_MATRICES = (
    "cholesky",
    "cholesky_ex",
    "cholesky_inverse",
    "cholesky_solve",
    "cond",
    "eigh",
    "eigvalsh",
    "geqrf",
    "householder_product",
    "inv",
    "inv_ex",
    "inverse",
    "linalg_cholesky",
    "linalg_qr",
    "linalg_svd",
    "lstsq",
    "lu",
    "lu_solve",
    "matrix_rank",
    "ormqr",
    "pinverse",
    "qr",
    "solve",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "triangular_solve",
)

# Functions that the two lists treat differently: (on the CPU, on CUDA).
FUNCTIONS: dict[str, tuple[Policy, Policy]] = {
    "adaptive_avg_pool3d": ("float32", None),
    "adaptive_max_pool3d": ("float32", None),
    "addcdiv": (None, "widest"),
    "addcmul": (None, "widest"),
    "addmv": (None, "lower"),
    "addr": (None, "lower"),
    "atan2": (None, "widest"),
    "avg_pool3d": ("float32", None),
    "bilinear": ("as is", "widest"),
    "binary_cross_entropy": ("float32", "refused"),
    "cat": ("widest", None),
    "chain_matmul": (None, "lower"),
    "cosine_similarity": (None, "float32"),
    "cross": (None, "widest"),
    "cross_entropy": ("float32", None),
    "ctc_loss": ("float32", None),
    "cumprod": (None, "float32 unless told"),
    "cumsum": (None, "float32 unless told"),
    "dist": (None, "float32"),
    "dot": ("as is", "widest"),
    "einsum": ("lower", "lower"),  # the CPU's list has the products that torch makes of it
    "fractional_max_pool": ("float32", None),
    "grid_sample": ("float32", "widest"),
    "group_norm": (None, "float32"),
    "index_copy": ("widest", None),
    "index_put": (None, "widest"),
    "interpolate": (None, _resizing),
    "layer_norm": (None, "float32"),
    "local_response_norm": (_response, None),
    "log_softmax": (None, "float32 unless told"),
    "logsumexp": (None, "float32"),
    "matrix_norm": (None, "float32 unless told"),
    "max_pool3d": (_largest, None),
    "max_unpool2d": ("float32", None),
    "max_unpool3d": ("float32", None),
    "multi_dot": (None, "lower"),
    "mv": ("as is", "lower"),
    "multilabel_soft_margin_loss": (None, "float32"),  # torch's ends in a sum
    "nanquantile": ("float32", None),
    "nansum": (None, "as is"),
    "norm": (None, "float32 unless told"),
    "pad": (_padding, None),
    "prod": ("float32", "float32 unless told"),
    "quantile": ("float32", None),
    "recurrent_layer": (_recurrence, "lower"),
    "renorm": (None, "float32"),
    "rms_norm": (None, "float32"),
    "scatter_add": (None, "widest"),
    "sum_in": (None, "as is"),
    "softmax": (None, "float32 unless told"),
    "tensordot": (None, "widest"),
    "trace": ("float32", "as is"),
    "vdot": ("as is", "widest"),
    "vector_norm": (None, "float32 unless told"),
    **dict.fromkeys(_MATRICES, ("float32", None)),
    **{name: (policy, policy) for policy, names in _BOTH.items() for name in names},
}

# Ops that only CUDA's list has, as classes of minitorch2.ops: they take float32. So does Div where it divides a number,
# which torch does by reciprocal.
GPU_OPS = frozenset(
    (
        "Acos",
        "Asin",
        "Cosh",
        "Erfinv",
        "Exp",
        "Expm1",
        "Log",
        "Log10",
        "Log1p",
        "Log2",
        "NumberPow",
        "Pow",
        "PowNumber",
        "Reciprocal",
        "Rsqrt",
        "Sinh",
        "Softplus",
        "Square",
        "Sum",
        "Tan",
    )
)
