"""DataParallel: a wrapper that names its model ``module``, as programs and checkpoints of many GPUs expect it.

Source: torch's page "torch.nn.DataParallel".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.device import cupy, device, has_gpu
from ...tensor import Tensor
from ..modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


class DataParallel(Module):
    """Calls `module`; on a GPU, moves it and its inputs there first.

    Without a GPU it passes everything on. With one, parameters and buffers must stay on it (RuntimeError else).

    Args:
        device_ids: the GPU, in a list; None is all there are.
        output_device, dim: for several GPUs; taken, and of no effect with one.

    Raises: NotImplementedError where that is more than one GPU.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[int | device] | None = None,
        output_device: int | device | None = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        if not has_gpu():
            self.module = module
            self.device_ids: list[int] = []
            return
        index = _only_gpu(device_ids)
        self.dim = dim
        self.module = module
        self.device_ids = [index]
        self.output_device = index if output_device is None else _index(output_device)
        self.src_device_obj = device("cuda", index)
        self.module.to(self.src_device_obj)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if not self.device_ids:
            return self.module(*inputs, **kwargs)
        return _call_on(self.src_device_obj, self.module, inputs, kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[int | device] | None = None,
    output_device: int | device | None = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """module(*inputs) on a GPU, the module being there already. RuntimeError where there is no GPU; see above else."""
    if not has_gpu():
        raise RuntimeError("device type could not be determined")
    inputs = inputs if isinstance(inputs, tuple) else () if inputs is None else (inputs,)
    return _call_on(device("cuda", _only_gpu(device_ids)), module, inputs, module_kwargs or {})


def _index(where: int | device) -> int:
    index = device(where).index
    return cupy().cuda.runtime.getDevice() if index is None else index


def _only_gpu(device_ids: Sequence[int | device] | None) -> int:
    if device_ids is None:
        device_ids = range(cupy().cuda.runtime.getDeviceCount())
    if len(device_ids) != 1:
        raise NotImplementedError(
            f"minitorch2: DataParallel on {len(device_ids)} GPUs is not supported; pass device_ids=[0] to use one."
        )
    return _index(device_ids[0])


def _call_on(gpu: device, module: Module, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    for members in (module.parameters(), module.buffers()):
        for t in members:
            if t.device != gpu:
                raise RuntimeError(
                    f"module must have its parameters and buffers on device {gpu} (device_ids[0]) but found one of "
                    f"them on device: {t.device}"
                )
    return module(*_moved(inputs, gpu), **_moved(kwargs, gpu))


def _moved(value: Any, gpu: device) -> Any:
    """The tensors in nested containers on this GPU."""
    if isinstance(value, Tensor):
        return value.to(gpu)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_moved(item, gpu) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(_moved(item, gpu) for item in value)
    if isinstance(value, dict):
        return type(value)((key, _moved(item, gpu)) for key, item in value.items())
    return value
