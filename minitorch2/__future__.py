"""torch.__future__: how the conversion of a module (`module.double()`) treats its parameters."""

from __future__ import annotations

overwrite = False  # whether parameters become new objects


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """With True, converted parameters are new Parameters; else they stay the objects that they were."""
    global overwrite
    overwrite = value


def get_overwrite_module_params_on_conversion() -> bool:
    """What set_overwrite_module_params_on_conversion was last given."""
    return overwrite


def set_swap_module_params_on_conversion(value: bool) -> None:
    """NotImplementedError for True."""
    if value:
        raise NotImplementedError(
            "minitorch2: converting parameters by torch.utils.swap_tensors is not supported; without it they stay the "
            "same objects"
        )


def get_swap_module_params_on_conversion() -> bool:
    """False."""
    return False
