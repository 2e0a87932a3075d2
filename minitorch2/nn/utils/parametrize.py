"""Parametrizations: a parameter or buffer that is computed, each time it is asked for, from others.

    register_parametrization(layer, "weight", Symmetric())   # layer.weight is now Symmetric()(the original)

The original moves to ``layer.parametrizations.weight.original`` (original0, original1 ... where there are several), and
``weight`` becomes a property of the layer's class, of which the layer gets one of its own. Source: torch's page
"torch.nn.utils.parametrize" and its tutorial "Parametrizations Tutorial".
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ...core.grad_mode import no_grad
from ...tensor import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache: dict[tuple[int, str], Tensor] = {}
_cached_blocks = 0  # how many cached() blocks are open, one inside the other


@contextmanager
def cached() -> Iterator[None]:
    """A block in which each parametrized tensor is computed once, when first asked for."""
    global _cached_blocks
    _cached_blocks += 1
    try:
        yield
    finally:
        _cached_blocks -= 1
        if not _cached_blocks:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in order, and the original tensor or tensors they start from.

    Made by :func:`register_parametrization`. The originals are what the ``right_inverse`` of the parametrizations, the
    last one's first, makes of the tensor: one tensor is kept as ``original``, a sequence as ``original0`` ...

    Args:
        modules: the parametrizations, at least one.
        original: the parameter or buffer.
        unsafe: whether they may change shape and dtype.

    Raises: ValueError for parametrizations whose results do not fit.
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        start = _inverted(self, original)
        if not isinstance(start, Tensor | Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(start).__name__}"
            )
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if isinstance(start, Tensor) else len(start)
        if isinstance(start, Tensor):
            for what in ("dtype", "device"):
                then, now = getattr(original, what), getattr(start, what)
                if then != now:
                    raise ValueError(
                        f"When `right_inverse` outputs one tensor, it may not change the {what}.\n"
                        f"original.{what}: {then}\nright_inverse(original).{what}: {now}"
                    )
            original.data = start.data
            _register(self, "original", original)
        else:
            for i, part in enumerate(start):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                        f"Got element {i} of the sequence with type {type(part).__name__}."
                    )
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                _register(self, f"original{i}", part.requires_grad_(original.requires_grad))
        if not unsafe:
            _check_fits(self(), shape, dtype)

    def _originals(self) -> list[Tensor]:
        names = ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]
        return [getattr(self, name) for name in names]

    @no_grad()
    def right_inverse(self, value: Tensor) -> None:
        """Gives the originals the values from which `value` is computed: what assigning to the tensor does.

        RuntimeError where a parametrization has no ``right_inverse``, ValueError where what it returns does not fit.
        """
        new: Any = value
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
            new = module.right_inverse(new)
        if self.is_tensor:
            if not isinstance(new, Tensor):
                raise ValueError(f"`right_inverse` should return a tensor. Got {type(new).__name__}")
            if new.dtype != self.original.dtype:
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {new.dtype} while `original` has dtype "
                    f"{self.original.dtype}"
                )
            self.original.data = new.data
            return
        if not isinstance(new, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(new).__name__}.")
        if len(new) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of "
                f"length {len(new)}."
            )
        for i, (original, part) in enumerate(zip(self._originals(), new, strict=True)):
            if not isinstance(part, Tensor):
                raise ValueError(
                    f"'right_inverse' must return a sequence of tensors. Got element {i} of type {type(part).__name__}."
                )
            if part.dtype != original.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {part.dtype} while `original{i}` has dtype "
                    f"{original.dtype}"
                )
            original.data = part.data

    def forward(self) -> Tensor:
        first, *others = self
        x = first(*self._originals())
        for module in others:
            x = module(x)
        return x


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Makes ``module.tensor_name`` what `parametrization` computes of it; returns the module.

    Where it is parametrized already, the new one is applied after the others. A parametrization with ``right_inverse``
    also lets the tensor be assigned to, and chooses how the original starts.

    Raises: ValueError where there is no such parameter or buffer, and, unless `unsafe`, where shape or dtype change.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_added(module, tensor_name, parametrization)
        entries: Any = module.parametrizations[tensor_name]
        entries.append(parametrization)
        entries.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        entries = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.__class__ = _class_of_its_own(type(module))
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _computed(tensor_name))
        module.parametrizations[tensor_name] = entries
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether this tensor of the module, or any if not named, is parametrized."""
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes the tensor a parameter or buffer again; returns the module.

    It keeps the value that was computed, or else the original's (leave_parametrized=False). The original itself comes
    back, so that an optimizer goes on with it; where there are several, it is a new parameter.

    Raises: ValueError where it is not parametrized, and for leave_parametrized=False where there are several originals.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    entries: Any = module.parametrizations[tensor_name]
    if entries.is_tensor:
        restored = entries.original
        if leave_parametrized:
            with no_grad():
                restored.data = getattr(module, tensor_name).data
    elif leave_parametrized:
        restored = getattr(module, tensor_name)
        restored = Parameter(restored) if restored.requires_grad else restored
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, restored)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class the module had before it was parametrized; its class if it was not."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Gives `to_module` the parametrizations of one tensor, or of all, and their originals; returns it.

    Both modules then share them. AssertionError for a tensor that is not parametrized.
    """
    if tensor_name is not None and not is_parametrized(from_module, tensor_name):
        raise AssertionError(f"{tensor_name!r} of {from_module} is not parametrized")
    given: Any = from_module.parametrizations if is_parametrized(from_module) else {}
    for name in [tensor_name] if tensor_name is not None else list(given):
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in given[name]:
            register_parametrization(to_module, name, parametrization)
        target: Any = to_module.parametrizations[name]
        for kind in ("_parameters", "_buffers"):
            for key, original in getattr(given[name], kind).items():
                setattr(target, key, original)
    return to_module


def _register(module: Module, name: str, value: Tensor) -> None:
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


@no_grad()
def _inverted(modules: ModuleList, value: Any) -> Any:
    for module in reversed(list(modules)):
        if hasattr(module, "right_inverse"):
            with suppress(NotImplementedError):
                value = module.right_inverse(value)
    return value


def _check_fits(result: Any, shape: Any, dtype: Any, of: str = "A parametrization must return a tensor.") -> None:
    if not isinstance(result, Tensor):
        raise ValueError(f"{of} Got {type(result).__name__}.")
    for what, then, now in (("dtype", dtype, result.dtype), ("shape", shape, result.shape)):
        if then != now:
            raise ValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is "
                f"enabled.\nunparametrized {what}: {then}\nparametrized {what}: {now}"
            )


def _check_added(module: Module, tensor_name: str, parametrization: Any) -> None:
    """A parametrization on top of others must take shape and dtype to themselves, there and back."""
    present = getattr(module, tensor_name)
    result = parametrization(present)
    _check_fits(result, present.shape, present.dtype)
    if hasattr(parametrization, "right_inverse"):
        try:
            back = parametrization.right_inverse(result)
        except NotImplementedError:
            return
        _check_fits(back, present.shape, present.dtype, "parametrization.right_inverse must return a tensor.")


def _computed(name: str) -> property:
    """The property by which a parametrized tensor is read and assigned to."""

    def read(module: Any) -> Tensor:
        if not _cached_blocks:
            return module.parametrizations[name]()
        key = id(module), name
        if key not in _cache:
            _cache[key] = module.parametrizations[name]()
        return _cache[key]

    def assign(module: Any, value: Tensor) -> None:
        module.parametrizations[name].right_inverse(value)

    return property(read, assign)


def _class_of_its_own(base: type) -> type:
    """A subclass for one module, to put properties on."""

    def deepcopy(module: Any, memo: dict[int, Any]) -> Any:
        if id(module) in memo:
            return memo[id(module)]
        # The copy has a class of its own too: taking a parametrization off one must not change the other.
        twin_class = _class_of_its_own(base)
        for name in module.parametrizations:
            setattr(twin_class, name, _computed(name))
        twin: Any = object.__new__(twin_class)
        memo[id(module)] = twin
        vars(twin).update(copy.deepcopy(vars(module), memo))
        return twin

    def getstate(module: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    methods: dict[str, Any] = {"__getstate__": getstate}
    if not hasattr(base, "__deepcopy__"):
        methods["__deepcopy__"] = deepcopy
    return type(f"Parametrized{base.__name__}", (base,), methods)
