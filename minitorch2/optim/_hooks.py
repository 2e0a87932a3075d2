"""Hooks of optimizers: around `step`, `state_dict` and `load_state_dict`."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from itertools import chain
from typing import Any

from ..core import recording
from ..utils.hooks import RemovableHandle

Hook = Callable[..., Any]

_global_step_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
_global_step_post_hooks: OrderedDict[int, Hook] = OrderedDict()


def _register(hooks: OrderedDict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer; it may return new (args,
    kwargs)."""
    return _register(_global_step_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer."""
    return _register(_global_step_post_hooks, hook)


def run_step_hooks(step):
    """Wraps a class's `step` so that hooks run around it, once: `super().step()` inside an override runs
    none."""

    @functools.wraps(step)
    def wrapper(self, *args, **kwargs):
        if type(self).step is not wrapper:
            return step(self, *args, **kwargs)
        if recording.current is None:
            return with_hooks(self, args, kwargs)
        with recording.section(f"Optimizer.step#{type(self).__name__}.step"):
            return with_hooks(self, args, kwargs)

    def with_hooks(self, args, kwargs):
        own = self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks
        if not (own or _global_step_pre_hooks or _global_step_post_hooks):
            return step(self, *args, **kwargs)
        args = (self, *args)  # hooks see the optimizer first among the arguments, as torch's do
        for hook in chain(_global_step_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
            result = hook(self, args, kwargs)
            if result is None:
                continue
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(f"{step} must return None or a tuple of (new_args, new_kwargs), but got {result}.")
            args, kwargs = result
        out = step(*args, **kwargs)
        for hook in chain(self._optimizer_step_post_hooks.values(), _global_step_post_hooks.values()):
            hook(self, args, kwargs)
        return out

    wrapper.hooked = True  # type: ignore[attr-defined]
    return wrapper


class HookRegistry:
    """The hook dictionaries of one optimizer and the methods that fill them; each returns a removable
    handle."""

    _HOOK_KINDS = (
        "step_pre",
        "step_post",
        "state_dict_pre",
        "state_dict_post",
        "load_state_dict_pre",
        "load_state_dict_post",
    )
    _optimizer_step_pre_hooks: OrderedDict[int, Hook]
    _optimizer_step_post_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Hook]

    def _init_hooks(self) -> None:
        """Makes the dictionaries that are not there yet (after unpickling none is), and wraps the class's
        step."""
        for kind in self._HOOK_KINDS:
            self.__dict__.setdefault(f"_optimizer_{kind}_hooks", OrderedDict())
        self._patch_step_function()

    profile_hook_step = staticmethod(run_step_hooks)

    def _patch_step_function(self) -> None:
        """Wraps the class's step, unless it is already."""
        cls = type(self)
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{cls.__name__}.zero_grad"
        if not getattr(cls.step, "hooked", False):  # type: ignore[attr-defined]
            cls.step = self.profile_hook_step(cls.step)  # type: ignore[attr-defined]

    def _optimizer_step_code(self) -> None:
        """Nothing: where PyTorch's profiler looks for the step."""

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new (args, kwargs)."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict` looks at the optimizer."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` on what `state_dict` is about to return; it may return another
        one."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` on a shallow copy of what is loaded; it may return another
        one."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after a state was loaded."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)
