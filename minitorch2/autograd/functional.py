"""torch.autograd.functional: Jacobians, Hessians and their products with vectors, of functions of tensors."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.function import Function
from ..core.grad_mode import enable_grad, is_grad_enabled
from ..core.variable import Variable
from ..ops.conversion import detach
from ..ops.joining import stack
from ..ops.views import reshape, view_as
from .backward import grad


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """d func(*inputs) / d inputs: for each output and input a tensor of shape (*output, *input).

    A tensor for one input and output, a tuple for several of one, a tuple of tuples for several of both. vectorize and
    strategy choose in torch how it is computed; here it is one backward pass for each element of the output.
    """
    if create_graph and not is_grad_enabled():
        with enable_grad():
            return jacobian(func, inputs, True, strict, vectorize, strategy)
    xs, single_input = _attached(inputs, create_graph)
    ys, single_output = _results(func, xs, "jacobian")
    rows = tuple(jacobian_of(y, xs, create_graph, strict) for y in ys)
    rows = tuple(row[0] if single_input else row for row in rows)
    return rows[0] if single_output else rows


def jacobian_of(y, xs, create_graph, strict):
    """One tensor per input: the gradients of y's elements, stacked in y's shape."""
    flat, found = reshape(y, -1), [[] for _ in xs]
    for i in range(flat._data.size):
        for x, g, rows in zip(xs, _grad(flat[i], xs, create_graph, strict), found, strict=True):
            rows.append(_zeros_like(x) if g is None else g)
    shape = tuple(y._data.shape)
    sizes = [(*shape, *x._data.shape) for x in xs]
    return tuple(
        reshape(stack(rows), size) if rows else x.new_zeros(size)
        for x, rows, size in zip(xs, found, sizes, strict=True)
    )


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The second derivatives of a func that returns one number: the Jacobian of its gradient, laid out likewise."""
    single_input = isinstance(inputs, Variable)

    def gradient(*xs):
        found = jacobian(_one_number(func, "hessian"), xs, create_graph=True, strict=strict)
        return found[0] if single_input else found

    return jacobian(gradient, inputs, create_graph, strict)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v times its Jacobian). v has the shape of the output; may be missing where that is one number."""
    xs, single_input = _attached(inputs, create_graph)
    ys, single_output = _results(func, xs, "vjp")
    products = _filled(xs, _grad(ys, xs, create_graph, strict, _vectors(v, ys, "vjp")))
    return _unpacked(ys, single_output, create_graph), products[0] if single_input else products


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), its Jacobian times v). v has the shape of the inputs; may be missing where that is one number."""
    xs, _ = _attached(inputs, create_graph)
    vs = _vectors(v, xs, "jvp")
    ys, single_output = _results(func, xs, "jvp")
    with enable_grad():  # u -> u J is linear: its derivative along v is J v
        us = tuple(_zeros_like(y).requires_grad_() for y in ys)
        pulled = _filled(xs, _grad(ys, xs, True, strict, us))
    if any(p.requires_grad for p in pulled):
        products = _filled(ys, grad(pulled, us, vs, create_graph=create_graph, allow_unused=True))
    else:  # the output does not depend on the inputs
        products = tuple(_zeros_like(y) for y in ys)
    return _unpacked(ys, single_output, create_graph), products[0] if single_output else products


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v times its Hessian), for a func that returns one number."""
    xs, single_input = _attached(inputs, create_graph)
    vs = _vectors(v, xs, "vhp")
    ys, _ = _results(_one_number(func, "vhp"), xs, "vhp")
    with enable_grad():
        gradient = _filled(xs, _grad(ys, xs, True, strict))
    dependent = [(g, v) for g, v in zip(gradient, vs, strict=True) if g.requires_grad]
    products = tuple(_zeros_like(x) for x in xs)
    if dependent:
        gs, vs = zip(*dependent, strict=True)
        products = _filled(xs, grad(gs, xs, vs, create_graph=create_graph, allow_unused=True))
    return _unpacked(ys, True, create_graph), products[0] if single_input else products


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), its Hessian times v): vhp, since a Hessian is symmetric."""
    return vhp(func, inputs, v, create_graph, strict)


def _attached(inputs, create_graph):
    """The inputs as tensors that require grad: copies of no history, or under create_graph views that keep theirs."""
    single = isinstance(inputs, Variable)
    with enable_grad():
        return tuple(
            view_as(x, x) if create_graph and x.requires_grad else detach(x).requires_grad_()
            for x in ((inputs,) if single else inputs)
        ), single


def _results(func, xs, op):
    with enable_grad():
        ys = func(*xs)
    single = isinstance(ys, Variable)
    ys = (ys,) if single else tuple(ys)
    for y in ys:
        if not isinstance(y, Variable):
            raise TypeError(f"The outputs of the function given to {op} must be tensors, but got {type(y).__name__}")
    return ys, single


def _one_number(func, op):
    def checked(*xs):
        y = func(*xs)
        if not isinstance(y, Variable):
            raise RuntimeError(f"The function given to {op} should return a single Tensor")
        if y._data.size != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {op} should contain a single element, but has "
                f"{y._data.size} in shape {list(y._data.shape)}"
            )
        return reshape(y, ())

    return checked


def _grad(ys, xs, create_graph, strict, vs=None):
    ys = (ys,) if isinstance(ys, Variable) else ys
    vs = (None,) * len(ys) if vs is None else vs
    dependent = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    if strict and len(dependent) < len(ys):
        raise RuntimeError("An output of the function does not depend on the inputs, which strict=True does not allow.")
    if not dependent:
        return (None,) * len(xs)
    ys, vs = zip(*dependent, strict=True)
    found = grad(ys, xs, vs, retain_graph=True, create_graph=create_graph, allow_unused=True)
    if strict and any(g is None for g in found):
        raise RuntimeError("The output of the function does not depend on an input, which strict=True does not allow.")
    return found


def _vectors(v, like, op):
    if v is None:
        if len(like) != 1 or like[0]._data.size != 1:
            raise RuntimeError(f"The vector v can only be None for {op} of a function of, or with, a single element.")
        return (Function.as_tensor(K.full_like(like[0]._data, 1)),)
    vs = (v,) if isinstance(v, Variable) else tuple(v)
    if len(vs) != len(like):
        raise RuntimeError(f"{op}: v should hold {len(like)} tensors but got {len(vs)}")
    for i, (a, b) in enumerate(zip(vs, like, strict=True)):
        if a._data.shape != b._data.shape:
            raise RuntimeError(
                f"{op}: v[{i}] has shape {list(a._data.shape)}, the tensor it belongs to {list(b._data.shape)}"
            )
    return vs


def _filled(like, gradients):
    return tuple(_zeros_like(x) if g is None else g for x, g in zip(like, gradients, strict=True))


def _zeros_like(x):
    return Function.as_tensor(K.zeros_like(x._data))


def _unpacked(ys, single, create_graph):
    ys = ys if create_graph else tuple(y.detach() for y in ys)
    return ys[0] if single else ys
