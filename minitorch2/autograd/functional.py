"""torch.autograd.functional: Jacobians, Hessians and their products with vectors, of functions of tensors."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function
from ..core.grad_mode import enable_grad
from ..core.variable import Variable
from ..ops.conversion import detach
from ..ops.joining import stack
from ..ops.views import reshape, view_as
from .backward import grad


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """d func(*inputs) / d inputs: for each output and input a tensor of shape (*output, *input).

    A tensor for one input and output, a tuple for several of one, a tuple of tuples for several of both. strict:
    RuntimeError for an output that does not depend on an input. vectorize and strategy choose in torch how it is
    computed; here it is one backward pass for each element of the output, and what torch does not combine with them is
    refused.
    """
    _check_strategy(strategy, create_graph, strict, vectorize)
    return _jacobian(func, inputs, create_graph, strict, "jacobian")


@enable_grad()
def _jacobian(func, inputs, create_graph, strict, op):
    xs, single_input = _attached(inputs, create_graph, op)
    ys, single_output = _results(func, xs, strict, op)
    rows = tuple(jacobian_of(y, xs, create_graph, strict, i) for i, y in enumerate(ys))
    rows = tuple(row[0] if single_input else row for row in rows)
    return rows[0] if single_output else rows


@enable_grad()  # an element of y must keep y's history under no_grad() too
def jacobian_of(y, xs, create_graph, strict, number=0):
    """One tensor per input: the gradients of y's elements, stacked in y's shape. y is output number `number`."""
    flat, found = reshape(y, -1), [[] for _ in xs]
    for i in range(flat._data.size):
        gradients = _grad(flat[i], xs, create_graph, strict, whose=f"Output {number}")
        for x, g, rows in zip(xs, gradients, found, strict=True):
            rows.append(_zeros_like(x) if g is None else g)
        if strict and create_graph:
            _check_recorded(gradients)
    shape = tuple(y._data.shape)
    sizes = [(*shape, *x._data.shape) for x in xs]
    return tuple(
        reshape(stack(rows), size) if rows else x.new_zeros(size)
        for x, rows, size in zip(xs, found, sizes, strict=True)
    )


def _check_strategy(strategy, create_graph, strict, vectorize) -> None:
    by = "torch.autograd.functional.jacobian: "
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode" and create_graph:
        raise NotImplementedError(
            f'{by}`create_graph=True` and `strategy="forward-mode"` are not supported together (yet). Please either '
            'set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strategy == "forward-mode" and strict:
        raise RuntimeError(
            f'{by}`strict=True` and `strategy="forward-mode"` are not supported together (yet). Please either set '
            '`strict=False` or `strategy="reverse-mode"`.'
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is"
            "only implemented for `vectorize=True`."
        )
    if strict and vectorize:
        raise RuntimeError(
            f"{by}`strict=True` and `vectorized=True` are not supported together. Please either set `strict=False` or "
            "`vectorize=False`."
        )


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The second derivatives of a func that returns one number: the Jacobian of its gradient, laid out likewise."""
    single_input = isinstance(inputs, Variable)

    def gradient(*xs):
        (y,), _ = _results(_one_number(func, "hessian"), xs, strict, "hessian")
        found = _twice_differentiable(xs, _grad(y, xs, True, False), strict)
        return found[0] if single_input else found

    _check_strategy(outer_jacobian_strategy, create_graph, strict, vectorize)
    return _jacobian(gradient, inputs, create_graph, strict, "hessian")


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v times its Jacobian). v has the shape of the output; may be missing where that is one number."""
    xs, single_input = _attached(inputs, create_graph, "vjp")
    ys, single_output = _results(func, xs, strict, "vjp")
    vs = _vectors(v, ys, "vjp", "the user-provided function returns")
    products = _filled(xs, _grad(ys, xs, create_graph, strict, vs))
    if strict and create_graph:
        _check_recorded(products)
    return _unpacked(ys, single_output, create_graph), products[0] if single_input else products


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), its Jacobian times v). v has the shape of the inputs; may be missing where that is one number."""
    xs, _ = _attached(inputs, create_graph, "jvp")
    vs = _vectors(v, xs, "jvp", _ONE_INPUT)
    ys, single_output = _results(func, xs, strict, "jvp")
    with enable_grad():  # u -> u J is linear: its derivative along v is J v
        us = tuple(_zeros_like(y).requires_grad_() for y in ys)
        pulled = _filled(xs, _grad(ys, xs, True, strict, us))
    if any(p.requires_grad for p in pulled):
        products = _filled(ys, grad(pulled, us, vs, create_graph=create_graph, allow_unused=True))
    else:  # the output does not depend on the inputs
        products = tuple(_zeros_like(y) for y in ys)
    if strict and create_graph:
        _check_recorded(products)
    return _unpacked(ys, single_output, create_graph), products[0] if single_output else products


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v times its Hessian), for a func that returns one number."""
    return _hessian_product(func, inputs, v, create_graph, strict, "vhp")


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), its Hessian times v): vhp, since a Hessian is symmetric."""
    return _hessian_product(func, inputs, v, create_graph, strict, "hvp")


