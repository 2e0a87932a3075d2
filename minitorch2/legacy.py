"""torch.FloatTensor and its like: the old names of a dtype's tensors, as constructors and for isinstance."""

from __future__ import annotations

from typing import Any, Union

from .core import dtypes
from .ops._data import legacy_array
from .tensor import Tensor


class TensorType:
    """FloatTensor(2, 3) is uninitialised, FloatTensor([1, 2]) of that data; isinstance asks for the dtype."""

    def __init__(self, dtype: dtypes.dtype):
        self.dtype = dtype
        self.__name__ = f"{dtype.torch_type}Tensor"

    def __call__(self, *args) -> Tensor:
        return Tensor._wrap(legacy_array(args, self.dtype))

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


def set_default_tensor_type(t) -> None:
    """set_default_dtype by the name of a floating tensor type: FloatTensor or "torch.FloatTensor"."""
    if isinstance(t, str):
        t = globals().get(t.removeprefix("torch."), t)
    dtypes.set_default_dtype(getattr(t, "dtype", t))
