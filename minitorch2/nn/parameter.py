"""Parameter and Buffer: tensors that a Module registers when they are assigned to it; and those without a shape yet."""

from __future__ import annotations

from typing import Any

from ..creation import empty
from ..tensor import Tensor

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Parameter(Tensor):
    """A tensor to be trained: assigning it to a module adds it to ``module.parameters()``.

    It shares memory with ``data`` (a tensor of any shape and dtype; None is an empty one), is a leaf, and
    requires a gradient by default. Operations on it give plain tensors.
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        _share(self, data)
        if requires_grad and not self.dtype.is_floating_point:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        if requires_grad is not True and requires_grad is not False:
            raise TypeError(f"argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
        self.requires_grad = requires_grad

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        # Without .grad, unlike the copy of a plain tensor.
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """State that is not trained: assigning it to a module registers it as a buffer.

    It shares memory with ``data``. Only ``persistent`` buffers are part of the module's ``state_dict``.
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        _share(self, data)
        self.requires_grad = data is not None and data.requires_grad
        self.persistent = persistent


def _share(target: Parameter | Buffer, data: Tensor | None) -> None:
    """Make ``target`` a leaf on the memory of ``data``."""
    if data is None:
        data = empty(0)
    if not isinstance(data, Tensor):
        name = type(target).__name__
        raise AttributeError(
            f"'{type(data).__name__}' object has no attribute 'detach': {name}() takes a Tensor, "
            f"so write {name}(torch.tensor(data))"
        )
    if type(data) not in (Tensor, Parameter, Buffer):
        raise NotImplementedError(
            f"minitorch2: {type(target).__name__}() of a tensor of the subclass {type(data).__name__} is not "
            "supported; pass a plain Tensor."
        )
    source = data.detach()
    target._data = source._data
    target._counter = source._counter  # a write through either is a write to both
    target._inference = source._inference


class _Uninitialized(Tensor):
    """A tensor whose dtype and device are known, but not its shape: it has no memory until ``materialize``."""

    cls_to_become: type[Tensor] = Tensor

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        self._like = empty(0, device=device, dtype=dtype)
        self._requires_grad = requires_grad
        self._counter = [0]

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Make it a tensor of ``shape``, of any values, with its own dtype and device or those given."""
        like = self._like
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        made = empty(shape, device=device or like.device, dtype=dtype or like.dtype)
        del self._like
        this: Any = self  # another class from here on, whose _data may be written
        this.__class__ = self.cls_to_become
        this._data = made._data

    @property
    def _data(self) -> Any:  # what every operation asks for
        name = type(self).__name__
        raise ValueError(
            "Attempted to use an uninitialized parameter. This error happens when you are using a `LazyModule` or "
            f"explicitly manipulating `torch.nn.parameter.{name}` objects. When using LazyModules Call `forward` with "
            "a dummy batch to initialize the parameters before calling torch functions"
        )

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes."
        )

    @property
    def data(self) -> Tensor:
        """An empty tensor of its dtype, on its device; assigning one changes these."""
        return self._like

    @data.setter
    def data(self, value: Tensor) -> None:
        self._like = value

    # What can be told of that empty tensor, as torch tells it.
    ndim, nbytes = property(lambda self: 1), property(lambda self: 0)
    is_cpu, is_cuda, is_meta, itemsize, T = (
        property(lambda self, name=name: getattr(self._like, name))
        for name in ("is_cpu", "is_cuda", "is_meta", "itemsize", "T")
    )
    dtype = property(lambda self: self._like.dtype)
    device = property(lambda self: self._like.device)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        return self._data  # refused, as every operation

    def share_memory_(self) -> Any:
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self._requires_grad, self.device, self.dtype)
        return memo[id(self)]

    def __reduce__(self) -> Any:
        return type(self), (self._requires_grad, None, self.dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet. It can be converted and moved, and made a Parameter by ``materialize``
    (lazy modules do that); everything else raises a ValueError, its shape a RuntimeError."""

    cls_to_become = Parameter


class UninitializedBuffer(_Uninitialized):
    """A buffer whose shape is not known yet: see UninitializedParameter. ``materialize`` makes it a plain Tensor."""

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> None:
        super().__init__(requires_grad, device, dtype)
        self.persistent = persistent


def _converted(name: str) -> Any:
    def method(self: _Uninitialized, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self._like, name)(*args, **kwargs)
        if isinstance(self, UninitializedBuffer) and isinstance(result, Tensor):  # what Module puts in its place
            return UninitializedBuffer(self._requires_grad, result.device, result.dtype, self.persistent)
        return result

    return method


for _name in ("to", "half", "bfloat16", "float", "double", "char", "short", "int", "long", "cpu", "cuda", "size"):
    setattr(_Uninitialized, _name, _converted(_name))


def is_lazy(param: Any) -> bool:
    """Whether ``param`` is an UninitializedParameter or UninitializedBuffer."""
    return isinstance(param, _Uninitialized)
