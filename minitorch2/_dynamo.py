"""torch._dynamo: names of torch.compiler's, where packages look for them."""

from .compiler import allow_in_graph, assume_constant_result, disable, is_compiling, reset
from .core.absent import absent_class, as_absent
from .core.placing import place

OptimizedModule = absent_class("_dynamo.OptimizedModule", "torch.compile hands back what it gets")
as_absent("_dynamo.utils", "_dynamo._trace_wrapped_higher_order_op")
place("_dynamo.eval_frame", {"OptimizedModule": OptimizedModule})
place("_dynamo.utils", {"is_compile_supported": lambda device_type: False})

__all__ = ["OptimizedModule", "allow_in_graph", "assume_constant_result", "disable", "is_compiling", "reset"]
