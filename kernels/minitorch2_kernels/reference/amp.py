"""The arithmetic of gradient scaling. Nothing here waits for a value: what was found stays where the arrays are.

Source: torch's GradScaler.
"""

from ..dispatch import kernel, namespace


@kernel
def unscale(grads, inverse, found):
    """Each of grads times inverse, and found becomes 1 where one of them holds an inf or a nan. All in place.

    grads: of one dtype, float32 or float64, of any shapes. inverse, found: float32, without dims.
    """
    xp = namespace(inverse)
    for grad in grads:
        found[...] = xp.where(xp.isfinite(grad).all(), found, xp.float32(1))
        grad *= inverse


@kernel
def update_scale(scale, tracker, found, growth_factor, backoff_factor, growth_interval):
    """The next scale and count of good steps, in place: scale (float32) and tracker (int32), without dims.

    Where found is not 0: scale *= backoff_factor, and the count begins anew. Else one more good step; the
    growth_interval-th multiplies the scale by growth_factor, unless that is no longer finite.
    """
    xp = namespace(scale)
    wide = scale.astype(xp.float64)  # so that a factor such as 1.1 is not rounded before it is used
    smaller, larger = ((wide * factor).astype(xp.float32) for factor in (backoff_factor, growth_factor))
    count = tracker + xp.int32(1)
    bad, full = found != 0, count == growth_interval
    scale[...] = xp.where(bad, smaller, xp.where(full & xp.isfinite(larger), larger, scale))
    tracker[...] = xp.where(bad | full, xp.int32(0), count)
