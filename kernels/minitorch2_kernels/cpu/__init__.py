"""Fast CPU overrides. Importing this package registers them."""

from . import (
    attention,
    compiled,
    compiled_depthwise,
    compiled_norm,
    conv,
    depthwise,
    gelu,
    indexing,
    layer_norm,
    matmul,
    memory,
    norm,
    optim,
    pointwise,
    pooling,
    rectifiers,
)

if compiled.available:
    # last: the newest override is asked first
    compiled.register()
    compiled_depthwise.register()
    compiled_norm.register()
