"""grad, vjp, jvp: functions of a function's derivatives, on the reverse-mode graph that every op records.

A transform hands the function tensors of its own, differentiates with respect to them, and lets go of them: what it
returns requires a gradient only if it depends on something outside (parameters the function closes over, the inputs of
a transform around this one), which is how transforms nest.
"""

from __future__ import annotations

import functools
from typing import Any

import minitorch2_kernels as K

from ..autograd.backward import grad as autograd_grad
from ..core.function import Function
from ..core.grad_mode import enable_grad, state
from ..core.node import AccumulateGrad
from ..core.transforming import transforming
from ..core.variable import Variable
from ..ops.conversion import detach
from ..ops.views import view_as
from . import tree


class Level:
    """One transform under way: `inputs` are the tensors it differentiates with respect to.

    Inputs that require a gradient already stay part of their graph, as views; the others become leaves of this level.
    """

    def __init__(self, tensors):
        self.outside = state.grad  # whether whoever called the transform records a graph
        self.running = False  # whether we are within the function: what is done there, it will differentiate
        self.inputs = tuple(self._attached(x) for x in tensors)

    def _attached(self, x):
        if not isinstance(x, Variable):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if self.outside and x.requires_grad:
            return view_as(x, x)
        return self.leaf(detach(x))

    def leaf(self, x):
        """x, which nobody else holds, as a leaf of this level."""
        x._requiring(True)
        x._level = self
        return x

    def run(self, func, args, kwargs) -> Any:
        """func(*args, **kwargs), its graph recorded."""
        self.running = True
        try:
            with enable_grad(), transforming():
                return func(*args, **kwargs)
        finally:
            self.running = False

    def reaches_outside(self, tensors) -> bool:
        """Whether a gradient of these tensors could arrive where one will be asked for: at a leaf of the program's own,
        or of a transform that this one runs in."""
        if not self.outside:
            return False
        stack = [tensor._edge()[0] for tensor in tensors if tensor.requires_grad]
        seen = set(stack)
        while stack:
            node = stack.pop()
            if type(node) is AccumulateGrad and ((owner := node.variable._level) is None or owner.running):
                return True
            found = {edge[0] for edge in node.edges if edge is not None} - seen
            seen |= found
            stack.extend(found)
        return False

    def released(self, result) -> Any:
        """A tree of results as the caller gets it: without history, unless that leads outside."""
        return tree.map_leaves(self._released, result)

    def _released(self, x):
        if not isinstance(x, Variable) or not x.requires_grad:
            return x
        return x if self.reaches_outside((x,)) else detach(x)


def gradients(ys, xs, vs, create_graph, retain_graph=None) -> tuple:
    """vs times the Jacobian of the tensors ys, one tensor for each x: zeros where no y depends on it."""
    dependent = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    found: Any = (None,) * len(xs)
    if dependent:
        ys, vs = zip(*dependent, strict=True)
        found = autograd_grad(ys, xs, vs, retain_graph, create_graph, allow_unused=True)
    return tuple(zeros_like(x) if g is None else g for x, g in zip(xs, found, strict=True))


def zeros_like(x):
    return Function.as_tensor(K.zeros_like(x._data))


