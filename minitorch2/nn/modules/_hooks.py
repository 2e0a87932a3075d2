"""Hooks that run around ``Module.__call__`` and in the backward pass of a module.

A module without hooks never comes here: ``Module.__call__`` tests one flag and calls ``forward``.
Order of one hooked call: forward pre-hooks, input tap, ``forward``, forward hooks, output tap. The taps are
identity Functions whose backward runs the backward hooks.
Hooks registered for all modules run before a module's own.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ...utils.hooks import RemovableHandle
from ._backward_hooks import BackwardHooks
from ._plain_backward_hooks import hook_last_node

Hook = Callable[..., Any]

__all__ = [
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]


class _GlobalHook(NamedTuple):
    kind: str
    hook: Hook
    with_kwargs: bool = False
    always_call: bool = False


def _one_kind(so_far: bool | None, full: bool, where: str) -> bool:
    if so_far not in (None, full):
        raise RuntimeError(
            f"Cannot use both regular backward hooks and full backward hooks {where}. Please use only one of them."
        )
    return full


class _ForwardHook(NamedTuple):
    id: int
    hook: Hook
    with_kwargs: bool
    always_call: bool


# One dictionary for all kinds, so that "is there any" is one truth test in Module.__call__.
global_hooks: OrderedDict[int, _GlobalHook] = OrderedDict()


_global_is_full: bool | None = None  # the kind of the global backward hooks; as in torch, the first one's for good


def _register_global(entry: _GlobalHook) -> RemovableHandle:
    global _global_is_full
    if entry.kind in ("backward", "plain_backward"):
        _global_is_full = _one_kind(_global_is_full, entry.kind == "backward", "as a global Module hook")
    handle = RemovableHandle(global_hooks)
    global_hooks[handle.id] = entry
    return handle


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, args)`` before every module's ``forward``; what it returns replaces args."""
    return _register_global(_GlobalHook("forward_pre", hook))


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Run ``hook(module, args, output)`` after every module's ``forward``; see
    ``Module.register_forward_hook``."""
    return _register_global(_GlobalHook("forward", hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, grad_output)`` for every module; see ``Module.register_full_backward_pre_hook``."""
    return _register_global(_GlobalHook("backward_pre", hook))


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, grad_input, grad_output)`` for every module; see
    ``Module.register_full_backward_hook``."""
    return _register_global(_GlobalHook("backward", hook))


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, grad_input, grad_output)`` for every module; see ``Module.register_backward_hook``."""
    return _register_global(_GlobalHook("plain_backward", hook))


# By what is registered. Not among global_hooks: they do not concern Module.__call__.
registration_hooks: dict[str, OrderedDict[int, Hook]] = {
    kind: OrderedDict() for kind in ("parameter", "buffer", "module")
}


