"""NVIDIA's cuDNN through NVIDIA's own frontend for Python, the module `cudnn`; CuPy has no binding of it any more.

A convolution is to cuDNN a graph of one operation. Building it costs milliseconds: cuDNN proposes plans (an algorithm
and its parameters), those that may not be used are struck out, and the first that can be built and run is kept for
convolutions of the same shapes, dtype and settings. With `cudnn_switches.benchmark` the fastest of the first ones is.
What cuDNN has no plan for is remembered too.

float32, float16 and bfloat16 are summed in float32; float64 is left to conv.py: cuDNN 9.19 through the frontend 1.23
left its results untouched on an H100. float32 is multiplied in TF32 unless
`precision` forbids it to layers. Results may differ from run to run in the order of their sums, unless
`cudnn_switches.deterministic` or `determinism.required` is set. As in torch, cuDNN may choose Winograd's and Fourier's
algorithms, which round otherwise than a sum of products.

Source: NVIDIA's cuDNN frontend, its documentation of the graph API and of convolutions.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
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
from ..reference.cast import BFLOAT16

WORKSPACE = 2 << 30  # bytes of memory that a plan may ask for beside its arrays
SAMPLES = 3  # timings of a plan, of which the least counts

DTYPES = {  # -> the names of data_type for memory and for sums
    np.dtype(np.float32): ("FLOAT", "FLOAT"),
    np.dtype(np.float16): ("HALF", "FLOAT"),
    BFLOAT16: ("BFLOAT16", "FLOAT"),
}
_FLOAT32 = np.dtype(np.float32)


def _preload() -> None:
    """Opens what cuDNN looks for by name: the libraries of pip's packages lie in no folder that the loader searches.

    OSError where one is missing that it cannot do without.
    """
    with contextlib.suppress(ImportError):  # CuPy finds its libraries with it
        pathfinder: Any = importlib.import_module("cuda.pathfinder")
        for name in ("cudart", "cublasLt", "cublas", "nvrtc"):
            with contextlib.suppress(RuntimeError):  # not there, or where the loader finds it
                pathfinder.load_nvidia_dynamic_lib(name)
    folders: list[str] = []
    with contextlib.suppress(ModuleNotFoundError):
        package = importlib.util.find_spec("nvidia.cudnn")
        folders += (package and package.submodule_search_locations) or ()
    name = "libcudnn.so.9"
    library = _opened([os.path.join(folder, "lib", name) for folder in folders] + [name])
    library.cudnnGetCudartVersion.restype = ctypes.c_size_t
    # Where cuDNN does not find this one, it ends the process.
    name = f"libcublasLt.so.{library.cudnnGetCudartVersion() // 1000}"
    _opened([name] + [os.path.join(folder, "..", x, "lib", name) for folder in folders for x in ("cu13", "cublas")])


def _opened(paths: list[str]) -> ctypes.CDLL:
    """The first of these libraries that there is; OSError where there is none."""
    for path in paths[:-1]:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(paths[-1], ctypes.RTLD_GLOBAL)


@functools.cache
def frontend() -> Any:
    """NVIDIA's module with its library loaded; None, with a warning if the module is there, where that fails."""
    if not installed():
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


def installed() -> bool:
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
        self.module = module
        self.pointer = 0  # made by the first `use`, which is not in a capture
        self._stream: int | None = None
        self.plans: dict[tuple, Plan | None] = {}
        self.refusals: dict[tuple, str] = {}  # why there is no plan

    def use(self, stream: int) -> int:
        """The handle, set to work on this stream. RuntimeError where cuDNN cannot work on this machine."""
        if stream != self._stream:
            self._stream = None  # should this fail, the next call sets it again
            if not self.pointer:
                self.pointer = self._created()
            self.module.set_stream(handle=self.pointer, stream=stream)
            self._stream = stream
        return self.pointer

    def _created(self) -> int:
        try:
            return self.module.create_handle()
        except RuntimeError as error:
            raise RuntimeError(
                f"cuDNN {self.module.backend_version()} does not start: {str(error).strip()}. With "
                "torch.backends.cudnn.enabled = False convolutions are computed without it"
            ) from None

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
        memory, sums = (getattr(cudnn.data_type, name) for name in DTYPES[a.dtype])
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
        if not times:
            return None
        fastest = self._built(graph, min(times)[1])
        if fastest is not None:
            fastest.run(self.pointer, a, b, out)  # the result is its own from the first call on
        return fastest

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
    if must_repeat():
        forbidden.append(notes.NONDETERMINISTIC)
    return forbidden


def must_repeat() -> bool:
    return switches.deterministic or determinism.required
