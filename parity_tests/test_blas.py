"""Which BLAS the kernels talk to."""

import ctypes
import os
import shutil

import pytest

from minitorch2_kernels.cpu import blas


@pytest.mark.skipif(not blas.controllable, reason="NumPy's BLAS here has no thread count to set")
def test_numpys_own_is_found_beside_scipys(tmp_path):
    """SciPy's wheel brings an OpenBLAS of its own, of the same names: it is not the one that NumPy computes with."""
    (own,) = dict.fromkeys(map(os.path.realpath, blas._candidates()))
    folder = tmp_path / "scipy.libs"
    folder.mkdir()
    other = folder / f"other_{os.path.basename(own)}"
    shutil.copy(own, other)
    ctypes.CDLL(str(other))
    assert str(other) in blas._loaded()
    get, set_ = blas._find()
    before = blas.get_threads()
    try:
        set_(before + 1)
        assert (get(), blas.get_threads()) == (before + 1, before + 1)
    finally:
        set_(before)