def grad(func, argnums=0, has_aux=False):
    """The function that computes the gradient of func, which returns one number, in its argument number `argnums`.

    argnums: an int, or a tuple of them for a tuple of gradients; an argument may be a tree of tensors, and its gradient
    then has the same shape. has_aux: func returns (number, anything) and the new function (gradient, anything).
    Raises RuntimeError where func returns anything but a tensor of no dims.
    """
    value_too = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args, **kwargs):
        found, value = value_too(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(func, argnums=0, has_aux=False):
    """As :func:`grad`, but the new function returns (gradient, value), with has_aux (gradient, (value, anything))."""

    @functools.wraps(func)
    def gradient_and_value(*args, **kwargs):
        level, args, shape = attach(args, argnums)
        result, aux = _split_aux(level.run(func, args, kwargs), has_aux, "grad_and_value")
        _need_one_number(result)
        create = level.reaches_outside((result,))
        found = level.released(gradients((result,), level.inputs, (None,), create))
        found, value = tree.unflatten(found, shape), level.released(result)
        return (found, (value, level.released(aux))) if has_aux else (found, value)

    return gradient_and_value


def attach(args, argnums):
    """(level, args with the chosen ones replaced by the level's inputs, the shape of the chosen ones)."""
    numbers = checked_argnums(argnums, len(args))
    chosen = args[numbers] if isinstance(numbers, int) else tuple(args[i] for i in numbers)
    leaves, shape = tree.flatten(chosen)
    level = Level(leaves)
    chosen = tree.unflatten(level.inputs, shape)
    args = list(args)
    for i, new in [(numbers, chosen)] if isinstance(numbers, int) else zip(numbers, chosen, strict=True):
        args[i] = new
    return level, args, shape


def checked_argnums(argnums, n: int):
    """argnums counted from the front; RuntimeError where there is no such argument."""
    if isinstance(argnums, int):
        if not -n <= argnums < n:
            raise RuntimeError(f"Got argnum={argnums}, but only {n} positional inputs")
        return argnums % n
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if not argnums:
        raise RuntimeError("argnums must be non-empty")
    for each in argnums:
        if not isinstance(each, int):
            raise RuntimeError(f"argnum must be int, got: {type(each)}")
    numbers = tuple(checked_argnums(each, n) for each in argnums)
    if len(set(numbers)) < len(numbers):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return numbers


def _split_aux(result, has_aux, op):
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(f"{op}(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True")
    return result


def _need_one_number(result) -> None:
    said = "grad_and_value(f)(*args): Expected f(*args) to return a"
    if not isinstance(result, Variable):
        raise RuntimeError(f"{said} Tensor, got {type(result)}")
    if result._data.ndim:
        raise RuntimeError(
            f"{said} scalar Tensor, got tensor with {result._data.ndim} dims. Maybe you wanted to use the vjp or "
            "jacrev APIs instead?"
        )


def results_of(level, func, args, kwargs, has_aux, op):
    """(the tensors that func returns, the shape they are in, the rest)."""
    result, aux = _split_aux(level.run(func, args, kwargs), has_aux, op)
    ys, shape = tree.flatten(result)
    if not ys:
        raise RuntimeError(f"{op}: Expected f to be a function that has non-empty output (got output = {ys})")
    for y in ys:
        if not isinstance(y, Variable):
            raise RuntimeError(f"{op}: expected f(*primals) to return only tensors, got unsupported type {type(y)}")
    return ys, shape, aux


def vjp(func, *primals, has_aux=False):
    """(func(*primals), the function that takes vectors to their products with func's Jacobian).

    That function takes a tree in the shape of func's output and returns a tuple of gradients, one for each primal. It
    may be called again and again. has_aux: func returns (output, anything), and vjp that too, third.
    """
    leaves, shape = tree.flatten(primals)
    level = Level(leaves)
    ys, result_shape, aux = results_of(level, func, tree.unflatten(level.inputs, shape), {}, has_aux, "vjp")

    def product(cotangents, retain_graph=True, create_graph=None):
        vs, given = tree.flatten(cotangents)
        if given != result_shape:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {tree.describe(given)}, primal output: {tree.describe(result_shape)}"
            )
        create = state.grad if create_graph is None else create_graph
        with enable_grad():
            create = create and (level.reaches_outside(ys) or any(v.requires_grad for v in vs))
        found = gradients(ys, level.inputs, vs, create, retain_graph)
        return tree.unflatten(level.released(found), shape)

    result = tree.unflatten(level.released(ys), result_shape)
    return (result, product, level.released(aux)) if has_aux else (result, product)


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(func(*primals), func's Jacobian times tangents), both in the shape of func's output.

    Computed by two passes in reverse: u -> u J is linear in u, and its derivative along the tangents is J times them.
    strict: RuntimeError for an output that does not depend on the inputs, in place of zeros. has_aux as in :func:`vjp`.
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    if not isinstance(tangents, tuple) or tree.flatten(tangents)[1] != tree.flatten(primals)[1]:
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python structure. Got "
            f"primals with structure {tree.describe(tree.flatten(primals)[1])} and tangents with structure "
            f"{tree.describe(tree.flatten(tangents)[1])}"
        )
    result, push, aux = _linearized(func, primals, strict, has_aux, "jvp")
    found = push(tree.flatten(tangents)[0])
    return (result, found, aux) if has_aux else (result, found)


def linearize(func, *primals):
    """(func(*primals), the function that takes tangents, one for each primal, to func's Jacobian times them)."""
    shape = tree.flatten(primals)[1]
    result, push, _ = _linearized(func, primals, False, False, "linearize")

    def product(*tangents):
        vs, given = tree.flatten(tangents)
        if given != shape:
            raise RuntimeError(
                f"Expected the tangents {tree.describe(given)} to have the same argspec as the primals "
                f"{tree.describe(shape)}"
            )
        return push(vs)

    return result, product


def _linearized(func, primals, strict, has_aux, op):
    leaves, shape = tree.flatten(primals)
    if not leaves:
        raise RuntimeError(f"{op}: Expected primals to contain at least one Tensor.")
    level = Level(leaves)
    ys, result_shape, aux = results_of(level, func, tree.unflatten(level.inputs, shape), {}, has_aux, op)
    if strict and not all(y.requires_grad for y in ys):
        raise RuntimeError(
            f"{op}(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not "
            "allowed with strict=True."
        )
    with enable_grad():
        us = tuple(level.leaf(zeros_like(y)) if y._data.dtype.kind in "fV" else zeros_like(y) for y in ys)
        pulled = gradients(ys, level.inputs, us, create_graph=True, retain_graph=True)

    def push(vs):
        for i, (v, x) in enumerate(zip(vs, level.inputs, strict=True)):
            if v._data.shape != x._data.shape or v._data.dtype != x._data.dtype:
                raise RuntimeError(
                    f"{op}: tangent {i} has shape {list(v.shape)} and dtype {v.dtype}, but the primal it belongs to "
                    f"has shape {list(x.shape)} and dtype {x.dtype}"
                )
        asked = [u for u in us if u.requires_grad]
        with enable_grad():
            create = level.reaches_outside((*pulled, *vs))
        found = iter(gradients(pulled, asked, vs, create, retain_graph=True))
        products = [next(found) if u.requires_grad else zeros_like(u) for u in us]
        return tree.unflatten(level.released(products), result_shape)

    return tree.unflatten(level.released(ys), result_shape), push, level.released(aux)
