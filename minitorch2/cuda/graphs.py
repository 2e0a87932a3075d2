"""CUDA graphs: what was launched once, launched again as a whole, for the price of one launch.

Source: torch's pages "torch.cuda.CUDAGraph" and "torch.cuda.graph", and its notes on CUDA graphs.

What torch's notes ask for holds here too: warm up before the capture (kernels are compiled and libraries start when
first used), keep alive what the captured code uses and does not make itself (parameters, inputs, state), change such
tensors in place only, and let p.grad be None when the capture starts, so that gradients are made inside.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
from typing import Any

from ..core import device as core
from . import devices, memory, refusals, streams


def _kernels(module: str) -> Any:
    return importlib.import_module(f"minitorch2_kernels.cuda.{module}")


def is_current_stream_capturing() -> bool:
    """Whether what is launched now, in this thread, goes into a graph instead of being run."""
    return devices.is_initialized() and core.cupy().cuda.get_current_stream().is_capturing()


def graph_pool_handle() -> Any:
    """Memory for graphs that are replayed one after the other, in the order of their capture: the `pool` of each."""
    devices.init()
    return _kernels("memory").PrivatePool()


class CUDAGraph:
    """What was launched between capture_begin and capture_end. `torch.cuda.graph` is the easier way to fill one.

    A graph owns the memory that was allocated during its capture: results in it stay valid, and are overwritten by
    each replay, while the graph or they themselves are alive. Random numbers differ from replay to replay, as if the
    captured code had run anew.
    """

    def __init__(self) -> None:
        self._graph: Any = None
        self._pool: Any = None
        self._randoms: list = []
        self._capturing: Any = None  # (stream, context manager of the allocator) while it is

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "relaxed") -> None:
        """Starts to record the current stream, which must not be the default one.

        pool: what graph_pool_handle() or another graph's pool() returned, to share memory with that; else new memory.
        RuntimeError where this graph is filled already, or a capture is in progress.
        """
        if capture_error_mode != "relaxed":
            raise NotImplementedError(
                f"minitorch2: capture_error_mode={capture_error_mode!r} is not supported: CuPy's memory pool grows "
                "during a capture, which only 'relaxed' permits"
            )
        stream, capture, workspaces = core.cupy().cuda.get_current_stream(), _kernels("capture"), _kernels("cublas")
        if self._graph is not None or self._capturing is not None:
            raise RuntimeError(
                "This CUDAGraph instance already owns a captured graph. To capture a new graph, create a new instance."
            )
        if stream.ptr == 0:
            raise RuntimeError(
                "CUDA graphs must be captured on a non-default stream. (However, after capture, it's ok to replay them "
                "on the default stream.)"
            )
        if capture.current() is not None:
            raise RuntimeError("minitorch2: a capture is in progress in this thread; graphs are captured one by one")
        self._pool = _kernels("memory").PrivatePool() if pool is None else pool
        allocator = core.cupy().cuda.using_allocator(self._pool.malloc)
        allocator.__enter__()
        try:
            workspaces.forget_workspace(stream.ptr)  # the graph's products work in memory of the graph
            stream.begin_capture()
        except BaseException:
            allocator.__exit__(None, None, None)
            self._pool = None
            raise
        capture.begin()
        self._capturing = stream, allocator

    def capture_end(self) -> None:
        """Ends the recording; the graph can be replayed now.

        RuntimeError where something that was called cannot be captured; the graph is then empty.
        """
        if self._capturing is None:
            raise RuntimeError("minitorch2: CUDAGraph.capture_end() without a capture_begin()")
        stream, allocator = self._capturing
        self._capturing = None
        randoms = _kernels("capture").end()
        try:
            self._graph = stream.end_capture()
            self._randoms = randoms
        except BaseException:
            self._pool = None
            raise
        finally:
            allocator.__exit__(None, None, None)
            _kernels("cublas").forget_workspace(stream.ptr)

    def replay(self) -> None:
        """Launches everything anew, on the current stream, on the memory it was captured with."""
        if self._graph is None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        for state, buffer, used in self._randoms:
            state.prepare(buffer, used)
        self._graph.launch()

    def reset(self) -> None:
        """Forgets what was captured, and gives its memory back once no tensor uses it."""
        self._graph, self._randoms, self._pool = None, [], None  # the graph goes before the memory it uses

    def pool(self) -> Any:
        """The graph's memory, for another capture's `pool`."""
        if self._pool is None:
            raise RuntimeError("Called CUDAGraph::pool() without a preceding successful capture.")
        return self._pool

    def debug_dump(self, debug_path: str) -> None:
        """Writes what was captured as a DOT file."""
        if self._graph is None:
            raise RuntimeError("Called CUDAGraph::debug_dump without a preceding successful capture.")
        with open(debug_path, "w", encoding="utf-8") as file:
            file.write(self._graph.debug_dot_str())


class graph:
    """`with torch.cuda.graph(g): ...` captures what is launched inside into g, a CUDAGraph.

    pool: memory to share with other graphs, see CUDAGraph.capture_begin. stream: the one to capture on; by default one
    that is kept for this. An operation that cannot be captured raises a RuntimeError that names it; stream and memory
    are then as they were before the block.
    """

    default_capture_stream: Any = None

    def __init__(
        self, cuda_graph: CUDAGraph, pool: Any = None, stream: Any = None, capture_error_mode: str = "relaxed"
    ) -> None:
        devices.init()
        if stream is None:
            if graph.default_capture_stream is None or (
                graph.default_capture_stream.device_index != devices.current_device()
            ):
                graph.default_capture_stream = streams.Stream()
            stream = graph.default_capture_stream
        self.cuda_graph, self.pool, self.capture_error_mode = cuda_graph, pool, capture_error_mode
        self.capture_stream, self.stream_ctx = stream, streams.stream(stream)

    def __enter__(self) -> None:
        devices.synchronize()
        gc.collect()
        memory.empty_cache()
        self.stream_ctx.__enter__()
        try:
            self.cuda_graph.capture_begin(self.pool, self.capture_error_mode)
        except BaseException:
            self.stream_ctx.__exit__(None, None, None)
            raise

    def __exit__(self, kind, error, trace) -> bool:
        try:
            if error is None:
                self._finish()
            else:
                with contextlib.suppress(RuntimeError):  # of a capture that the error has made invalid
                    self.cuda_graph.capture_end()
                self.cuda_graph.reset()
        finally:
            self.stream_ctx.__exit__(kind, error, trace)
        if error is not None and (instead := refusals.explained(error)) is not None:
            raise instead from error
        return False

    def _finish(self) -> None:
        try:
            self.cuda_graph.capture_end()
        except RuntimeError as error:
            raise RuntimeError(
                "minitorch2: the capture has become invalid: something in it waited for the GPU or synchronized with "
                f"the default stream, and the error was caught on the way. ({error})"
            ) from error
