"""autograd.Function: ops that users write, on tensors, with torch's signatures."""

from __future__ import annotations

import functools
import inspect
import weakref
from typing import Any

from minitorch2_kernels.dispatch import namespace

from ..core import anomaly
from ..core.absent import absent_class
from ..core.function import _FREED
from ..core.function import Function as Op
from ..core.grad_mode import enable_grad, no_grad, set_grad_enabled, state
from ..core.lost_views import CUSTOM, SEVERAL
from ..core.node import Node, next_number
from ..core.transforming import refuse_old_function
from ..core.variable import Variable
from ..ops._inplace import check_history, rebase
from ..ops.conversion import detach


class FunctionCtx:
    """What forward leaves for backward: the `ctx` of both. Attributes of your own may have any name not used here."""

    _saved_variables: tuple | None = ()
    _versions: tuple = ()
    _to_save: tuple = ()
    _dirty: tuple = ()
    _flat: tuple = ()  # outputs marked non-differentiable
    _materialize = True
    _node: Any = None  # the node of the graph, referred to weakly: it owns this object
    needs_input_grad: tuple = ()

    def save_for_backward(self, *tensors):
        """Keeps inputs and outputs of forward (or None) as `ctx.saved_tensors`."""
        for t in tensors:
            if t is not None and not isinstance(t, Variable):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is of type {type(t).__name__}"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple:
        if self._saved_variables is None:
            raise RuntimeError(_FREED)
        for v, n in zip(self._saved_variables, self._versions, strict=True):
            if v is not None and v._counter[0] != n:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"[{v._named()}] is at version {v._counter[0]}; expected version {n} instead. {anomaly.hint()}"
                )
        return tuple(self._relink(v) for v in self._saved_variables)

    @property
    def saved_variables(self) -> tuple:
        """The older name of saved_tensors."""
        return self.saved_tensors

    def save_for_forward(self, *tensors):
        """Keeps tensors as `ctx.saved_for_forward`, for a `jvp`, which is never called here."""
        for t in tensors:
            if not (t is None or isinstance(t, Variable)):
                raise AssertionError("save_for_forward expects all arguments to be tensors")
        self.saved_for_forward = tensors

    def _relink(self, v):
        # An output is saved without its history (that would be a cycle: node -> output -> node) and gets it back here.
        if isinstance(v, _SavedOutput):
            tensor, node = Op.as_tensor(v._data), self._node and self._node()
            tensor._counter, tensor._requires_grad, tensor._grad_fn, tensor._output_nr = v._counter, True, node, v.nr
            return tensor
        return v

    def mark_dirty(self, *tensors):
        """The inputs that forward changed in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors):
        """Outputs without a gradient."""
        self._flat = tensors

    def set_materialize_grads(self, value: bool):
        """Whether missing gradients reach backward as zeros (the default) or as None."""
        self._materialize = value

    def _hold(self, outputs, finished) -> None:
        saved = []
        for v in self._to_save:
            for nr, (before, after) in enumerate(zip(outputs, finished, strict=True)):
                if v is not None and v is before is after:  # not an input that was handed straight back
                    v = _SavedOutput(after, nr)
                    break
            saved.append(_copied(v) if state.copies_saved and v is not None else v)
        self._saved_variables = tuple(saved)
        self._versions = tuple(None if v is None else v._counter[0] for v in saved)
        self._to_save = ()


class Function(FunctionCtx):
    """A differentiable function of your own: write static forward(ctx, ...) and backward(ctx, *grads), call `.apply`.

    Also torch's newer form: forward(...) without ctx, and setup_context(ctx, inputs, output); and `vjp` for `backward`.
    In ctx: save_for_backward, saved_tensors, needs_input_grad, mark_dirty, mark_non_differentiable,
    set_materialize_grads. backward works on tensors; it is recorded under create_graph=True, so second derivatives
    follow by themselves.
    """

    setup_context = None

    @staticmethod
    def forward(*args):
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    def __call__(self, *args):
        raise RuntimeError(
            f"{type(self).__name__} is a class with static forward and backward: call "
            f"{type(self).__name__}.apply(...), without making an instance"
        )

    @classmethod
    def apply(cls, *args):
        ctx = cls()
        if cls.setup_context is not None and cls.forward.__defaults__:
            bound = inspect.signature(cls.forward).bind(*args)
            bound.apply_defaults()
            args = bound.args
        ctx.needs_input_grad = needs = tuple(isinstance(a, Variable) and a.requires_grad for a in args)
        with no_grad():
            if cls.setup_context is not None:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
            else:
                if state.transforms:
                    refuse_old_function()
                result = cls.forward(ctx, *args)
        single = not isinstance(result, tuple)
        outputs = (result,) if single else result
        tracked = any(needs) and state.grad
        # An input handed straight back gets a tensor of its own to carry the new history.
        finished = [o.detach() if ctx._is_untouched_input(o, args) else o for o in outputs]
        if tracked:
            for before, o in zip(outputs, finished, strict=True):
                if o is not before or (isinstance(o, Variable) and o._base is not None and not ctx._wrote(o)):
                    o._unwritable = CUSTOM if len(outputs) == 1 else SEVERAL
        node = _node_class(cls)(ctx, args, outputs, finished) if tracked else None
        ctx._hold(outputs, finished)  # behind what counts an in-place change of forward's own
        if node is not None:
            if state.tape is not None:
                state.tape.add(node)
            if anomaly.on:
                anomaly.remember(node)
        return finished[0] if single else tuple(finished)

    def _is_untouched_input(self, output, args) -> bool:
        return isinstance(output, Variable) and any(output is a for a in args) and not self._wrote(output)

    def _wrote(self, output) -> bool:
        return any(output is d for d in self._dirty)


class InplaceFunction(Function):
    """A Function that remembers whether it works in place: instances of such a class were called once."""

    def __init__(self, inplace=False):
        self.inplace = inplace


NestedIOFunction = absent_class("autograd.function.NestedIOFunction", "autograd.Function takes and returns tensors")


class _Application(Node):
    """The node of one application. What a user put on ctx is found here too: `y.grad_fn.saved_tensors`."""

    broadcasts = True  # a gradient of a broadcast shape is summed to its input's, as torch does
    holds = ("_saved_variables", "_versions")  # of ctx

    def __init__(self, ctx, args, outputs, finished):
        self.ctx, ctx._node, self.number = ctx, weakref.ref(self), next_number()
        needs = ctx.needs_input_grad
        self.edges = tuple(a._edge() if need else None for a, need in zip(args, needs, strict=True))
        self.input_shapes = [a._data.shape if need else None for a, need in zip(args, needs, strict=True)]
        self.input_dtypes = [a._data.dtype if need else None for a, need in zip(args, needs, strict=True)]
        self.n_outputs = len(outputs)
        self.output_like = [
            (namespace(o._data), o._data.shape, o._data.dtype) if isinstance(o, Variable) else None for o in outputs
        ]
        for nr, (before, o) in enumerate(zip(outputs, finished, strict=True)):
            if not isinstance(o, Variable) or any(before is f for f in ctx._flat) or o._data.dtype.kind not in "fV":
                continue
            if not any(before is d for d in ctx._dirty):
                o._requires_grad, o._grad_fn, o._output_nr = True, self, nr
                continue
            if o._requires_grad and o._grad_fn is None:  # in other words than check_history's, as in torch
                raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
            check_history(o)
            o._bump()
            written = o if o._base is None else Op.as_tensor(o._data)
            written._requires_grad, written._grad_fn, written._output_nr = True, self, nr
            if written is not o:
                rebase(o, written)

    def __getattr__(self, name):
        if name == "ctx":  # not there yet
            raise AttributeError(name)
        return getattr(self.ctx, name)

    def run(self, grads: list, create_graph: bool) -> tuple:
        tensors = []
        for like, g in zip(self.output_like, grads, strict=True):
            if g is None and self.ctx._materialize and like is not None:
                xp, shape, dtype = like
                g = xp.zeros(shape, dtype)
            tensors.append(g if g is None or isinstance(g, Variable) else Op.as_tensor(g))
        with set_grad_enabled(create_graph):
            results = _backward_of(type(self.ctx))(self.ctx, *tensors)
        results = results if isinstance(results, tuple) else (results,)
        n = len(self.edges)
        if len(results) > n and all(r is None for r in results[n:]):
            results = results[:n]
        if len(results) != n:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {n}, got {len(results)})"
            )
        return tuple(self._checked(i, r, create_graph) for i, r in enumerate(results))

    def _checked(self, i, result, create_graph):
        if result is None or self.edges[i] is None:
            return None
        if not isinstance(result, Variable):
            raise RuntimeError(f"expected Variable or None (got {type(result).__name__})")
        shape, expected = result._data.shape, self.input_shapes[i]
        if shape != expected and not _sums_to(shape, expected):
            raise RuntimeError(
                f"Function {self.name()} returned an invalid gradient at index {i} - got {list(shape)} but expected "
                f"shape compatible with {list(expected)}"
            )
        result = Op.to_dtype(result, self.input_dtypes[i])  # a gradient has its input's dtype
        return result if create_graph else result._data

    def keeper(self):
        return self.ctx

    def release(self) -> None:
        if self.ctx._saved_variables:
            self.ctx._saved_variables = None


def _node_class(cls) -> type[_Application]:
    """The class of the nodes of a Function, which is named after it."""
    own = vars(cls).get("_node_class")
    if own is None:
        own = cls._node_class = type(f"{cls.__name__}Backward", (_Application,), {})
    return own


def _backward_of(cls):
    if cls.vjp is Function.vjp:
        return cls.backward
    if cls.backward is not Function.backward:
        raise RuntimeError(
            "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement "
            "one of them."
        )
    return cls.vjp


def _sums_to(shape, target) -> bool:
    """Whether `target` broadcasts to `shape`."""
    tail = shape[len(shape) - len(target) :]
    return len(shape) >= len(target) and all(t in (1, n) for t, n in zip(target, tail, strict=True))


class _SavedOutput:
    _named = Variable._named

    def __init__(self, output, nr):
        self._data, self._counter, self.nr = output._data, output._counter, nr


def _copied(v):
    """What is saved, on memory of its own, so that later writes do not reach it."""
    if isinstance(v, _SavedOutput):
        v._data, v._counter = v._data.copy(order="K"), [0]
        return v
    tensor = Op.as_tensor(v._data.copy(order="K"))
    if v.requires_grad:
        tensor._requires_grad, (tensor._grad_fn, tensor._output_nr) = True, v._edge()
    return tensor


def once_differentiable(backward):
    """Decorates a backward whose result may not be differentiated again: doing so raises, instead of being wrong."""

    @functools.wraps(backward)
    def wrapped(ctx, *grads):
        with no_grad():
            results = backward(ctx, *grads)
        if not any(g is not None and g.requires_grad for g in grads):
            return results
        single = not isinstance(results, tuple)
        with enable_grad():
            blocked = tuple(
                _Blocked.apply(detach(r)._requiring(True)) if isinstance(r, Variable) else r
                for r in ((results,) if single else results)
            )
        return blocked[0] if single else blocked

    return wrapped


class _Blocked(Op):
    keeps_dtype = True

    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


__all__ = ["Function", "FunctionCtx", "InplaceFunction", "Node", "once_differentiable"]
