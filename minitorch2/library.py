"""torch.library: own operators (custom_op) with a backward, under torch.ops and with an autograd.Function beneath.

What tells PyTorch's compiler and dispatcher about operators (register_fake, Library) has nobody to tell here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, NoReturn

from . import ops
from .autograd import Function, no_grad
from .core.absent import absent
from .core.grad_mode import is_grad_enabled
from .tensor import Tensor

__all__ = ["CustomOpDef", "custom_op", "register_autograd", "register_fake", "register_kernel"]

_defined: dict[str, CustomOpDef] = {}


class _Namespace(SimpleNamespace):
    """torch.ops.<namespace>: what was defined in it."""


class CustomOpDef:
    """An operator of the program's own; custom_op makes it. Called like the function it was made of."""

    def __init__(self, name: str, function: Callable, device_types: str | Iterable[str] | None, mutates: bool):
        self._name, self._signature, self._mutates = name, inspect.signature(function), mutates
        self._kernels: dict[str | None, Callable] = {}
        self._setup_context: Callable | None = None
        self._backward: Callable | None = None
        self.register_kernel(device_types, function)

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._name})>"

    def register_kernel(self, device_types: str | Iterable[str] | None, fn: Callable | None = None, /) -> Any:
        """The implementation for tensors on these devices, "cpu" or "cuda"; a decorator without a function."""
        if fn is None:
            return lambda function: self.register_kernel(device_types, function)
        for device in [device_types] if device_types is None or isinstance(device_types, str) else device_types:
            self._kernels[device] = fn
        return fn

    def register_autograd(self, backward: Callable, /, *, setup_context: Callable | None = None) -> None:
        """backward(ctx, *grads) returns a gradient, or None, for each argument; setup_context(ctx, inputs, output)
        saves in ctx what it needs."""
        self._backward, self._setup_context = backward, setup_context

    def register_fake(self, fn: Callable, /) -> Callable:
        """The function: it would tell shapes to a compiler, and there is none."""
        return fn

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = (*bound.args, *bound.kwargs.values())
        tensors = [x for x in given if isinstance(x, Tensor)]
        kernel = self._kernels.get(tensors[0].device.type if tensors else None) or self._kernels.get(None)
        if kernel is None:
            where = tensors[0].device.type if tensors else "no device"
            raise NotImplementedError(f"{self._name} has no implementation for {where}; register_kernel adds one")
        if is_grad_enabled() and any(map(_requires_grad, given)):
            if self._mutates:
                self._refuse("writes to its arguments")
            if any(isinstance(x, list | tuple) and _requires_grad(x) for x in given):
                self._refuse("takes tensors in a list")
            if any(map(_requires_grad, bound.kwargs.values())):
                self._refuse("takes tensors by keyword only")
            return _Custom.apply(self, kernel, bound.kwargs, *bound.args)
        with no_grad():
            return kernel(*bound.args, **bound.kwargs)

    def _refuse(self, what: str) -> NoReturn:
        raise NotImplementedError(f"minitorch2: {self._name} {what}, and gradients are asked for")


def _requires_grad(x: Any) -> bool:
    return any(map(_requires_grad, x)) if isinstance(x, list | tuple) else isinstance(x, Tensor) and x.requires_grad


class _Custom(Function):
    @staticmethod
    def forward(ctx, op, kernel, kwargs, *args):
        ctx.op = op
        output = kernel(*args, **kwargs)
        if op._setup_context is not None:
            more = {"keyword_only_inputs": kwargs} if kwargs else {}
            op._setup_context(ctx=ctx, inputs=args, output=output, **more)
        return output

    @staticmethod
    def backward(ctx, *grads):
        if ctx.op._backward is None:
            raise RuntimeError(
                f"Trying to backward through {ctx.op._name} but no autograd formula was registered. Please use "
                "register_autograd to add one."
            )
        found = ctx.op._backward(ctx, *grads)
        return (None, None, None, *(found if isinstance(found, tuple | list) else (found,)))


def custom_op(
    name: str,
    fn: Callable | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: str | Iterable[str] | None = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Makes fn the operator "namespace::name", torch.ops.namespace.name; a decorator without fn.

    mutates_args: the arguments it writes to; such an operator has no gradients here. schema, tags: for PyTorch's
    dispatcher. ValueError for another kind of name, RuntimeError where it is defined already.
    """
    if fn is None:
        return lambda function: custom_op(name, function, mutates_args=mutates_args, device_types=device_types)
    namespace, _, last = name.partition("::")
    if not namespace.isidentifier() or not last.isidentifier():
        raise ValueError(f"custom_op expects a name of the form 'namespace::name', got {name!r}")
    place = ops.__dict__.setdefault(namespace, _Namespace())
    if not isinstance(place, _Namespace):
        raise ValueError(f"custom_op: the namespace {namespace!r} is minitorch2's own; take another")
    if name in _defined:
        raise RuntimeError(f"custom_op: {name} is defined already")
    made = _defined[name] = CustomOpDef(name, fn, device_types, bool(mutates_args))
    setattr(place, last, made)
    return made


def _named(caller: str, op: str | CustomOpDef) -> CustomOpDef:
    found = op if isinstance(op, CustomOpDef) else _defined.get(op)
    if found is None:
        raise RuntimeError(f"{caller}: there is no operator {op}; custom_op defines one")
    return found


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, allow_override: bool = True) -> Any:
    """The function, or a decorator that returns it: it would tell shapes to a compiler, and there is none."""
    return (lambda function: function) if func is None else func


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """CustomOpDef.register_kernel by name. RuntimeError where there is no such operator."""
    return _named("register_kernel", op).register_kernel(device_types, func)


def register_autograd(op: Any, backward: Any, /, *, setup_context: Any = None, lib: Any = None) -> None:
    """CustomOpDef.register_autograd by name. RuntimeError where there is no such operator."""
    _named("register_autograd", op).register_autograd(backward, setup_context=setup_context)


globals().update(
    absent(
        "library",
        "there is no dispatcher of operators here; custom_op makes an operator",
        ("define", "impl", "triton_op", "opcheck", "wrap_triton"),
        ("Library",),
    )
)
