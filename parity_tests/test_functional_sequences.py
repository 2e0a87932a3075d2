"""embedding_bag, ctc_loss, lp_pool, channel_shuffle, AdaptiveLogSoftmaxWithLoss against torch's own."""

import math

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, check_warning, floats
from hypothesis import given
from hypothesis import strategies as st
from on_gpu import gpu, host

import minitorch2 as mt

MODES = ("sum", "mean", "max")
CTC = 256  # sums of products over all steps, in logarithms


@st.composite
def bags(draw):
    """(indices, offsets or None, include_last_offset): 2-d, or bags of any length, empty ones among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if draw(st.booleans()):
        return rng.integers(0, 4, (draw(st.integers(0, 3)), draw(st.integers(1, 4)))), None, False
    lengths = rng.integers(0, 4, draw(st.integers(1, 4)))
    offsets, last = np.array([0, *lengths.cumsum()]), draw(st.booleans())
    return rng.integers(0, 4, lengths.sum()), offsets if last else offsets[:-1], last


def bag_call(lib, F, bag, weight, **options):
    indices, offsets, last = bag
    offsets = None if offsets is None else lib.from_numpy(offsets.copy())
    return F.embedding_bag(lib.from_numpy(indices.copy()), weight, offsets, include_last_offset=last, **options)


@given(bag=bags(), w=floats((4, 3)), mode=st.sampled_from(MODES), padding=st.sampled_from([None, 1, -1]))
def test_embedding_bag(bag, w, mode, padding):
    # torch has no second derivative of it; ours is held to finite differences below
    check(lambda lib, F, w: bag_call(lib, F, bag, w, mode=mode, padding_idx=padding), w, order=1)
    check(lambda lib, F, w: bag_call(lib, F, bag, w, mode=mode), w.astype("float32"), order=0)


@given(bag=bags(), w=floats((4, 3)), padding=st.sampled_from([None, 2]), data=st.data())
def test_embedding_bag_of_weighted_samples(bag, w, padding, data):
    factors = data.draw(floats(bag[0].shape))

    def action(lib, F, w, p):
        return bag_call(lib, F, bag, w, mode="sum", per_sample_weights=p, padding_idx=padding)

    check(action, w, factors, order=1)


@pytest.mark.parametrize("mode", MODES)
def test_embedding_bag_twice_differentiated(mode):
    bag = np.array([1, 0, 3, 3, 1, 2]), np.array([0, 2, 2]), False
    w, p = (mt.tensor(np.random.default_rng(0).normal(size=s), requires_grad=True) for s in ((4, 3), 6))

    def action(w, *p):
        return bag_call(mt, mt.nn.functional, bag, w, mode=mode, per_sample_weights=p[0] if p else None)

    assert mt.autograd.gradgradcheck(action, (w, p) if mode == "sum" else (w,))


@pytest.mark.parametrize("mode", ["sum", "mean"])
@given(bag=bags(), w=floats((4, 3)))
def test_embedding_bag_divides_by_frequency(mode, bag, w):
    """As documented, and as embedding does: torch's own kernel for bags divides by another row's count."""
    theirs = torch.from_numpy(w).requires_grad_()
    (bag_call(torch, torch.nn.functional, bag, theirs, mode=mode) ** 2).sum().backward()
    counts = np.bincount(bag[0].reshape(-1), minlength=4)
    ours = mt.from_numpy(w).requires_grad_()
    (bag_call(mt, mt.nn.functional, bag, ours, mode=mode, scale_grad_by_freq=True) ** 2).sum().backward()
    expected = theirs.grad.numpy() / np.maximum(counts, 1)[:, None]
    np.testing.assert_allclose(ours.grad.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_embedding_bag_of_unusual_tables(mode):
    rng = np.random.default_rng(0)
    bag = np.array([1, 0, 3, 3, 1, 2, 2, 0], dtype=np.int32), np.array([0, 3, 3], dtype=np.int64), False
    w = rng.normal(size=(4, 3))
    for name in ("float16", "bfloat16"):
        check(
            lambda lib, F, w, n=name: bag_call(lib, F, bag, w.to(getattr(lib, n)), mode=mode),
            w.astype("float32"),
            order=0,
            ulps=2,
        )

    def limited(lib, F, w):
        table = w.detach().clone()
        return bag_call(lib, F, bag, table, mode=mode, max_norm=0.9, norm_type=1.5), table

    check(limited, w, order=0)
    w[0, 0], w[1], w[2, 1], w[3, 2] = np.nan, np.nan, -np.inf, np.inf
    check(lambda lib, F, w: bag_call(lib, F, bag, w, mode=mode), w, order=0)


INDICES, TABLE, OFFSETS = np.array([1, 2, 4, 1]), np.ones((5, 3)), np.array([0, 2])
BAG_ERRORS = [
    lambda t, F, i, w, o: F.embedding_bag(i, w),
    lambda t, F, i, w, o: F.embedding_bag(i.reshape(2, 2), w, o),
    lambda t, F, i, w, o: F.embedding_bag(i.reshape(2, 2, 1), w),
    lambda t, F, i, w, o: F.embedding_bag(i, w[0], o),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o + 1),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o * 4),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o[None]),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o, mode="median"),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o, mode="max", scale_grad_by_freq=True),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o, mode="max", sparse=True),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o, per_sample_weights=t.ones(4).double()),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o, per_sample_weights=t.ones(3).double(), mode="sum"),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o, per_sample_weights=t.ones(4), mode="sum"),
    lambda t, F, i, w, o: F.embedding_bag(i.float(), w, o),
    lambda t, F, i, w, o: F.embedding_bag(i, w.long(), o),
    lambda t, F, i, w, o: F.embedding_bag(i + 1, w, o),
    lambda t, F, i, w, o: F.embedding_bag(i - 2, w, o),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o, padding_idx=5),
    lambda t, F, i, w, o: F.embedding_bag(i, w, o[:0], include_last_offset=True),
    lambda t, F, i, w, o: F.embedding_bag(i.reshape(4, 1)[:, :0], w),
    lambda t, F, i, w, o: t.nn.EmbeddingBag.from_pretrained(t.ones(3)),
    lambda t, F, i, w, o: t.nn.EmbeddingBag(2, 2, _weight=t.ones(3, 2)),
]


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
@pytest.mark.parametrize("action", BAG_ERRORS)
def test_embedding_bag_errors(action):
    check_error(action, INDICES, TABLE, OFFSETS)


def test_embedding_bag_modules_and_warnings():
    check_warning(lambda t, F, i, w, o: F.embedding_bag(w, i, o), INDICES, TABLE, OFFSETS)
    results = []
    for lib in (mt, torch):
        lib.manual_seed(3)
        drawn = lib.nn.EmbeddingBag(6, 3, padding_idx=-2, mode="sum")
        table = lib.nn.EmbeddingBag.from_pretrained(lib.ones(3, 2), freeze=False, mode="max")
        results.append([drawn.weight.tolist(), drawn(lib.tensor([[0, 4, 5]])).tolist(), table.weight.requires_grad])
    assert results[0] == results[1]
    for make in (
        mt.nn.EmbeddingBag,
        lambda *a, **k: mt.nn.functional.embedding_bag(mt.tensor([[0]]), mt.ones(2, 2), **k),
    ):
        with pytest.raises(NotImplementedError, match=r"sparse=True\) is not supported"):
            make(3, 2, sparse=True)


@st.composite
def alignments(draw):
    """(T, N, C), targets without blanks, padded or one after the other, input_lengths, target_lengths, blank."""
    t, n, c = draw(st.integers(1, 7)), draw(st.integers(1, 3)), draw(st.integers(2, 4))
    rng, blank = np.random.default_rng(draw(st.integers(0, 2**16))), draw(st.integers(0, c - 1))
    steps, spelled = rng.integers(0, t + 1, n), rng.integers(0, 5, n)
    targets = (blank + 1 + rng.integers(0, c - 1, (n, spelled.max() + draw(st.integers(0, 1))))) % c
    if draw(st.booleans()):
        targets = np.concatenate([row[:k] for row, k in zip(targets, spelled, strict=True)])
    return (t, n, c), targets, steps, spelled, blank


@given(data=st.data(), a=alignments(), reduction=st.sampled_from(["none", "mean", "sum"]), zero_infinity=st.booleans())
def test_ctc_loss(data, a, reduction, zero_infinity):
    shape, targets, steps, spelled, blank = a
    x = data.draw(floats(shape))

    def of_scores(lib, F, x):
        lengths = lib.from_numpy(steps.copy()), lib.from_numpy(spelled.copy())
        return F.ctc_loss(x.log_softmax(2), lib.from_numpy(targets), *lengths, blank, reduction, zero_infinity)

    def of_anything(lib, F, x):  # the gradient assumes a log_softmax even where there is none
        lengths = steps.tolist(), tuple(spelled.tolist())
        return lib.nn.CTCLoss(blank, reduction, zero_infinity)(x, lib.from_numpy(targets), *lengths)

    check(of_scores, x if zero_infinity else x.astype("float32"), order=1, ulps=CTC)
    check(of_anything, x - 1, order=1, ulps=CTC)


def test_ctc_loss_is_the_sum_over_all_paths():
    rng = np.random.default_rng(0)
    log_p = np.log(rng.dirichlet(np.ones(3), size=(4, 1)))
    total = 0.0
    for path in np.ndindex(3, 3, 3, 3):
        merged = [c for i, c in enumerate(path) if (i == 0 or c != path[i - 1]) and c != 0]
        if merged == [1, 1] or merged == [1, 2]:
            total += math.exp(sum(log_p[i, 0, c] for i, c in enumerate(path)))
    losses = [
        mt.nn.functional.ctc_loss(mt.tensor(log_p), mt.tensor([target]), [4], [2], reduction="none").item()
        for target in ([1, 1], [1, 2])
    ]
    assert math.isclose(sum(math.exp(-loss) for loss in losses), total, rel_tol=1e-12)


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
def test_ctc_loss_without_a_batch_and_with_padding_of_any_kind():
    x = np.random.default_rng(0).normal(size=(6, 4))
    for how in ("none", "mean", "sum"):
        check(lambda t, F, x, r=how: F.ctc_loss(x, t.tensor([1, 2, 2]), t.tensor(6), t.tensor(3), 0, r), x, order=1)
        check(lambda t, F, x, r=how: F.ctc_loss(x, t.tensor([1, 2, 2]).int(), (5,), [3], 0, r), x, order=1)
    batch = np.stack([x, x[::-1]], 1)
    a = mt.nn.functional.ctc_loss(mt.tensor(batch), mt.tensor([[1, 2, -100], [3, 1, 2]]), [6, 6], [2, 3])
    b = mt.nn.functional.ctc_loss(mt.tensor(batch), mt.tensor([[1, 2, 3], [3, 1, 2]]), [6, 6], [2, 3])
    assert a.item() == b.item()
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        mt.nn.functional.ctc_loss(mt.tensor(batch), mt.tensor([[1, 7, 3], [3, 1, 2]]), [6, 6], [2, 3])


def test_ctc_loss_has_no_second_derivative():
    def action(lib, F, x):
        x = x.clone().requires_grad_()
        loss = F.ctc_loss(x, lib.tensor([[1, 2]]), [3], [2])
        (grad,) = lib.autograd.grad(loss, x, create_graph=True)
        grad.sum().backward()

    check_error(action, np.zeros((3, 1, 4)))


P, T, IL, TL = np.zeros((6, 2, 4)), np.array([[1, 2, 3], [1, 1, 2]]), np.array([6, 5]), np.array([3, 2])
CTC_ERRORS = [
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i, n, blank=4),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i, n, blank=-1),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i, n, reduction="max"),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i + 1, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i, n + 1),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i - 6, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i, n - 3),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i[:1], n),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i, n[:1]),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, i.float(), n),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x, [6.0, 5.0], [3, 2]),
    lambda t, F, p, x, i, n: F.ctc_loss(p[:, 0], x[0], 6, 3),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x.reshape(-1), i, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x[:1], i, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p, x[None], i, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p[None], x, i, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p[:0], x, i * 0, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p.half(), x, i, n),
    lambda t, F, p, x, i, n: F.ctc_loss(p.long(), x, i, n),
]


@pytest.mark.parametrize("action", CTC_ERRORS)
def test_ctc_loss_errors(action):
    check_error(action, P, T, IL, TL)


@given(
    data=st.data(),
    dims=st.sampled_from([1, 2]),
    p=st.sampled_from([1, 2, 3.0, 1.5, math.inf, -math.inf]),
    ceil=st.booleans(),
    window=st.sampled_from([(2, None), (3, 1)]),
)
def test_lp_pool(data, dims, p, ceil, window):
    x = data.draw(floats((2, 3, *(7, 6)[:dims]), 0.1, 2.0))  # positive: a negative sum has no root
    check(lambda _, F, x: getattr(F, f"lp_pool{dims}d")(x, p, *window, ceil), x, ulps=256)  # roots of sums of squares
    check(lambda lib, _, x: getattr(lib.nn, f"LPPool{dims}d")(p, *window, ceil)(x), x[0], order=0, ulps=256)


def test_lp_pool_of_zeros_and_negative_numbers():
    check(lambda _, F, x: F.lp_pool2d(x, 2, 2), np.zeros((1, 4, 4)), order=1)
    check(lambda _, F, x: F.lp_pool1d(x, 3, 2), np.random.default_rng(0).normal(size=(2, 3, 6)), order=0)
    check(lambda _, F, x: F.lp_pool2d(x, 2, (2, 3), (1, 2)), np.random.default_rng(0).normal(size=(2, 6, 7)), order=1)
    check_error(lambda _, F, x: F.lp_pool2d(x, 0.0, 2), np.ones((1, 4, 4)))


@given(x=floats((2, 6, 3)), groups=st.sampled_from([1, 2, 3, 6]))
def test_channel_shuffle(x, groups):
    check(lambda _, F, x: F.channel_shuffle(x, groups), x)
    check(lambda _, F, x: F.native_channel_shuffle(x, groups), x, order=0)
    check(lambda lib, _, x: lib.nn.ChannelShuffle(groups)(x[..., None].long()), x, order=0)


@pytest.mark.parametrize("shape", [(0, 6, 2), (1, 0, 2), (1, 6, 0, 2)])
def test_channel_shuffle_of_nothing(shape):
    check(lambda _, F, x: F.channel_shuffle(x, 3), np.zeros(shape), order=0)  # torch's has no gradient of nothing


@pytest.mark.parametrize(
    "action",
    [
        lambda _, F, x: F.channel_shuffle(x, 4),
        lambda _, F, x: F.channel_shuffle(x, 0),
        lambda _, F, x: F.channel_shuffle(x, 2.0),
        lambda _, F, x: F.channel_shuffle(x[0], 2),
        lambda t, _, x: t.nn.ChannelShuffle(0)(x),
    ],
)
def test_channel_shuffle_errors(action):
    check_error(action, np.ones((1, 6, 2)))


def adaptive(lib, **options):
    lib.manual_seed(0)
    return lib.nn.AdaptiveLogSoftmaxWithLoss(16, 20, (4, 10), div_value=2.0, **options).double()


@pytest.mark.parametrize(("stop", "bias"), [(4, True), (10, False), (20, True), (20, False)])
def test_adaptive_log_softmax(stop, bias):
    rng = np.random.default_rng(stop + bias)
    x, target = rng.normal(size=(5, 16)), rng.integers(0, stop, 5)

    def action(lib, _, x):
        layer = adaptive(lib, head_bias=bias)
        output, loss = layer(x, lib.from_numpy(target))
        grads = lib.autograd.grad(loss, list(layer.parameters()), retain_graph=True, allow_unused=True)
        alone, _ = layer(x[0], lib.from_numpy(target)[0])
        found = [g for g in grads if g is not None]
        return output, loss, alone, layer.log_prob(x), layer.predict(x), *[g.detach() for g in found]

    check(action, x, order=1)
    assert type(adaptive(mt)(mt.from_numpy(x), mt.from_numpy(target))).__name__ == "_ASMoutput"


@pytest.mark.parametrize(
    "target", [[0, 1, 2, 20], [0, 1, -1, 2], [0, 1], [[0, 1, 2, 3]], 3], ids=["high", "low", "few", "2d", "0d"]
)
def test_adaptive_log_softmax_errors(target):
    check_error(lambda lib, _, x: adaptive(lib)(x, lib.tensor(target)), np.ones((4, 16)))
    check_error(lambda lib, _, x: adaptive(lib)(x[None], lib.tensor([1])), np.ones((4, 16)))


def test_nll_loss_by_its_old_name():
    losses = []
    for lib in (mt, torch):
        with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated"):
            loss = lib.nn.NLLLoss2d(reduction="sum")
        losses.append((repr(loss), loss(lib.eye(3), lib.tensor([0, 2, 1])).item()))
    assert losses[0] == losses[1]


def test_on_the_gpu():
    rng = np.random.default_rng(0)
    w, p, x = rng.normal(size=(4, 3)), rng.normal(size=6), rng.normal(size=(6, 2, 4))
    bag, starts = [1, 0, 3, 3, 1, 2], [0, 2, 2]

    def run(device):
        F, results = mt.nn.functional, []
        for mode in MODES:
            table, factors = (mt.tensor(a, device=device, requires_grad=True) for a in (w, p))
            options = {"per_sample_weights": factors} if mode == "sum" else {}
            indices, offsets = (mt.tensor(a, device=device) for a in (bag, starts))
            y = F.embedding_bag(indices, table, offsets, mode=mode, padding_idx=0, **options)
            y.square().sum().backward()
            results += [y, table.grad]
        for targets in ([[1, 2, 3], [1, 1, 0]], [1, 2, 3, 1, 1]):
            scores = mt.tensor(x, device=device, requires_grad=True)
            loss = F.ctc_loss(scores.log_softmax(2), mt.tensor(targets, device=device), [6, 5], mt.tensor([3, 2]))
            loss.backward()
            results += [loss, scores.grad]
        layer = adaptive(mt).to(device)
        results.append(
            layer(mt.tensor(rng.normal(size=(4, 16)) * 0 + 1, device=device), mt.tensor([0, 5, 19, 3]).to(device))[0]
        )
        results.append(F.lp_pool2d(mt.tensor(np.abs(x), device=device), 2, 2))
        assert all(t.device.type == device for t in results)
        return [host(t.detach()._data) for t in results]

    expected = run("cpu")
    with gpu():
        for mine, wanted in zip(run("cuda"), expected, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.cpu("is about the CPU's autocast")
def test_autocast_leaves_them_in_float32():
    def action(lib, F, image, grid, scores, table):
        with lib.autocast("cpu", dtype=lib.bfloat16):
            return (
                F.grid_sample(image.bfloat16(), grid, align_corners=False),
                F.ctc_loss(scores.bfloat16(), lib.tensor([[1, 2]]), [4], [2]),
                F.embedding_bag(lib.tensor([[0, 1]]), table),
            )

    rng = np.random.default_rng(0)
    arrays = [rng.uniform(-1, 0, shape).astype("float32") for shape in ((1, 2, 3, 4), (1, 2, 2, 2), (4, 1, 3), (2, 3))]
    check(action, *arrays, order=0)
