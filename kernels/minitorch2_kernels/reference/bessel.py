"""The modified Bessel functions I0 and I1 of the first kind, element by element, and the two scaled by exp(-|x|).

Every function takes a float32 or float64 array and returns one like it, to a few units in the last place. The
coefficients are Chebyshev's of our own, computed with mpmath to 60 digits, highest first: of exp(-x) I(x) (for I1
divided by x) in x / 4 - 1 on 0 <= x <= 8, and of sqrt(x) exp(-x) I(x) in 16 / x - 1 beyond.
"""

from __future__ import annotations

from ..dispatch import kernel, namespace
from .special import in_blocks, in_double

_I0_NEAR = (
    -4.4153416464793395e-18,
    3.3307945188222384e-17,
    -2.431279846547955e-16,
    1.715391285555133e-15,
    -1.1685332877993451e-14,
    7.676185498604936e-14,
    -4.856446783111929e-13,
    2.95505266312964e-12,
    -1.726826291441556e-11,
    9.675809035373237e-11,
    -5.189795601635263e-10,
    2.6598237246823866e-09,
    -1.300025009986248e-08,
    6.046995022541919e-08,
    -2.670793853940612e-07,
    1.1173875391201037e-06,
    -4.4167383584587505e-06,
    1.6448448070728896e-05,
    -5.754195010082104e-05,
    0.00018850288509584165,
    -0.0005763755745385824,
    0.0016394756169413357,
    -0.004324309995050576,
    0.010546460394594998,
    -0.02373741480589947,
    0.04930528423967071,
    -0.09490109704804764,
    0.17162090152220877,
    -0.3046826723431984,
    0.33839763720473803,
)
_I0_FAR = (
    -7.233180487874754e-18,
    -4.830504485944182e-18,
    4.46562142029676e-17,
    3.461222867697461e-17,
    -2.8276239805165836e-16,
    -3.425485619677219e-16,
    1.7725601330565263e-15,
    3.8116806693526224e-15,
    -9.554846698828307e-15,
    -4.150569347287222e-14,
    1.54008621752141e-14,
    3.8527783827421426e-13,
    7.180124451383666e-13,
    -1.7941785315068062e-12,
    -1.3215811840447713e-11,
    -3.1499165279632416e-11,
    1.1889147107846439e-11,
    4.94060238822497e-10,
    3.3962320257083865e-09,
    2.266668990498178e-08,
    2.0489185894690638e-07,
    2.8913705208347567e-06,
    6.889758346916825e-05,
    0.0033691164782556943,
    0.4022452055070544,
)
_I1_NEAR = (
    -2.111421214358166e-17,
    1.5536319577362005e-16,
    -1.1055969477353862e-15,
    7.600684294735408e-15,
    -5.042185504727912e-14,
    3.223793365945575e-13,
    -1.9839743977649436e-12,
    1.1736186298890901e-11,
    -6.663489723502027e-11,
    3.625590281552117e-10,
    -1.8872497517228294e-09,
    9.381537386495773e-09,
    -4.445059128796328e-08,
    2.0032947535521353e-07,
    -8.568720264695455e-07,
    3.4702513081376785e-06,
    -1.3273163656039436e-05,
    4.781565107550054e-05,
    -0.00016176081582589674,
    0.0005122859561685758,
    -0.0015135724506312532,
    0.004156422944312888,
    -0.010564084894626197,
    0.024726449030626516,
    -0.05294598120809499,
    0.1026436586898471,
    -0.17641651835783406,
    0.12629359322181682,
)
_I1_FAR = (
    7.517296310842105e-18,
    4.414348323071708e-18,
    -4.6503053684893586e-17,
    -3.209525921993424e-17,
    2.96262899764595e-16,
    3.3082023109209285e-16,
    -1.8803547755107825e-15,
    -3.8144030724370075e-15,
    1.0420276984128802e-14,
    4.272440016711951e-14,
    -2.1015418427726643e-14,
    -4.0835511110921974e-13,
    -7.198551776245908e-13,
    2.0356285441470896e-12,
    1.4125807436613782e-11,
    3.2526035830154884e-11,
    -1.8974958123505413e-11,
    -5.589743462196584e-10,
    -3.835380385964237e-09,
    -2.6314688468895196e-08,
    -2.512236237870209e-07,
    -3.882564808877691e-06,
    -0.00011058893876262371,
    -0.009761097491361469,
    0.38928811750914005,
)


@kernel
def i0(x):
    """The modified Bessel function of order 0; nan at the infinities, as in torch, since exp(x) is infinite there."""
    return in_blocks(in_double(lambda block: _grown(block) * _i0e(block)), x)


@kernel
def i0e(x):
    """exp(-|x|) I0(x)."""
    return in_blocks(in_double(_i0e), x)


@kernel
def i1(x):
    """The modified Bessel function of order 1."""
    return in_blocks(in_double(lambda block: _grown(block) * _i1e(block)), x)


@kernel
def i1e(x):
    """exp(-|x|) I1(x)."""
    return in_blocks(in_double(_i1e), x)


def _grown(x):
    xp = namespace(x)
    return xp.exp(xp.abs(x))


def _i0e(x):
    xp = namespace(x)
    a = xp.abs(x)
    near, far = xp.minimum(a, 8.0), xp.maximum(a, 8.0)
    return xp.where(a <= 8, _chebyshev(_I0_NEAR, near / 4 - 1), _chebyshev(_I0_FAR, 16 / far - 1) / xp.sqrt(far))


def _i1e(x):
    xp = namespace(x)
    a = xp.abs(x)
    near, far = xp.minimum(a, 8.0), xp.maximum(a, 8.0)
    y = xp.where(a <= 8, near * _chebyshev(_I1_NEAR, near / 4 - 1), _chebyshev(_I1_FAR, 16 / far - 1) / xp.sqrt(far))
    return xp.copysign(y, x)


def _chebyshev(coefficients, t):
    """Clenshaw's recurrence for the sum of coefficients, highest first, times T_k(t)."""
    t = 2 * t
    previous, current = 0.0, coefficients[0]
    for c in coefficients[1:-1]:
        previous, current = current, t * current - previous + c
    return 0.5 * t * current - previous + coefficients[-1]
