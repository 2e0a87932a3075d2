"""Names that programs meet beside the tensors': windows, foreach functions, versions, timers, pieces."""

import io
import pickle
import re

import numpy as np
import pytest
import torch
import torch.utils.benchmark
from side_by_side import same

import minitorch2

BOTH = (torch, minitorch2)
WINDOWS = {
    "exponential": [{}, {"tau": 2.5}, {"center": 1.5, "sym": False}, {"tau": 0.0}, {"center": 1.0}],
    "cosine": [{}],
    "gaussian": [{}, {"std": 0.9}, {"std": -1.0}],
    "kaiser": [{}, {"beta": 3.0}, {"beta": -1.0}],
    "hamming": [{}],
    "hann": [{}],
    "blackman": [{}],
    "bartlett": [{}],
    "general_cosine": [{"a": [0.46, 0.23, 0.31]}, {"a": []}, {"a": 3}],
    "general_hamming": [{}, {"alpha": 0.3}],
    "nuttall": [{}],
}


@pytest.mark.parametrize("M", [0, 1, 2, 5, 10])
@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name, M):
    for options in WINDOWS[name]:
        for sym in (True, False):
            for dtype in ("float32", "float64"):
                results = []
                for lib in BOTH:
                    window = getattr(lib.signal.windows, name)
                    try:
                        made = window(M, **{"sym": sym, "dtype": getattr(lib, dtype), **options})
                    except (TypeError, ValueError) as error:
                        results.append((type(error), str(error)))
                    else:
                        assert str(made.dtype) == f"torch.{dtype}"
                        results.append(made.numpy())
                if isinstance(results[0], tuple):
                    assert results[0] == results[1]
                else:
                    np.testing.assert_allclose(
                        results[1], results[0], rtol=0, atol=1e-6 if dtype == "float32" else 1e-15
                    )


def test_windows_are_refused():
    same(lambda lib: lib.signal.windows.hann(-1))
    same(lambda lib: lib.signal.windows.blackman(3, dtype=lib.float16))
    same(lambda lib: lib.signal.windows.cosine(3, dtype=lib.int64))
    same(lambda lib: lib.signal.windows.hann(3, requires_grad=True).requires_grad)


FOREACH = [
    "add(xs, 2)",
    "add(xs, ys)",
    "add(xs, ys, alpha=2)",
    "add(xs, [1.0, 2.0])",
    "add(xs, number)",
    "add(xs, number, alpha=2)",
    "add_(xs, ys, alpha=0.5)",
    "sub(xs, ys)",
    "sub_(xs, 1)",
    "mul(xs, number)",
    "mul_(xs, [2, 3])",
    "div(xs, ys)",
    "div_(xs, 4)",
    "pow(xs, 2)",
    "pow(xs, [2, 3])",
    "pow(2.0, xs)",
    "lerp(xs, ys, 0.3)",
    "lerp_(xs, ys, [0.3, 0.7])",
    "lerp(xs, ys, ys)",
    "addcmul(xs, ys, ys)",
    "addcmul_(xs, ys, ys, value=3)",
    "addcmul(xs, ys, ys, [2.0, 3.0])",
    "addcmul(xs, ys, ys, lib.tensor([2.0, 3.0]))",
    "addcdiv_(xs, ys, xs, 2)",
    "clamp_min(xs, 1.5)",
    "clamp_max_(xs, ys)",
    "maximum(xs, ys)",
    "minimum(xs, [1.0, 2.0])",
    "zero_(xs)",
    "copy_(xs, ys)",
    "copy_(xs, [lib.ones(2), lib.ones(4)])",
    "clone(xs)",
    "norm(xs)",
    "norm(xs, 1)",
    "norm(xs, ord=3, dtype=lib.float64)",
    "max(xs)",
    "add(self=xs, scalar=1)",
    "add(xs, other=ys)",
    "add(xs, [1.0])",
    "add(xs, ys[:1])",
    "add([], 1)",
    "sqrt(lib.ones(2, 2))",
    "sqrt(x for x in xs)",
    "neg([1])",
    "mul(xs, lib.tensor([2.0]))",
    *(
        f"{name}{form}(xs)"
        for name in ("abs", "ceil", "floor", "neg", "reciprocal", "sign", "sqrt", "trunc")
        for form in ("", "_")
    ),
]


