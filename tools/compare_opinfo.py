"""PyTorch's own database of operators, `op_db`, from which its tests draw their inputs, run through minitorch2.

    make opinfo                                         installs what the database imports, then compares everything
    python tools/compare_opinfo.py add linalg.qr        only these operators
    python tools/compare_opinfo.py --reference add      with the longer lists of inputs: extremes, strides, broadcasting

For every operator, dtype and sample: the value, its dtype and shape and whether it requires a gradient; in float64 the
gradients of a random projection of it, and their gradients; the method, the in-place form and the aliases; and for the
inputs that the database lists as errors, the type of the error. Half precision and float32 may differ from PyTorch by
more than its own tests allow where minitorch2 is no more than three times as far as PyTorch from what that computes in
float64.

An operator that is not here, and a call refused by NotImplementedError, is counted as that, not as agreement. The exit
status is 1 if anything else differs that DIFFERS does not explain.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]
sys.path.append(str(ROOT / "build" / "opinfo"))

import numpy as np  # noqa: E402
import torch  # noqa: E402

import minitorch2  # noqa: E402
from minitorch2 import bridge  # noqa: E402

mt: Any = minitorch2

DTYPES = ["float64", "float32", "bfloat16", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
LOW = (torch.bfloat16, torch.float16, torch.float32)
# As torch.testing has them; float16 a little wider: two roundings of one number may lie a unit apart.
CLOSE = {
    torch.float64: (1e-7, 1e-7),
    torch.float32: (1.3e-6, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
    torch.float16: (2e-3, 1e-5),
}
LONGEST = 400  # samples of one operator and dtype

# Compilers, CUDA, quantized and sparse kernels, and what PyTorch's tests call but no program does.
LEFT_OUT = ("jiterator", "torch.ops.", "torch._", "sparse.", "_", "native_", "masked.", "signal.", "to_sparse")

DIFFERS = {  # operator: why
    "as_strided_scatter": "PyTorch gives the elements that are written over a gradient",
    "empty": "not initialised",
    "empty_like": "not initialised",
    "empty_strided": "not initialised",
    "empty_permuted": "not initialised",
    "new_empty": "not initialised",
    "new_empty_strided": "not initialised",
    "svd_lowrank": "LAPACK's choice of signs",
    "pca_lowrank": "LAPACK's choice of signs",
    "svd": "LAPACK's choice of signs",
    "linalg.svd": "LAPACK's choice of signs",
    "linalg.eigh": "LAPACK's choice of signs",
    "topk": "which of equal elements come first",
    "kthvalue": "which of equal elements it is",
    "mode": "which of equal elements it is",
    "sort": "PyTorch's is not stable in int8",
    "argsort": "PyTorch's is not stable in int8",
    "matrix_exp": "PyTorch's is NaN in half precision",
    "nn.functional.linear_cross_entropy": "second derivatives in chunks, which PyTorch has not",
    "nn.functional.multi_head_attention_forward": "rounding of scores in half precision, of which softmax takes exp",
    "linalg.norm": "second derivatives at 0, which are NaN in PyTorch",
    "narrow_copy": "the error is an internal assertion in PyTorch",
    "nextafter": "has no gradient; PyTorch's result says that it has one and refuses to compute it",
}
SECOND = {  # second derivatives that one of the two has not; the other's are 0
    "nn.functional.pad": "the gradient is a constant here, in PyTorch a function of the input with slope 0",
    "nn.functional.rrelu": "as nn.functional.pad",
    "nn.functional.normalize": "as nn.functional.pad, for p = 0",
}


class NotHereError(Exception):
    """minitorch2 has no such function."""


# --- a function of PyTorch's in minitorch2 ---


def _names() -> dict[Any, str]:
    names: dict[Any, str] = {}
    for prefix in ("special", "linalg", "fft", "nn.functional", "Tensor", ""):
        space = torch
        for part in filter(None, prefix.split(".")):
            space = getattr(space, part)
        for key in dir(space):
            value = getattr(space, key)
            if callable(value) and not isinstance(value, type):
                names[value] = f"{prefix}.{key}".lstrip(".")
    return names


NAMES = _names()


def here(path: str) -> Any:
    found: Any = mt
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise NotHereError(path) from None
    return found


def _seeded(function, *args, **kwargs):
    mt.manual_seed(42)  # as wrapper_set_seed of the database does for PyTorch
    return function(*args, **kwargs)


def translated(x: Any, underway: tuple = ()) -> Any:
    """What x is in minitorch2: a function of PyTorch by its name, one of the database rebuilt over our names."""
    if isinstance(x, torch.dtype | torch.memory_format | torch.layout):
        return getattr(mt, str(x).removeprefix("torch."))
    if isinstance(x, torch.device):
        return mt.device(str(x))
    for theirs, ours in ((torch, mt), (torch.nn.functional, mt.nn.functional), (torch.Tensor, mt.Tensor)):
        if x is theirs:
            return ours
    if isinstance(x, torch.nn.LinearCrossEntropyOptions):
        return mt.nn.LinearCrossEntropyOptions(**{f.name: translated(getattr(x, f.name)) for f in fields(x)})
    if isinstance(x, torch.nn.PairwiseDistance):
        return mt.nn.PairwiseDistance(x.norm, x.eps, x.keepdim)
    if isinstance(x, type) or not callable(x) or x in underway:
        return x
    if x in NAMES:
        return here(NAMES[x])
    if not isinstance(x, types.FunctionType):
        return x
    if x.__name__ == "wrapper_set_seed":
        return _seeded
    used = _globals_of(x.__code__)
    space = {key: translated(v, (*underway, x)) if key in used else v for key, v in x.__globals__.items()}
    cells = tuple(types.CellType(translated(c.cell_contents, (*underway, x))) for c in x.__closure__ or ())
    made = types.FunctionType(x.__code__, space, x.__name__, x.__defaults__, cells)
    made.__kwdefaults__ = x.__kwdefaults__
    return made


def _globals_of(code: types.CodeType) -> set[str]:
    inner = (_globals_of(c) for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*inner)


def _memory(x: torch.Tensor) -> tuple[int, int]:
    """Where a tensor's storage begins, and its bytes."""
    storage = x.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


