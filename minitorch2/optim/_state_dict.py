"""The layout of an optimizer's state_dict: parameters by their position, in place of the parameters
themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from ..core import dtypes
from ..tensor import Tensor

StateDict = dict[str, Any]


def pack(state: dict[Any, Any], param_groups: list[dict[str, Any]]) -> StateDict:
    """{"state": {position: ...}, "param_groups": [{..., "params": [positions]}]}; the values are not
    copied."""
    position: dict[Any, int] = {}
    packed_groups = []
    start = 0
    for group in param_groups:
        for i, p in enumerate(group["params"], start):
            position.setdefault(p, i)
        start += len(group["params"])
        packed = {key: value for key, value in group.items() if key != "params"}
        packed["params"] = [position[p] for p in group["params"]]
        packed_groups.append(packed)
    packed_state = {position[key] if isinstance(key, Tensor) else key: value for key, value in state.items()}
    return {"state": packed_state, "param_groups": packed_groups}


def unpack(state_dict: StateDict, groups: list[dict[str, Any]]) -> tuple[dict[Any, Any], list[dict[str, Any]]]:
    """The state and the parameter groups that `state_dict` means for the parameters of `groups`.

    Raises ValueError where the number of groups, or of parameters in a group, differs.
    """
    # A copy, because the groups of the result are these with their "params" put back.
    saved_groups = deepcopy(state_dict["param_groups"])
    if len(groups) != len(saved_groups):
        raise ValueError("loaded state dict has a different number of parameter groups")
    if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved_groups, strict=True)):
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
        )

    owner = {}  # saved position -> (parameter, its saved group)
    for group, saved in zip(groups, saved_groups, strict=True):
        owner.update((i, (p, saved)) for i, p in zip(saved["params"], group["params"], strict=True))

    state: dict[Any, Any] = defaultdict(dict)
    for key, value in state_dict["state"].items():
        if key in owner:
            param, saved = owner[key]
            state[param] = _cast(value, param, saved)
        else:
            state[key] = value  # what belongs to no parameter is the subclass's own business

    for group, saved in zip(groups, saved_groups, strict=True):
        saved["params"] = group["params"]
        if "param_names" in group:
            saved.setdefault("param_names", group["param_names"])
    return state, saved_groups


def _cast(value: Any, param: Tensor, group: dict[str, Any], name: Any = None) -> Any:
    """`value` with every tensor inside on the parameter's device and, for floating parameters, of its
    dtype."""
    if isinstance(value, Tensor):
        if name == "step":  # a counter: half precision would stop counting at 2048
            fixed = group.get("capturable", False) or group.get("fused", False)
            return value.to(dtype=dtypes.float32, device=param.device) if fixed else value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {key: _cast(item, param, group, key) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return type(value)(_cast(item, param, group) for item in value)  # type: ignore[call-arg]
    return value
