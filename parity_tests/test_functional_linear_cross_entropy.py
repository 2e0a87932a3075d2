"""linear_cross_entropy: as torch's with options and without, and as its composition; what the options save."""

import dataclasses
import itertools
import tracemalloc

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, check_warning, floats
from hypothesis import given
from hypothesis import strategies as st
from on_gpu import gpu, host

import minitorch2 as mt
from minitorch2 import bridge

SUMS = 256  # of products over the features, whose terms cancel


def options(lib, **fields):
    return lib.nn.LinearCrossEntropyOptions(**fields)


@given(
    data=st.data(),
    n=st.sampled_from([None, 1, 5]),
    out=st.sampled_from([(), (), (2,), (2, 3)]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    biased=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.2]),
    soft=st.booleans(),
    ignore=st.sampled_from([None, 1]),
)
def test_without_options(data, n, out, reduction, biased, smoothing, soft, ignore):
    out = () if n is None else out
    x, w, b = (data.draw(floats(s)) for s in (((n, 3) if n else (3,)), (4, *out, 3), (4, *out)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    lead = (n,) if n else ()
    t = rng.uniform(size=(*lead, 4, *out)) if soft else np.asarray(rng.integers(0, 4, (*lead, *out)))
    class_weight = rng.uniform(0.5, 2, 4)

    def action(lib, F, x, w, b, t):
        return F.linear_cross_entropy(
            x,
            w,
            t.detach(),
            linear_bias=b if biased else None,
            weight=lib.from_numpy(class_weight),
            reduction=reduction,
            ignore_index=None if soft else ignore,
            label_smoothing=smoothing,
        )

    if not soft and ignore is not None and t.size:
        t.flat[0] = 0  # one that counts
    check(action, x, w, b, t, ulps=SUMS)


CHUNKS = [
    {"batch_chunk_size": 2},
    {"batch_chunk_size": 100},
    {},
    {"chunking_method": "aspect_ratio"},
    {"chunking_method": "aspect_ratio:3", "acc_policy": "accurate"},
    {"chunking_method": None, "acc_policy": "balanced"},
]


@given(
    data=st.data(),
    n=st.sampled_from([None, 0, 1, 7]),
    chunks=st.sampled_from(CHUNKS),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    biased=st.booleans(),
    weighted=st.booleans(),
    ignore=st.sampled_from([None, 1]),
)
def test_with_options(data, n, chunks, reduction, biased, weighted, ignore):
    x, w, b = (data.draw(floats(s)) for s in (((3,) if n is None else (n, 3)), (5, 3), (5,)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    t, class_weight = np.asarray(rng.integers(0, 5, () if n is None else n)), rng.uniform(0.5, 2, 5)
    if t.size:
        t.flat[0] = 0

    def action(lib, F, x, w, b, t, chunks=chunks):
        return F.linear_cross_entropy(
            x,
            w,
            t,
            linear_bias=b if biased else None,
            weight=lib.from_numpy(class_weight) if weighted else None,
            reduction=reduction,
            ignore_index=ignore,
            options=None if chunks is None else options(lib, **chunks),
        )

    check(action, x, w, b, t, order=1, ulps=SUMS)
    check(action, *(a.astype("float32") for a in (x, w)), b.astype("float32"), t, order=0, ulps=SUMS) if not (
        weighted
    ) else None
    found = []
    for how in (chunks, None):  # torch has no second derivative there: that of the composition
        arrays = [mt.from_numpy(np.array(a)) for a in (x, w, b, t)]
        leaves = [a.requires_grad_() for a in arrays[: 3 if biased else 2]]
        loss = action(mt, mt.nn.functional, *arrays, chunks=how).square().sum()
        first = mt.autograd.grad(loss, leaves, create_graph=True)
        found.append(mt.autograd.grad(sum(g.square().sum() for g in first), leaves))
    for mine, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(mine.cpu().numpy(), wanted.cpu().numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("fields", [None, {}, {"acc_policy": "accurate", "acc_dtype": "float32"}])
def test_half_precision(name, reduction, fields):
    rng = np.random.default_rng(0)
    x, w, t = rng.normal(size=(6, 4)), rng.normal(size=(5, 4)), rng.integers(0, 5, 6)

    def action(lib, F, x, w, t):
        given = None
        if fields is not None:
            given = options(lib, **{k: getattr(lib, v) if k == "acc_dtype" else v for k, v in fields.items()})
        low = getattr(lib, name)
        return F.linear_cross_entropy(x.to(low), w.to(low), t, reduction=reduction, options=given)

    # gradients are sums of up to 6 that were rounded to half precision: here once, in torch here and there
    check(action, x, w, t, order=0, ulps=2)
    ours, theirs = [], []
    for lib, found in ((mt, ours), (torch, theirs)):
        leaves = [lib.from_numpy(a).requires_grad_() for a in (x, w)]
        action(lib, lib.nn.functional, *leaves, lib.from_numpy(t)).sum().backward()
        found += [leaf.grad.cpu().numpy() for leaf in leaves]
    for mine, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, wanted, atol=8 * 2.0 ** (-10 if name == "float16" else -7))


def loss_of(lib, fields, reduction="mean"):
    rng = np.random.default_rng(0)
    x, w = (lib.from_numpy(rng.normal(size=s)).requires_grad_() for s in ((6, 4), (5, 4)))
    target = lib.from_numpy(np.arange(6) % 5)
    chosen = options(lib, **fields)
    return lib.nn.functional.linear_cross_entropy(x, w, target, reduction=reduction, options=chosen), (x, w)


def test_backward_twice():
    """Without allow_retain_graph the gradients are there once, with it and with "none" every time."""
    for lib in (mt, torch):
        loss, leaves = loss_of(lib, {"batch_chunk_size": 2})
        lib.autograd.grad(loss, leaves, retain_graph=True)
        with pytest.raises(RuntimeError, match="linear_cross_entropy chunked backward called twice"):
            lib.autograd.grad(loss, leaves)
        for fields, reduction in (({"allow_retain_graph": True}, "mean"), ({}, "none")):
            loss, leaves = loss_of(lib, fields, reduction)
            once = lib.autograd.grad(loss.sum(), leaves, retain_graph=True)
            again = lib.autograd.grad(2 * loss.sum(), leaves)
            for a, b in zip(once, again, strict=True):
                np.testing.assert_allclose((2 * a).cpu().numpy(), b.cpu().numpy())


def test_where_all_targets_are_ignored():
    x, w, t = np.ones((3, 2)), np.ones((4, 2)), np.full(3, -100)
    for reduction, fields in itertools.product(("mean", "sum", "none"), (None, {}, {"batch_chunk_size": 1})):
        check(
            lambda lib, F, x, w, t, r=reduction, f=fields: F.linear_cross_entropy(
                x, w, t, reduction=r, options=None if f is None else options(lib, **f)
            ),
            x,
            w,
            t,
            order=1,
        )


@pytest.mark.cpu("it counts NumPy's bytes")
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_the_logits_are_never_whole(reduction):
    n, features, classes = 256, 8, 4096
    x, w = mt.randn(n, features, requires_grad=True), mt.randn(classes, features, requires_grad=True)
    target = mt.randint(0, classes, (n,))
    peaks = []
    for chosen in (None, options(mt)):
        tracemalloc.start()
        mt.nn.functional.linear_cross_entropy(x, w, target, reduction=reduction, options=chosen).sum().backward()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] > 4 * n * classes > 4 * peaks[1]


def test_options_are_torchs():
    ours, theirs = (lib.nn.LinearCrossEntropyOptions for lib in (mt, torch))
    names = [[(f.name, f.default) for f in dataclasses.fields(cls)] for cls in (ours, theirs)]
    assert names[0] == names[1] and repr(ours()) == repr(theirs()) and ours() == ours() and len({ours(), ours()}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        ours().acc_policy = "compact"


@given(
    n=st.integers(0, 5000),
    features=st.integers(1, 300),
    classes=st.integers(0, 9000),
    fields=st.sampled_from([*CHUNKS, {"acc_dtype": "float32"}, {"acc_policy": "compact"}]),
    name=st.sampled_from(["float16", "bfloat16", "float32", "float64"]),
)
def test_what_the_options_settle(n, features, classes, fields, name):
    """The private method by which torch's packages learn how many rows are one piece."""
    settled = []
    for lib in (mt, torch):
        given = {k: getattr(lib, v) if k == "acc_dtype" else v for k, v in fields.items()}
        call = n, features, classes, getattr(lib, name), lib.device("cpu")
        try:
            settled.append(repr(options(lib, **given)._adjust(*call)))
        except Exception as error:
            settled.append(type(error))
    assert settled[0] == settled[1]


X, W, T = np.ones((4, 3)), np.ones((5, 3)), np.array([1, 2, 3, 0])
ERRORS = [
    lambda t, F, x, w, y: F.linear_cross_entropy(x[None], w, y),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w[0], y),
    lambda t, F, x, w, y: F.linear_cross_entropy(x[:, :2], w, y),
    lambda t, F, x, w, y: F.linear_cross_entropy(x[0], w[:, None], y[:1]),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, linear_bias=t.zeros(4).double()),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, linear_bias=t.zeros(5)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w.float(), y),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, t.ones(4, 5).double(), ignore_index=2),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, t.ones(4, 5).long()),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y[:3]),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y[:, None]),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y.int()),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, reduction="max"),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, label_smoothing=2),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, weight=t.ones(4).double()),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, t.ones(5)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x.long(), w.long(), y),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y[:3], options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y[:, None], options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w.float(), y, options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, weight=t.ones(5, 1).double(), options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, reduction="max", options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, label_smoothing=2.0, options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y.int(), options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x.long(), w.long(), y, options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x[:, :0], w[:, :0], y, options=options(t)),
    lambda t, F, x, w, y: F.linear_cross_entropy(x, w, y, options=options(t, acc_dtype=t.float32)),
    lambda t, F, x, w, y: F.linear_cross_entropy(
        x, w, y, options=options(t, batch_chunk_size=3, chunking_method="aspect_ratio")
    ),
    lambda t, F, x, w, y: options(t, acc_policy="exact"),
    lambda t, F, x, w, y: options(t, chunking_method="rows"),
    lambda t, F, x, w, y: options(t, chunking_method="aspect_ratio:0"),
    lambda t, F, x, w, y: options(t, chunking_method="aspect_ratio:"),
    lambda t, F, x, w, y: options(t, batch_chunk_size=0),
    lambda t, F, x, w, y: options(t, batch_chunk_size=1.5),
    lambda t, F, x, w, y: options(t, acc_dtype=t.int8),
    lambda t, F, x, w, y: t.nn.LinearCrossEntropyLoss(3, 5, weight=t.ones(4)),
    lambda t, F, x, w, y: t.nn.LinearCrossEntropyLoss(3, 5, label_smoothing=1.5),
    lambda t, F, x, w, y: t.nn.LinearCrossEntropyLoss(3, 5, (2,)),
]


