"""Variable: what autograd knows of a tensor. `class Tensor` adds the methods a user calls."""

from __future__ import annotations

from typing import Any

from . import autocast, dtypes
from .grad_mode import state
from .lost_views import refuse
from .node import accumulator
from .size import Size


def type_name(value) -> str:
    """The type of what is no tensor of ours, as messages name it; torch's tensor is PyTorch's torch.Tensor."""
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if root == "torch":
        return f"PyTorch's torch.{kind.__name__} (was one import not replaced?)"
    return f"{root}.{kind.__name__}" if root == "numpy" else kind.__name__


class Variable:
    """An array and its place in the graph.

    A fresh variable carries only its array and its version; everything else stands at the class's default until it
    is needed, which keeps making one cheap.

    _data         the array; always an ndarray, 0-d for a scalar. The object is this variable's alone, whatever else
                  looks into its memory: by it a node knows which of its inputs a saved value is, and NumPy lets
                  anyone who has it give it another shape
    _counter      [n], raised by every in-place write; one list shared by all views of the same memory
    _grad_fn      the node that computed it; None for a leaf
    _output_nr    which output of that node it is
    _base         for a view: the variable whose memory it looks into (never itself a view)
    _replay       for a view: the ops that made it from _base, so that its history can be made anew after a write
    _seen         for a view: the version of the memory when its _grad_fn was made
    """

    _requires_grad = False
    _grad_fn: Any = None
    _output_nr = 0
    _grad: Any = None
    _accumulator: Any = None  # weak reference to the leaf's AccumulateGrad
    _hooks: Any = None
    _after_accumulate: Any = None
    _keeper: Any = None  # where retain_grad was called: the hook that keeps the gradient
    _base: Any = None
    _replay: Any = ()
    _seen = 0
    _unwritable: Any = None  # why this view may not be written to while gradients are recorded, where that is so
    _inference = False
    _rearranged = False  # whether an op changed this base's dims in place: the ops of its older views fit no longer
    _lent = False  # whether the memory is NumPy's, or that of another owner: it does not grow
    _level: Any = None  # for a leaf that a transform of torch.func made: that transform

    def __init__(self, data):
        self._data = data
        self._counter = [0]

    @property
    def shape(self) -> Size:
        return Size(self._data.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.BY_NUMPY[self._data.dtype]

    def _bump(self) -> None:
        """Says that the memory was written: a saved value that looks into it is stale from now on."""
        self._counter[0] += 1

    @property
    def _version(self) -> int:
        """How many times this tensor's memory was written in place."""
        if self._inference:
            raise RuntimeError("Inference tensors do not track version counter.")
        return self._counter[0]

    def _is_view(self) -> bool:
        """Whether this tensor was made as a view of another."""
        return self._base is not None

    def _edge(self):
        """Where a gradient of this variable goes: (node, output number)."""
        node = self._grad_fn if self._base is None else self.grad_fn
        return (accumulator(self), 0) if node is None else (node, self._output_nr)

    @property
    def grad_fn(self):
        """The node that computed this tensor; None for a leaf. RuntimeError for a view that was made without one, or
        by a function of several views or of the program's own, once its memory was written to by another name."""
        if self._base is not None and self._seen != self._counter[0]:
            self._renew_view()
        return self._grad_fn

    def _renew_view(self) -> None:
        # Somebody wrote to the shared memory. If that write was recorded, this view's past is no longer the op that
        # made it but the base's new past, seen through the same view ops.
        base = self._base
        if not base._requires_grad:
            return
        if self._unwritable is not None:
            refuse(self, by_another=True)
        self._seen = self._counter[0]
        if base._grad_fn is None and self._grad_fn is not None:  # a leaf's memory, written unrecorded
            return
        grad_enabled, state.grad = state.grad, True
        try:
            view = base
            for op, arguments, nr in self._path():
                view = op.apply(view, *arguments)
                view = view[nr] if isinstance(view, tuple) else view
        finally:
            state.grad = grad_enabled
        self._take_history(view._grad_fn, view._output_nr)

    _by_memory: Any = None  # what ops/strided.py puts here: the ops that find a view in its base's memory

    def _path(self) -> tuple:
        """The ops that make this view of its base: those that made it, unless the base has other dims now."""
        return Variable._by_memory(self) if self._base._rearranged else self._replay

    def _take_history(self, node, output_nr) -> None:
        """This tensor was written to: from now on it is this output of that node. Hooks stay with what it was, but
        retain_grad's, which keeps the gradient of what it is."""
        if self._keeper is not None and self._grad_fn is not None:
            self._grad_fn.hooks_of(self._output_nr).remove(self._keeper)
            node.hooks_of(output_nr).append(self._keeper)
        self._requires_grad, self._grad_fn, self._output_nr = True, node, output_nr

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are recorded for this tensor. A leaf's may be set; a floating dtype is needed. True for
        each view of a tensor of which it is, even for one made in a no_grad block."""
        return self._requires_grad or (self._base is not None and self._base._requires_grad)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value is not True and value is not False:
            raise RuntimeError("requires_grad must be a bool")
        if value == self._requires_grad:
            return
        if value and self._data.dtype.kind not in "fV":
            raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
        if value and self._inference and not state.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        if not value and self._grad_fn is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in "
                "a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        self._requires_grad = value

    def _on_lent_memory(self) -> Any:
        self._lent = True
        return self

    def _requiring(self, requires_grad: bool) -> Any:
        """Itself, requires_grad set: requires_grad_ for what the library makes, within torch.func's transforms, too."""
        if requires_grad is None:
            requires_grad = False
        if requires_grad is not True and requires_grad is not False:
            raise TypeError(f"argument 'requires_grad' must be bool, not {type_name(requires_grad)}")
        if requires_grad and self._data.dtype.kind not in "fV":  # in other words than the attribute's, as in torch
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """True where backward stops: made by the user, or not requiring a gradient."""
        return not self.requires_grad or self.grad_fn is None

    @property
    def output_nr(self) -> int:
        return self._output_nr

    @property
    def _is_view_of(self):
        return self._base

    def _named(self) -> str:
        """`torch.FloatTensor [2, 3]`, as torch's messages name a tensor."""
        kind = dtypes.from_numpy_dtype(self._data.dtype).torch_type
        return f"torch.{kind}Tensor {list(self._data.shape)}"


autocast.Variable = Variable