def _hessian_product(func, inputs, v, create_graph, strict, op):
    xs, single_input = _attached(inputs, create_graph, op)
    vs = _vectors(v, xs, op, _ONE_INPUT)
    ys, _ = _results(_one_number(func, op), xs, strict, op)
    with enable_grad():
        gradient = _twice_differentiable(xs, _grad(ys, xs, True, strict), strict)
    dependent = [(g, v) for g, v in zip(gradient, vs, strict=True) if g.requires_grad]
    products = tuple(_zeros_like(x) for x in xs)
    if dependent:
        gs, vs = zip(*dependent, strict=True)
        products = _filled(xs, grad(gs, xs, vs, create_graph=create_graph, allow_unused=True))
    if strict and create_graph:
        _check_recorded(products, "hessian")
    return _unpacked(ys, True, create_graph), products[0] if single_input else products


def _attached(inputs, create_graph, op):
    """The inputs as tensors that require grad: copies of no history, or under create_graph views that keep theirs."""
    xs, single = _tensors(inputs, "inputs", op)
    with enable_grad():
        return tuple(
            view_as(x, x) if create_graph and x.requires_grad else detach(x).requires_grad_() for x in xs
        ), single


def _results(func, xs, strict, op):
    with enable_grad():
        ys, single = _tensors(func(*xs), "outputs of the user-provided function", op)
    for i, y in enumerate(ys):
        if strict and not y.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs must be computed "
                "in a differentiable manner from the input when running in strict mode."
            )
    return ys, single


def _tensors(values, what, op):
    """(a tuple of tensors, whether it was one tensor alone)."""
    if isinstance(values, Variable):
        return (values,), True
    must = f"The {what} given to {op} must be either a Tensor or a tuple of Tensors but the"
    if not isinstance(values, tuple):
        raise TypeError(f"{must} given {what} has type {type(values)}.")
    for i, each in enumerate(values):
        if not isinstance(each, Variable):
            raise TypeError(f"{must} value at index {i} has type {type(each)}.")
    return values, False


def _one_number(func, op):
    def checked(*xs):
        ys, single = _tensors(func(*xs), "outputs of the user-provided function", op)
        if not single:
            raise RuntimeError(f"The function given to {op} should return a single Tensor")
        if ys[0]._data.size != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {op} should contain a single element, but has "
                f"{ys[0]._data.size} in shape {list(ys[0]._data.shape)}"
            )
        return ys[0]

    return checked


def _grad(ys, xs, create_graph, strict, vs=None, whose="The output"):
    ys = (ys,) if isinstance(ys, Variable) else ys
    vs = (None,) * len(ys) if vs is None else vs
    dependent = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    if not dependent:
        return (None,) * len(xs)
    ys, vs = zip(*dependent, strict=True)
    found = grad(ys, xs, vs, retain_graph=True, create_graph=create_graph, allow_unused=True)
    if strict and None in found:
        raise RuntimeError(
            f"{whose} of the user-provided function is independent of input {found.index(None)}. This is not allowed "
            "in strict mode."
        )
    return found


def _check_recorded(gradients, what="jacobian"):
    for i, g in enumerate(gradients):
        if not g.requires_grad:
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {i}. This is not allowed in strict "
                "mode when create_graph=True."
            )


def _twice_differentiable(xs, gradients, strict):
    """The gradients, zeros where there are none; RuntimeError, if strict, for one that is no function of the inputs."""
    gradients = _filled(xs, gradients)
    for i, g in enumerate(gradients):
        if strict and not g.requires_grad:
            raise RuntimeError(
                "While computing the hessian, found that the jacobian of the user-provided function with respect to "
                f"input {i} is independent of the input. This is not allowed in strict mode. You should ensure that "
                "your function is twice differentiable and that the jacobian depends on the inputs (this would be "
                "violated by a linear function for example)."
            )
    return gradients


_ONE_INPUT = "the input to the user-provided function is"


def _vectors(v, like, op, what):
    if v is None:
        if len(like) != 1 or like[0]._data.size != 1:
            raise RuntimeError(f"The vector v can only be None if {what} a single Tensor with a single element.")
        return (Function.as_tensor(K.full_like(like[0]._data, 1)),)
    vs, _ = _tensors(v, "v", op)
    if len(vs) != len(like):
        if len(like) == 1:
            raise RuntimeError("The given v should contain a single Tensor.")
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}.")
    for i, (a, b) in enumerate(zip(vs, like, strict=True)):
        if a._data.shape != b._data.shape:
            which = f"Entry {i} in v" if len(like) > 1 else "v"
            raise RuntimeError(f"{which} has invalid size: should be {b.shape} but got {a.shape}.")
    return vs


def _filled(like, gradients):
    return tuple(_zeros_like(x) if g is None else g for x, g in zip(like, gradients, strict=True))


def _zeros_like(x):
    return Function.as_tensor(K.zeros_like(x._data))


def _unpacked(ys, single, create_graph):
    ys = ys if create_graph else tuple(y.detach() for y in ys)
    return ys[0] if single else ys
