"""torch._subclasses, where packages ask whether a tensor is one that only has a shape; here none is."""

from typing import Any

from .core.absent import as_absent
from .core.placing import place


def _is_fake(x: Any) -> bool:
    return False


as_absent("_subclasses.fake_tensor")
place("_subclasses.fake_tensor", {"is_fake": _is_fake})
