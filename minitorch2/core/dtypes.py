"""dtypes, the default dtype, and torch's promotion rules.

Source: torch's "Tensor Attributes" page (torch.dtype, "Type promotion").
"""

from __future__ import annotations

import builtins

import numpy as np


class dtype:
    """The type of a tensor's elements: one object each, compared by identity.

    `numpy` is the NumPy dtype that stores it. NumPy has no bfloat16, so that one is stored as a
    structured dtype around its 16 bits: NumPy can then move, view, index and compare the bytes, and
    no arithmetic can run on it by mistake. Arithmetic goes through float32 (see core.function).
    """

    __slots__ = (
        "bits",
        "category",
        "is_complex",
        "is_floating_point",
        "is_signed",
        "itemsize",
        "limits",
        "name",
        "numpy",
        "torch_type",
    )

    def __init__(self, name: str, numpy_dtype, category: str, torch_type: str):
        self.name = name
        self.numpy = np.dtype(numpy_dtype)
        self.category = category  # "bool" < "int" < "float", in the order of promotion
        self.itemsize = self.numpy.itemsize
        self.bits = 8 * self.itemsize
        self.is_floating_point = category == "float"
        self.is_complex = False
        self.limits: tuple[builtins.float, ...] | None = None  # where NumPy does not know them
        self.is_signed = category == "float" or (category == "int" and self.numpy.kind == "i")
        self.torch_type = torch_type  # the word of torch's error messages: Float, Long, Bool ...

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return (_by_name, (self.name,))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def to_real(self) -> dtype:
        return self

    def to_complex(self) -> dtype:
        from .other_dtypes import complex_of

        return complex_of(self)


BFLOAT16_STORAGE = np.dtype([("bfloat16", "<u2")])

float16 = half = dtype("float16", np.float16, "float", "Half")
float32 = float = dtype("float32", np.float32, "float", "Float")
float64 = double = dtype("float64", np.float64, "float", "Double")
bfloat16 = dtype("bfloat16", BFLOAT16_STORAGE, "float", "BFloat16")
uint8 = dtype("uint8", np.uint8, "int", "Byte")
int8 = dtype("int8", np.int8, "int", "Char")
int16 = short = dtype("int16", np.int16, "int", "Short")
int32 = int = dtype("int32", np.int32, "int", "Int")
int64 = long = dtype("int64", np.int64, "int", "Long")
bool = dtype("bool", np.bool_, "bool", "Bool")

ALL = (float16, float32, float64, bfloat16, uint8, int8, int16, int32, int64, bool)
BY_NUMPY = {d.numpy: d for d in ALL}
BY_NAME = {d.name: d for d in ALL}
INDICES = frozenset((int32.numpy, int64.numpy))
LOW_PRECISION = frozenset((float16.numpy, BFLOAT16_STORAGE))  # computed in float32, rounded once

_default = float32


def _by_name(name: str) -> dtype:
    return BY_NAME[name]


_OF_PYTHON = {builtins.float: float64, builtins.int: int64, builtins.bool: bool}


def as_dtype(given, op: str) -> dtype:
    """The dtype that an argument dtype= names: one of the above, or Python's float, int or bool, as in torch."""
    if isinstance(given, dtype):
        return given
    if not isinstance(given, type) or given not in _OF_PYTHON:
        raise TypeError(f"{op}(): argument 'dtype' must be torch.dtype, not {type(given).__name__}")
    return _OF_PYTHON[given]


def from_numpy_dtype(numpy_dtype) -> dtype:
    """The dtype that stores arrays of `numpy_dtype`; TypeError, as torch's, where there is none."""
    found = BY_NUMPY.get(numpy_dtype)
    if found is None:
        if not numpy_dtype.isnative:
            raise ValueError(
                "given numpy array has byte order different from the native byte order. Conversion between byte orders "
                "is currently not supported."
            )
        raise TypeError(
            f"can't convert np.ndarray of type {numpy_dtype}. The only supported types are: "
            + ", ".join(d.name for d in ALL)
            + "."
        )
    return found


def get_default_dtype() -> dtype:
    return _default


def set_default_dtype(d: dtype) -> None:
    """Sets the dtype that Python floats become; a floating dtype, else TypeError."""
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        invalid = "" if isinstance(d, dtype) else "invalid dtype object: "
        raise TypeError(f"{invalid}only floating-point types are supported as the default type, got {d!r}")
    _default = d


