"""What the comparing tools share: where packages are installed, and a process in which `torch` is one of the two."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "build" / "packages"


def become(framework: str) -> Any:
    """`torch` of this process, which packages import, too: PyTorch, or minitorch2, with PyTorch never imported."""
    sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]
    sys.path.append(str(PACKAGES))
    warnings.simplefilter("ignore")
    if framework == "minitorch2":
        importlib.import_module("minitorch2.alias").install()
    torch = importlib.import_module("torch")
    if framework == "torch":
        # torchvision's wheel is of another release: without its compiled operators PyTorch refuses to hear of them.
        torch.library.register_fake = lambda *_, **__: lambda function: function
    return torch
