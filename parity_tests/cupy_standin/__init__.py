"""A stand-in for CuPy on machines without a GPU: NumPy's arithmetic behind CuPy's rules.

    import cupy_standin
    cupy_standin.install()          # sys.modules["cupy"] is the stand-in from now on

It computes with NumPy and refuses what CuPy refuses: a NumPy array where one on the device is needed, the conversion of
a device array to NumPy without being asked (`__array__`), names and arguments that CuPy lacks (names.json holds those
of the version named in it), `where=` in a ufunc, lists in a ufunc. What it cannot show is whether the GPU's own code is
right: no GPU code runs. Every transfer between host and device is counted in `transfers`.

Where CuPy is laxer than this, the stand-in is strict on purpose: indexing with a NumPy array (CuPy copies it to the
device in silence).
"""

from .arrays import ndarray, transfers
from .module import install, make, uninstall

__all__ = ["install", "make", "ndarray", "transfers", "uninstall"]