@pytest.mark.parametrize("action", ERRORS)
def test_errors(action):
    check_error(action, X, W, T)


@pytest.mark.cpu("a GPU is not waited for: the loss is NaN there")
def test_targets_out_of_range():
    for wrong, fields in itertools.product((5, -1), (None, {}, {"batch_chunk_size": 1})):
        check_error(
            lambda t, F, x, w, y, f=fields: F.linear_cross_entropy(
                x, w, y, options=None if f is None else options(t, **f)
            ),
            X,
            W,
            np.array([1, 2, wrong, 0]),
        )


def test_what_torch_reads_beyond_is_refused():
    """torch's chunked way takes these, and computes with a part of them."""
    F, (x, w, t) = mt.nn.functional, map(mt.from_numpy, (X, W, T))
    for wrong in (
        {"target": mt.zeros(9).long()},
        {"target": t, "weight": mt.ones(4).double()},
        {"target": t, "weight": mt.ones(5)},
        {"target": t, "linear_bias": mt.ones(5)},
    ):
        with pytest.raises(RuntimeError):
            F.linear_cross_entropy(x, w, **wrong, options=options(mt))


def test_options_that_are_ignored_are_warned_of():
    for ignored in ({"label_smoothing": 0.1}, {"linear_bias": True, "label_smoothing": 0.5, "reduction": "sum"}):

        def action(t, F, x, w, y, given=ignored):
            more = given | ({"linear_bias": t.zeros(5).double()} if "linear_bias" in given else {})
            return F.linear_cross_entropy(x, w, y, options=options(t), **more)

        check_warning(action, X, W, T)
        check(action, X, W, T)
    check_warning(lambda t, F, x, w, y: F.linear_cross_entropy(x, w[:, None], y[:, None], options=options(t)), X, W, T)
    check_warning(
        lambda t, F, x, w, y: F.linear_cross_entropy(x, w, t.ones(4, 5).double(), options=options(t)), X, W, T
    )


