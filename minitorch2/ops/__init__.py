"""The operations: one file per family, each op's forward and backward side by side."""

from ._namespaces import OperatorName

aten = OperatorName("aten")


def load_library(path):
    """OSError: a library of operators compiled for PyTorch. Packages that ship one go on without it, or say so."""
    raise OSError(f"minitorch2: {path} is compiled for PyTorch and cannot be loaded")