@pytest.mark.parametrize("call", FOREACH)
def test_foreach(call):
    def run(lib):
        name, _, arguments = call.partition("(")
        xs, ys = (
            [lib.tensor([1.0, 2.0]), lib.tensor([3.0, 0.5, 1.5])],
            [lib.tensor([2.0, 0.5]), lib.tensor([1.0, 1.0, 4.0])],
        )
        names = {"each": getattr(lib, f"_foreach_{name}"), "xs": xs, "ys": ys, "number": lib.tensor(3.0), "lib": lib}
        result = eval(f"each({arguments}", names)
        assert (result is xs) == name.endswith("_")
        return result, xs

    same(run)


def test_foreach_names():
    assert all(hasattr(minitorch2, name) for name in dir(torch) if name.startswith("_foreach_"))
    with pytest.raises(AttributeError, match="_foreach_nothing"):
        minitorch2._foreach_nothing  # noqa: B018


def test_foreach_has_gradients():
    for lib in BOTH:
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        sum(y.sum() for y in lib._foreach_mul([x, x], [2.0, 3.0])).backward()
        assert x.grad.tolist() == [5.0, 5.0]


VERSIONS = [
    "1.2",
    "1.2.0",
    "1.2.3",
    "1.2.3a0",
    "1.2.3.dev5",
    "1.2.3rc1",
    "1.2.3.post1",
    "1.2.3+cu118",
    "1.10",
    "parrot",
]


@pytest.mark.parametrize("one", VERSIONS)
def test_versions(one):
    for other in (*VERSIONS, (1, 2), [1, 10], (1, 2, 3), 1, None):
        for method in ("__lt__", "__le__", "__eq__", "__ge__", "__gt__"):
            theirs, ours = (getattr(lib.torch_version.TorchVersion(one), method)(other) for lib in BOTH)
            assert ours == theirs, (other, method)


def test_the_version_is_one():
    assert isinstance(minitorch2.__version__, minitorch2.torch_version.TorchVersion)
    assert minitorch2.__version__ == minitorch2.version.__version__
    assert minitorch2.__version__ > (0, 0) and not minitorch2.__version__ >= "9.0"
    assert hash(minitorch2.__version__) == hash(str(minitorch2.__version__))
    assert pickle.loads(pickle.dumps(minitorch2.__version__)) == minitorch2.__version__


def test_checkpoints_keep_the_version_as_text():
    file = io.BytesIO()
    minitorch2.save({"version": minitorch2.__version__, "again": minitorch2.__version__}, file)
    for lib in BOTH:
        file.seek(0)
        read = lib.load(file)
        assert type(read["version"]) is str and read["version"] == read["again"] == str(minitorch2.__version__)


SEGMENTS = [
    "x, 'sum', lengths=n",
    "x, 'mean', lengths=n",
    "x, 'max', lengths=n",
    "x, 'min', lengths=n",
    "x, 'prod', lengths=n",
    "x, 'sum', lengths=n, initial=1.0",
    "x, 'mean', lengths=n, initial=1.0",
    "x, 'max', lengths=n, initial=1.0",
    "x, 'prod', lengths=n, initial=3.0",
    "x, 'max', offsets=lib.tensor([0, 2, 2, 5])",
    "x, 'sum', offsets=lib.tensor([1, 2, 4])",
    "x.t(), 'sum', lengths=lib.tensor([[2, 4], [3, 3]]), axis=1",
    "x.t(), 'mean', lengths=lib.tensor([[2, 4], [0, 6]]), axis=1",
    "x[:, 0], 'max', lengths=n.int()",
    "x, 'sum', lengths=n[:2], unsafe=True",
    "x, 'sum', lengths=n[:2]",
    "x, 'sum', lengths=lib.tensor([2, -3, 7])",
    "x, 'sum', lengths=n, axis=1",
    "x, 'sum', indices=n",
    "x, 'sum'",
    "x, 'sum', lengths=n.float()",
    "x.long(), 'sum', lengths=n",
]


