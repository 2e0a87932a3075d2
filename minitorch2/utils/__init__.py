"""torch.utils: data loading, checkpoints, and the handles that hooks are removed by."""

import importlib


def __getattr__(name: str):
    """The parts are imported when first asked for: they build on the tensor, which takes its hooks from here."""
    if name in ("_pytree", "checkpoint", "data", "model_zoo"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(
        f"minitorch2.utils has no '{name}'; what there is of torch.utils is minitorch2.utils.data, "
        "minitorch2.utils.checkpoint and minitorch2.utils.model_zoo"
    )
