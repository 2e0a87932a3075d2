"""Convolutions by NVIDIA's cuDNN, where it is installed: pip install 'minitorch2[cudnn]'.

CuPy has no cuDNN any more, so it is called through NVIDIA's own frontend for Python (the module `cudnn`), which takes
addresses. Without it, or without the library libcudnn, nothing here is called, and the kernels of conv.py compute.

A convolution is to cuDNN a graph of one operation. Building it costs milliseconds: cuDNN proposes plans (an algorithm
and its parameters), those that may not be used are struck out, and the first that can be built and run is kept for
convolutions of the same shapes, dtype and settings. With `cudnn_switches.benchmark` the fastest of the first ones is.
What cuDNN has no plan for is remembered too, and goes to the kernels of conv.py. So do

- depthwise and very small convolutions, for which conv.py has kernels of one launch without further memory;
- convolutions met for the first time while a CUDA graph is captured: building a plan may have to wait for the GPU. A
  step that ran once before its capture, as it has to, has built its plans.

All dtypes accumulate in float32, float64 in float64. float32 is multiplied in TF32 unless `precision` forbids it to
layers. Results may differ from run to run in the order of their sums, unless `cudnn_switches.deterministic` or
`determinism.required` is set. As in torch, cuDNN may choose Winograd's and Fourier's algorithms, which round otherwise
than a sum of products.

Source: NVIDIA's cuDNN frontend, "Convolutions" and "Custom execution plans" in its documentation.
"""

from __future__ import annotations

import ctypes
import functools
import glob
import importlib
import importlib.util
import os
import threading
import warnings
from typing import Any

import cupy
import numpy as np

from .. import cudnn_switches as switches
from .. import determinism, precision
from ..out_of_memory import OutOfMemoryError
from ..reference import conv as reference
from ..reference.cast import BFLOAT16
from . import conv as own
from .arguments import MOST

WORKSPACE = 1 << 30  # bytes of memory that a plan may ask for beside its arrays
SMALL = own.SMALL  # multiplications up to which conv.py's kernels are left alone
DEPTHWISE = False  # whether cuDNN computes depthwise convolutions too
PLANS = 4096  # kept for each thread; what comes then goes to conv.py. None is given up: captured graphs may use it
ALIGNED = 16  # bytes; what cuDNN is told of all addresses
SAMPLES = 3  # timings of a plan, of which the least counts

_get_current_stream = cupy.cuda.get_current_stream
_DTYPES = {  # -> the names of data_type for memory and for sums
    np.dtype(np.float32): ("FLOAT", "FLOAT"),
    np.dtype(np.float64): ("DOUBLE", "DOUBLE"),
    np.dtype(np.float16): ("HALF", "FLOAT"),
    BFLOAT16: ("BFLOAT16", "FLOAT"),
}
_FLOAT32 = np.dtype(np.float32)
_UNKNOWN = object()


def _preload() -> None:
    """Opens what cuDNN looks for by name: the libraries of pip's packages lie in no folder that the loader searches."""
    try:
        pathfinder = importlib.import_module("cuda.pathfinder")
    except ImportError:  # an older CuPy finds them itself, so they are where the loader looks
        pathfinder = None
    for name in ("cudart", "cublasLt", "cublas", "nvrtc"):
        try:
            if pathfinder is not None:
                pathfinder.load_nvidia_dynamic_lib(name)
        except RuntimeError:  # not there: cuDNN says so if a plan needs it
            continue
    try:
        package = importlib.util.find_spec("nvidia.cudnn")
    except ModuleNotFoundError:
        return
    for folder in (package and package.submodule_search_locations) or ():
        for path in glob.glob(os.path.join(folder, "lib", "libcudnn.so.*")):
            ctypes.CDLL(path, ctypes.RTLD_GLOBAL)


