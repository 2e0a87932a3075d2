"""backward() and grad(): the two ways to run the engine."""

from __future__ import annotations

from typing import Any

import minitorch2_kernels as K

from ..core import dtypes
from ..core.device import device_of
from ..core.engine import run_backward
from ..core.function import Function
from ..core.grad_mode import enable_grad, state
from ..core.node import GradientEdge
from ..core.size import Size
from ..core.transforming import refuse_backward
from ..core.variable import Variable
from ..core.warned import warn_once
from ..ops.joining import stack
from ..ops.view_ops import Alias
from ..ops.views import select


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Adds the gradient of `tensors` to the `.grad` of every leaf they were computed from (or of `inputs` alone).

    grad_tensors: the gradients of `tensors`, of their shapes; may be missing (None) for a tensor of one element.
    create_graph: record the backward pass itself, for higher derivatives. retain_graph: keep the saved values for
    another backward (default: create_graph).
    """
    if state.inference:
        raise RuntimeError("Calling .backward() or autograd.grad() inside inference_mode is not allowed")
    if state.transforms:
        refuse_backward()
    if create_graph:
        warn_once(
            "Using backward() with create_graph=True will create a reference cycle between the parameter and its "
            "gradient which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid "
            "this. If you have to use this function, make sure to reset the .grad fields of your parameters to None "
            "after use to break the cycle and avoid the leak."
        )
    tensors, grads = _roots(tensors, grad_tensors, create_graph)
    wanted = None
    if inputs is not None:
        leaves = _listed(inputs)
        if not leaves:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        _check_inputs(leaves)
        for x in leaves:
            if not isinstance(x, GradientEdge) and x.grad_fn is not None:
                x.retain_grad()
        wanted = [_edge(x) for x in leaves]
    retain = (create_graph or state.mapped > 0) if retain_graph is None else retain_graph
    run_backward([_edge(t) for t in tensors], grads, retain, create_graph, wanted)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of `outputs` with respect to `inputs`, as a tuple; no `.grad` is touched (torch.autograd.grad).

    Both are tensors, or edges that graph.get_gradient_edge gave.
    is_grads_batched: grad_outputs have one more dim in front, and so have the results: a backward pass for each.
    """
    if not only_inputs:
        raise NotImplementedError(
            "minitorch2: grad(only_inputs=False) is not supported (torch deprecated it); use backward()"
        )
    if state.inference:
        raise RuntimeError("Calling .backward() or autograd.grad() inside inference_mode is not allowed")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    inputs = _listed(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    if is_grads_batched:
        return _grad_of_each(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    outputs, grads = _roots(outputs, grad_outputs, create_graph)
    _check_inputs(inputs)
    retain = (create_graph or state.mapped > 0) if retain_graph is None else retain_graph
    edges = [_edge(x) for x in inputs]
    unique = dict.fromkeys(edges)
    arrived = run_backward([_edge(t) for t in outputs], grads, retain, create_graph, unique, accumulate=False)
    found = dict(zip(unique, arrived, strict=True))
    results = []
    for i, (x, edge) in enumerate(zip(inputs, edges, strict=True)):
        g = found[edge]
        if g is None and materialize_grads:
            if isinstance(x, GradientEdge):
                raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
            g = Function.as_tensor(K.zeros_like(x._data)).requires_grad_(create_graph)
        elif g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                "allow_unused=True if this is the desired behavior."
            )
        results.append(g if g is None or isinstance(g, Variable) else Function.as_tensor(g))
    return tuple(results)


def _grad_of_each(outputs, inputs, batch, retain_graph, create_graph, allow_unused, materialize_grads):
    """grad() for every row of `batch`, the results stacked."""
    batch = (batch,) if isinstance(batch, Variable) or batch is None else tuple(batch)
    sizes = {g._data.shape[:1] if isinstance(g, Variable) else () for g in batch}
    n = max(sizes.pop(), default=0) if len(sizes) == 1 else 0
    if not n:
        raise RuntimeError(
            "is_grads_batched=True: grad_outputs need a first dim, of one size above 0, to take one by one"
        )
    rows = [
        grad(
            outputs,
            inputs,
            [select(g, 0, i) for g in batch],
            i < n - 1 or retain_graph,
            create_graph,
            allow_unused=allow_unused,
            materialize_grads=materialize_grads,
        )
        for i in range(n)
    ]
    return tuple(None if column[0] is None else stack(column) for column in zip(*rows, strict=True))


def _listed(given) -> list[Any]:
    """A tensor or edge alone, or several of them, as a list."""
    return [given] if isinstance(given, Variable) or given.__class__ is GradientEdge else list(given)


def _edge(x):
    return tuple(x) if x.__class__ is GradientEdge else x._edge()


def _check_inputs(inputs):
    if not all(isinstance(x, GradientEdge) or x.requires_grad for x in inputs):
        raise RuntimeError("One of the differentiated Tensors does not require grad")


def _roots(tensors, grad_tensors, create_graph):
    """The tensors or edges to start from and their gradients, checked: arrays, or tensors under create_graph."""
    tensors = _listed(tensors)
    if grad_tensors is None:
        grad_tensors = (None,) * len(tensors)
    elif isinstance(grad_tensors, Variable):
        grad_tensors = (grad_tensors,)
    else:
        grad_tensors = tuple(grad_tensors) if isinstance(grad_tensors, tuple | list) else (grad_tensors,)
    for g in grad_tensors:
        if g is not None and not isinstance(g, Variable):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if len(grad_tensors) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(grad_tensors)} gradients")
    grads = []
    for i, (t, g) in enumerate(zip(tensors, grad_tensors, strict=True)):
        if t.__class__ is GradientEdge:
            if g is None:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            grads.append(g if create_graph else g._data)
            continue
        if not t.requires_grad:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if t._data.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            g = Function.as_tensor(
                K.full_like(t._data, 1)
                if t._data.dtype.kind == "f"
                else K.cast(K.ones_like(t._data, dtype=float), t._data.dtype)
            )
        elif g._data.shape != t._data.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {Size(g._data.shape)} and output[{i}] has a shape "
                f"of {Size(t._data.shape)}."
            )
        elif g._data.dtype != t._data.dtype:
            g = Function.to_dtype(g, t._data.dtype)
        grads.append(g if create_graph else g._data)
    return tensors, grads


