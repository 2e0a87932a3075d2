"""Changing a module tree in place: dtype and device, training mode, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ... import __future__ as conversion
from ...core.device import device as Device
from ...core.dtypes import dtype as Dtype
from ...core.grad_mode import no_grad
from ...creation import empty_like
from ...tensor import Tensor
from ..parameter import Parameter
from ._traversal import Traversal


def _another(data: Tensor, parameter: Parameter, grad: Tensor | None) -> Parameter:
    """A parameter in the place of one that was converted."""
    made = Parameter(data, parameter.requires_grad)
    if grad is not None:
        made.grad = grad.requires_grad_(parameter.grad.requires_grad)
    return made


class Conversion(Traversal):
    """The methods of Module that change every parameter and buffer below it, and its training mode."""

    training: bool

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace every parameter, its gradient and every buffer by ``fn`` of it.

        Parameters stay the same objects, so an optimizer made before keeps working, unless
        torch.__future__.set_overwrite_module_params_on_conversion says otherwise.
        """
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for name, parameter in self._parameters.items():
                if parameter is None:
                    continue
                grad = parameter.grad
                grad_applied = None if grad is None else fn(grad)
                if conversion.overwrite:
                    self._parameters[name] = _another(fn(parameter), parameter, grad_applied)
                    continue
                # The gradient must have its parameter's dtype and device at every moment.
                parameter.grad = None
                parameter.data = fn(parameter)
                if grad is not None:
                    grad.data = grad_applied
                    parameter.grad = grad
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """``to(device=None, dtype=None, non_blocking=False)``, ``to(dtype)`` or ``to(tensor)``, in place.

        The dtype must be floating point and changes only floating point parameters and buffers.
        """
        device, dtype, non_blocking, memory_format = _parse_to(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        def convert(t: Tensor) -> Tensor:
            options: dict[str, Any] = {"non_blocking": non_blocking}
            if device is not None:
                options["device"] = device
            if dtype is not None and t.is_floating_point():
                options["dtype"] = dtype
            if memory_format is not None and t.dim() == 4:
                options["memory_format"] = memory_format
            try:
                return t.to(**options)
            except NotImplementedError as error:
                if not t.is_meta:
                    raise
                raise NotImplementedError(
                    f"{error} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving module "
                    "from meta to a different device."
                ) from None

        return self._apply(convert)

    def _cast_floating(self, cast: Callable[[Tensor], Tensor]) -> Self:
        return self._apply(lambda t: cast(t) if t.is_floating_point() else t)

    def float(self) -> Self:
        """Floating point parameters and buffers to float32."""
        return self._cast_floating(lambda t: t.float())

    def double(self) -> Self:
        """Floating point parameters and buffers to float64."""
        return self._cast_floating(lambda t: t.double())

    def half(self) -> Self:
        """Floating point parameters and buffers to float16."""
        return self._cast_floating(lambda t: t.half())

    def bfloat16(self) -> Self:
        """Floating point parameters and buffers to bfloat16."""
        return self._cast_floating(lambda t: t.bfloat16())

    def type(self, dst_type: Dtype | str) -> Self:
        """All parameters and buffers to ``dst_type``."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Self:
        """All parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: int | Device | None = None) -> Self:
        """All parameters and buffers to the GPU ``device``."""
        return self._apply(lambda t: t.cuda(device))

    def to_empty(self, *, device: str | Device | None, recurse: bool = True) -> Self:
        """All parameters and buffers to ``device``, with undefined values."""
        return self._apply(lambda t: empty_like(t, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Not supported: tensors live in this process's own memory."""
        raise NotImplementedError(
            "minitorch2: Module.share_memory is not supported; send module.state_dict() to the other "
            "process and load it there."
        )

    def train(self, mode: bool = True) -> Self:
        """Set training mode (dropout drops, batch norm uses the batch's statistics) here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of every parameter: False freezes the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every parameter's gradient, or fill it with zeros if ``set_to_none`` is False."""
        for parameter in self.parameters():
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                # A gradient made with create_graph has a history, which zeros do not.
                parameter.grad.detach_()
                parameter.grad.zero_()


_TO = (
    "(torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *, "
    "torch.memory_format memory_format = None)",
    "(torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)",
    "(Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)",
)


def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Dtype | None, bool, Any]:
    """The arguments of ``Module.to`` as (device, dtype, non_blocking, memory_format)."""
    names: tuple[str, ...] = ("device", "dtype")
    if isinstance(args[0] if args else kwargs.get("tensor"), Tensor):
        names = ("tensor",)
    elif args and isinstance(args[0], Dtype):
        names = ("dtype",)
    names = (*names, "non_blocking", "copy")
    given = dict(zip(names, args, strict=False)) | kwargs
    if len(given) < len(args) + len(kwargs) or not {*names, "memory_format"} >= given.keys() or not _fit(given):
        kinds = ", ".join([*map(_kind, args), *(f"{name}={_kind(value)}" for name, value in kwargs.items())])
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({kinds}{'' if args else ', '}), but expected "
            "one of:\n" + "".join(f" * {signature}\n" for signature in _TO)
        )
    if given.get("copy"):
        raise RuntimeError(".to() does not accept copy argument")
    tensor, device, dtype = given.get("tensor"), given.get("device"), given.get("dtype")
    if tensor is not None:
        device, dtype = tensor.device, tensor.dtype
    if device is not None:
        device = Device(device)
    return device, dtype, given.get("non_blocking", False), given.get("memory_format")


def _fit(given: dict[str, Any]) -> bool:
    """Whether the arguments are of the types that _TO names for them."""
    return (
        isinstance(given.get("device"), Device | str | int | None)
        and isinstance(given.get("dtype"), Dtype | None)
        and all(isinstance(given.get(name, False), bool) for name in ("non_blocking", "copy"))
    )


def _kind(value: Any) -> str:
    return f"torch.{type(value).__name__}" if isinstance(value, Device | Dtype) else type(value).__name__
