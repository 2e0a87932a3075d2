"""Named tuples that functions with several results return: torch.return_types."""

from __future__ import annotations

from collections import namedtuple


def _return_type(name: str, *fields: str):
    base = namedtuple(name, fields)

    def __repr__(self):
        values = ",\n".join(f"{field}={value!r}" for field, value in zip(fields, self, strict=True))
        return f"torch.return_types.{name}(\n{values})"

    return type(name, (base,), {"__slots__": (), "__repr__": __repr__, "__module__": __name__})


max = _return_type("max", "values", "indices")
min = _return_type("min", "values", "indices")
aminmax = _return_type("aminmax", "min", "max")
sort = _return_type("sort", "values", "indices")
topk = _return_type("topk", "values", "indices")
kthvalue = _return_type("kthvalue", "values", "indices")
median = _return_type("median", "values", "indices")
nanmedian = _return_type("nanmedian", "values", "indices")
mode = _return_type("mode", "values", "indices")
cummax = _return_type("cummax", "values", "indices")
cummin = _return_type("cummin", "values", "indices")
frexp = _return_type("frexp", "mantissa", "exponent")
