"""torch.library: own operators (custom_op) with a backward, under torch.ops and with an autograd.Function beneath; and
operators in the older form, by schema (Library, define, impl).

What tells PyTorch's compiler about operators (register_fake) has nobody to tell here.
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

__all__ = ["CustomOpDef", "Library", "custom_op", "define", "impl", "register_autograd", "register_fake"]
__all__ += ["register_kernel"]

_defined: dict[str, CustomOpDef | _SchemaOp] = {}


class _Namespace(SimpleNamespace):
    """torch.ops.<namespace>: what was defined in it."""


class _Operator:
    """What is called under torch.ops, by an implementation for each device; None stands for all."""

    def __init__(self) -> None:
        self._kernels: dict[str | None, Callable] = {}

    @property
    def default(self) -> _Operator:
        """The operator: it has one form."""
        return self

    def register_kernel(self, device_types: str | Iterable[str] | None, fn: Callable | None = None, /) -> Any:
        """The implementation for tensors on these devices, "cpu" or "cuda"; a decorator without a function."""
        if fn is None:
            return lambda function: self.register_kernel(device_types, function)
        for device in [device_types] if device_types is None or isinstance(device_types, str) else device_types:
            self._kernels[device] = fn
        return fn

    def _kernel(self, device: str | None, name: str, way_out: str) -> Callable:
        kernel = self._kernels.get(device) or self._kernels.get(None)
        if kernel is None:
            raise NotImplementedError(f"{name} has no implementation for {device or 'no device'}; {way_out} adds one")
        return kernel


class CustomOpDef(_Operator):
    """An operator of the program's own; custom_op makes it. Called like the function it was made of."""

    def __init__(self, name: str, function: Callable, device_types: str | Iterable[str] | None, mutates: bool):
        super().__init__()
        self._name, self._signature, self._mutates = name, inspect.signature(function), mutates
        self._setup_context: Callable | None = None
        self._backward: Callable | None = None
        self.register_kernel(device_types, function)

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._name})>"

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
        kernel = self._kernel(tensors[0].device.type if tensors else None, self._name, "register_kernel")
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
    return _put("custom_op", name, CustomOpDef(name, fn, device_types, bool(mutates_args)))


triton_op = custom_op  # the kernels that such a function calls by wrap_triton are not here


def _put(caller: str, name: str, made: Any) -> Any:
    """made, as torch.ops.<namespace>.<name>."""
    namespace, _, last = name.partition("::")
    if not namespace.isidentifier() or not last.isidentifier():
        raise ValueError(f"{caller} expects a name of the form 'namespace::name', got {name!r}")
    place = ops.__dict__.setdefault(namespace, _Namespace())
    if not isinstance(place, _Namespace):
        raise ValueError(f"{caller}: the namespace {namespace!r} is minitorch2's own; take another")
    if name in _defined:
        raise RuntimeError(f"{caller}: {name} is defined already")
    _defined[name] = made
    setattr(place, last, made)
    return made


def _named(caller: str, op: Any) -> Any:
    found = op if isinstance(op, CustomOpDef | _SchemaOp) else _defined.get(op)
    if found is None:
        raise RuntimeError(f"{caller}: there is no operator {op}; custom_op defines one")
    return found


_ANYWHERE = ("", "CompositeImplicitAutograd", "CompositeExplicitAutograd")
_DEVICES = {"CPU": "cpu", "CUDA": "cuda", "cpu": "cpu", "cuda": "cuda", "default": None} | dict.fromkeys(_ANYWHERE)
_AUTOGRAD = ("Autograd", "AutogradCPU", "AutogradCUDA")
_UNUSED = ("Meta", "Functionalize", "Python", "PreDispatch", "QuantizedCPU", "SparseCPU")  # no tensor calls for them