def in_ours(x: Any, pairs: list) -> Any:
    """Arguments for minitorch2, laid out alike. Pairs of corresponding tensors are added to `pairs`; what shares memory
    with one that is there already does so in minitorch2, too."""
    if isinstance(x, torch.Tensor):
        for theirs, ours in pairs:
            if theirs is x:
                return ours
        with_it = (ours for theirs, ours in pairs if _memory(theirs) == _memory(x) and theirs.dtype == x.dtype)
        base = next(with_it, None) if x.numel() else None
        if base is None:
            base = bridge.from_torch(x.detach().as_strided((_memory(x)[1] // x.itemsize,), (1,), 0), copy=True)
        ours = base.detach().as_strided(x.shape, x.stride(), x.storage_offset()).detach()
        pairs.append((x, ours.requires_grad_(x.requires_grad)))
        return ours
    if isinstance(x, torch.Size):
        return mt.Size(x)
    if isinstance(x, dict):
        return {key: in_ours(value, pairs) for key, value in x.items()}
    if isinstance(x, list | tuple):
        items = [in_ours(item, pairs) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    return translated(x)


# --- the same call in both ---


def tensors(x: Any) -> Iterator[Any]:
    if isinstance(x, torch.Tensor | mt.Tensor):
        yield x
    elif isinstance(x, dict | list | tuple):
        for item in x.values() if isinstance(x, dict) else x:
            yield from tensors(item)


def gradients(lib, results: Any, inputs: list, seed: int) -> Any:
    """Of a random projection of the results, or None where nothing requires one."""
    results = [y for y in tensors(results) if y.requires_grad]
    if not results or not inputs:
        return None
    rng = np.random.default_rng(seed)
    upstream = [lib.tensor(rng.standard_normal(tuple(y.shape)), dtype=y.dtype) for y in results]
    return lib.autograd.grad(results, inputs, upstream, create_graph=True, allow_unused=True)


def computed(lib, function, args, kwargs, order: int) -> Any:
    """[value, gradients, gradients of gradients], as far as `order` asks for them; or the exception."""
    try:
        lib.manual_seed(7)
        found = [function(*args, **kwargs)]
        inputs = [t for t in tensors((args, kwargs)) if t.requires_grad]
        for level in range(order):
            found.append(gradients(lib, found[-1], inputs, level))
        return found
    except Exception as error:
        return error


def difference(ours: Any, theirs: Any, level: int, where: str = "") -> str:
    """How ours differs from theirs, or nothing. Level 0 is the value, 1 the gradients, 2 those of the gradients."""
    if isinstance(theirs, torch.Tensor):
        if not isinstance(ours, mt.Tensor):
            return f"{where}: {type(ours).__name__} for a tensor"
        for what in ("dtype", "shape", "requires_grad")[: 2 if level else 3]:
            a, b = (str(getattr(x, what)) for x in (ours, theirs))
            if a != b:
                return f"{where}: {what} {a} for {b}"
        rtol, atol = CLOSE.get(theirs.dtype, (0, 0))
        try:
            found = bridge.to_torch(ours.detach(), copy=True)
            scale = 10.0**level
            torch.testing.assert_close(
                found, theirs.detach(), rtol=rtol * scale, atol=atol * scale, equal_nan=True, check_stride=False
            )
        except AssertionError as error:
            return f"{where}: {' '.join(str(error).split())}"
        return ""
    if isinstance(theirs, dict):
        ours, theirs = (list(x.values()) for x in (ours, theirs))
    if isinstance(theirs, list | tuple) and not isinstance(theirs, torch.Size):
        if not isinstance(ours, list | tuple) or len(ours) != len(theirs):
            return f"{where}: {type(ours).__name__} for {type(theirs).__name__}"
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next(filter(None, (difference(a, b, level, f"{where}[{i}]") for i, (a, b) in pairs)), "")
    if theirs is None and level:  # zeros are as good
        found = max((t.detach().abs().max().item() for t in tensors(ours) if t.numel()), default=0.0)
        return f"{where}: a gradient that is none in PyTorch" if found > 1e-9 else ""
    same = ours == theirs or (ours != ours and theirs != theirs)
    if isinstance(ours, float) and isinstance(theirs, float):
        same = same or abs(ours - theirs) <= 1e-6 * abs(theirs)
    elif not isinstance(theirs, bool | int | str):
        same = same or str(ours).replace("minitorch2", "torch") == str(theirs)
    return "" if same else f"{where}: {ours!r} for {theirs!r}"


def nearer(function, sample, ours: Any, theirs: Any) -> bool:
    """Whether our value is about as near as PyTorch's to what PyTorch computes in float64."""

    def wide(x):
        if isinstance(x, torch.Tensor):
            return x.detach().double() if x.dtype in LOW else x.detach()
        return torch.float64 if x in LOW else x

    exact = sample.transform(wide)
    truth = computed(torch, function, (exact.input, *exact.args), exact.kwargs, 0)
    if isinstance(truth, Exception):
        return False
    for a, b, t in zip(tensors(ours), tensors(theirs), tensors(truth[0]), strict=True):
        if b.dtype not in LOW or a.shape != b.shape:
            return False
        x = bridge.to_torch(a.detach(), copy=True).double()
        finite = torch.isfinite(t) & torch.isfinite(x) & torch.isfinite(b)
        errors = ((y.double() - t)[finite].abs() for y in (x, b.detach()))
        mine, other = (e.max().item() if e.numel() else 0.0 for e in errors)
        if mine > 3 * other or (torch.isnan(x) != torch.isnan(b)).any():
            return False
    return True


def verdict(op, function, mine, sample, order: int) -> tuple[str, str]:
    """(kind of outcome, in words) for one sample."""
    sample = sample.transform(lambda x: x.detach().clone().requires_grad_(x.requires_grad) if _is_tensor(x) else x)
    args, kwargs = (sample.input, *sample.args), sample.kwargs
    our_args, our_kwargs = in_ours((args, kwargs), [])
    theirs = computed(torch, function, args, kwargs, order)
    ours = computed(mt, mine, our_args, our_kwargs, order)
    if isinstance(ours, Exception):
        if isinstance(ours, NotImplementedError) and not isinstance(theirs, NotImplementedError):
            return "refused", str(ours)
        if type(ours).__name__ == type(theirs).__name__:
            return "same", ""
        if isinstance(ours, AttributeError) and ("minitorch2" in str(ours) or "'Tensor' object" in str(ours)):
            raise NotHereError(str(ours).split("'")[-2])
        return "differs", f"{type(ours).__name__}: {ours} for {_in_short(theirs)}"
    if isinstance(theirs, Exception):  # a second derivative that PyTorch has not, a dtype that it has no kernel for
        return "more", _in_short(theirs)
    for level, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        what = ("value", "gradient", "second derivative")[level]
        if level == 2 and op.name in SECOND and (a is None or b is None):
            continue
        found = difference(a, b, level, what)
        if found and not (level == 0 and "not close" in found and nearer(function, sample, a, b)):
            return "differs", found
    return "same", ""


def _is_tensor(x) -> bool:
    return isinstance(x, torch.Tensor)


def _in_short(x) -> str:
    return " ".join(f"{type(x).__name__}: {x}".split())[:200] if isinstance(x, Exception) else "a result"


# --- one operator ---


def in_place(function) -> Callable:
    """function, which writes into its first argument, on a copy of it."""

    def run(x, *args, **kwargs):
        return function(x.clone(), *args, **kwargs)

    return run


def forms(op) -> Iterator[tuple[str, Callable, Callable]]:
    """(name, PyTorch's, ours) of the function, the method, the in-place form and the aliases."""
    listed = {"function": op.get_op(), "method": op.get_method(), "in place": op.get_inplace()}
    listed |= {alias.name: alias.op for alias in op.aliases}
    for name, function in listed.items():
        if function is None:
            continue
        ours = translated(function)
        if ours is function:
            ours = here(op.name)
        if name == "in place":
            function, ours = in_place(function), in_place(ours)
        yield name, function, ours


def samples(op, dtype: str, form: str, reference: bool, wanted: bool) -> Iterator[Any]:
    draw = op.reference_inputs if reference and form == "function" else op.sample_inputs
    torch.manual_seed(0)
    found = draw("cpu", getattr(torch, dtype), requires_grad=wanted)
    return itertools.islice((s for s in found if not (form == "in place" and s.broadcasts_input)), LONGEST)


def outcomes(op, dtypes: list[str], reference: bool) -> Iterator[tuple[str, str, str]]:
    """(kind, where, in words) for every sample of an operator."""
    for form, function, ours in forms(op):
        for dtype in dtypes if form == "function" else set(dtypes) & {"float64", "int64"}:
            if not op.supports_dtype(getattr(torch, dtype), "cpu"):
                continue
            differentiable = op.supports_inplace_autograd if form == "in place" else op.supports_autograd
            wanted = dtype == "float64" and differentiable
            order = (2 if op.supports_gradgrad else 1) if wanted else 0
            for sample in samples(op, dtype, form, reference, wanted):
                kind, words = verdict(op, function, ours, sample, order)
                yield kind, f"{form}, {dtype}", f"{words}   {sample.summary()}"
        if form == "function" and op.error_inputs_func:
            yield from errors(op, function, ours)


def errors(op, function, ours) -> Iterator[tuple[str, str, str]]:
    """The database's inputs that must be refused, where PyTorch does refuse them."""
    for wrong in op.error_inputs("cpu"):
        sample = wrong.sample_input
        args, kwargs = (sample.input, *sample.args), sample.kwargs
        try:
            our_args, our_kwargs = in_ours((args, kwargs), [])
        except Exception:  # complex, sparse, on the meta device
            continue
        theirs = computed(torch, function, args, kwargs, 0)
        if isinstance(theirs, Exception):
            mine = computed(mt, ours, our_args, our_kwargs, 0)
            same = type(mine).__name__ == type(theirs).__name__ or isinstance(mine, NotImplementedError)
            words = f"{_in_short(mine)} for {_in_short(theirs)}"
            yield "same" if same else "accepted" if isinstance(mine, list) else "differs", "errors", words


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operator", nargs="*", help="all of them without one")
    parser.add_argument("--reference", action="store_true", help="the database's longer lists of inputs")
    parser.add_argument("--dtypes", default=",".join(DTYPES), help="only these")
    parser.add_argument("--part", default="1/1", help="2/3: the second third of the operators")
    args = parser.parse_args()
    try:
        from torch.testing._internal.common_methods_invocations import op_db
    except ImportError as error:
        parser.error(f"{error}: make opinfo installs it")
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    part, parts = map(int, args.part.split("/"))
    chosen = [op for op in op_db if not op.name.startswith(LEFT_OUT)]
    chosen = [op for op in chosen if not args.operator or op.name in args.operator]
    total, absent, bad = Counter(), [], 0
    for op in chosen[part - 1 :: parts]:
        name = f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name
        counts, shown = Counter(), {}
        try:
            for kind, where, words in outcomes(op, args.dtypes.split(","), args.reference):
                counts[kind] += 1
                shown.setdefault((kind, where), words)
        except NotHereError as missing:
            absent.append(f"{name} ({missing})" if str(missing) != op.name else name)
        total += counts
        explained = DIFFERS.get(op.name, "")
        bad += bool(counts["differs"]) and not explained
        print(name, dict(counts), explained if counts["differs"] else "", flush=True)
        for (kind, where), words in shown.items():
            if kind in ("differs", "accepted") and not explained:
                print(f"    {kind} ({where}): {words[:600]}", flush=True)
    print(f"not here: {', '.join(absent)}")
    print(f"{sum(total.values())} samples of {len(chosen[part - 1 :: parts]) - len(absent)} operators: {dict(total)}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
