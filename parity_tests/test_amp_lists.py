"""Every function that autocast's lists name, and others beside them: torch's dtype and value for each.

CUDA's lists are compared by dtype: torch's with real tensors where it finds a GPU, else with its FakeTensors, which
pass the same dispatcher; ours on the GPU or on the stand-in for CuPy.
"""

import contextlib

import amp_cases
import numpy as np
import pytest
import torch
from amp_cases import TOLERANCE, as_array, dtype_name
from on_gpu import REAL, gpu
from torch._subclasses.fake_tensor import FakeTensorMode

import minitorch2 as mt

VARIANTS = ("float32", "lower", "mixed")
LISTED, OTHERS = amp_cases.lines(amp_cases.LISTED), amp_cases.lines(amp_cases.OTHERS)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
on_cuda = pytest.mark.gpu if REAL else lambda test: test  # there it belongs to the tests of the GPU


def tensors(lib, variant, lower, device="cpu"):
    """What the expressions name: floats in float32, in the lower dtype, or every other one in it."""
    found = {"torch": lib, "F": lib.nn.functional}
    for i, (name, array) in enumerate(amp_cases.arrays().items()):
        t = lib.from_numpy(array)
        if isinstance(device, FakeTensorMode):
            with device:
                t = torch.empty(array.shape, dtype=t.dtype, device="cuda")
        elif device != "cpu":
            t = t.to(device)
        if array.dtype.kind == "f" and (variant == "lower" or (variant == "mixed" and i % 2)):
            with device if isinstance(device, FakeTensorMode) else contextlib.nullcontext():
                t = t.to(getattr(lib, lower))
        found[name] = t
    return found


@pytest.mark.parametrize("lower", ["bfloat16", "float16"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_function_has_torchs_dtype_and_value_on_the_cpu(variant, lower):
    ours, theirs = (tensors(lib, variant, lower) for lib in (mt, torch))
    wrong = []
    for expression in LISTED + OTHERS:
        try:
            with torch.autocast("cpu", dtype=getattr(torch, lower)):
                b = eval(expression, dict(theirs))
        except RuntimeError:  # torch refuses some mixtures of dtypes where this library promotes
            assert variant == "mixed", f"torch cannot do {expression}"
            continue
        with mt.autocast("cpu", dtype=getattr(mt, lower)):
            a = eval(expression, dict(ours))
        if dtype_name(a) != dtype_name(b):
            wrong.append(f"{expression}: {dtype_name(a)}, in torch {dtype_name(b)}")
        elif not np.allclose(as_array(a), as_array(b), rtol=TOLERANCE[lower], atol=TOLERANCE[lower]):
            wrong.append(f"{expression}: off by {np.abs(as_array(a) - as_array(b)).max()}")
    assert not wrong, "\n".join(wrong)


# What torch cannot do: refused under autocast, not there for halves, or with FakeTensors, which hold no numbers.
NOT_IN_TORCH = {
    "F.binary_cross_entropy(p, z)",
    "torch.quantile(x, 0.3)",
    "torch.nanquantile(x, 0.3, dim=1)",
    "torch.cov(x)",
    "torch.corrcoef(x)",
    "F.gaussian_nll_loss(x, y, z)",
    "F.unfold(img, 2)",
}
# Whose dtype on CUDA is another in torch 2.11 than in 2.13, the specification.
OTHERWISE_IN_2_11 = {"torch.trace(s)", "F.rms_norm(x, (4,), u)"} if torch.__version__.startswith("2.11.") else set()


@contextlib.contextmanager
def torch_cuda_region(lower):
    """torch.autocast("cuda"), which torch refuses without a GPU, by its switches."""
    torch.set_autocast_dtype("cuda", getattr(torch, lower))
    torch.set_autocast_enabled("cuda", True)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", torch.float16)
        torch.clear_autocast_cache()


@on_cuda
@pytest.mark.parametrize("lower", ["float16", "bfloat16"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_function_has_torchs_dtype_on_cuda(variant, lower):
    where = "cuda" if torch.cuda.is_available() else FakeTensorMode()
    theirs, expected = tensors(torch, variant, lower, where), {}
    with where if isinstance(where, FakeTensorMode) else contextlib.nullcontext():
        for expression in LISTED + OTHERS:
            with torch_cuda_region(lower), contextlib.suppress(Exception):
                expected[expression] = dtype_name(eval(expression, dict(theirs)))
    missing = set(LISTED + OTHERS) - set(expected) - NOT_IN_TORCH
    assert variant == "mixed" or not missing, f"torch cannot do {missing}"
    wrong = []
    with gpu():
        ours = tensors(mt, variant, lower, "cuda")
        for expression, dtype in expected.items():
            if expression in OTHERWISE_IN_2_11:
                continue
            with mt.autocast("cuda", dtype=getattr(mt, lower)):
                try:
                    found = dtype_name(eval(expression, dict(ours)))
                except Exception as error:
                    found = repr(error)
            if found != dtype:
                wrong.append(f"{expression}: {found}, in torch {dtype}")
    assert not wrong, "\n".join(wrong)


@on_cuda
def test_binary_cross_entropy_is_refused_on_cuda():
    with gpu():
        p = mt.full((2,), 0.5, device="cuda")
        with mt.autocast("cuda"), pytest.raises(RuntimeError, match="are unsafe to autocast"):
            mt.nn.functional.binary_cross_entropy(p, p)
        with mt.autocast("cpu"):  # a region for other tensors
            assert mt.mm(mt.eye(2, device="cuda"), mt.eye(2, device="cuda")).dtype is mt.float32