@pytest.mark.parametrize("text", SEGMENTS)
def test_segment_reduce(text):
    results = []
    for lib in BOTH:
        x = lib.tensor([[1.0, 2.0], [1.0, 0.0], [3.0, -1.0], [0.5, 0.0], [3.0, 1.0], [7.0, 2.5]], requires_grad=True)
        call = f"segment_reduce({text})"
        try:
            y = eval(call, {"segment_reduce": lib.segment_reduce, "x": x, "lib": lib, "n": lib.tensor([2, 0, 3, 1])})
        except Exception as error:
            results.append((type(error), re.sub("[;:] (it takes|convert).*", "", str(error))))
            continue
        assert y.is_contiguous() and y.grad_fn.name() == "SegmentReduceBackward0"
        (y * lib.arange(1.0, y.numel() + 1).reshape(y.shape)).nan_to_num(0.0, 0.0, 0.0).sum().backward()
        results.append((y.tolist(), x.grad.tolist()))
    assert repr(results[1]).replace("-0.0", "0.0") == repr(results[0]).replace("-0.0", "0.0")


def test_segment_reduce_is_differentiable_twice():
    x = minitorch2.tensor(
        [[1.0, 2.0], [4.0, 0.5], [3.0, -1.0], [0.5, 7.0]], dtype=minitorch2.float64, requires_grad=True
    )
    lengths = minitorch2.tensor([1, 3])
    for reduce in ("sum", "mean", "max", "min", "prod"):
        assert minitorch2.autograd.gradgradcheck(
            lambda x, r=reduce: minitorch2.segment_reduce(x, r, lengths=lengths), x
        )


def test_binomial():
    cases = [
        lambda lib: lib.binomial(lib.tensor([10.0, 20.0]), lib.tensor([0.3, 0.6])),
        lambda lib: lib.binomial(lib.full((3, 2), 100.0).t().double(), lib.full((2, 3), 0.5).double()),
        lambda lib: lib.binomial(lib.tensor([10.0, 20.0]), lib.tensor(0.5)),
        lambda lib: lib.binomial(lib.tensor([10.0]), lib.tensor([0.5]), generator=lib.Generator().manual_seed(3)),
        lambda lib: lib.binomial(lib.tensor([10]), lib.tensor([0.5])),
        lambda lib: lib.binomial(lib.tensor([10.0]), lib.tensor([0.5]).double()),
        lambda lib: lib.binomial(lib.tensor([10.0]).half(), lib.tensor([0.5]).half()),
        lambda lib: lib.binomial(lib.tensor([10.0]), 0.5),
    ]
    for case in cases:
        same(lambda lib, case=case: (lib.manual_seed(5), case(lib))[1])
    for lib in BOTH:
        with pytest.raises(RuntimeError, match="derivative for aten::binomial is not implemented"):
            lib.binomial(lib.tensor([10.0]), lib.tensor([0.5], requires_grad=True)).sum().backward()


def test_empty_permuted():
    for layout in ((1, 2, 0), (0, 1, 2), (2, 1, 0)):
        same(lambda lib, layout=layout: lib.empty_permuted((2, 3, 4), layout, dtype=lib.float64).stride())
    for layout in ((1, 2), (1, 2, 2)):
        same(lambda lib, layout=layout: lib.empty_permuted((2, 3, 4), layout))
    for lib in BOTH:
        with pytest.raises(RuntimeError, match="Dimension out of range"):
            lib.empty_permuted((2, 3), (0, -1))


