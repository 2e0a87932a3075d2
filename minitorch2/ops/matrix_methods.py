"""Solvers and decompositions as methods of tensors."""

from .decompositions import cholesky, qr, svd
from .determinants import det, logdet, matrix_exp, slogdet
from .householder import geqrf, orgqr, ormqr
from .least_squares import pinverse
from .lu import lu_solve, method_lu
from .solving import cholesky_inverse, cholesky_solve, inverse, triangular_solve


class MatrixMethods:
    cholesky, cholesky_inverse, cholesky_solve = cholesky, cholesky_inverse, cholesky_solve
    lu, lu_solve, triangular_solve = method_lu, lu_solve, triangular_solve
    geqrf, orgqr, ormqr = geqrf, orgqr, ormqr
    inverse, pinverse, qr, svd = inverse, pinverse, qr, svd
    det, slogdet, logdet, matrix_exp = det, slogdet, logdet, matrix_exp
