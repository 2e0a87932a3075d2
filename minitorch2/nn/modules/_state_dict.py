"""Saving a module tree to a flat, ordered dictionary of tensors by name, and loading it back.

``state_dict()._metadata`` maps each module's dotted name to ``{"version": n}``; a module that changes what it
saves raises its ``_version`` and handles older ones in ``_load_from_state_dict``.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ...core.grad_mode import no_grad
from ...tensor import Tensor
from ...utils.hooks import RemovableHandle
from ..parameter import Parameter
from ._traversal import Traversal

if TYPE_CHECKING:
    from .module import Module

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


class _IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` found: keys the model has and the state lacks, and the other way round."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys!r}, unexpected_keys={self.unexpected_keys!r})"

    __str__ = __repr__


class _WithModule(NamedTuple):
    """Marks a load pre-hook that wants the module. Not bound to it, so that a copied module passes itself."""

    hook: Callable[..., None]


class StateDict(Traversal):
    """The methods of Module that save and load state."""

    _version: int = 1

    _state_dict_pre_hooks: OrderedDict[int, Callable]
    _state_dict_hooks: OrderedDict[int, Callable]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable]
    _load_state_dict_post_hooks: OrderedDict[int, Callable]

    def get_extra_state(self) -> Any:
        """Override together with :meth:`set_extra_state` to save more than tensors under "_extra_state"."""
        raise RuntimeError(
            f"{type(self).__name__}.get_extra_state() is only called on modules that override it; "
            "define get_extra_state and set_extra_state in the class to save extra state."
        )

    def set_extra_state(self, state: Any) -> None:
        """Receive what :meth:`get_extra_state` returned when the state was saved."""
        raise RuntimeError(
            f"{type(self).__name__}.set_extra_state() is only called on modules that override it; "
            "define get_extra_state and set_extra_state in the class to load extra state."
        )

    def _persistent_state(self) -> dict[str, Tensor]:
        """This module's own parameters, then its persistent buffers; entries that are None are left out."""
        state: dict[str, Tensor] = {name: p for name, p in self._parameters.items() if p is not None}
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                state[name] = buffer
        return state

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Add this module's own state, without its submodules', to ``destination``."""
        for name, tensor in self._persistent_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateDict.get_extra_state:
            destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by dotted name, each module's before its submodules'.

        The tensors share memory with the module's; they are detached from the graph unless ``keep_vars``.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead: state_dict(destination=, prefix=, "
                "keep_vars=)",
                FutureWarning,
                stacklevel=2,
            )
            destination = args[0] if destination is None else destination
            prefix = args[1] if len(args) > 1 and prefix == "" else prefix
            keep_vars = args[2] if len(args) > 2 and keep_vars is False else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in list(self._state_dict_hooks.values()):
            result = hook(self, destination, prefix, local_metadata)
            if result is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = result
        return destination

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own state, without its submodules', and note what does not fit.

        Subclasses override it to rename or add keys of older versions and then call it.
        """
        for hook in list(self._load_state_dict_pre_hooks.values()):
            given = (state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
            if isinstance(hook, _WithModule):
                hook.hook(self, *given)
            else:
                hook(*given)
        assign = local_metadata.get("assign_to_params_buffers", False)
        own_state = self._persistent_state()
        for name, current in own_state.items():
            key = prefix + name
            if key in state_dict:
                error = self._load_tensor(key, name, current, state_dict[key], assign)
                if error is not None:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)

        extra_key = prefix + _EXTRA_STATE_KEY_SUFFIX
        takes_extra_state = type(self).set_extra_state is not StateDict.set_extra_state
        if takes_extra_state and extra_key in state_dict:
            self.set_extra_state(state_dict[extra_key])
        elif takes_extra_state and strict:
            missing_keys.append(extra_key)
        elif strict and extra_key in state_dict:
            unexpected_keys.append(extra_key)

        if strict:
            for key in state_dict:
                if not key.startswith(prefix) or key == extra_key:
                    continue
                first, dot, _ = key[len(prefix) :].partition(".")
                if first not in (self._modules if dot else own_state):
                    unexpected_keys.append(key)

    def _load_tensor(self, key: str, name: str, current: Tensor, loaded: Any, assign: bool) -> str | None:
        """Copy ``loaded`` to ``current`` (or ``assign`` it); returns what is wrong with it, if anything."""
        if not isinstance(loaded, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(loaded)}"
            )
        if current.dim() == 0 and tuple(loaded.shape) == (1,):
            loaded = loaded[0]  # checkpoints from before scalars existed hold them as one-element vectors
        if tuple(loaded.shape) != tuple(current.shape):
            return (
                f"size mismatch for {key}: copying a param with shape {loaded.shape} from checkpoint, "
                f"the shape in current model is {current.shape}."
            )
        if current.is_meta and not loaded.is_meta and not assign:
            warnings.warn(
                f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current "
                "model, which is a no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary "
                "to their corresponding key in the module instead of copying them in place?)",
                stacklevel=2,
            )
        try:
            with no_grad():
                if assign:
                    if isinstance(current, Parameter) and not isinstance(loaded, Parameter):
                        loaded = Parameter(loaded, requires_grad=current.requires_grad)
                    elif isinstance(current, Parameter):
                        loaded.requires_grad_(current.requires_grad)
                    setattr(self, name, loaded)
                else:
                    current.copy_(loaded)
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{current.size()} and whose dimensions in the checkpoint are {loaded.size()}, "
                f"an exception occurred : {error.args}."
            )
        return None

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy the tensors of ``state_dict`` into this module and those below it, by name.

        ``strict`` raises a RuntimeError for missing and unexpected keys; a shape that does not fit always
        raises one. ``assign`` makes the loaded tensors themselves the parameters and buffers (their dtype and
        device win). Returns the missing and unexpected keys.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing_keys: list[str] = []
        unexpected_keys: list[str] = []
        error_msgs: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        state: Any = OrderedDict(state_dict)  # hooks and older versions may rewrite it
        if metadata is not None:
            state._metadata = metadata

        _load(cast("Module", self), state, "", metadata or {}, assign, (missing_keys, unexpected_keys, error_msgs))
        if strict and unexpected_keys:
            error_msgs.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected_keys)}. ")
        if strict and missing_keys:
            error_msgs.insert(0, f"Missing key(s) in state_dict: {_quoted(missing_keys)}. ")
        if error_msgs:
            details = "\n\t".join(error_msgs)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{details}")
        return _IncompatibleKeys(missing_keys, unexpected_keys)

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Run ``hook(module, prefix, keep_vars)`` before this module's state is collected."""
        return _register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Run ``hook(module, state_dict, prefix, local_metadata)`` after; it may change the dict."""
        hook._from_public_api = True
        return _register(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As the post-hook, but what it returns (unless None) replaces the state dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously "
                "registered via register_state_dict_post_hook"
            )
        return _register(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Run ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)`` before this module's own state is loaded."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        return _register(self._load_state_dict_pre_hooks, _WithModule(hook) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Run ``hook(module, incompatible_keys)`` after this module and those below it are loaded."""
        return _register(self._load_state_dict_post_hooks, hook)


def _register(hooks: OrderedDict[int, Any], hook: Any) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def _load(
    module: Module,
    state: dict[str, Any],
    prefix: str,
    metadata: Mapping[str, Any],
    assign: bool,
    found: tuple[list[str], list[str], list[str]],
) -> None:
    """load_state_dict of one module and those below it; what is wrong is added to `found`: the missing keys, the
    unexpected ones, the errors."""
    local_metadata = dict(metadata.get(prefix[:-1], {}))
    if assign:
        local_metadata["assign_to_params_buffers"] = assign
    # Always strict here: what is missing is reported even where it is allowed to be.
    module._load_from_state_dict(state, prefix, local_metadata, True, *found)
    for name, child in module._modules.items():
        if child is not None:
            child_prefix = f"{prefix}{name}."
            child_state = {k: v for k, v in state.items() if k.startswith(child_prefix)}
            _load(child, child_state, child_prefix, metadata, assign, found)
    incompatible = _IncompatibleKeys(*found[:2])
    for hook in list(module._load_state_dict_post_hooks.values()):
        if hook(module, incompatible) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, "
                "if incompatible_keys need to be modified, it should be done inplace."
            )