def test_other_accelerators():
    for lib in BOTH:
        assert not lib.xpu.is_available() and lib.xpu.device_count() == 0
        assert not lib.mps.is_available() and not lib.mtia.is_available()
    assert minitorch2.set_flush_denormal(True) is False
    with pytest.raises(TypeError):
        minitorch2.set_flush_denormal(1)


def measurement(lib, seconds, runs=10, **options):
    spec = lib.utils.benchmark.TaskSpec("x + 1", "pass", **options)
    return lib.utils.benchmark.Measurement(runs, list(seconds), spec)


@pytest.mark.parametrize(
    "seconds", [[1e-3], [1e-3, 1.01e-3, 1.02e-3, 0.99e-3], [1e-7, 2e-7, 4e-7, 9e-7], [3.0, 3.1, 3.7, 3.2]]
)
def test_measurement(seconds):
    def facts(lib):
        m = measurement(lib, seconds, label="sum", sub_label="small", description="here", num_threads=2)
        text = repr(m).splitlines()[1:]
        numbers = [round(n, 15) for n in (*m.times, m.median, m.mean, m.iqr)]
        return text, numbers, m.has_warnings, m.significant_figures, m.meets_confidence(0.5), m.title, m.label, m.stmt

    same(facts)
    same(lambda lib: repr(measurement(lib, seconds)).splitlines()[1:])


def test_measurements_merge():
    def merged(lib):
        some = [measurement(lib, [1e-3], 10), measurement(lib, [2e-3], 5), measurement(lib, [1.0], label="other")]
        merge = lib.utils.benchmark.Measurement.merge
        return [(m.number_per_run, m.raw_times, m.title) for m in merge(some)]

    same(merged)
    same(lambda lib: [lib.utils.benchmark.select_unit(t) for t in (2e-8, 3e-5, 0.002, 0.5, 7.0)])
    same(lambda lib: [lib.utils.benchmark.unit_to_english(u) for u in ("ns", "us", "ms", "s")])
    same(lambda lib: lib.utils.benchmark.ordered_unique([2, 1, 2]))
    for lib in BOTH:
        assert lib.utils.benchmark.trim_sigfig(3.14159, 2) == pytest.approx(3.1)


def test_timer():
    calls, threads = [], minitorch2.get_num_threads()
    kit = minitorch2.utils.benchmark
    timer = kit.Timer(
        "\n    y = torch.add(x, 1)\n    calls.append(torch.get_num_threads())",
        globals={"calls": calls, "x": 1 + minitorch2.ones(3)},
        label="add",
    )
    once = timer.timeit(200)
    assert len(calls) == 202 and set(calls) == {1} and minitorch2.get_num_threads() == threads
    assert once.number_per_run == 200 and len(once.raw_times) == 1 and 0 < once.median < 1
    assert once.task_spec.stmt == "y = torch.add(x, 1)\ncalls.append(torch.get_num_threads())"
    seen = []
    blocks = timer.blocked_autorange(lambda number, seconds: seen.append((number, seconds)), min_run_time=0.02)
    assert [s for _, s in seen] == blocks.raw_times and sum(blocks.raw_times) >= 0.02
    assert {n for n, _ in seen} == {blocks.number_per_run}
    steady = timer.adaptive_autorange(threshold=100.0, min_run_time=0.001)
    assert len(steady.raw_times) >= 4
    for lib in BOTH:
        with pytest.raises(ValueError, match="only a `str` stmt"):
            lib.utils.benchmark.Timer(len)
        with pytest.raises(NotImplementedError, match="blocked_autorange"):
            lib.utils.benchmark.Timer("pass").repeat()
        with pytest.raises(ValueError, match="Invalid language"):
            lib.utils.benchmark.Timer("pass", language="fortran")
