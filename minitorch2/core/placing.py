"""Modules that are no files: torch's paths to what lies elsewhere here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

_TOP = __name__.partition(".")[0]


def place(path: str, contents: Mapping[str, Any] | None = None, *, of: type[ModuleType] = ModuleType) -> ModuleType:
    """The module minitorch2.<path>, made if there is none, with these contents where it has none of the name.

    `import` finds it, as soon as its parent has been imported, which is who calls this.
    """
    name = f"{_TOP}.{path}"
    module = sys.modules.get(name)
    if module is None:
        module = sys.modules[name] = of(name)
        above, _, last = name.rpartition(".")
        parent = sys.modules[above]
        vars(parent).setdefault("__path__", [])  # it is a package now
        setattr(parent, last, module)
    for key, value in (contents or {}).items():
        vars(module).setdefault(key, value)
    return module
