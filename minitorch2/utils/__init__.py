"""torch.utils: data loading, checkpoints, and the handles that hooks are removed by."""

import importlib

_PARTS = {"_foreach_utils", "_pytree", "benchmark", "checkpoint", "data", "flop_counter", "model_zoo", "tensorboard"}
_PARTS |= {"_python_dispatch", "collect_env", "cpp_extension", "deterministic", "module_tracker", "weak"}


def __getattr__(name: str):
    """The parts are imported when first asked for: they build on the tensor, which takes its hooks from here."""
    if name in _PARTS:
        return importlib.import_module(f".{name}", __name__)
    if name == "swap_tensors":
        return importlib.import_module("._swapping", __name__).swap_tensors
    raise AttributeError(
        f"minitorch2.utils has no '{name}'; what there is of torch.utils is minitorch2.utils.data, checkpoint, "
        "model_zoo and tensorboard"
    )
