"""torch.fx, as far as a program runs without it: `wrap` leaves functions as they are, and nothing is ever traced."""

from __future__ import annotations

from .compiler import as_it_is
from .core.absent import absent, absent_function, as_absent
from .core.placing import place
from .nn import Module

_WHY = "there are no graphs of programs here; hooks (Module.register_forward_hook) show what goes through a module"

wrap = as_it_is
globals().update(
    absent(
        "fx",
        _WHY,
        ("symbolic_trace", "replace_pattern"),
        ("Graph", "Interpreter", "Node", "Proxy", "Tracer", "Transformer"),
    )
)


class GraphModule(Module):
    """A module that nothing is an instance of; NotImplementedError for who makes one."""

    __new__ = absent_function("fx.GraphModule", _WHY)


as_absent("fx.graph_module", "fx.node", "fx.proxy", "fx.experimental", "fx.experimental.proxy_tensor")
place("fx.graph_module", {"GraphModule": GraphModule})
place("fx.experimental.proxy_tensor", {"get_proxy_mode": lambda: None})

__all__ = ["GraphModule", "wrap"]
