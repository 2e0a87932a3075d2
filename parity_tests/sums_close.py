"""How near a product of float32 matrices is to be to the exact one."""

import numpy as np


def close(ours, exact, terms):
    """The sums differ by their order and roundings: of `terms` numbers, by as many eps of the largest result."""
    scale = np.abs(exact).max(initial=1)
    np.testing.assert_allclose(ours, exact, rtol=0, atol=terms * np.finfo(np.float32).eps * scale)
