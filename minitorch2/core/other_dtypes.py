"""torch's dtypes that no tensor has here, for programs that compare with them or keep them in tables.

What would store a number of such a dtype raises NotImplementedError and names what to use instead.
"""

from __future__ import annotations

from typing import NoReturn

from . import dtypes


class OtherDtype(dtypes.dtype):
    """A name, and what torch says about it: itemsize, is_floating_point, is_complex, is_signed."""

    __slots__ = ()

    def __init__(
        self,
        name: str,
        itemsize: int,
        *,
        floating: bool = False,
        complex: bool = False,
        signed: bool = True,
        limits: tuple[float, ...] | None = None,
    ):
        """limits: what finfo calls min, max, eps and tiny, or iinfo min and max."""
        self.name, self.itemsize, self.bits, self.limits = name, itemsize, 8 * itemsize, limits
        self.is_floating_point, self.is_complex, self.is_signed = floating, complex, signed

    def _refuse(self) -> NoReturn:
        if self.is_complex:
            instead = "keep real and imaginary parts in a last dimension of 2, as torch.view_as_real"
        elif self.is_floating_point:
            instead = "use float16 or bfloat16"
        elif self.name in ("uint16", "uint32", "uint64"):
            instead = "use int32 or int64"
        else:
            instead = "quantized and packed integers are not supported"
        raise NotImplementedError(f"minitorch2: there are no tensors of dtype {self}; {instead}")

    @property
    def numpy(self):  # whatever would make an array asks for it
        self._refuse()

    @property
    def category(self):  # and whatever would promote or convert
        self._refuse()

    @property
    def torch_type(self):
        self._refuse()

    def __reduce__(self):
        return (of_name, (self.name,))

    def to_real(self) -> dtypes.dtype:
        return _REAL.get(self.name, self)


_FLOATS_OF_8_BITS = {
    "float8_e4m3fn": (-448.0, 448.0, 2.0**-3, 2.0**-6),
    "float8_e4m3fnuz": (-240.0, 240.0, 2.0**-3, 2.0**-7),
    "float8_e5m2": (-57344.0, 57344.0, 2.0**-2, 2.0**-14),
    "float8_e5m2fnuz": (-57344.0, 57344.0, 2.0**-3, 2.0**-15),  # torch's eps
}


def _others() -> dict[str, OtherDtype]:
    found = [OtherDtype(f"complex{8 * size}", size, complex=True) for size in (4, 8, 16)]
    found += [OtherDtype(f"uint{b}", b // 8, signed=False, limits=(0, 2**b - 1)) for b in (16, 32, 64)]
    found += [OtherDtype(name, 1, floating=True, limits=limits) for name, limits in _FLOATS_OF_8_BITS.items()]
    found += [OtherDtype("float4_e2m1fn_x2", 1, floating=True)]
    e8m0 = (2.0**-127, 2.0**127, 1.0, 2.0**-127)
    found += [OtherDtype("float8_e8m0fnu", 1, floating=True, signed=False, limits=e8m0)]
    found += [OtherDtype(f"int{bits}", 1) for bits in range(1, 8)]
    found += [OtherDtype(f"uint{bits}", 1, signed=False) for bits in range(1, 8)]
    found += [OtherDtype(name, 1) for name in ("qint8", "quint8", "quint4x2", "quint2x4")] + [OtherDtype("qint32", 4)]
    found += [OtherDtype(name, 1) for name in ("bits8", "bits1x8", "bits2x4", "bits4x2")] + [OtherDtype("bits16", 2)]
    return {each.name: each for each in found}


BY_NAME = _others()
ALIASES = {"chalf": "complex32", "cfloat": "complex64", "cdouble": "complex128", "bit": "uint1"}
_REAL = {"complex32": dtypes.float16, "complex64": dtypes.float32, "complex128": dtypes.float64}
_COMPLEX = {"float16": "complex32", "bfloat16": "complex64", "float32": "complex64", "float64": "complex128"}


def of_name(name: str) -> OtherDtype:
    """The dtype of this name or alias; KeyError where there is none."""
    return BY_NAME[ALIASES.get(name, name)]


def complex_of(dtype: dtypes.dtype) -> OtherDtype:
    """The complex dtype whose parts are of this one (dtype.to_complex); RuntimeError where there is none."""
    if dtype.is_complex:
        return of_name(dtype.name)
    if dtype.name not in _COMPLEX:
        raise RuntimeError(f"Unknown Complex ScalarType for {dtype.name}")
    return of_name(_COMPLEX[dtype.name])
