"""Kernels for CuPy arrays: CUDA C sources beside this file, and the functions that launch them.

Importing this package registers them. It is imported when the first array goes to a GPU and never before, so that a
program on the CPU pays nothing for it.
"""

from . import (
    attention,
    bias,
    capture,
    class_loss,
    conv,
    cudnn_conv,
    depthwise,
    gemm,
    gradients,
    indexing,
    joining,
    memory,
    norm,
    optim,
    picking,
    pointwise,
    pooling,
    rnn,
    rows,
    softmax_grad,
    sums,
    unfold,
)

memory.install()
cudnn_conv.install()  # asked before conv, whose overrides are there by now