@pytest.mark.parametrize(
    "made",
    [
        "LinearCrossEntropyLoss(3, 5)",
        "LinearCrossEntropyLoss(3, 5, bias=True, reduction='sum', options=LinearCrossEntropyOptions())",
        "LinearCrossEntropyLoss(3, 5, out_features=(2, 2), bias=True, ignore_index=1)",
        "LinearCrossEntropyLoss(3, 5, label_smoothing=0.2, reduction='none')",
    ],
)
def test_the_layer(made):
    """Its weights from one seed, its text, its loss and gradients."""
    found = []
    for lib in (mt, torch):
        lib.manual_seed(0)
        names = {name: getattr(lib.nn, name) for name in ("LinearCrossEntropyLoss", "LinearCrossEntropyOptions")}
        layer = eval(made, names)
        x = lib.from_numpy(X.astype("float32"))
        target = (
            lib.from_numpy(T.reshape(4, *(1,) * len(layer.out_features)).repeat(4, 1).reshape(4, 2, 2))
            if (layer.out_features)
            else lib.from_numpy(T)
        )
        layer(x, target).sum().backward()
        assert len(layer.state_dict()) == (2 if "bias" in made else 1)
        found.append((repr(layer), [p.grad.cpu().numpy() for p in layer.parameters()]))
    assert found[0][0] == found[1][0]
    for mine, wanted in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.cpu("live torch modules lie on the CPU")
def test_options_cross_the_bridge():
    theirs = torch.nn.LinearCrossEntropyLoss(3, 5, options=options(torch, batch_chunk_size=2, acc_dtype=torch.float32))
    ours = bridge.from_torch(theirs)
    assert ours.options == options(mt, batch_chunk_size=2, acc_dtype=mt.float32)
    assert bridge.to_torch(ours).options == theirs.options


def test_on_the_gpu():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)
    labels = np.array([0, 1, 2, 3, 4, -100])

    def run(device):
        found = []
        for reduction in ("mean", "sum", "none"):
            x, w, b = (mt.tensor(v, device=device, requires_grad=True) for v in values)
            chosen, target = options(mt, batch_chunk_size=4), mt.tensor(labels, device=device)
            loss = mt.nn.functional.linear_cross_entropy(
                x, w, target, linear_bias=b, reduction=reduction, options=chosen
            )
            loss.sum().backward()
            assert loss.device == x.device
            found += [loss.detach(), x.grad, w.grad, b.grad]
        return [host(t._data) for t in found]

    expected = run("cpu")
    with gpu():
        for mine, wanted in zip(run("cuda"), expected, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-10, atol=1e-12)