@functools.cache
def frontend() -> Any:
    """NVIDIA's module with its library loaded; None, with a warning if the module is there, where that fails."""
    if not _installed():
        return None
    try:
        _preload()
        module = importlib.import_module("cudnn")
        module.backend_version()
    except (ImportError, OSError, RuntimeError, AttributeError, AssertionError) as error:
        warnings.warn(
            "minitorch2: nvidia-cudnn-frontend is installed, but cuDNN cannot be used, and convolutions on the GPU are "
            f"computed without it; pip install nvidia-cudnn-cu13 brings the library ({error})",
            stacklevel=2,
        )
        return None
    return module


def _installed() -> bool:
    return importlib.util.find_spec("cudnn") is not None


def version() -> int | None:
    """cuDNN's version, 91900 for 9.19.0; None where it cannot be used."""
    module = frontend()
    return None if module is None else int(module.backend_version())


class Plan:
    """A convolution that cuDNN has built: graph.execute runs it."""

    __slots__ = ("graph", "workspace")

    def __init__(self, graph: Any, workspace: int) -> None:
        self.graph, self.workspace = graph, workspace

    def run(self, handle: int, a, b, out) -> None:
        """Works on the handle's stream; OutOfMemoryError where there is no room for the workspace."""
        memory = cupy.cuda.alloc(self.workspace) if self.workspace else None  # free for the stream's next once enqueued
        pointers = {1: a.data.ptr, 2: b.data.ptr, 3: out.data.ptr}
        self.graph.execute(pointers, 0 if memory is None else memory.ptr, handle=handle)


class Handle:
    """One thread's cuDNN on one device, and the plans made with it."""

    def __init__(self, module: Any) -> None:
        self.module, self.pointer = module, module.create_handle()
        self._stream: int | None = None
        self.plans: dict[tuple, Plan | None] = {}
        self.refusals: dict[tuple, str] = {}  # why there is no plan

    def use(self, stream: int) -> int:
        """The handle, set to work on this stream."""
        if stream != self._stream:
            self._stream = None  # should this fail, the next call sets it again
            self.module.set_stream(handle=self.pointer, stream=stream)
            self._stream = stream
        return self.pointer

    def find(self, key: tuple, a, b, out) -> bool:
        """Makes the plan for this convolution and computes `out` by it; False, and remembered, where there is none."""
        try:
            graph = self._graph(key, a, b, out)
            plan = self._fastest(graph, a, b, out) if switches.benchmark else self._first(graph, a, b, out)
            refusal = "none of its plans can be used"
        except (RuntimeError, ValueError, self.module.cudnnGraphNotSupportedError) as error:
            plan, refusal = None, str(error).strip()
        self.plans[key] = plan
        if plan is None:
            self.refusals[key] = refusal
        return plan is not None

    def _graph(self, key: tuple, a, b, out) -> Any:
        """The operation, and the plans that cuDNN proposes for it, the most promising first."""
        cudnn, (operation, *_, stride, padding, dilation) = self.module, key[:7]
        memory, sums = (getattr(cudnn.data_type, name) for name in _DTYPES[a.dtype])
        graph = cudnn.pygraph(
            io_data_type=memory, intermediate_data_type=sums, compute_data_type=sums, handle=self.pointer
        )
        first, second = (
            graph.tensor(name=name, uid=uid, dim=list(x.shape), stride=_strides(x.shape), data_type=memory)
            for name, uid, x in (("a", 1, a), ("b", 2, b))
        )
        window = {"padding": list(padding), "stride": list(stride), "dilation": list(dilation)}
        if operation == "conv2d":
            result = graph.conv_fprop(image=first, weight=second, **window)
        elif operation == "conv2d_input_grad":
            result = graph.conv_dgrad(loss=first, filter=second, **window)
        else:
            result = graph.conv_wgrad(loss=first, image=second, **window)
        result.set_uid(3)
        result.set_output(True)
        result.set_data_type(memory)
        result.set_dim(list(out.shape))
        result.set_stride(_strides(out.shape))
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        graph.deselect_workspace_greater_than(WORKSPACE)
        graph.deselect_numeric_notes(_forbidden(cudnn.numerical_note, a.dtype))
        return graph

    def _built(self, graph: Any, index: int) -> Plan | None:
        """The plan cuDNN proposes in this place, as what graph.execute runs; None where it is struck out or fails."""
        try:
            graph.build_plan_at_index(index)
            workspace = graph.get_workspace_size_plan_at_index(index)
        except (RuntimeError, ValueError, self.module.cudnnGraphNotSupportedError):
            return None
        return Plan(graph, workspace) if workspace <= WORKSPACE else None

    def _usable(self, graph: Any, a, b, out):
        """(index, plan) of those that can be built and have computed `out`."""
        for index in range(graph.get_execution_plan_count()):
            plan = self._built(graph, index)
            if plan is not None:
                try:
                    plan.run(self.pointer, a, b, out)
                except (RuntimeError, ValueError, OutOfMemoryError):
                    continue
                yield index, plan

    def _first(self, graph: Any, a, b, out) -> Plan | None:
        return next((plan for _, plan in self._usable(graph, a, b, out)), None)

    def _fastest(self, graph: Any, a, b, out) -> Plan | None:
        """The fastest of the first `benchmark_limit`; waits for the GPU."""
        times: list[tuple[float, int]] = []
        for index, plan in self._usable(graph, a, b, out):
            times.append((min(self._time(plan, a, b, out) for _ in range(SAMPLES)), index))
            if len(times) == switches.benchmark_limit:
                break
        return self._built(graph, min(times)[1]) if times else None

    def _time(self, plan: Plan, a, b, out) -> float:
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        plan.run(self.pointer, a, b, out)
        end.record()
        end.synchronize()
        return cupy.cuda.get_elapsed_time(start, end)