def vjp_of_composed(composed, args, needs, grads) -> tuple:
    """The gradients of composed(*args), recorded: what a fused op answers when a second derivative is wanted."""
    with enable_grad():
        args = [Alias.apply(a, a._data.shape) if need else a for a, need in zip(args, needs, strict=True)]
        outputs = composed(*args)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    roots = [(o._edge(), g) for o, g in zip(outputs, grads, strict=False) if o.requires_grad]
    edges = [a._edge() for a, need in zip(args, needs, strict=True) if need]
    found = iter(
        run_backward(
            [edge for edge, _ in roots], [g for _, g in roots], True, True, edges, accumulate=False, stop_at_wanted=True
        )
    )
    return tuple(next(found) if need else None for need in needs)


Function.vjp = staticmethod(vjp_of_composed)


def check_assigned(tensor, gradient) -> None:
    """Refuses what `tensor.grad = gradient` may not be."""
    if not isinstance(gradient, Variable):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(gradient).__name__}")
    if gradient is tensor:
        raise RuntimeError("can't assign Variable as its own grad")
    if gradient._data.dtype != tensor._data.dtype:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{dtypes.c_name(gradient._data.dtype)}' to a tensor with "
            f"grad_dtype '{tensor.dtype.torch_type}'. The gradient must match the tensor's grad_dtype (defaults to "
            "the tensor's dtype). You can set the tensor's grad_dtype attribute with a specific dtype, or None to "
            "allow any dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may break "
            "downstream systems that assume they match. minitorch2 keeps it at the tensor's dtype."
        )
    given, own = device_of(gradient._data).type, device_of(tensor._data).type
    if given != own:
        raise RuntimeError(
            f"attempting to assign a gradient with device type '{given}' to a tensor with device type '{own}'. "
            "Please ensure that the gradient and the tensor are on the same device"
        )
    if gradient._data.shape != tensor._data.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(gradient._data.shape)}' to a tensor of size "
            f"'{list(tensor._data.shape)}'. Please ensure that the gradient and the tensor are the same size"
        )
