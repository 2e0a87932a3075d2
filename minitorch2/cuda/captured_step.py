"""capture_step: a whole training step as one CUDA graph.

A step of a small network is bound by launches, not by arithmetic: some hundred of them, each with its price in Python.
A graph pays once for all.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minitorch2_kernels import dispatch

from ..core import device as core
from ..core.function import Function
from ..core.grad_mode import no_grad
from ..core.variable import Variable
from . import devices, graphs, watched


def capture_step(step: Callable, *example_inputs: Any, warmup: int = 2, pool: Any = None) -> CapturedStep:
    """`step` as a function that launches one CUDA graph instead of all its kernels.

        def step(images, labels):
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            return loss

        fast = torch.cuda.capture_step(step)
        for images, labels in batches:
            loss = fast(images, labels)

    Every call is one step of the training, from the first: the first `warmup` calls run `step` as it is, which makes
    the optimizer's state and compiles kernels; the next one captures it and replays the capture; later ones replay.
    So the training is the one that `step` alone would do, and nothing has to be restored after warming up.

    step: called with the inputs; must do on each call the same work for the GPU. It must be whole: gradients are made
        in it (zero_grad(set_to_none=True) at its start), and used in it. After the capture its Python code runs no
        more, so numbers in it stay what they were, but for the options of its optimizers: where one is another
        than before (a lr, by a scheduler), the step is captured anew, which takes longer than a step; a lr that
        changes at each step is better a tensor on the GPU. Adam and its kin have capturable=True.
    example_inputs: say what shapes, dtypes and devices the inputs have, if not those of the first call. Not computed
        with.
    warmup: how many calls run `step` as it is, at least 1; the second is the first one whose optimizer finds its state
        made, which is what all later ones do.
    pool: memory to share with other graphs, see CUDAGraph.capture_begin.

    Inputs: tensors, on the GPU or on the CPU, are copied into tensors of the graph; other values must stay the same.
    Results: the tensors that `step` returned, alone or in tuples, lists and dicts. From the capture on they are the
    same tensors each time, overwritten by the next call.

    RuntimeError: without a GPU; for inputs of another shape, dtype, device or value than before; for a step that does
    what a graph cannot hold (.item(), print, nonzero, boolean masks, copies from or to the host): it names the
    operation. The graph holds nothing then, and parameters, gradients, optimizer's state and random numbers are as
    before the call.
    """
    return CapturedStep(step, example_inputs, warmup, pool)


class CapturedStep:
    """What capture_step returns; `graph` is its CUDAGraph, None before the capture."""

    def __init__(self, step: Callable, example_inputs: tuple, warmup: int, pool: Any) -> None:
        devices.init()
        if not isinstance(warmup, int) or warmup < 1:
            raise ValueError(f"capture_step: warmup must be an int of at least 1, not {warmup!r}")
        self._step, self._waiting, self._pool = step, warmup, pool
        self._signature = _mapped(_described, example_inputs) if example_inputs else None
        self.graph: graphs.CUDAGraph | None = None
        self._inputs: Any = None
        self._results: Any = None
        self._held: list = []
        self._optimizers = watched.Optimizers()
        self._index = devices.current_device()

    def __call__(self, *inputs: Any) -> Any:
        signature = _mapped(_described, inputs)
        if self._signature is None:
            self._signature = signature
        elif signature != self._signature:
            raise RuntimeError(_mismatch(signature, self._signature))
        if devices.current_device() != self._index:
            raise RuntimeError(f"capture_step: made on cuda:{self._index}, called on cuda:{devices.current_device()}")
        if self._waiting:
            results = _mapped(_detached, self._step(*inputs))
            self._waiting -= 1
            return results
        if self.graph is not None and self._optimizers.state_replaced():
            self._forget()
            return _mapped(_detached, self._step(*inputs))  # warms up what the new state needs
        if self.graph is not None and self._optimizers.options_changed():
            self._forget()
        if self.graph is None:
            self._capture(inputs)
        else:
            _mapped(_fill, self._inputs, inputs)
        assert self.graph is not None
        self.graph.replay()
        return self._results

    def _forget(self) -> None:
        """Lets go of the graph and of its memory."""
        if self.graph is not None:
            self.graph.reset()
        self.graph, self._inputs, self._results, self._held = None, None, None, []

    def _capture(self, inputs: tuple) -> None:
        own, graph, before = _mapped(_copied, inputs), graphs.CUDAGraph(), _leaves()
        optimizers = watched.Optimizers()
        try:
            with graphs.graph(graph, self._pool), optimizers:
                results = _mapped(_detached, self._step(*own))
            optimizers.remember()
        except BaseException as error:
            # Gradients made in the failed capture were never computed; and the frames of the error hold its memory.
            _restore(before)
            cause: BaseException | None = error
            while cause is not None:
                traceback.clear_frames(cause.__traceback__)
                cause = cause.__cause__
            raise
        self.graph, self._inputs, self._results, self._optimizers = graph, own, results, optimizers
        # The graph writes to parameters and state by their addresses: should the program drop one (load_state_dict of
        # an optimizer does), its memory must not become somebody else's.
        self._held = [array for leaf, grad in before for array in (leaf, grad) if array is not None]
        self._held = [v._data for v in self._held if dispatch.on_device(v._data)]


def _mapped(function: Callable, *values: Any) -> Any:
    """function of the tensors, and of whatever else is no tuple, list or dict, in the same nesting."""
    first = values[0]
    if isinstance(first, dict):
        return {key: _mapped(function, *(value[key] for value in values)) for key in first}
    if isinstance(first, list | tuple):
        results = [_mapped(function, *each) for each in zip(*values, strict=True)]
        return type(first)(*results) if hasattr(first, "_fields") else type(first)(results)
    return function(*values)


class _Described(NamedTuple):
    shape: tuple
    dtype: Any
    where: str
    requires_grad: bool

    def __str__(self) -> str:
        grad = " that requires grad" if self.requires_grad else ""
        return f"{self.dtype} of shape {self.shape} on {self.where}{grad}"


def _described(value: Any) -> Any:
    """What must be the same from call to call."""
    if isinstance(value, Variable):
        return _Described(tuple(value.shape), value.dtype, str(core.device_of(value._data)), value.requires_grad)
    if isinstance(value, np.ndarray):
        raise TypeError("capture_step: an input is a NumPy array; give a tensor (torch.from_numpy)")
    return value


def _mismatch(given: tuple, expected: tuple) -> str:
    if len(given) != len(expected):
        return f"capture_step: {len(given)} inputs, and the step was captured for {len(expected)}"
    i = next(i for i, (new, old) in enumerate(zip(given, expected, strict=True)) if new != old)
    return (
        f"capture_step: input {i} is {given[i]}, and the step was captured for {expected[i]}; a graph works on what it "
        "was captured with. Call the step itself for it, or capture it anew"
    )


def _on_gpu(array: Any) -> Any:
    return core.moved(array, core.device("cuda", devices.current_device()))


def _copied(given: Any) -> Any:
    """A tensor on the GPU of its own, equal to `given`, for the graph to read."""
    if not isinstance(given, Variable):
        return given
    own = Function.as_tensor(_on_gpu(given._data).copy())
    own._requires_grad = given.requires_grad
    return own


def _fill(own: Any, given: Any) -> None:
    if isinstance(own, Variable):
        own._data[...] = _on_gpu(given._data)


def _detached(result: Any) -> Any:
    """A result without the graph of its gradient, which a replay does not build."""
    if not isinstance(result, Variable):
        return result
    if not dispatch.on_device(result._data):
        raise RuntimeError(
            "capture_step: the step returns a tensor on the CPU, which a graph does not compute; return the one on the "
            "GPU and take it to the CPU afterwards"
        )
    with no_grad():
        return result.detach()  # type: ignore[attr-defined]


def _leaves() -> list:
    """(tensor, its .grad) for all tensors that no op has made: a look at every object there is, cheap beside a capture.

    type(), because isinstance asks objects that pretend to be others.
    """
    found = [v for v in gc.get_objects() if issubclass(type(v), Variable)]
    return [(v, v._grad) for v in found if v._grad is not None or (v._grad_fn is None and v._base is None)]


def _restore(before: list) -> None:
    gradients = {id(v): grad for v, grad in before}
    for v, _ in [*_leaves(), *before]:
        v._grad = gradients.get(id(v))


__all__ = ["CapturedStep", "capture_step"]
