"""torch.fx, as far as a program runs without it: `wrap` leaves functions as they are, and nothing is ever traced."""

from __future__ import annotations

from .compiler import as_it_is
from .core.absent import absent, as_absent
from .core.placing import place

wrap = as_it_is
globals().update(
    absent(
        "fx",
        "there are no graphs of programs here; hooks (Module.register_forward_hook) show what goes through a module",
        ("symbolic_trace", "replace_pattern"),
        ("Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer"),
    )
)
as_absent("fx.graph_module", "fx.node", "fx.proxy", "fx.experimental", "fx.experimental.proxy_tensor")
place("fx.experimental.proxy_tensor", {"get_proxy_mode": lambda: None})

__all__ = ["wrap"]
