"""torch.utils.swap_tensors: two tensors change places, each staying the object it was for who holds it."""

from __future__ import annotations

import copyreg
import gc
import sys
import weakref
from typing import Any

from ..autograd.function import FunctionCtx
from ..core.node import Node
from ..core.variable import Variable
from ..tensor import Tensor

__all__ = ["swap_tensors"]


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Swaps all that two tensors are: class, numbers, history, `.grad`, attributes of the program's own.

    What was computed from a leaf before it was swapped has no way back to it: its backward is a RuntimeError.

    Raises: RuntimeError where there are weak references to one of them, views of it, or a node that keeps it.
    """
    for name, tensor in (("t1", t1), ("t2", t2)):
        _check_swappable(name, tensor)
    slots1, slots2 = (set(copyreg._slotnames(type(t))) for t in (t1, t2))  # type: ignore[attr-defined]
    if slots1 != slots2:
        raise RuntimeError("Cannot swap t1 and t2 if they have different slots")
    if slots1:
        raise NotImplementedError("minitorch2: swap_tensors is not supported for a class with __slots__")
    for tensor in (t1, t2):
        _cut_from_graphs(tensor)
    # What an op or a view's owner saved of either may no longer be taken for it.
    t1._counter[0] = t2._counter[0] = max(t1._counter[0], t2._counter[0]) + 1
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    t1.__dict__, t2.__dict__ = t2.__dict__, t1.__dict__


def _check_swappable(name: str, tensor: Tensor) -> None:
    if weakref.getweakrefs(tensor):
        raise RuntimeError(f"Cannot swap {name} because it has weakref associated with it")
    if _is_held(tensor):
        raise RuntimeError(
            f"Expected {name} to be held by nobody else, but a view of it or a node of a graph refers to it; make sure "
            "you are not holding references to the tensor in other places."
        )


def _is_held(tensor: Tensor) -> bool:
    """Whether a view or a node refers to this very object, which a look at everything there is finds out."""
    alone = sys.getrefcount(tensor._counter) == 2  # the attribute and the argument: no view, no node that watches it
    if alone and tensor._grad_fn is None and _accumulator(tensor) is None:
        return False
    for holder in gc.get_referrers(tensor):
        if isinstance(holder, tuple):
            if any(_attributes(h).get(name) is holder for h in gc.get_referrers(holder) for name in _KEPT):
                return True
        elif _attributes(holder).get("_base") is tensor:
            return True
    return False


_KEPT = ("_args", "_saved_variables")  # where a Function, or one of the program's own, keeps tensors


def _attributes(holder: Any) -> dict[str, Any]:
    """By name; the garbage collector knows an object or the dict of its attributes."""
    if isinstance(holder, Variable | Node | FunctionCtx):
        return vars(holder)
    return holder if isinstance(holder, dict) else {}


def _accumulator(tensor: Tensor) -> Any:
    return tensor._accumulator and tensor._accumulator()


def _cut_from_graphs(tensor: Tensor) -> None:
    """The graphs that end at this leaf would bring it the other tensor's gradient: they end at a trap instead."""
    node = _accumulator(tensor)
    if node is not None:
        trap = Tensor._wrap(tensor._data.view())
        trap._hooks = {0: _refuse}
        node.variable = trap


def _refuse(grad: Any) -> None:
    raise RuntimeError(
        "Trying to execute AccumulateGrad node that was poisoned by swap_tensors: the tensor that this gradient is for "
        "was swapped with another between forward and backward. Swap (or change a module's device or dtype, where that "
        "swaps) before the forward pass or after backward."
    )
