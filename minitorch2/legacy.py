"""torch.FloatTensor and its like: the old names of a dtype's tensors, as constructors and for isinstance."""

from __future__ import annotations

import functools
from typing import Any, Union

from .core import dtypes
from .core.device import has_gpu
from .ops._data import counter_of, legacy_array
from .tensor import Tensor


class TensorType:
    """FloatTensor(2, 3) is uninitialised, FloatTensor([1, 2]) of that data; isinstance asks for the dtype."""

    def __init__(self, dtype: dtypes.dtype):
        self.dtype = dtype
        self.__name__ = f"{dtype.torch_type}Tensor"

    def __call__(self, *args) -> Tensor:
        made = Tensor._wrap(legacy_array(args, self.dtype))
        made._counter = counter_of(args)
        return made

    def __instancecheck__(self, instance) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is self.dtype

    def __or__(self, other) -> Any:  # `torch.LongTensor | None` of an annotation
        return Union[self, other]  # noqa: UP007  (with | this is what would be called)

    def __ror__(self, other) -> Any:
        return Union[other, self]  # noqa: UP007

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


FloatTensor, DoubleTensor, HalfTensor, BFloat16Tensor = map(
    TensorType, (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
)
LongTensor, IntTensor, ShortTensor, CharTensor = map(
    TensorType, (dtypes.int64, dtypes.int32, dtypes.int16, dtypes.int8)
)
ByteTensor, BoolTensor = map(TensorType, (dtypes.uint8, dtypes.bool))


class _CudaTensorType(TensorType):
    """torch.cuda.FloatTensor and its like: tensors of that dtype on the GPU."""

    def __init__(self, dtype: dtypes.dtype):
        super().__init__(dtype)
        self.__name__ = f"cuda.{self.__name__}"

    def __call__(self, *args) -> Tensor:
        if not has_gpu():
            raise TypeError(f"type torch.{self.__name__} not available. Torch not compiled with CUDA enabled.")
        return super().__call__(*args).to("cuda")

    def __instancecheck__(self, instance) -> bool:
        return super().__instancecheck__(instance) and instance.is_cuda


@functools.cache
def on_cuda(dtype: dtypes.dtype) -> TensorType:
    """torch.cuda's constructor of tensors of this dtype."""
    return _CudaTensorType(dtype)


def set_default_tensor_type(t) -> None:
    """set_default_dtype by the name of a floating tensor type: FloatTensor or "torch.FloatTensor"."""
    if isinstance(t, str):
        t = globals().get(t.removeprefix("torch."), t)
    dtypes.set_default_dtype(getattr(t, "dtype", t))
