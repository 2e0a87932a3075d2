"""torch._dynamo: names of torch.compiler's, where packages look for them."""

from typing import Any

from .compiler import allow_in_graph, as_it_is, assume_constant_result, disable, is_compiling, reset
from .core.absent import absent_class, as_absent
from .core.placing import place

OptimizedModule = absent_class("_dynamo.OptimizedModule", "torch.compile hands back what it gets")
as_absent("_dynamo.utils", "_dynamo._trace_wrapped_higher_order_op")
place("_dynamo.eval_frame", {"OptimizedModule": OptimizedModule})
# Settings of compilers: a program may set them, and they change nothing.
place("_dynamo.config", {"suppress_errors": False, "verbose": False, "cache_size_limit": 8, "recompile_limit": 8})


def optimize(*args: Any, **kwargs: Any) -> Any:
    """A decorator that changes nothing."""
    return as_it_is


def mark_dynamic(tensor: Any, index: Any, **kwargs: Any) -> None:
    """Nothing: it would tell a compiler that the size of this dim may change."""


mark_static = maybe_mark_dynamic = mark_dynamic
place("_dynamo.utils", {"is_compile_supported": lambda device_type: False})

__all__ = [
    "OptimizedModule",
    "allow_in_graph",
    "assume_constant_result",
    "disable",
    "is_compiling",
    "mark_dynamic",
    "mark_static",
    "maybe_mark_dynamic",
    "optimize",
    "reset",
]
