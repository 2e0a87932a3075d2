"""from_torch: the other side's objects to ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from .. import functions
from ..core import dtypes, layout
from ..core.device import device
from ..core.size import Size
from ..nn import functional
from ..nn.modules._torch_names import fill, layer_classes
from ..nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions
from ..nn.modules.module import Module
from ..nn.parameter import Buffer, Parameter
from ..tensor import Tensor
from ._torch import import_torch
from ._walk import Walk, kind_of

_WRAPPERS = {
    "DataParallel": "convert what it wraps, model.module",
    "DistributedDataParallel": "convert what it wraps, model.module",
    "FullyShardedDataParallel": "convert what it wraps, model.module",
    "OptimizedModule": "convert the module that torch.compile got, model._orig_mod",
}


class FromTorch(Walk):
    """See minitorch2.bridge.from_torch."""

    name, giver = "from_torch", "torch"

    def __init__(self, copy: bool, classes: Mapping[type, type] | None):
        self.torch = import_torch()
        super().__init__(copy, classes)
        for given, wanted in self.classes.items():
            if not issubclass(given, self.torch.nn.Module) or not issubclass(wanted, Module):
                self.refuse(
                    TypeError,
                    "classes must map Modules of torch's to Modules of minitorch2's, {TheirNet: OurNet}, got "
                    f"{{{kind_of(given)}: {kind_of(wanted)}}}",
                )
        self._memories: dict[int, tuple[np.ndarray, list[int]]] = {}  # by address: bytes, and the writes counted

    def special(self, x: Any) -> Any:
        torch = self.torch
        if isinstance(x, torch.Tensor):
            return self._tensor(x)
        if isinstance(x, torch.Size):
            return Size(x)
        if isinstance(x, torch.dtype):
            return self._dtype(x)
        if isinstance(x, torch.device):
            if x.type not in ("cpu", "cuda"):
                self.refuse(NotImplementedError, f"the device '{x}' is not supported; use 'cpu'")
            return device(x.type, x.index)
        if isinstance(x, torch.layout | torch.memory_format):
            found = getattr(layout, str(x).removeprefix("torch."), None)
            return found or self.refuse(NotImplementedError, f"{x} is not supported")
        if type(x).__name__ == LinearCrossEntropyOptions.__name__ and type(x).__module__.startswith("torch."):
            fields = dataclasses.fields(LinearCrossEntropyOptions)
            return LinearCrossEntropyOptions(**{f.name: self.convert(getattr(x, f.name)) for f in fields})
        return NotImplemented

    def is_module(self, x: Any) -> bool:
        return isinstance(x, self.torch.nn.Module)

    def class_for(self, cls: type) -> type | None:
        torch = self.torch
        tensors = {torch.Tensor: Tensor, torch.nn.Parameter: Parameter}
        return self.classes.get(cls) or layer_classes().get(kind_of(cls)) or tensors.get(cls)

    def namespaces(self) -> Iterator[tuple[Any, Any]]:
        yield self.torch.nn.functional, functional
        yield self.torch, functions

    def _dtype(self, x: Any) -> dtypes.dtype:
        found = dtypes.BY_NAME.get(str(x).removeprefix("torch."))
        if found is None:
            advice = "torch.view_as_real(t)" if x.is_complex else "t.float() or t.long()"
            self.refuse(NotImplementedError, f"the dtype {x} is not supported; convert it in PyTorch first ({advice})")
        return found

    def module(self, x: Any) -> Module:
        cls: Any = self.class_for(type(x))
        if cls is None:
            self._refuse_class(x)
        self.check_hooks(x)
        module = self.remember(x, cls.__new__(cls))  # before its members, which may refer to it
        state = self.state(vars(x))
        try:
            fill(module, state)
        except ValueError as error:
            self.refuse(ValueError, str(error))
        return module

    def _refuse_class(self, x: Any) -> NoReturn:
        kind = kind_of(type(x))
        if type(x).__name__ in _WRAPPERS:
            self.refuse(TypeError, f"{kind} is a wrapper: {_WRAPPERS[type(x).__name__]}")
        if hasattr(x, "parametrizations"):
            self.refuse(
                TypeError,
                f"{kind} has parametrizations, which are not supported; make them part of the weights first with "
                "torch.nn.utils.parametrize.remove_parametrizations",
            )
        if isinstance(x, self.torch.nn.modules.lazy.LazyModuleMixin):
            self.refuse(TypeError, f"{kind} has no weights yet; run the model once on a batch first")
        if type(x).__module__.partition(".")[0] == "torch":
            self.refuse(
                TypeError,
                f"{kind} is a module that minitorch2 does not have; replace it, or give a class of your own for it: "
                f"from_torch(model, classes={{{type(x).__name__}: OurClass}})",
            )
        name = type(x).__name__
        self.refuse(
            TypeError,
            f"{kind} is a Module class of yours, whose code computes with PyTorch's tensors. Write the same class on "
            "minitorch2 (often just its import changes) and name it: "
            f"from_torch(model, classes={{{name}: Our{name}}}). It gets the attributes; its __init__ is not run",
        )

    def _tensor(self, x: Any) -> Tensor:
        torch = self.torch
        if type(x) not in (torch.Tensor, torch.nn.Parameter):
            self.refuse(TypeError, f"{kind_of(type(x))} is a Tensor subclass; convert x.as_subclass(torch.Tensor)")
        self._check(x)
        array, counter = self._array(x)
        tensor = Tensor._wrap(array)
        tensor._counter = counter
        attributes = dict(vars(x))
        if type(x) is torch.nn.Parameter:
            tensor = Parameter(tensor, False)
        elif attributes.pop("_is_buffer", False):
            tensor = Buffer(tensor, persistent=attributes.pop("persistent"))
        self.remember(x, tensor)
        tensor._inference = x.is_inference()
        tensor._requires_grad = x.requires_grad
        if x.grad is not None:
            tensor.grad = self.convert_at(".grad", x.grad)
        for name, value in attributes.items():
            if hasattr(tensor, name):
                self.refuse(
                    ValueError, f"the attribute {name!r} of the tensor has another meaning here; delete it first"
                )
            setattr(tensor, name, self.convert_at(f".{name}", value))
        return tensor

    def _check(self, x: Any) -> None:
        torch = self.torch
        if x.is_quantized:
            self.refuse(NotImplementedError, "quantized tensors are not supported; convert x.dequantize()")
        if x.is_nested:
            self.refuse(NotImplementedError, "nested tensors are not supported; convert x.to_padded_tensor(0)")
        if x.layout is not torch.strided:
            self.refuse(
                NotImplementedError, f"tensors with the layout {x.layout} are not supported; convert x.to_dense()"
            )
        if x.device.type == "meta":
            self.refuse(NotImplementedError, "a tensor on the meta device has no data")
        if x.device.type != "cpu":
            self.refuse(RuntimeError, f"the tensor is on the device '{x.device}'; convert x.cpu() (or model.cpu())")
        if any(getattr(x, "names", ())):  # of a torch before 2.13
            self.refuse(NotImplementedError, "named tensors are not supported; convert x.rename(None)")
        if not x.is_leaf:
            self.refuse(
                RuntimeError, "the tensor is the result of a computation, whose graph stays behind; convert x.detach()"
            )
        if x._backward_hooks or x._post_accumulate_grad_hooks:
            self.refuse(RuntimeError, "the tensor has hooks, which cannot be taken along; remove them first")
        self._dtype(x.dtype)

    def _array(self, x: Any) -> tuple[np.ndarray, list[int]]:
        """The strided view of the storage's bytes that the tensor is, and the counter of writes to them."""
        x = x.detach().resolve_neg()
        dtype, shape = self._dtype(x.dtype).numpy, tuple(x.shape)
        if not x.numel():
            return np.empty(shape, dtype), [0]
        storage = x.untyped_storage()
        address = storage.data_ptr()
        if address not in self._memories:
            memory = self.torch.empty(0, dtype=self.torch.uint8).set_(storage).numpy()
            # A mapped file may begin anywhere; NumPy is slow where elements are not at multiples of their size.
            self._memories[address] = (memory.copy() if self.copy or address % 8 else memory), [0]
        memory, counter = self._memories[address]
        strides = [n * dtype.itemsize for n in x.stride()]
        return np.ndarray(shape, dtype, memory.data, x.storage_offset() * dtype.itemsize, strides), counter
