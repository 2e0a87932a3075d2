"""A stand-in for NVIDIA's cuDNN frontend, the module `cudnn`, which computes on host memory with the references.

    with cudnn_standin.installed() as cudnn: ...    # minitorch2 then finds this module

It takes what the frontend takes (graphs of one convolution, addresses, plans by number), in the frontend's order, and
refuses what that refuses. `graphs` keeps every graph that was built, `ran` the names of the plans that were run, in
order. Which plans it proposes, and what is wrong with them, says `proposals`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import math
import sys
import time
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from cupy_standin import recording
from cupy_standin.cuda import get_current_stream

from minitorch2_kernels import KERNELS
from minitorch2_kernels.reference.cast import BFLOAT16, cast

_DTYPES = {
    "FLOAT": np.dtype(np.float32),
    "DOUBLE": np.dtype(np.float64),
    "HALF": np.dtype(np.float16),
    "BFLOAT16": BFLOAT16,
}
NOTES = ("TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION", "NONDETERMINISTIC", "WINOGRAD", "FFT")


class NotSupportedError(Exception):
    """As cudnn.cudnnGraphNotSupportedError, which is no RuntimeError either."""


def proposal(name, notes=(), workspace=0, builds=True, runs=True, seconds=0.0):
    return SimpleNamespace(name=name, notes=notes, workspace=workspace, builds=builds, runs=runs, seconds=seconds)


PROPOSALS = (
    proposal("tensor cores", ["TENSOR_CORE"], 64),
    proposal("atomics", ["NONDETERMINISTIC"]),
    proposal("half sums", ["REDUCED_PRECISION_REDUCTION"]),
    proposal("plain", [], 128),
)


class Tensor:
    def __init__(self, dim=None, stride=None, data_type=None, uid=None):
        self.dim, self.stride, self.data_type, self.uid, self.output = dim, stride, data_type, uid, False

    def set_uid(self, uid):
        self.uid = uid

    def set_output(self, output):
        self.output = output

    def set_data_type(self, data_type):
        self.data_type = data_type

    def set_dim(self, dim):
        self.dim = dim

    def set_stride(self, stride):
        self.stride = stride

    def at(self, pointer: int):
        """The memory at this address, as this tensor."""
        dtype = _DTYPES[self.data_type]
        steps = [1, *itertools.accumulate(self.dim[:0:-1], lambda a, b: a * b)][::-1]
        assert self.stride == steps, "the tests use arrays in C order only"
        size = math.prod(self.dim) * dtype.itemsize
        assert pointer % 16 == 0, "the address is not aligned as cuDNN was told"
        return np.frombuffer((ctypes.c_char * size).from_address(pointer), np.uint8).view(dtype).reshape(self.dim)


class Graph:
    """As cudnn.pygraph, for one convolution."""

    def __init__(self, cudnn, io_data_type, intermediate_data_type, compute_data_type, handle):
        assert handle in cudnn.handles, "a handle that is not there"
        self.cudnn, self.io, self.sums, self.plans, self.chosen = cudnn, io_data_type, compute_data_type, None, None
        self.state, self.limit, self.forbidden = "new", math.inf, set()
        assert intermediate_data_type == compute_data_type
        cudnn.graphs.append(self)

    def tensor(self, dim, stride, data_type, name="", uid=-1):
        return Tensor(dim, stride, data_type, uid)

    def _convolution(self, kernel, first, second, padding, stride, dilation):
        assert all(isinstance(each, list) and len(each) == 2 for each in (padding, stride, dilation))
        self.kernel, self.inputs, self.result = kernel, (first, second), Tensor()
        self.window = tuple(stride), tuple(padding), tuple(dilation)
        return self.result

    def conv_fprop(self, image, weight, padding, stride, dilation):
        return self._convolution("conv2d", image, weight, padding, stride, dilation)

    def conv_dgrad(self, loss, filter, padding, stride, dilation):
        return self._convolution("conv2d_input_grad", loss, filter, padding, stride, dilation)

    def conv_wgrad(self, image, loss, padding, stride, dilation):
        return self._convolution("conv2d_weight_grad", loss, image, padding, stride, dilation)

    def _step(self, before, after):
        if self.state != before:
            raise RuntimeError(f"{after} comes after {before}")
        self.state = after

    def validate(self):
        self._step("new", "validated")
        if self.result.dim is None or not self.result.output:
            raise ValueError("the result has no dims")
        if self.window in self.cudnn.unsupported:
            raise NotSupportedError("no engine for this window")

    def build_operation_graph(self):
        self._step("validated", "built")

    def create_execution_plans(self, modes):
        assert modes == ["A", "FALLBACK"]
        self._step("built", "planned")
        self.plans = self.cudnn.proposals

    def deselect_workspace_greater_than(self, size):
        self.limit = size

    def deselect_numeric_notes(self, notes):
        self._step("planned", "planned")  # it looks at the plans there are
        self.forbidden |= set(notes)

    def get_execution_plan_count(self):
        return len(self.plans)

    def build_plan_at_index(self, index):
        plan = self.plans[index]
        if self.forbidden & set(plan.notes) or plan.workspace > self.limit:
            raise NotSupportedError("Deselecting execution plan")
        if not plan.builds:
            raise RuntimeError("CUDNN_STATUS_NOT_SUPPORTED")
        if get_current_stream().capturing:
            raise RuntimeError("plans are not built while a stream is captured")
        self.cudnn.built.append(plan.name)
        self.chosen = index

    def get_workspace_size_plan_at_index(self, index):
        return self.plans[index].workspace

    def execute(self, pointers, workspace, handle):
        plan = self.plans[self.chosen]
        assert self.cudnn.handles[handle] == get_current_stream().ptr, "on another stream"
        assert type(workspace) is int and bool(workspace) == bool(plan.workspace)
        if not plan.runs:
            raise RuntimeError("CUDNN_STATUS_EXECUTION_FAILED")
        self.cudnn.ran.append(plan.name)
        time.sleep(plan.seconds)
        self._compute(pointers)

    def _compute(self, pointers):
        a, b, out = (tensor.at(pointers[tensor.uid]) for tensor in (*self.inputs, self.result))
        wide = np.float64 if self.sums == "DOUBLE" else np.float32
        groups = {
            "conv2d": lambda: a.shape[1] // b.shape[1],
            "conv2d_input_grad": lambda: out.shape[1] // b.shape[1],
            "conv2d_weight_grad": lambda: b.shape[1] // out.shape[1],
        }[self.kernel]()
        more = () if self.kernel == "conv2d" else (out.shape[2:],)
        result = KERNELS[self.kernel].reference(cast(a, wide), cast(b, wide), *more, *self.window, groups)
        assert result.shape == out.shape
        out[...] = cast(result, out.dtype)


Graph._compute = recording.recorded(Graph._compute)  # a launch: a graph of the stand-in's CUDA does it again


class Cudnn(ModuleType):
    """The module."""

    cudnnGraphNotSupportedError = NotSupportedError
    data_type = SimpleNamespace(**{name: name for name in _DTYPES})
    heur_mode = SimpleNamespace(A="A", B="B", FALLBACK="FALLBACK")
    numerical_note = SimpleNamespace(**{name: name for name in NOTES})

    def __init__(self):
        super().__init__("cudnn")
        self.__spec__ = ModuleSpec("cudnn", None)
        self.handles, self.graphs, self.built, self.ran = {}, [], [], []
        self.proposals, self.unsupported, self.starts = PROPOSALS, set(), True

    def backend_version(self):
        return 91900

    def create_handle(self):
        if not self.starts:
            raise RuntimeError("cudnnHandle Create failed CUDNN_STATUS_NOT_INITIALIZED")
        handle = 0x5000 + len(self.handles)
        self.handles[handle] = 0
        return handle

    def set_stream(self, handle, stream):
        self.handles[handle] = stream

    def pygraph(self, io_data_type, intermediate_data_type, compute_data_type, handle):
        return Graph(self, io_data_type, intermediate_data_type, compute_data_type, handle)


@contextlib.contextmanager
def installed(module=None):
    """minitorch2 computes convolutions by this module, a new stand-in if None; small ones and depthwise ones too."""
    from minitorch2_kernels.cuda import cudnn, cudnn_conv

    kernels = [KERNELS[name] for name in ("conv2d", "conv2d_input_grad", "conv2d_weight_grad")]
    before = [list(kernel.cuda_overrides) for kernel in kernels]
    with pytest.MonkeyPatch.context() as patch:
        if module is None:
            module = Cudnn()
            patch.setitem(sys.modules, "cudnn", module)
            patch.setattr(cudnn, "_preload", lambda: None)
            patch.setattr(cudnn, "_handles", {})
        for handle in cudnn._handles.values():
            handle.plans, handle.refusals = {}, {}
        patch.setattr(cudnn_conv, "SMALL", 0)
        patch.setattr(cudnn_conv, "DEPTHWISE", True)
        patch.setattr(importlib.import_module("minitorch2_kernels.precision"), "layers_allow_tf32", False)
        cudnn.frontend.cache_clear()
        for kernel, overrides in zip(kernels, before, strict=True):  # where the real one is installed, it is there
            kernel.cuda_overrides[:] = [pair for pair in overrides if pair[0] not in cudnn_conv._SUPPORTS]
        assert cudnn_conv.install()
        try:
            yield module
        finally:
            for kernel, overrides in zip(kernels, before, strict=True):
                kernel.cuda_overrides[:] = overrides
            cudnn.frontend.cache_clear()
