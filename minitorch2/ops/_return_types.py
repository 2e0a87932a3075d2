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
histogram = _return_type("histogram", "hist", "bin_edges")
histogramdd = _return_type("histogramdd", "hist", "bin_edges")
linalg_inv_ex = _return_type("linalg_inv_ex", "inverse", "info")
linalg_solve_ex = _return_type("linalg_solve_ex", "result", "info")
linalg_cholesky_ex = _return_type("linalg_cholesky_ex", "L", "info")
linalg_lu_factor = _return_type("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _return_type("linalg_lu_factor_ex", "LU", "pivots", "info")
linalg_lu = _return_type("linalg_lu", "P", "L", "U")
lu_unpack = _return_type("lu_unpack", "P", "L", "U")
_lu_with_info = _return_type("_lu_with_info", "LU", "pivots", "info")
triangular_solve = _return_type("triangular_solve", "solution", "cloned_coefficient")
geqrf = _return_type("geqrf", "a", "tau")
linalg_slogdet = _return_type("linalg_slogdet", "sign", "logabsdet")
slogdet = _return_type("slogdet", "sign", "logabsdet")
linalg_qr = _return_type("linalg_qr", "Q", "R")
qr = _return_type("qr", "Q", "R")
linalg_svd = _return_type("linalg_svd", "U", "S", "Vh")
svd = _return_type("svd", "U", "S", "V")
linalg_eigh = _return_type("linalg_eigh", "eigenvalues", "eigenvectors")
linalg_lstsq = _return_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
