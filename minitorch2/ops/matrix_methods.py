"""Solvers and decompositions as methods of tensors."""

from .decompositions import cholesky, qr, svd
from .determinants import det, logdet, matrix_exp, slogdet
from .least_squares import pinverse
from .solving import cholesky_inverse, cholesky_solve, inverse


class MatrixMethods:
    cholesky, cholesky_inverse, cholesky_solve = cholesky, cholesky_inverse, cholesky_solve
    inverse, pinverse, qr, svd = inverse, pinverse, qr, svd
    det, slogdet, logdet, matrix_exp = det, slogdet, logdet, matrix_exp
