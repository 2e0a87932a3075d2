"""Function: an op is a class with a static `forward` and a static `backward`.

    class Mul(Function):
        broadcasts = True

        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved
            return g * b, g * a

`forward` sees arrays. `backward` is written once and runs twice: in an ordinary backward pass the engine hands it
arrays and `g * b` is an array; under create_graph=True it hands tensors and the very same text records the graph of
the gradient. Inside backward, therefore: operators, other ops' `apply`, and nothing else. Where kernels give the same
arrays in fewer passes, an op has them in a `fused_backward` beside it; or, where the backward is all kernels, the same
function made of other ops in `composed`, which is then differentiated instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from minitorch2_kernels.dispatch import ARRAYS, is_array, namespace, on_device
from minitorch2_kernels.reference.cast import cast

from . import anomaly, autocast
from .device import describe_mismatch, device_of
from .dtypes import LOW_PRECISION, float32
from .grad_mode import state
from .lost_views import INFERENCE, NO_GRAD, SEVERAL
from .memory_order import in_c_order, in_order_of
from .meta import MetaArray
from .meta_ops import apply_to_meta
from .node import AccumulateGrad, Node, next_number
from .quiet import IGNORE, restore, silence
from .saved_values import refuse_inference, refuse_written
from .variable import Variable, type_name

_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)

_NEVER_WRITTEN = ([0], 0, None)  # what is watched where there is no memory to write to


class Function(Node):
    """An op. An instance is one application of it: the `ctx` of forward and backward, and a node of the graph."""

    broadcasts = False  # inputs broadcast against each other: the engine sums gradients back to the inputs' shapes
    is_view = False  # the output looks into the first input's memory
    row_major = False  # its results lie in row-major order whatever its inputs' order, as torch's do
    elementwise = False  # its result lies in the order of its inputs: NumPy sees to that, CuPy does not
    keeps_dtype = False  # moves elements without arithmetic, so half precision needs no detour through float32
    gpu_halves: Any = ()  # the half dtypes that its kernels for the GPU sum in float32 and round once: no detour there
    crosses = False  # its inputs may lie on different devices
    zeros_for_missing = True  # backward gets zeros for an output without a gradient, not None
    composed: Any = None  # for a fused op: the same function made of other ops, used for second derivatives
    fused_backward: Any = None  # backward's gradients by fewer kernels: what an ordinary backward pass runs instead
    flat: tuple = ()  # inputs whose gradient depends on them as a step does: its slope is 0, but it is there
    into: Any = None  # (kernel, op) whose last argument says where the result goes, if that may be over the input
    torch_name: str | None = None  # what torch calls the node, where that is not <class>Backward0 (see `called`)
    single_use = False  # torch's keeps something for backward: a second one is refused, though nothing is missing here
    op_name: str  # the class's name in its source; programs that walk a graph find torch's as type(node).__name__

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.op_name, cls.__name__ = cls.__name__, cls.torch_name or f"{cls.__name__}Backward0"

    holds = ("_saved", "_sources", "_watched", "_constants", "_watched_constants", "_args")
    _to_save: tuple = ()
    _saved: Any = ()
    _sources: Any = ()  # for each saved value: its input's number, or -1 - its output's, or None for a number
    _watched: Any = ()  # for each saved value: (version list, version when saved, its source)
    _constants: Any = ()
    _watched_constants: Any = ()  # for those that are inputs: (version list, version when saved, the array)
    create_graph = False
    needs_input_grad: Any = ()

    @staticmethod
    def forward(ctx, *args) -> Any:
        raise AssertionError("an op computes")

    @staticmethod
    def backward(ctx, *grads) -> Any:
        raise AssertionError("an op differentiates")

    def save_for_backward(self, *arrays) -> None:
        """Keeps inputs and outputs of forward (or numbers, or None).

        No other arrays: what is derived from them (a variance, a softmax that is not the output) would be a constant
        in the second derivative, silently wrong; recompute it or make it an output.
        """
        self._to_save = arrays

    def save_constants(self, *arrays) -> None:
        """Keeps arrays whose derivative is zero: masks, indices."""
        self._constants = arrays

    @property
    def saved(self) -> tuple:
        """What save_for_backward kept, as arrays; as tensors with their history under create_graph."""
        if self._saved is None:
            raise RuntimeError(_FREED)
        for version, n, source in self._watched:
            if version[0] != n:
                refuse_written(self, version[0], n, self._saved[self._sources.index(source)], source)
        if not self.create_graph:
            return self._saved
        return tuple(self._as_variable(a, source) for a, source in zip(self._saved, self._sources, strict=True))

    @property
    def constants(self) -> tuple:
        if self._constants is None:
            raise RuntimeError(_FREED)
        for version, n, array in self._watched_constants:
            if version[0] != n:
                refuse_written(self, version[0], n, array, None)
        return tuple(map(Function.as_tensor, self._constants)) if self.create_graph else self._constants

    def release(self) -> None:
        if self._saved or self.single_use:
            self._saved = None
        if self._constants:
            self._constants = None
        self._args = None

    # What higher layers put here when imported: how to make a tensor, and three ops.
    as_tensor: Any = None
    to_dtype: Any = None
    to_device: Any = None
    sum_to: Any = None
    vjp: Any = None

    @classmethod
    def apply(cls, *args) -> Any:
        """Runs the op on tensors (recording it where a gradient is wanted), or inside backward on plain arrays: where
        the first argument is one, no other is a tensor."""
        if state.backward and type(args[0]) is ndarray:
            return cls._apply_to_arrays(args)
        if autocast.regions and autocast.lists(cls, args):
            return autocast.run("float32", "cuda", cls.apply, args, {})
        arrays, needs, low, on_cpu, on_gpu, recording = [], [], None, False, False, state.grad
        for a in args:
            if isinstance(a, Variable):
                data = a._data
                arrays.append(data)
                needs.append(recording and (a._requires_grad or (a._base is not None and a.requires_grad)))
                if type(data) is ndarray:
                    on_cpu = True
                elif on_device(data):
                    on_gpu = True
                elif type(data) is MetaArray:
                    return apply_to_meta(cls, args)
                else:
                    on_cpu = True
                if data.itemsize == 2 and not cls.keeps_dtype and data.dtype in LOW_PRECISION:
                    low = data.dtype
            else:
                arrays.append(a)
                needs.append(False)
        if not on_cpu:
            if not on_gpu:
                return cls._apply_to_arrays(args)
        elif on_gpu and not cls.crosses:
            return cls.apply(*cls._on_the_gpu(args))
        if low is not None and not (on_gpu and low in cls.gpu_halves):
            return cls._apply_in_float32(args, low)

        ctx = cls()
        ctx.needs_input_grad = needs
        token = silence(IGNORE)
        try:
            result = cls.forward(ctx, *arrays)
        finally:
            restore(token)

        if cls.row_major:
            result = ctx._rearranged(in_c_order, result)
        elif on_gpu and cls.elementwise:
            result = ctx._rearranged(lambda r: in_order_of(r, arrays), result)
        if type(result) is tuple:
            outputs = tuple([Function.as_tensor(array) for array in result])
        elif type(result) is ndarray or not isinstance(result, np.generic):
            outputs = (Function.as_tensor(result),)
        else:  # NumPy makes a scalar of a 0-d result
            scalar, result = result, np.asarray(result)
            ctx._to_save = tuple([result if a is scalar else a for a in ctx._to_save])
            outputs = (Function.as_tensor(result),)
        if True in needs:
            ctx._record(args, arrays, needs, outputs)
        if cls.is_view:
            ctx._link_views(args, outputs, type(result) is tuple)
        return outputs if type(result) is tuple else outputs[0]

    def _rearranged(self, rearrange, result):
        if type(result) is tuple:
            return tuple([self._rearranged(rearrange, r) for r in result])
        ordered = rearrange(result)
        if ordered is not result:
            self._to_save = tuple([ordered if a is result else a for a in self._to_save])
        return ordered

    @classmethod
    def _on_the_gpu(cls, args):
        """The arguments with numbers that lie on the CPU (tensors without dims) brought to the GPU of the others.
        RuntimeError for other tensors that lie apart."""
        arrays = [a._data for a in args if isinstance(a, Variable)]
        if any(a.ndim for a in arrays if not on_device(a)):
            raise RuntimeError(describe_mismatch(cls.op_name.lower(), arrays))
        gpu = next(device_of(a) for a in arrays if on_device(a))
        return [Function.to_device(a, gpu) if isinstance(a, Variable) else a for a in args]

    @classmethod
    def _apply_to_arrays(cls, arrays):
        if not state.backward:
            kind = type_name(arrays[0]) if arrays else "nothing"
            raise TypeError(f"{cls.op_name.lower()}(): argument 'input' (position 1) must be Tensor, not {kind}")
        ctx = cls()
        ctx.needs_input_grad = (False,) * len(arrays)
        if not cls.keeps_dtype:
            for a in arrays:
                if type(a) in ARRAYS and a.itemsize == 2 and a.dtype in LOW_PRECISION:
                    if a.dtype in cls.gpu_halves and on_device(a):
                        continue
                    return cls._arrays_in_float32(ctx, arrays, a.dtype)
        return cls.forward(ctx, *arrays)

    @classmethod
    def _arrays_in_float32(cls, ctx, arrays, low):
        """As _apply_in_float32, for a gradient in half precision that meets arithmetic."""
        wide = [cast(a, float32.numpy) if is_array(a) and a.dtype == low else a for a in arrays]
        result = cls.forward(ctx, *wide)
        if type(result) is tuple:
            return tuple(cast(r, low) if r.dtype == np.float32 else r for r in result)
        if isinstance(result, np.generic):
            result = np.asarray(result)
        return cast(result, low) if result.dtype == np.float32 else result

    @classmethod
    def _apply_in_float32(cls, args, low):
        # Half precision on the CPU: compute in float32, round once. The casts are ops, so gradients follow.
        wide = [
            Function.to_dtype(a, float32.numpy) if isinstance(a, Variable) and a._data.dtype == low else a for a in args
        ]
        result = cls.apply(*wide)
        if type(result) is tuple:
            return tuple(Function.to_dtype(r, low) if r._data.dtype == np.float32 else r for r in result)
        return Function.to_dtype(result, low) if result._data.dtype == np.float32 else result

    def _record(self, args, arrays, needs, outputs) -> None:
        """Makes this application a node: its edges, its saved values, its outputs' history."""
        self.number = next_number()
        self.edges = [a._edge() if need else None for a, need in zip(args, needs)]  # noqa: B905 (costs a tenth of it)
        if self.broadcasts:
            self.input_shapes = [a.shape if need else None for a, need in zip(arrays, needs, strict=True)]
        if self.composed is not None:
            self._args = args
        if self._to_save:
            self._save(args, arrays, outputs)
        if self._constants:
            self._watch_constants(args, arrays)
        if state.copies_saved:
            self._save_copies()
        if len(outputs) > 1:
            self.n_outputs = len(outputs)
            self.output_like = [(namespace(o._data), o._data.shape, o._data.dtype) for o in outputs]
        for i, output in enumerate(outputs):
            if output._data.dtype.kind in "fV":
                output._requires_grad = True
                output._grad_fn = self
                if i:
                    output._output_nr = i
        if state.tape is not None:
            state.tape.add(self)
        if anomaly.on:
            anomaly.remember(self)

    def _save(self, args, arrays, outputs) -> None:
        sources, watched = [], []
        for saved in self._to_save:
            if saved is None:
                sources.append(None)
                watched.append(_NEVER_WRITTEN)
                continue
            for i, a in enumerate(arrays):
                if a is saved:
                    variable = args[i]
                    break
            else:
                i, variable = self._output_of(saved, outputs)
            if variable is saved:  # a Python number
                sources.append(None)
                watched.append(_NEVER_WRITTEN)
                continue
            if variable._inference:
                refuse_inference()
            written = variable._counter
            sources.append(i)
            watched.append((written, written[0], i))
        self._saved, self._sources, self._watched, self._to_save = self._to_save, sources, watched, ()

    def _watch_constants(self, args, arrays) -> None:
        self._watched_constants = [
            (a._counter, a._counter[0], array)
            for constant in self._constants
            for a, array in zip(args, arrays, strict=True)
            if array is constant and isinstance(a, Variable)
        ]

    def _save_copies(self) -> None:
        """Puts copies in the place of all that is kept: what is written to the tensors later does not matter."""
        if self._saved or self._constants:
            self.recompute = state.copies_saved
        self._saved = tuple([a.copy(order="K") if is_array(a) else a for a in self._saved])
        self._watched = [_NEVER_WRITTEN] * len(self._saved)
        self._constants = tuple([a.copy(order="K") if is_array(a) else a for a in self._constants])
        self._watched_constants = ()
        if self.composed is not None:
            args: Any = enumerate(self._args or ())
            self._args = tuple(
                [self._as_variable(a._data.copy(order="K"), i) if isinstance(a, Variable) else a for i, a in args]
            )

    def _output_of(self, saved, outputs) -> tuple[int, Any]:
        """(-1 - its number, the output) that has this array."""
        for i, output in enumerate(outputs):
            if output._data is saved:
                return -1 - i, output
        raise AssertionError(f"{self.name()} saves an array that is neither an input nor an output")

    def _link_views(self, args, outputs, several) -> None:
        source = args[0]
        for i, output in enumerate(outputs):
            output._counter = source._counter
            output._base = source if source._base is None else source._base
            output._replay = (*source._replay, (type(self), args[1:], i))
            output._seen = output._counter[0]
            if output._inference is not source._inference:
                output._inference = source._inference
            if not state.grad:
                output._unwritable = INFERENCE if state.inference else NO_GRAD
            elif several:
                output._unwritable = SEVERAL
            elif source._unwritable is not None:
                output._unwritable = source._unwritable

    def run(self, grads: list, create_graph: bool) -> tuple:
        if self._saved is None:
            raise RuntimeError(_FREED)
        if self.n_outputs > 1 and self.zeros_for_missing:
            grads = [self._zeros(i, create_graph) if g is None else g for i, g in enumerate(grads)]
        if create_graph and self.composed is not None:
            return self._differentiate_composed(grads)
        self.create_graph = create_graph
        backward = self.backward if create_graph or self.fused_backward is None else self.fused_backward
        results = backward(self, *grads)
        results = results if type(results) is tuple else (results,)
        return self._with_zero_slopes(results) if create_graph and self.flat else results

    def _with_zero_slopes(self, results: tuple) -> tuple:
        """The gradients of `flat` inputs as functions of these: a second derivative of relu is 0, as torch has it."""
        tied = list(results)
        for i in self.flat:
            g = results[i]
            if g is not None and self.edges[i] is not None:
                x = namespace(g._data).empty(self.input_shapes[i], g._data.dtype) if self.broadcasts else g._data
                tied[i] = ZeroSlope.apply(g, self._as_variable(x, i))
                tied[i]._grad_fn.torch_name = g._grad_fn.name() if g._grad_fn is not None else self.name()
        return tuple(tied)

    def _zeros(self, i: int, create_graph: bool):
        xp, shape, numpy_dtype = self.output_like[i]
        if numpy_dtype.kind not in "fV":  # indices and masks have no gradient, not even zeros
            return None
        zeros = xp.zeros(shape, numpy_dtype)
        return Function.as_tensor(zeros) if create_graph else zeros

    def _differentiate_composed(self, grads: list) -> tuple:
        """d(fused) = d(composed): the second derivative of a fused op runs through ordinary ops."""
        self.saved  # noqa: B018  (raises if a saved value was freed or written over)
        if self._args is None:
            raise RuntimeError(_FREED)
        return Function.vjp(self.composed, self._args, self.needs_input_grad, grads)

    def _as_variable(self, array, source: int | None):
        if source is None:
            return array
        v = Function.as_tensor(array)
        if source < 0:
            v._requires_grad, v._grad_fn, v._output_nr = True, self, -1 - source
        elif self.edges[source] is not None:
            node, v._output_nr = self.edges[source]
            if type(node) is AccumulateGrad and node.variable._data is array:
                return node.variable
            v._requires_grad, v._grad_fn = True, node
        return v

    def hold(self, held: dict) -> None:
        if "_args" in held:  # with the history they have in this graph, not that of the other run
            args = enumerate(held["_args"])
            held["_args"] = tuple(self._as_variable(a._data, i) if isinstance(a, Variable) else a for i, a in args)
        super().hold(held)

    def name(self) -> str:
        return self.torch_name or type(self).__name__


def called(name: str, result):
    """`result`, its node named as torch names that of the whole function, of which it is the last of several ops."""
    if result._grad_fn is not None:
        result._grad_fn.torch_name = name
    return result


def zeros_beside(g, shape):
    """Zeros of this shape where the gradient g is: an array, or a tensor where g is one."""
    array = getattr(g, "_data", g)
    zeros = namespace(array).zeros(shape, array.dtype)
    return zeros if array is g else Function.as_tensor(zeros)


class ZeroSlope(Function):
    """g, as a function of x that does not change with it."""

    keeps_dtype = True

    @staticmethod
    def forward(ctx, g, x):
        ctx.shape = x.shape
        return g.copy()

    @staticmethod
    def backward(ctx, h):
        return h, zeros_beside(h, ctx.shape)


class Elementwise(Function):
    """An op that makes each number of its result of one number of each input."""

    elementwise = True
