"""Hooks that a backward pass calls: those of tensors before a node runs, those of nodes before and after it."""

from __future__ import annotations

from minitorch2_kernels.dispatch import is_array

from .function import Function
from .variable import Variable


def call_hooks(hooks, slots):
    """Tensor hooks see a tensor, or None where no gradient came, and may return another in its place."""
    for nr, functions in hooks.items():
        for function in list(functions):
            g = slots[nr]
            given = _as_tensor(g)
            returned = function(given)
            if returned is not None:
                _check_returned(function, returned, given)
                slots[nr] = returned if given is g else returned._data


def call_leaf_hooks(leaf):
    """A leaf's register_post_accumulate_grad_hook functions see it and return None; a tensor is passed over."""
    for function in list(leaf._after_accumulate.values()):
        returned = function(leaf)
        if returned is not None:
            _check_variable(returned)


def call_pre_hooks(node, slots):
    """Leaves in slots what Node.register_prehook's functions make of the gradients there."""
    are_arrays = any(is_array(g) for g in slots)
    gradients = tuple(map(_as_tensor, slots))
    for function in list(node.pre_hooks.values()):
        returned = function(gradients)
        if returned is not None:
            _check_tuple(function, returned, gradients)
            gradients = returned
    slots[:] = [g._data if are_arrays and g is not None else g for g in gradients]


def call_post_hooks(node, results, slots, waiting):
    """The node's results as Node.register_hook's functions leave them; they see them summed to the inputs' shapes."""
    n = max((i + 1 for i, edge in enumerate(node.edges) if edge is not None), default=0)
    before = [g if edge and edge[0] in waiting else None for edge, g in zip(node.edges[:n], results, strict=False)]
    if node.broadcasts:
        like = node.input_shapes
        before = [g if g is None or g.shape == like[i] else Function.sum_to(g, like[i]) for i, g in enumerate(before)]
    inputs, outputs = tuple(map(_as_tensor, before)), tuple(map(_as_tensor, slots))
    for function in list(node.post_hooks.values()):
        returned = function(inputs, outputs)
        if returned is not None:
            _check_tuple(function, returned, inputs)
            inputs = returned
    are_arrays = any(is_array(g) for g in slots)
    return [*(g._data if are_arrays and g is not None else g for g in inputs), *results[n:]]


def _check_tuple(function, returned, inputs):
    if not isinstance(returned, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(returned).__name__}'")
    if len(returned) != len(inputs):
        raise RuntimeError(
            f"{_spoken(function)} has returned an incorrect number of values (got {len(returned)}, but expected "
            f"{len(inputs)})"
        )
    for new, old in zip(returned, inputs, strict=True):
        if new is not None:
            _check_returned(function, new, old)


def _check_returned(function, new, old):
    """What a hook returned must be able to stand for the gradient that it saw."""
    _check_variable(new)
    if old is None:
        raise RuntimeError("can't replace a None gradient with a non-None value")
    if new.dtype != old.dtype:
        was, got = (f"torch.{t.dtype.torch_type}Tensor" for t in (old, new))
        raise RuntimeError(f"{_spoken(function)} has changed the type of value (was {was} got {got})")
    if new.shape != old.shape:
        raise RuntimeError(
            f"{_spoken(function)} has changed the size of value: got {tuple(new.shape)}, expected {tuple(old.shape)}"
        )


def _check_variable(returned):
    if not isinstance(returned, Variable):
        raise TypeError(f"expected Variable, but hook returned '{type(returned).__name__}'")


def _as_tensor(g):
    return g if g is None or isinstance(g, Variable) else Function.as_tensor(g)


def _spoken(function) -> str:
    return f"hook '{getattr(function, '__name__', function)}'"