# (thread, device) -> its handle. A handle outlives its thread, and the next with that number takes it over: captured
# graphs go on using what it holds on the GPU.
_handles: dict[tuple[int, int], Handle] = {}


def handle() -> Handle:
    """This thread's cuDNN on the current device."""
    place = threading.get_ident(), cupy.cuda.runtime.getDevice()
    found = _handles.get(place)
    if found is None:
        found = _handles[place] = Handle(frontend())
    return found


def _strides(shape) -> list[int]:
    """In elements, of an array in C order."""
    strides = [1]
    for size in shape[:0:-1]:
        strides.insert(0, strides[0] * size)
    return strides


def _forbidden(notes: Any, dtype: np.dtype) -> list:
    """What a plan may not do, in cuDNN's terms."""
    forbidden = [notes.REDUCED_PRECISION_REDUCTION, notes.DOWN_CONVERT_INPUTS]
    if dtype == _FLOAT32 and not precision.layers_allow_tf32:
        forbidden.append(notes.TENSOR_CORE)  # for float32 this is TF32
    if _must_repeat():
        forbidden.append(notes.NONDETERMINISTIC)
    return forbidden


def _must_repeat() -> bool:
    return switches.deterministic or determinism.required


def _aligned(x):
    """x itself if it lies in C order and begins where cuDNN expects it, else a copy."""
    if x.flags.c_contiguous and not x.data.ptr % ALIGNED:
        return x
    return cupy.array(x, order="C")


def _convolve(kernel: Any, arguments: tuple, a, b, out):
    """`out`, filled by cuDNN with what the kernel computes of its arguments a, b, ..., or what conv.py makes of them."""
    stride, padding, dilation = arguments[-4:-1]
    key = (
        kernel.__name__, a.shape, b.shape, out.shape, tuple(stride), tuple(padding), tuple(dilation), a.dtype,
        precision.layers_allow_tf32, _must_repeat(), switches.benchmark,
    )  # fmt: skip
    cudnn, stream = handle(), _get_current_stream()
    plan = cudnn.plans.get(key, _UNKNOWN)
    if plan is None:
        return _without(kernel, arguments)
    if plan is _UNKNOWN and (len(cudnn.plans) >= PLANS or (stream.ptr and stream.is_capturing())):
        return _without(kernel, arguments)
    a, b = _aligned(a), _aligned(b)
    pointer = cudnn.use(stream.ptr)
    if plan is _UNKNOWN:
        return out if cudnn.find(key, a, b, out) else _without(kernel, arguments)
    try:
        plan.run(pointer, a, b, out)
    except OutOfMemoryError:  # conv.py is content with less
        return _without(kernel, arguments)
    return out


