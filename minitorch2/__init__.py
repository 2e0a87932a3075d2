"""minitorch2: PyTorch's training core, from scratch.

    import minitorch2 as torch

and an ordinary PyTorch training program runs. The map of the layers is in README.md.
"""

from __future__ import annotations

import importlib
import sys
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

from minitorch2_kernels.out_of_memory import OutOfMemoryError as OutOfMemoryError

from . import autograd as autograd
from .autograd import enable_grad, inference_mode, no_grad, set_grad_enabled
from .autograd.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled, set_anomaly_enabled
from .checks import _assert, _check, _check_index, _check_not_implemented, _check_type, _check_value
from .core import other_dtypes
from .core.absent import absent_class, absent_function, absent_names, as_absent
from .core.device import device
from .core.dtypes import (
    bfloat16,
    bool,
    double,
    dtype,
    finfo,
    float,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
)
from .core.grad_mode import is_grad_enabled, is_inference_mode_enabled
from .core.layout import (
    _mkldnn,
    channels_last,
    contiguous_format,
    jagged,
    layout,
    memory_format,
    preserve_format,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
from .core.placing import place
from .core.size import Size
from .creation import *  # noqa: F403
from .functions import *  # noqa: F403
from .legacy import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    set_default_tensor_type,
)
from .ops import _return_types
from .ops._arguments import names_arguments
from .ops.storages import TypedStorage, UntypedStorage, storage_class
from .printing import set_printoptions
from .random import *  # noqa: F403
from .random import Generator, default_generator
from .settings import *  # noqa: F403
from .tensor import Tensor
from .torch_version import __version__
from .windows import *  # noqa: F403

newaxis = None
place("return_types", {name: kind for name, kind in vars(_return_types).items() if isinstance(kind, type)})
as_absent("_prims_common", "_custom_ops", "ao", "ao.quantization")
as_absent("nested", "sparse", "sparse.semi_structured", "quasirandom")
SymInt, SymFloat, SymBool, TensorType, DeviceObjType = (
    absent_class(name, "nothing is traced here")
    for name in ("SymInt", "SymFloat", "SymBool", "TensorType", "DeviceObjType")
)
Future = absent_class("Future", "nothing runs elsewhere here")
place("futures", {"Future": Future, "__getattr__": absent_names("futures", "nothing runs elsewhere here")})
ComplexFloatStorage, ComplexDoubleStorage, QInt8Storage, QUInt8Storage, QInt32Storage = (
    absent_class(name, "no tensor has such a dtype here")
    for name in ["ComplexFloatStorage", "ComplexDoubleStorage", "QInt8Storage", "QUInt8Storage", "QInt32Storage"]
)
for _why, _names in (
    ("there are no complex tensors here", "complex polar view_as_complex view_as_real stft istft"),
    ("tensors are dense here", "sparse_coo_tensor sparse_csr_tensor sparse_csc_tensor sparse_bsr_tensor"),
    ("tensors are dense here", "sparse_bsc_tensor sparse_compressed_tensor"),
    ("there are no quantized tensors here", "quantize_per_tensor quantize_per_channel dequantize"),
):
    globals().update({_name: absent_function(_name, _why) for _name in _names.split()})
PyTorchFileReader = absent_class("PyTorchFileReader", "torch.load reads a file as a whole")
_OF_FUNCTIONAL = "atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors cartesian_prod cdist "
_OF_FUNCTIONAL += "chain_matmul einsum lu meshgrid norm pca_lowrank split svd_lowrank tensordot unique "
_OF_FUNCTIONAL += "unique_consecutive unravel_index"
place("functional", {name: globals()[name] for name in _OF_FUNCTIONAL.split()})
place("storage", {"TypedStorage": TypedStorage, "UntypedStorage": UntypedStorage})
for _compiler in ("_inductor", "_functorch"):  # whose settings a program may set; they change nothing
    place(_compiler)
    place(f"{_compiler}.config")
to_dlpack = Tensor.__dlpack__
place("utils.dlpack", {"from_dlpack": from_dlpack, "to_dlpack": to_dlpack})  # noqa: F405
place("_tensor", {"Tensor": Tensor, "__getattr__": absent_names("_tensor", "minitorch2 has no such part of PyTorch")})

