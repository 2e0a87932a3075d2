"""torch.special: names for functions that are also torch's own, and some that are not."""

from .functions import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    polygamma,
    round,
    sinc,
    softmax,
    xlogy,
)
from .functions import digamma as psi
from .functions import igamma as gammainc
from .functions import igammac as gammaincc
from .functions import lgamma as gammaln
from .functions import mvlgamma as multigammaln
from .functions import sigmoid as expit
from .ops._arguments import names_arguments
from .ops.bessel import i0e, i1, i1e
from .ops.probability import entr, erfcx, log_ndtr, ndtri, xlog1py

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "log1p",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]


def ndtr(input):
    """The area under the standard normal density up to input."""
    return 0.5 * erfc(input * -(0.5**0.5))


for _name in ("entr", "erfcx", "i0e", "i1", "i1e", "log_ndtr", "ndtr", "ndtri", "xlog1py"):  # those of no other module
    globals()[_name] = names_arguments(globals()[_name], f"special_{_name}", takes_out=True)
    globals()[_name].__module__ = __name__