def _without(kernel: Any, arguments: tuple):
    """What the kernel computes where there is no cuDNN."""
    for supports, implementation in reversed(kernel.cuda_overrides):
        if supports not in _SUPPORTS and supports(*arguments):
            return implementation(*arguments)
    return kernel.reference(*arguments)


def _taken(a, b, places: int, weight_shape, groups: int, largest: int) -> bool:
    """Whether this convolution is left to cuDNN; places: of the output, in all images; largest: array, in elements."""
    if not switches.enabled or a.dtype not in _DTYPES or b.dtype != a.dtype or not (a.size and b.size and places):
        return False
    o, cg, kh, kw = weight_shape
    if cg == 1 and o == groups and not DEPTHWISE:
        return False
    return places * o * cg * kh * kw > SMALL and largest <= MOST and frontend() is not None


def _fitting(hw, out, khw, stride, padding, dilation) -> bool:
    """Whether `out` is all places that the window has in hw; cuDNN knows of no others."""
    return all(reference.out_size(hw[i], khw[i], stride[i], padding[i], dilation[i]) == out[i] > 0 for i in (0, 1))


def _supports(x, w, stride, padding, dilation, groups) -> bool:
    out = _out(x.shape, w.shape[2:], stride, padding, dilation)
    places = len(x) * out[0] * out[1]
    return min(out) > 0 and _taken(x, w, places, w.shape, groups, max(x.size, w.size, places * len(w)))


def _supports_input_grad(g, w, hw, stride, padding, dilation, groups) -> bool:
    if not _fitting(hw, g.shape[2:], w.shape[2:], stride, padding, dilation):
        return False
    result = len(g) * w.shape[1] * groups * hw[0] * hw[1]
    return _taken(g, w, g.size // (g.shape[1] or 1), w.shape, groups, max(g.size, w.size, result))


def _supports_weight_grad(g, x, khw, stride, padding, dilation, groups) -> bool:
    if not _fitting(x.shape[2:], g.shape[2:], khw, stride, padding, dilation):
        return False
    shape = (g.shape[1], x.shape[1] // groups, *khw)
    return _taken(g, x, g.size // (g.shape[1] or 1), shape, groups, max(g.size, x.size))


def _out(shape, khw, stride, padding, dilation) -> tuple[int, ...]:
    return tuple(reference.out_size(shape[2 + i], khw[i], stride[i], padding[i], dilation[i]) for i in (0, 1))


def conv2d(x, w, stride, padding, dilation, groups):
    """conv2d: see above."""
    y = cupy.empty((len(x), len(w), *_out(x.shape, w.shape[2:], stride, padding, dilation)), x.dtype)
    return _convolve(reference.conv2d, (x, w, stride, padding, dilation, groups), x, w, y)


def conv2d_input_grad(g, w, hw, stride, padding, dilation, groups):
    """conv2d_input_grad: see above."""
    dx = cupy.empty((len(g), w.shape[1] * groups, *hw), g.dtype)
    return _convolve(reference.conv2d_input_grad, (g, w, hw, stride, padding, dilation, groups), g, w, dx)


def conv2d_weight_grad(g, x, khw, stride, padding, dilation, groups):
    """conv2d_weight_grad: see above."""
    dw = cupy.empty((g.shape[1], x.shape[1] // groups, *khw), g.dtype)
    return _convolve(reference.conv2d_weight_grad, (g, x, khw, stride, padding, dilation, groups), g, x, dw)


_SUPPORTS = (_supports, _supports_input_grad, _supports_weight_grad)


def install() -> bool:
    """Has cuDNN asked before conv.py, where NVIDIA's frontend is installed; the library is loaded at the first use."""
    if not _installed():
        return False
    for kernel, supports, implementation in (
        (reference.conv2d, _supports, conv2d),
        (reference.conv2d_input_grad, _supports_input_grad, conv2d_input_grad),
        (reference.conv2d_weight_grad, _supports_weight_grad, conv2d_weight_grad),
    ):
        kernel.cuda_override(supports)(implementation)
    return True