class _SchemaOp(_Operator):
    """torch.ops.<namespace>.<name> of Library.define: calls the implementation for its tensors' device."""

    def __init__(self, name: str, schema: str) -> None:
        super().__init__()
        self.__name__, self._schema = name, schema
        self.autograd: Callable | None = None

    def __repr__(self) -> str:
        return f"<operator {self.__name__}{self._schema}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        if self.autograd is not None and is_grad_enabled() and any(x.requires_grad for x in tensors):
            return self.autograd(*args, **kwargs)  # a Function: in its forward nothing is recorded
        where = tensors[0].device.type if tensors else "cpu"
        return self._kernel(where, f"minitorch2: {self.__name__}", "torch.library.impl")(*args, **kwargs)


class Library:
    """Operators of one namespace, defined by schema and implemented by dispatch key: those of devices, "CPU" and
    "CUDA", and of any, "CompositeImplicitAutograd". Gradients go through an implementation as through any function,
    unless there is one for "Autograd", which is called where gradients are recorded.

    Args:
        ns: the namespace. kind: "DEF", "IMPL" or "FRAGMENT" (ValueError else). dispatch_key: impl's unless told.
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("DEF", "IMPL", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def __repr__(self) -> str:
        return f"Library(kind={self.kind}, ns={self.ns}, dispatch_key={self.dispatch_key})>"

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Makes the operator of a schema such as "sin(Tensor x) -> Tensor" and returns its name. RuntimeError where it
        is there already."""
        name, bracket, rest = schema.partition("(")
        name = name.strip()
        _put("define", f"{self.ns}::{name}", _SchemaOp(f"{self.ns}::{name}", bracket + rest))
        return name

    def impl(self, op_name: Any, fn: Callable, dispatch_key: str = "", *, with_keyset=False, allow_override=False):
        """fn is what the operator does. NotImplementedError for the dispatch keys of other things than devices."""
        name = op_name if isinstance(op_name, str) else op_name.__name__
        name = name if "::" in name else f"{self.ns}::{name}"
        _implement(name, dispatch_key or self.dispatch_key, fn)

    def fallback(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError("minitorch2: Library.fallback is not supported: there is no dispatcher here")


def _implement(name: str, key: str, fn: Callable) -> None:
    op = _named("impl", name)
    if key in _AUTOGRAD:
        op.autograd = fn
    elif key in _DEVICES:
        op.register_kernel(_DEVICES[key], fn)
    elif key not in _UNUSED:
        raise NotImplementedError(f"minitorch2: an implementation for the dispatch key {key!r} is not supported")


def define(qualname: str, schema: str, *, lib: Any = None, tags: Any = ()) -> None:
    """Makes the operator "namespace::name" of a schema such as "(Tensor x) -> Tensor"."""
    _put("define", qualname, _SchemaOp(qualname, schema))


def impl(qualname: str, types: str | Iterable[str], func: Callable | None = None, *, lib: Any = None) -> Any:
    """func is what the operator does on these devices: "cpu", "cuda", "default" for any; a decorator without func."""
    if isinstance(qualname, Library):  # the older decorator, @impl(library, name, dispatch_key)
        library, name = qualname, types

        def decorate(function: Callable) -> Callable:
            library.impl(name, function, func or "")  # type: ignore[arg-type]
            return function

        return decorate
    if func is None:
        return lambda function: impl(qualname, types, function)
    for key in [types] if isinstance(types, str) else types:
        _implement(qualname, key, func)
    return None


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, allow_override: bool = True) -> Any:
    """The function, or a decorator that returns it: it would tell shapes to a compiler, and there is none."""
    return (lambda function: function) if func is None else func


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """CustomOpDef.register_kernel by name. RuntimeError where there is no such operator."""
    return _named("register_kernel", op).register_kernel(device_types, func)


def register_autograd(op: Any, backward: Any, /, *, setup_context: Any = None, lib: Any = None) -> None:
    """CustomOpDef.register_autograd by name. RuntimeError where there is no such operator."""
    found = _named("register_autograd", op)
    if not isinstance(found, CustomOpDef):
        raise NotImplementedError(
            "minitorch2: register_autograd is not supported for what define made; custom_op makes such an operator"
        )
    found.register_autograd(backward, setup_context=setup_context)


globals().update(
    absent(
        "library",
        "there is no dispatcher of operators here; custom_op makes an operator",
        ("opcheck", "wrap_triton"),
    )
)
