"""Module: the base of every layer and model.

A module registers what is assigned to it: parameters, buffers (state that is not trained) and submodules,
each in its own insertion-ordered dictionary (`_parameters`, `_buffers`, `_modules`). The rest is spread
over four parts: walking the tree (_traversal), conversion and training mode (_convert), saving and loading
(_state_dict), hooks (_hooks).
"""

from __future__ import annotations

import inspect
import warnings
from collections import OrderedDict
from typing import Any

from ...compiler import COMPILES_NOTHING
from ...ops.inquiry import typename
from ...tensor import Tensor
from ..parameter import Buffer, Parameter
from ._convert import Conversion
from ._hooks import (
    HookRegistration,
    call_with_hooks,
    global_hooks,
    hooked_registration,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
    registration_hooks,
)
from ._state_dict import _EXTRA_STATE_KEY_SUFFIX, StateDict, _IncompatibleKeys  # noqa: F401 (torch has them here)

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

_HOOK_DICTS = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Module(Conversion, StateDict, HookRegistration):
    """Base class of layers and models: subclass it, call ``super().__init__()`` first, define ``forward``.

    Attributes:
        training: whether the module is in training mode; see :meth:`train` and :meth:`eval`.
    """

    # For classes with several bases: pass __init__'s arguments on to the next one.
    call_super_init: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            name = next(iter(kwargs))
            raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument '{name}'")
        if not self.call_super_init and args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given"
            )
        # Straight into __dict__: __setattr__ needs these very dictionaries to work.
        attributes = self.__dict__
        attributes["training"] = True
        attributes["_parameters"] = {}
        attributes["_buffers"] = {}
        attributes["_non_persistent_buffers_set"] = set()
        for name in _HOOK_DICTS:
            attributes[name] = OrderedDict()
        attributes["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Subclasses define it; call the module itself, so that hooks run."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooked or global_hooks:
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def compile(
        self,
        *,
        fullgraph: bool = False,
        dynamic: bool | None = None,
        backend: Any = "inductor",
        mode: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """Compiles nothing, as torch.compile here, and says so: the module runs as it is written."""
        warnings.warn(COMPILES_NOTHING, stacklevel=2)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add state that is not a parameter, such as a running mean; only ``persistent`` ones are saved.

        A None buffer is ignored by state_dict and conversions.
        """
        self._check_new_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        if registration_hooks["buffer"]:
            tensor = hooked_registration("buffer", self, name, tensor)
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None reserves the name (a layer without bias)."""
        self._check_new_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                f"explicitly. To express '{name}' as a function of another Tensor, compute the value in the "
                "forward() method."
            )
        if param is not None and registration_hooks["parameter"]:
            param = hooked_registration("parameter", self, name, param)
        self._parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under ``name``; None reserves the name."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_new_name("module", name, "_modules")
        self._modules[name] = module if not registration_hooks["module"] else self._hooked_module(name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as :meth:`add_module`."""
        self.add_module(name, module)

    def _hooked_module(self, name: str, module: Module | None) -> Any:
        return hooked_registration("module", self, name, module)

    def _check_new_name(self, kind: str, name: str, registry: str) -> None:
        registered = self.__dict__.get(registry)
        if registered is None:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if name not in registered and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    def __getattr__(self, name: str) -> Any:
        # Only reached when ordinary lookup failed; spelled out because every layer's forward comes here.
        attributes = self.__dict__
        if "_parameters" in attributes:
            members = attributes["_parameters"]
            if name in members:
                return members[name]
            members = attributes["_buffers"]
            if name in members:
                return members[name]
            members = attributes["_modules"]
            if name in members:
                return members[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        parameters = attributes.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if parameters is not None and name in parameters:
                self._refuse(value, "parameter", name, "torch.nn.Parameter")
            if "_modules" not in attributes:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_modules")
            self._modules[name] = value if not registration_hooks["module"] else self._hooked_module(name, value)
        elif parameters is None:
            if isinstance(value, Buffer):
                raise AttributeError("cannot assign buffer before Module.__init__() call")
            super().__setattr__(name, value)
        elif name in parameters:
            if value is not None:
                self._refuse(value, "parameter", name, "torch.nn.Parameter")
            parameters[name] = None
        elif name in self._modules:
            if value is not None:
                self._refuse(value, "child module", name, "torch.nn.Module")
            self._modules[name] = None if not registration_hooks["module"] else self._hooked_module(name, None)
        elif name in self._buffers or isinstance(value, Buffer):
            if value is not None and not isinstance(value, Tensor):
                self._refuse(value, "buffer", name, "torch.nn.Buffer, torch.Tensor")
            if isinstance(value, Buffer):
                persistent = value.persistent
            else:
                persistent = name not in self._non_persistent_buffers_set
            self.register_buffer(name, value, persistent)
        else:
            super().__setattr__(name, value)

    def _forget(self, name: str, new_registry: str) -> None:
        """Remove ``name`` wherever it stands, but from the registry it is to enter: it keeps its place."""
        for registry in ("_parameters", "_buffers", "_modules"):
            if registry != new_registry:
                self.__dict__[registry].pop(name, None)
        self.__dict__.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    @staticmethod
    def _refuse(value: Any, kind: str, name: str, expected: str) -> None:
        raise TypeError(f"cannot assign '{typename(value)}' as {kind} '{name}' ({expected} or None expected)")

    def __delattr__(self, name: str) -> None:
        for registry in (self._parameters, self._buffers, self._modules):
            if name in registry:
                del registry[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def _replicate_for_data_parallel(self) -> Module:
        """A shallow copy without parameters, whose submodules and buffers are in dictionaries of its own."""
        replica = self.__new__(type(self))
        replica.__dict__ = self.__dict__.copy()
        vars(replica).update(_parameters={}, _buffers=self._buffers.copy(), _modules=self._modules.copy())
        vars(replica)["_is_replica"] = True
        return replica

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What to print between the parentheses of the module's repr; override it in own layers."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {indent(repr(module))}" for name, module in self._modules.items()]
        if len(extra_lines) == 1 and not child_lines:
            body = extra_lines[0]
        else:
            body = block([*extra_lines, *child_lines])
        return f"{self._get_name()}({body})"

    def __dir__(self) -> list[str]:
        names = [*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers]
        return sorted(name for name in names if not name[0].isdigit())  # "0" cannot follow a dot

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in _HOOK_DICTS:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())


for _part in Module.__mro__[1:-1]:  # whose methods are Module's by name too, as messages and pickles have it
    for _name, _function in vars(_part).items():
        if inspect.isfunction(_function):
            _function.__module__, _function.__qualname__ = __name__, f"Module.{_name}"


def _addindent(s_: str, numSpaces: int) -> str:
    """Every line but the first this many columns further in, for repr of modules written for torch."""
    first, *rest = s_.split("\n")
    return "\n".join([first, *(" " * numSpaces + line for line in rest)])


def indent(text: str) -> str:
    """Every line but the first two columns further in; blank lines stay blank."""
    first, *rest = text.split("\n")
    return "\n".join([first, *("  " + line if line.strip() else "" for line in rest)])


def block(lines: list[str]) -> str:
    """The lines as they stand between the parentheses of a repr."""
    return "\n  " + "\n  ".join(lines) + "\n" if lines else ""
