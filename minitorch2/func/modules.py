"""Modules as functions of their parameters, and many modules as one of stacked parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..nn.modules.batchnorm import _BatchNorm
from ..nn.utils.stateless import call
from ..ops.joining import stack


def functional_call(
    module, parameter_and_buffer_dicts, args: Any = None, kwargs=None, *, tie_weights=True, strict=False
):
    """module(*args, **kwargs) with other tensors in the place of its parameters and buffers.

    parameter_and_buffer_dicts: {name in the state dict: tensor}, or several such dicts without a name in common; what
    is not named stays the module's own, and a name that it does not have is an attribute of it meanwhile. args: a
    tuple, or the one argument. tie_weights: a tensor given for one name of a parameter with several stands for all of
    them, and two tensors for one such parameter are a ValueError. strict: the names must be all of the module's, or a
    RuntimeError names those missing and those unexpected.

    The module is not changed, and what its forward assigns (running statistics) goes into the dict.
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        tensors = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        if not all(isinstance(each, dict) for each in parameter_and_buffer_dicts):
            raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        names = [name for each in parameter_and_buffer_dicts for name in each]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
        tensors = {name: tensor for each in parameter_and_buffer_dicts for name, tensor in each.items()}
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(parameter_and_buffer_dicts)}"
        )
    return call(module, tensors, args, kwargs, tie_weights, strict)


def stack_module_state(models) -> tuple[dict, dict]:
    """(parameters, buffers) of several modules of one class, each stacked along a new first dim: what vmap maps over.

    The stacked parameters are leaves of their own, to be given to an optimizer.
    """
    if not len(models):
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = _stacked([dict(model.named_parameters()) for model in models])
    return parameters, _stacked([dict(model.named_buffers()) for model in models])


def _stacked(dicts) -> dict:
    result = {}
    for name in dicts[0]:
        tensors = [each[name] for each in dicts]
        requires = {tensor.requires_grad for tensor in tensors}
        if len(requires) > 1:
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        joined = stack(tensors)
        result[name] = joined.detach().requires_grad_() if True in requires else joined
    return result


def replace_all_batch_norm_modules_(root):
    """Every batch normalisation in root forgets its running statistics and uses the batch's instead; returns root."""
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
