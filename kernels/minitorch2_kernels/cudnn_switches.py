"""Whether and how convolutions on a GPU are left to NVIDIA's cuDNN, as torch's backends.cudnn says it.

Of no effect where cuDNN is not installed; `cuda/cudnn.py` reads them at each convolution. precision.layers_allow_tf32
and determinism.required are obeyed too.
"""

from __future__ import annotations

enabled = True  # False: the kernels of this package
benchmark = False  # True: the first convolution of its kind times several of cuDNN's plans and keeps the fastest
benchmark_limit = 10  # how many of them; 0: all
deterministic = False  # True: only plans that repeat bit for bit