def _register_for_registration(kind: str, hook: Hook) -> RemovableHandle:
    handle = RemovableHandle(registration_hooks[kind])
    registration_hooks[kind][handle.id] = hook
    return handle


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, name, parameter)`` whenever a module registers one; what it returns takes its place."""
    return _register_for_registration("parameter", hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, name, buffer)`` whenever a module registers one; what it returns takes its place."""
    return _register_for_registration("buffer", hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, name, submodule)`` whenever a module registers one; what it returns takes its place."""
    return _register_for_registration("module", hook)


def hooked_registration(kind: str, module: Any, name: str, value: Any) -> Any:
    """What is registered in the place of this value."""
    for hook in list(registration_hooks[kind].values()):
        result = hook(module, name, value)
        if result is not None:
            value = result
    return value


def _of_kind(kind: str) -> Iterator[tuple[int, _GlobalHook]]:
    return ((hook_id, entry) for hook_id, entry in list(global_hooks.items()) if entry.kind == kind)


def _forward_hooks(module: Any) -> list[_ForwardHook]:
    # A list, because a hook may remove itself while the hooks are running.
    hooks = [_ForwardHook(i, e.hook, e.with_kwargs, e.always_call) for i, e in _of_kind("forward")]
    for hook_id, hook in module._forward_hooks.items():
        with_kwargs = hook_id in module._forward_hooks_with_kwargs
        hooks.append(_ForwardHook(hook_id, hook, with_kwargs, hook_id in module._forward_hooks_always_called))
    return hooks


def _backward_hooks(module: Any) -> tuple[list[Hook], list[Hook]]:
    """The full ones and the others."""
    full, plain = ([entry.hook for _, entry in _of_kind(kind)] for kind in ("backward", "plain_backward"))
    (plain if module._is_full_backward_hook is False else full).extend(module._backward_hooks.values())
    return full, plain


def _run_forward_pre_hooks(module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    hooks = [(entry.hook, False) for _, entry in _of_kind("forward_pre")]
    hooks += [(hook, i in module._forward_pre_hooks_with_kwargs) for i, hook in module._forward_pre_hooks.items()]
    for hook, with_kwargs in hooks:
        if with_kwargs:
            changed = hook(module, args, kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                )
            args, kwargs = changed
        else:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    return args, kwargs


def _run_forward_hook(entry: _ForwardHook, module: Any, args: tuple, kwargs: dict, result: Any) -> Any:
    if entry.with_kwargs:
        changed = entry.hook(module, args, kwargs, result)
    else:
        changed = entry.hook(module, args, result)
    return result if changed is None else changed


def call_with_hooks(module: Any, args: tuple, kwargs: dict) -> Any:
    """``module.forward(*args, **kwargs)`` with every hook of the module and of all modules around it."""
    result = None
    started: set[int] = set()
    try:
        args, kwargs = _run_forward_pre_hooks(module, args, kwargs)
        full, plain = _backward_hooks(module)
        backward = BackwardHooks(
            module,
            full,
            [entry.hook for _, entry in _of_kind("backward_pre")] + list(module._backward_pre_hooks.values()),
        )
        args = backward.tap_inputs(args)
        result = module.forward(*args, **kwargs)
        for entry in _forward_hooks(module):
            started.add(entry.id)
            result = _run_forward_hook(entry, module, args, kwargs, result)
        result = backward.tap_outputs(result)
        hook_last_node(module, plain, args, result)
        return result
    except Exception:
        for entry in _forward_hooks(module):
            if entry.always_call and entry.id not in started:
                try:
                    result = _run_forward_hook(entry, module, args, kwargs, result)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that was "
                        f"silenced as another error was raised in forward: {error}",
                        stacklevel=2,
                    )
        raise


class HookRegistration:
    """The ``register_*_hook`` methods of Module."""

    # "A hook was registered once", not "there is one now": removal need not reset it, the slow path copes.
    _hooked: bool = False
    _is_full_backward_hook: bool | None = None  # the kind of _backward_hooks; None before the first

    _forward_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_hooks: OrderedDict[int, Hook]
    _backward_pre_hooks: OrderedDict[int, Hook]

    def _add_hook(
        self,
        hooks: OrderedDict[int, Hook],
        hook: Hook,
        prepend: bool,
        options: list[tuple[OrderedDict, bool]],
    ) -> RemovableHandle:
        self._hooked = True
        handle = RemovableHandle(hooks, extra_dict=[flags for flags, _ in options])
        hooks[handle.id] = hook
        for flags, wanted in options:
            if wanted:
                flags[handle.id] = True
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Run ``hook(module, args)`` before ``forward``; what it returns (unless None) becomes the arguments.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)`` and returns None or ``(args, kwargs)``.
        ``prepend`` puts it before the hooks registered so far.
        """
        options = [(self._forward_pre_hooks_with_kwargs, with_kwargs)]
        return self._add_hook(self._forward_pre_hooks, hook, prepend, options)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Run ``hook(module, args, output)`` after ``forward``; what it returns, unless None, is the output.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, output)``. With ``always_call`` it also runs,
        with output None, when ``forward`` raised.
        """
        options = [
            (self._forward_hooks_with_kwargs, with_kwargs),
            (self._forward_hooks_always_called, always_call),
        ]
        return self._add_hook(self._forward_hooks, hook, prepend, options)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Run ``hook(module, grad_output)`` before the module's backward; what it returns replaces it."""
        return self._add_hook(self._backward_pre_hooks, hook, prepend, [])

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Run ``hook(module, grad_input, grad_output)`` once the gradients for the module's inputs are known.

        Both gradients are tuples with one entry for each positional input or output, None for what is not a
        tensor or needs no gradient. A returned tuple replaces ``grad_input``. Inputs and outputs of the
        module must not be changed in place.
        """
        self._is_full_backward_hook = _one_kind(self._is_full_backward_hook, True, "on a single Module")
        return self._add_hook(self._backward_hooks, hook, prepend, [])

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Run ``hook(module, grad_input, grad_output)`` after the backward of the last operation in ``forward``.

        Deprecated, as in PyTorch: use :meth:`register_full_backward_hook`. The gradients are that operation's, as
        ``Node.register_hook`` gives them; a returned tuple replaces ``grad_input``. A call warns where they are not all
        of the module's. RuntimeError for a module that has, or had, full backward hooks.
        """
        self._is_full_backward_hook = _one_kind(self._is_full_backward_hook, False, "on a single Module")
        return self._add_hook(self._backward_hooks, hook, False, [])