_RANK = {"bool": 0, "int": 1, "float": 2}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both can be converted to without changing kind (torch.promote_types)."""
    if type1 is type2:
        return type1
    if type1.category != type2.category:
        return type1 if _RANK[type1.category] > _RANK[type2.category] else type2
    if type1.category == "float":
        return float32 if type1.itemsize == type2.itemsize else max(type1, type2, key=_itemsize)  # half with bfloat16
    if uint8 in (type1, type2):  # unsigned with signed: one size up from uint8
        other = type2 if type1 is uint8 else type1
        return int16 if other is int8 else other
    return max(type1, type2, key=_itemsize)


def _itemsize(d: dtype):
    return d.itemsize


def combine(strong: dtype | None, weak: dtype | None) -> dtype | None:
    """`strong` decides, unless `weak` is of a higher kind: x(float32) with a 0-d float64 stays float32."""
    if strong is None or weak is None:
        return strong or weak
    if _RANK[weak.category] > _RANK[strong.category]:
        return promote_types(strong, weak)
    return promote_types(strong, weak) if strong is bool else strong


def of_number(value) -> dtype:
    """The dtype of a Python (or NumPy) scalar: bool, int64 or the default floating dtype."""
    kind = np.dtype(type(value)).kind if isinstance(value, np.generic) else type(value).__name__[0]
    if kind == "b":
        return bool
    if kind in "iu":
        return int64
    if kind == "f":
        return _default
    raise TypeError(f"minitorch2 has no complex or object numbers; got {value!r} of type {type(value).__name__}")


def result_type_of(dimensioned, zero_dim, numbers) -> dtype:
    """torch.result_type over the dtypes of tensors with dimensions, 0-d tensors and Python numbers."""

    def fold(dtypes):
        result = None
        for d in dtypes:
            result = d if result is None else promote_types(result, d)
        return result

    result = combine(fold(dimensioned), combine(fold(zero_dim), fold(numbers)))
    assert result is not None
    return result


def can_cast(source: dtype, target: dtype):
    """Whether an in-place result of `source` may be stored in `target`: kinds may not go down."""
    return _RANK[source.category] <= _RANK[target.category]


class _Info:
    def __init__(self, d: dtype):
        self.dtype, self.bits = str(d).removeprefix("torch."), d.bits

    shown: tuple[str, ...] = ()

    def __repr__(self):
        limits = ", ".join(f"{name}={getattr(self, name):.6g}" for name in self.shown)
        return f"{type(self).__name__}({limits}, dtype={self.dtype})"


class finfo(_Info):
    """Limits of a floating dtype: bits, eps, max, min, tiny, smallest_normal, resolution."""

    shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    def __init__(self, type: dtype | None = None):
        type = (type or _default).to_real()
        if not type.is_floating_point:
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo for {type}")
        super().__init__(type)
        self.resolution = 1.0
        if type.limits is not None:
            self.min, self.max, self.eps, self.tiny = type.limits
            self.smallest_normal = self.tiny
            return
        if type is bfloat16:  # 8 exponent bits as float32, 7 of fraction
            self.eps, self.tiny, self.resolution = 2.0**-7, 2.0**-126, 0.01
            self.max = (2.0 - 2.0**-7) * 2.0**127
        else:
            limits = np.finfo(type.numpy)
            self.eps, self.max, self.tiny = limits.eps.item(), limits.max.item(), limits.tiny.item()
            self.resolution = 10.0**-limits.precision
        self.min, self.smallest_normal = -self.max, self.tiny


class iinfo(_Info):
    """Limits of an integer dtype: bits, min, max."""

    shown = ("min", "max")

    def __init__(self, type: dtype):
        if type.limits is not None and not type.is_floating_point:
            super().__init__(type)
            self.min, self.max = type.limits
            return
        if type.is_floating_point or type.is_complex or type.category != "int":
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo for {type}")
        super().__init__(type)
        limits = np.iinfo(type.numpy)
        self.max, self.min = limits.max, limits.min


_C_NAMES = {
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
}


def c_name(np_dtype) -> str:
    """The C++ type of the elements, as torch's messages print it."""
    return _C_NAMES[from_numpy_dtype(np_dtype).name]
