"""to_torch: our objects to the other side's."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from .. import functions
from ..core import dtypes
from ..core.device import device
from ..core.layout import layout
from ..core.size import Size
from ..nn import functional
from ..nn.modules._torch_names import torch_path, torch_state
from ..nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions
from ..nn.modules.module import Module
from ..nn.parameter import Buffer, Parameter
from ..serialization.arrays import StorageTable
from ..serialization.plain import own_attributes
from ..tensor import Tensor
from ._torch import import_torch
from ._walk import Walk, kind_of


class ToTorch(Walk):
    """See minitorch2.bridge.to_torch."""

    name, giver = "to_torch", "minitorch2"

    def __init__(self, copy: bool, classes: Mapping[type, type] | None):
        self.torch = import_torch()
        super().__init__(copy, classes)
        for given, wanted in self.classes.items():
            if not issubclass(given, Module) or not issubclass(wanted, self.torch.nn.Module):
                self.refuse(
                    TypeError,
                    "classes must map Modules of minitorch2's to Modules of torch's, {OurNet: TheirNet}, got "
                    f"{{{kind_of(given)}: {kind_of(wanted)}}}",
                )
        # A table knows memory under one dtype; where it is used under two, each has a storage on the same bytes.
        self._tables: dict[dtypes.dtype, StorageTable] = {}
        self._storages: dict[tuple[int, int], Any] = {}  # torch's, by address and size

    def special(self, x: Any) -> Any:
        torch = self.torch
        if isinstance(x, Tensor):
            return self._tensor(x)
        if isinstance(x, Size):
            return torch.Size(x)
        if isinstance(x, dtypes.dtype):
            return getattr(torch, x.name)
        if isinstance(x, device):
            return torch.device(str(x))
        if isinstance(x, layout):
            return getattr(torch, x.name)
        if isinstance(x, LinearCrossEntropyOptions):
            fields = {f.name: self.convert(getattr(x, f.name)) for f in dataclasses.fields(x)}
            return torch.nn.LinearCrossEntropyOptions(**fields)
        return NotImplemented

    def is_module(self, x: Any) -> bool:
        return isinstance(x, Module)

    def class_for(self, cls: type) -> Any:
        torch = self.torch
        if cls in self.classes:
            return self.classes[cls]
        path = torch_path(cls)
        if path is not None:
            module, _, name = path.rpartition(".")
            return getattr(importlib.import_module(module), name)
        return {Tensor: torch.Tensor, Parameter: torch.nn.Parameter}.get(cls)

    def namespaces(self) -> Iterator[tuple[Any, Any]]:
        yield functional, self.torch.nn.functional
        yield functions, self.torch

    def module(self, x: Module) -> Any:
        cls = self.class_for(type(x))
        if cls is None:
            name = type(x).__name__
            self.refuse(
                TypeError,
                f"{kind_of(type(x))} is a Module class that PyTorch does not have. Write the same class on PyTorch and "
                f"name it: to_torch(model, classes={{{name}: Their{name}}}). It gets the attributes; its __init__ is "
                "not run",
            )
        self.check_hooks(x)
        module = self.remember(x, cls.__new__(cls))  # before its members, which may refer to it
        module.__setstate__(self.state(torch_state(x)))
        return module

    def _tensor(self, x: Tensor) -> Any:
        torch = self.torch
        if type(x) not in (Tensor, Parameter, Buffer):
            self.refuse(TypeError, f"{kind_of(type(x))} is a Tensor subclass; convert a plain Tensor")
        if not x.is_leaf:
            self.refuse(
                RuntimeError, "the tensor is the result of a computation, whose graph stays behind; convert x.detach()"
            )
        if x._hooks or x._after_accumulate:
            self.refuse(RuntimeError, "the tensor has hooks, which cannot be taken along; remove them first")
        with torch.inference_mode(x._inference):
            tensor = self._viewed(x)
        if isinstance(x, Parameter):
            tensor = torch.nn.Parameter(tensor, False)
        elif isinstance(x, Buffer):
            tensor = torch.nn.Buffer(tensor, persistent=x.persistent)
        self.remember(x, tensor)
        tensor.requires_grad = x.requires_grad
        if x.grad is not None:
            tensor.grad = self.convert_at(".grad", x.grad)
        for name, value in own_attributes(x).items():
            setattr(tensor, name, self.convert_at(f".{name}", value))
        return tensor

    def _viewed(self, x: Tensor) -> Any:
        torch, array = self.torch, x._data
        table = self._tables.setdefault(x.dtype, StorageTable())
        saved, offset, stride = table.locate(array)
        key = (saved.address, saved.bytes.size)
        if key not in self._storages or not array.size:
            memory = saved.bytes
            if self.copy or not memory.flags.writeable:
                memory = memory.copy()
            self._storages[key] = torch.from_numpy(memory).untyped_storage()
        return torch.empty(0, dtype=getattr(torch, x.dtype.name)).set_(self._storages[key], offset, x.shape, stride)
