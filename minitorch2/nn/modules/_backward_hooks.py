"""Backward hooks of a module: identity Functions, "taps", on its inputs and outputs report the gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ...autograd.function import Function
from ...core.grad_mode import is_grad_enabled
from ...tensor import Tensor

Grads = tuple[Any, ...]


class BackwardHookFunction(Function):
    """Identity on tensors; its backward sends the gradients through ``on_backward(grads) -> grads``."""

    @staticmethod
    def forward(ctx: Any, on_backward: Callable[[Grads], Grads], zeros_for_missing: bool, *tensors: Tensor) -> Any:
        ctx.on_backward = on_backward
        ctx.set_materialize_grads(zeros_for_missing)
        ctx.mark_non_differentiable(*(t for t in tensors if not t.requires_grad))
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, None, *ctx.on_backward(grads))


def _pack(indices: Sequence[int], values: Sequence[Any], size: int) -> Grads:
    """``values`` at their positions among ``size`` arguments, None at the others."""
    packed: list[Any] = [None] * size
    for index, value in zip(indices, values, strict=True):
        packed[index] = value
    return tuple(packed)


def _checked(kind: str, got: Any, name: str, expected: int) -> Grads:
    grads = got if isinstance(got, tuple) else (got,)
    if len(grads) != expected:
        raise RuntimeError(
            f"Backward {kind} returned an invalid number of {name}, got {len(grads)}, but expected {expected}"
        )
    return grads


class BackwardHooks:
    """The backward hooks of one call of one module, and the gradients on their way between its two taps."""

    def __init__(self, module: Any, hooks: list[Callable], pre_hooks: list[Callable]) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: Grads | None = None  # set by the output tap, used up by the input tap
        self.input_indices: list[int] | None = None
        self.n_inputs = 0

    def _tap(
        self, args: tuple, make_callback: Callable[[list[int]], Callable[[Grads], Grads]], zeros: bool
    ) -> tuple[tuple, list[int] | None]:
        indices = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
        if not (is_grad_enabled() and any(args[i].requires_grad for i in indices)):
            return args, None
        tapped = BackwardHookFunction.apply(make_callback(indices), zeros, *(args[i] for i in indices))
        replaced = list(args)
        for index, tensor in zip(indices, tapped, strict=True):
            replaced[index] = tensor
        # A named tuple takes its fields one by one.
        return (tuple(replaced) if type(args) is tuple else type(args)(*replaced)), indices

    def tap_inputs(self, args: tuple) -> tuple:
        """The positional arguments, their tensors routed through the input tap where gradients are wanted."""
        if not (self.hooks or self.pre_hooks):
            return args
        self.n_inputs = len(args)
        args, self.input_indices = self._tap(args, self._on_input_grads, zeros=True)
        return args

    def tap_outputs(self, result: Any) -> Any:
        """The module's result, its tensors routed through the output tap."""
        if not (self.hooks or self.pre_hooks):
            return result
        if isinstance(result, tuple):
            return self._tap(result, lambda indices: self._on_output_grads(indices, len(result)), zeros=False)[0]
        if not isinstance(result, Tensor):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
                f"but received {type(result)}",
                stacklevel=4,
            )
        return self._tap((result,), lambda indices: self._on_output_grads(indices, 1), zeros=False)[0][0]

    def _on_input_grads(self, indices: list[int]) -> Callable[[Grads], Grads]:
        def on_backward(grads: Grads) -> Grads:
            if self.grad_outputs is None:  # this backward did not come through the module's outputs
                return grads
            grad_inputs = _pack(indices, grads, self.n_inputs)
            for hook in self.hooks:
                changed = hook(self.module, grad_inputs, self.grad_outputs)
                if changed is not None:
                    grad_inputs = _checked("hook", changed, "grad_input", self.n_inputs)
            self.grad_outputs = None
            return tuple(grad_inputs[i] for i in indices)

        return on_backward

    def _on_output_grads(self, indices: list[int], n_outputs: int) -> Callable[[Grads], Grads]:
        def on_backward(grads: Grads) -> Grads:
            grad_outputs = _pack(indices, grads, n_outputs)
            for hook in self.pre_hooks:
                changed = hook(self.module, grad_outputs)
                if changed is not None:
                    grad_outputs = _checked("pre hook", changed, "grad_output", n_outputs)
            if self.input_indices is None:
                self._run_without_input_grads(grad_outputs)
            else:
                self.grad_outputs = grad_outputs
            return tuple(grad_outputs[i] for i in indices)

        return on_backward

    def _run_without_input_grads(self, grad_outputs: Grads) -> None:
        """No input needs a gradient, so there is no input tap to wait for: the hooks run at the outputs."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since "
            "no inputs require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
            "#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=2,
        )
        for hook in self.hooks:
            changed = hook(self.module, (None,) * self.n_inputs, grad_outputs)
            if changed is not None and not (isinstance(changed, tuple) and all(g is None for g in changed)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None "
                    "or None for all gradients."
                )
