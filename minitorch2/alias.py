"""install(): from then on `import torch` gives this library, to programs and packages that were not written for it.

    import minitorch2.alias

    minitorch2.alias.install()
    import torch                 # is minitorch2, torch.nn is minitorch2.nn, and so on
    import einops                # a package that imports torch by itself

`python -m minitorch2 run train.py` does the same around a program as it stands. A name that this library lacks is an
ImportError or an AttributeError; nothing falls back to PyTorch. The imports above are a program's: no module of this
library but bridge/ imports torch, which test_layout.py reads from the syntax of each.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from .torch_version import TorchVersion
from .version import __version__

__all__ = ["install"]

_OWN = __name__.partition(".")[0]
_LIKE = "2.13.0"  # the torch whose names and behaviour these are


def install() -> None:
    """Makes `import torch` mean minitorch2 in this process; `torch.__name__` is then "torch", as packages look it up in
    sys.modules, and `torch.__version__` says what it stands for and what it is.

    RuntimeError where PyTorch has been imported already: what it gave out would not mix with this library.
    """
    present = sys.modules.get("torch")
    if present is not None and present is not sys.modules[_OWN]:
        raise RuntimeError("PyTorch has been imported already; call minitorch2.alias.install() before anything does")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    own = sys.modules[_OWN]
    sys.modules["torch"] = own
    vars(own).update(__name__="torch", __version__=TorchVersion(f"{_LIKE}+{_OWN}.{__version__}"))
    own.Tensor.__module__ = "torch"  # packages tell by this whose array it is


class _Finder(MetaPathFinder):
    """Finds torch.nn as minitorch2.nn."""

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        top, dot, rest = fullname.partition(".")
        if top != "torch":
            return None
        own = _OWN + dot + rest
        if own not in sys.modules and importlib.util.find_spec(own) is None:
            return None  # Python goes on looking beside the parent, and says that there is no torch.<name>
        return ModuleSpec(fullname, _Loader(own), is_package=hasattr(importlib.import_module(own), "__path__"))


def _name_all() -> None:
    """Every module there is gets its name in torch. One that was found later would be made an attribute of its parent
    again, in the place of a function of the same name: torch.autograd.gradcheck."""
    for name, module in list(sys.modules.items()):
        top, dot, rest = name.partition(".")
        if top == _OWN and dot:
            sys.modules.setdefault(f"torch.{rest}", module)


class _Loader(Loader):
    """Hands over a module that is there under its own name, unchanged."""

    def __init__(self, own: str):
        self._own = own

    def create_module(self, spec) -> ModuleType:
        module = importlib.import_module(self._own)
        self._spec = module.__spec__
        _name_all()
        return module

    def exec_module(self, module) -> None:
        module.__spec__ = self._spec  # the import system has just put the other one there
