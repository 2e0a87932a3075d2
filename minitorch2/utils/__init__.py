"""torch.utils: data loading, and the handles that hooks are removed by."""

import importlib


def __getattr__(name: str):
    """`data` is imported when first asked for: it builds on the tensor, which takes its hooks from here."""
    if name == "data":
        return importlib.import_module(".data", __name__)
    raise AttributeError(f"minitorch2.utils has no '{name}'; what there is of torch.utils is minitorch2.utils.data")