_LAZY = ("nn", "optim", "utils", "vision", "serialization", "bridge", "viz", "testing", "metrics", "cuda")
_LAZY += ("types", "multiprocessing", "fx", "fft", "library", "_C", "_dynamo", "_subclasses", "onnx", "overrides")
_LAZY += ("profiler", "__config__", "signal", "export", "cpu", "__future__", "_utils")
_LAZY += ("linalg", "special", "amp", "distributions", "accelerator", "compiler", "distributed", "func", "hub", "jit")
_OF_SUBMODULES = {
    "vmap": "func",
    "compile": "compiler",
    "GradScaler": "amp",
    "autocast": "amp",
    "load": "serialization",
    "save": "serialization",
    "ScriptModule": "jit",
    "ScriptFunction": "jit",
    "Stream": "cuda",
    "Event": "cuda",
}
_OF_NN_FUNCTIONAL = frozenset(
    (
        "adaptive_avg_pool1d",
        "avg_pool1d",
        "bilinear",
        "celu",
        "celu_",
        "channel_shuffle",
        "conv_tbc",
        "cosine_similarity",
        "hardshrink",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "pairwise_distance",
        "pixel_shuffle",
        "pixel_unshuffle",
        "prelu",
        "relu_",
        "rms_norm",
        "rrelu",
        "rrelu_",
        "selu",
        "selu_",
        "threshold",
        "threshold_",
    )
)


_OF_NATIVE = frozenset(
    (
        "_sample_dirichlet",
        "_standard_gamma",
        "adaptive_max_pool1d",
        "affine_grid_generator",
        "alpha_dropout",
        "alpha_dropout_",
        "binary_cross_entropy_with_logits",
        "constant_pad_nd",
        "cosine_embedding_loss",
        "ctc_loss",
        "dropout",
        "dropout_",
        "embedding",
        "feature_alpha_dropout",
        "feature_alpha_dropout_",
        "feature_dropout",
        "feature_dropout_",
        "grid_sampler",
        "grid_sampler_2d",
        "grid_sampler_3d",
        "group_norm",
        "gru_cell",
        "hinge_embedding_loss",
        "instance_norm",
        "kl_div",
        "layer_norm",
        "lstm_cell",
        "margin_ranking_loss",
        "poisson_nll_loss",
        "rnn_relu_cell",
        "rnn_tanh_cell",
        "triplet_margin_loss",
    )
)

_OF_NATIVE_LAYERS = frozenset(["convolution", "embedding_bag", "gru", "lstm", "rnn_relu", "rnn_tanh"])
_OF_NATIVE_LAYERS |= {f"native_{name}" for name in ("batch_norm", "dropout", "group_norm", "layer_norm", "norm")}


def _function_of(name, method):
    def function(input, *args, **kwargs):
        return method(input, *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Tensor.{name} of input: {method.__doc__}"
    return function


def __getattr__(name: str):
    """Submodules are imported when first asked for; anything else is a clear error."""
    if name in _LAZY:
        return importlib.import_module(f".{name}", __name__)
    if name in _OF_NN_FUNCTIONAL:  # functions that torch has in both namespaces, with the same arguments
        return getattr(importlib.import_module(".nn.functional", __name__), name)
    if name in _OF_NATIVE:  # those that have other arguments there
        return getattr(importlib.import_module(".native", __name__), name)
    if name in _OF_NATIVE_LAYERS:
        return getattr(importlib.import_module(".native_layers", __name__), name)
    if name.endswith("Storage") and (old := storage_class("FloatStorage" if name == "Storage" else name)) is not None:
        return old
    if name == "torch":  # torch.torch is torch
        return sys.modules[__name__]
    if name in _OF_SUBMODULES:
        return getattr(importlib.import_module(f".{_OF_SUBMODULES[name]}", __name__), name)
    if name.startswith("_foreach_") and hasattr(each := importlib.import_module(".foreach", __name__), name):
        return getattr(each, name)
    if name.endswith("_") and not name.startswith("_") and callable(method := getattr(Tensor, name, None)):
        return names_arguments(_function_of(name, method), name)  # torch.exp_(x) is x.exp_()
    if "autocast" in name and hasattr(switches := importlib.import_module(".amp.switches", __name__), name):
        return getattr(switches, name)
    if name in other_dtypes.BY_NAME or name in other_dtypes.ALIASES:
        return other_dtypes.of_name(name)
    raise AttributeError(
        f"minitorch2 has no '{name}'. README.md lists what of PyTorch is supported; if torch has it and it is missing "
        "here, it is not supported"
    )
