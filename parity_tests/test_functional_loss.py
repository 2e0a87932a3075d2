"""Losses: values, first and second derivatives, errors and warnings as torch's."""

import numpy as np
import pytest
from functional_side_by_side import check, check_error, check_warning, floats, shapes
from hypothesis import given
from hypothesis import strategies as st

REDUCTIONS = st.sampled_from(["mean", "sum", "none"])
SAME_SHAPE = {
    "mse_loss": lambda _, F, x, t, r: F.mse_loss(x, t, reduction=r),
    "l1_loss": lambda _, F, x, t, r: F.l1_loss(x, t, reduction=r),
    "smooth_l1_loss": lambda _, F, x, t, r: F.smooth_l1_loss(x, t, reduction=r, beta=0.7),
    "smooth_l1_loss, beta 0": lambda _, F, x, t, r: F.smooth_l1_loss(x, t, reduction=r, beta=0.0),
    "huber_loss": lambda _, F, x, t, r: F.huber_loss(x, t, reduction=r, delta=0.7),
    "bce with logits": lambda _, F, x, t, r: F.binary_cross_entropy_with_logits(x, t, reduction=r),
    "kl_div": lambda _, F, x, t, r: F.kl_div(x, t.exp(), reduction=r),
    "kl_div, log": lambda _, F, x, t, r: F.kl_div(x, t, reduction=r, log_target=True),
    "poisson": lambda _, F, x, t, r: F.poisson_nll_loss(x, t.exp(), reduction=r),
    "poisson, full": lambda _, F, x, t, r: F.poisson_nll_loss(x.exp(), t.exp(), False, True, reduction=r),
    "soft margin": lambda _, F, x, t, r: F.soft_margin_loss(x, t.detach(), reduction=r),
    "multilabel soft margin": lambda _, F, x, t, r: F.multilabel_soft_margin_loss(x, t, reduction=r),
    "hinge": lambda _, F, x, t, r: F.hinge_embedding_loss(x, t.detach().sign(), 0.5, reduction=r),
}


@pytest.mark.parametrize("name", SAME_SHAPE)
@given(data=st.data(), shape=shapes(1, 3), reduction=REDUCTIONS)
def test_losses_of_two_tensors(name, data, shape, reduction):
    x, t = data.draw(floats(shape)), data.draw(floats(shape, -2.9, 2.9))
    check(lambda lib, F, x, t: SAME_SHAPE[name](lib, F, x, t, reduction), x, t)


@given(
    x=floats((3, 4), 0.05, 0.95),
    t=floats((3, 4), 0, 1),
    w=floats(st.sampled_from([(3, 4), (4,), ()]), 0, 2),
    reduction=REDUCTIONS,
)
def test_binary_cross_entropy(x, t, w, reduction):
    # torch adds 1e-12 to the probabilities in its second derivative; weights are constants for it
    check(lambda _, F, x, t: F.binary_cross_entropy(x, t, reduction=reduction), x, t, ulps=2.0**20)
    check(lambda lib, F, x, t: F.binary_cross_entropy(x, t, lib.from_numpy(w), reduction=reduction), x, t, ulps=2.0**20)
    for name in ("weight", "pos_weight"):
        check(
            lambda lib, F, x, t, n=name: F.binary_cross_entropy_with_logits(
                x, t, reduction=reduction, **{n: lib.from_numpy(w)}
            ),
            x,
            t,
        )


def test_binary_cross_entropy_at_the_ends():
    x, t = np.array([0.0, 0, 1, 1, 0.5]), np.array([0.0, 1, 0, 1, 0.3])
    # torch limits the denominator of the gradient to 1e-12, rounded to float32
    check(lambda _, F, x, t: F.binary_cross_entropy(x, t.detach()), x, t, order=1, ulps=2.0**28)
    logits = np.array([1e4, -1e4, 0, np.inf])
    check(lambda _, F, x: F.binary_cross_entropy_with_logits(x, x.detach() * 0 + 0.5), logits[:3], order=1)


@given(x=floats((3, 4)), t=floats((3, 4)), w=floats((3, 4), 0.1, 2), reduction=REDUCTIONS)
def test_weighted_regression(x, t, w, reduction):
    for name in ("mse_loss", "l1_loss", "huber_loss"):
        check(lambda _, F, x, t, w, n=name: getattr(F, n)(x, t, weight=w, reduction=reduction), x, t, w)


@given(
    shape=st.sampled_from([(4, 3), (3,), (2, 3, 4), (2, 3, 2, 2), (2, 3, 2, 1, 2), (1, 1)]),
    seed=st.integers(0, 2**16),
    weighted=st.booleans(),
    ignore=st.sampled_from([-100, 0, 2]),
    smoothing=st.sampled_from([0.0, 0.3]),
    reduction=REDUCTIONS,
)
def test_class_losses(shape, seed, weighted, ignore, smoothing, reduction):
    rng = np.random.default_rng(seed)
    dim = 0 if len(shape) == 1 else 1
    x, t = rng.normal(size=shape), rng.integers(0, shape[dim], shape[:dim] + shape[dim + 1 :])
    w = rng.uniform(0.1, 2, shape[dim])

    def weight(lib):
        return lib.from_numpy(w) if weighted else None

    check(lambda lib, F, x, t: F.nll_loss(x, t, weight(lib), ignore_index=ignore, reduction=reduction), x, t)
    check(
        lambda lib, F, x, t: F.cross_entropy(
            x, t, weight(lib), ignore_index=ignore, reduction=reduction, label_smoothing=smoothing
        ),
        x,
        t,
    )
    p = rng.uniform(size=shape)
    check(lambda lib, F, x, p: F.cross_entropy(x, p, weight(lib), reduction=reduction, label_smoothing=smoothing), x, p)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_class_losses_of_nothing(reduction):
    for shape in ((0, 3), (0, 3, 2)):
        t = np.zeros(shape[:1] + shape[2:], np.int64)
        for name in ("nll_loss", "cross_entropy"):
            check(lambda _, F, x, t, n=name: getattr(F, n)(x, t, reduction=reduction), np.zeros(shape), t, order=0)
    x, t = np.random.default_rng(0).normal(size=(3, 4)), np.zeros(3, np.int64)
    check(lambda _, F, x, t: F.cross_entropy(x, t, ignore_index=0, reduction=reduction), x, t, order=0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_class_losses_in_half_precision(dtype):
    rng = np.random.default_rng(0)
    x, t, w = rng.normal(size=(8, 5)), rng.integers(0, 5, 8), rng.uniform(0.1, 1, 5)
    for weighted in (False, True):
        # torch rounds between log_softmax and nll_loss, too
        check(
            lambda lib, F, x, t, w, weighted=weighted: F.cross_entropy(
                x.to(getattr(lib, dtype)), t, w.to(getattr(lib, dtype)) if weighted else None
            ),
            x,
            t,
            w,
            order=0,
            ulps=4,
        )


@given(
    x=floats((4, 3)),
    y=floats((4, 3)),
    z=floats((4, 3)),
    signs=st.lists(st.sampled_from([-1, 1]), min_size=4, max_size=4),
    reduction=REDUCTIONS,
    swap=st.booleans(),
    p=st.sampled_from([1.0, 2.0]),
)
def test_losses_of_pairs_and_triplets(x, y, z, signs, reduction, swap, p):
    signs = np.array(signs)
    check(lambda _, F, x, y, t: F.cosine_embedding_loss(x, y, t, 0.1, reduction=reduction), x, y, signs)
    check(lambda _, F, x, y, t: F.margin_ranking_loss(x, y, t.reshape(4, 1), 0.2, reduction=reduction), x, y, signs)
    check(lambda _, F, x, y, z: F.triplet_margin_loss(x, y, z, 0.7, p, swap=swap, reduction=reduction), x, y, z)
    check(lambda _, F, x, y, z: F.triplet_margin_with_distance_loss(x, y, z, swap=swap, reduction=reduction), x, y, z)


@given(
    shape=st.sampled_from([(4, 3), (3,)]),
    seed=st.integers(0, 2**16),
    p=st.sampled_from([1, 2]),
    weighted=st.booleans(),
    reduction=REDUCTIONS,
)
def test_multi_margin(shape, seed, p, weighted, reduction):
    rng = np.random.default_rng(seed)
    x, t, w = rng.normal(size=shape), rng.integers(0, 3, shape[:-1]), rng.uniform(0.1, 2, 3)
    check(
        lambda lib, F, x, t: F.multi_margin_loss(
            x, t, p, 0.8, lib.from_numpy(w) if weighted else None, reduction=reduction
        ),
        x,
        t,
        order=1,  # torch has no second derivative for it
    )
    labels = (
        np.stack([rng.permutation([0, 2, -1]) for _ in range(shape[0])]) if len(shape) > 1 else np.array([1, -1, 0])
    )
    check(lambda _, F, x, t: F.multilabel_margin_loss(x, t, reduction=reduction), x, labels, order=1)


@given(
    x=floats((4, 3)),
    t=floats((4, 3)),
    v=floats(st.sampled_from([(4, 3), (4, 1), (4,)]), 0.1, 2),
    full=st.booleans(),
    reduction=REDUCTIONS,
)
def test_gaussian(x, t, v, full, reduction):
    check(lambda _, F, x, t, v: F.gaussian_nll_loss(x, t, v, full, eps=0.5, reduction=reduction), x, t, v)
    check(lambda _, F, x, t: F.gaussian_nll_loss(x, t, 0.3, full, reduction=reduction), x, t)


KINKS = np.array([-np.inf, -2, -1, 0, 0.5, 1, 2, np.inf, np.nan])


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_kinks_and_infinities(name):
    check(lambda _, F, x: getattr(F, name)(x, x.detach() * 0, reduction="none"), KINKS[1:-2], order=1)
    check(lambda _, F, x: getattr(F, name)(x, (x * 0).detach().nan_to_num(), reduction="none"), KINKS, order=1)


X, C = np.random.default_rng(0).normal(size=(3, 4)), np.array([1, 2, 3])
WARNINGS = {
    "mse_loss": lambda _, F, x, c: F.mse_loss(x, x[:1]),
    "l1_loss": lambda _, F, x, c: F.l1_loss(x, x[:1]),
    "smooth_l1_loss": lambda _, F, x, c: F.smooth_l1_loss(x, x[:1]),
    "huber_loss": lambda _, F, x, c: F.huber_loss(x, x[:1]),
    "kl_div": lambda _, F, x, c: F.kl_div(x, x),
    "size_average": lambda _, F, x, c: F.mse_loss(x, x, size_average=False),
    "reduce": lambda _, F, x, c: F.cross_entropy(x, c, reduce=False),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name):
    check_warning(WARNINGS[name], X, C)


ERRORS = [
    lambda _, F, x, c: F.mse_loss(x, x[:2]),
    lambda _, F, x, c: F.mse_loss(c, c),
    lambda _, F, x, c: F.mse_loss(x, x, reduction="x"),
    lambda _, F, x, c: F.l1_loss(c, c),
    lambda _, F, x, c: F.mse_loss(x, x, weight=x[:1]),
    lambda _, F, x, c: F.smooth_l1_loss(x, x, beta=-1.0),
    lambda _, F, x, c: F.huber_loss(x, x, delta=0.0),
    lambda _, F, x, c: F.binary_cross_entropy(x * 0 + 2, x),
    lambda _, F, x, c: F.binary_cross_entropy(x * 0, x[:1]),
    lambda _, F, x, c: F.binary_cross_entropy(x * 0, x.float()),
    lambda _, F, x, c: F.binary_cross_entropy(x * 0, x, weight=x[:2]),
    lambda _, F, x, c: F.binary_cross_entropy(x * np.nan, x),
    lambda _, F, x, c: F.binary_cross_entropy_with_logits(x, x[:1]),
    lambda _, F, x, c: F.binary_cross_entropy_with_logits(x, x.long()),
    lambda t, F, x, c: F.binary_cross_entropy_with_logits(x, x, pos_weight=t.ones(3)),
    lambda _, F, x, c: F.kl_div(x, x, reduction="x"),
    lambda _, F, x, c: F.kl_div(x, x.long()),
    lambda _, F, x, c: F.kl_div(x.long(), x, log_target=True),
    lambda _, F, x, c: F.kl_div([1.0], x),
    lambda _, F, x, c: F.nll_loss(x, c + 5),
    lambda _, F, x, c: F.nll_loss(x, -c),
    lambda _, F, x, c: F.nll_loss(x, c.float()),
    lambda _, F, x, c: F.nll_loss(x, c.int()),
    lambda _, F, x, c: F.nll_loss(x, c[:2]),
    lambda t, F, x, c: F.nll_loss(x, c, t.ones(3).double()),
    lambda t, F, x, c: F.nll_loss(x, c, t.ones(4)),
    lambda _, F, x, c: F.nll_loss(x[0], c),
    lambda _, F, x, c: F.nll_loss(x.sum(), c[0]),
    lambda _, F, x, c: F.nll_loss(x, c.reshape(3, 1)),
    lambda _, F, x, c: F.nll_loss(x[None], c[None]),
    lambda _, F, x, c: F.nll_loss(x.long(), c),
    lambda _, F, x, c: F.cross_entropy(x, c + 5),
    lambda _, F, x, c: F.cross_entropy(x, x.long()),
    lambda _, F, x, c: F.cross_entropy(x, c.float()),
    lambda _, F, x, c: F.cross_entropy(x, x, ignore_index=1),
    lambda _, F, x, c: F.cross_entropy(x, x[:2]),
    lambda _, F, x, c: F.cross_entropy(x, c, label_smoothing=2.0),
    lambda t, F, x, c: F.cross_entropy(x, c, t.ones(2).double()),
    lambda t, F, x, c: F.cross_entropy(x, x, t.ones(2).double()),
    lambda _, F, x, c: F.cross_entropy(x, c, reduction="batchmean"),
    lambda _, F, x, c: F.cross_entropy(x.sum(), c[0]),
    lambda _, F, x, c: F.cross_entropy(x.long(), c),
    lambda _, F, x, c: F.cross_entropy(x, [0, 1, 2]),
    lambda _, F, x, c: F.cross_entropy(x.numpy(), c),
    lambda _, F, x, c: F.nll_loss(x, [0, 1, 2]),
    lambda _, F, x, c: F.margin_ranking_loss(x, x[0], x),
    lambda _, F, x, c: F.cosine_embedding_loss(x, x, c[:2]),
    lambda _, F, x, c: F.cosine_embedding_loss(x, x, x),
    lambda _, F, x, c: F.cosine_embedding_loss(x[0], x[0], c),
    lambda _, F, x, c: F.triplet_margin_loss(x, x, x, -1.0),
    lambda _, F, x, c: F.triplet_margin_loss(x, x, x[0]),
    lambda _, F, x, c: F.gaussian_nll_loss(x, x, -x.abs()),
    lambda _, F, x, c: F.gaussian_nll_loss(x, x, x[0].abs()),
    lambda _, F, x, c: F.gaussian_nll_loss(x, x, -1.0),
    lambda _, F, x, c: F.gaussian_nll_loss(x, x, x.abs(), reduction="x"),
    lambda _, F, x, c: F.multi_margin_loss(x, c, p=3),
    lambda _, F, x, c: F.multi_margin_loss(x, c + 5),
    lambda _, F, x, c: F.multi_margin_loss(x, c[:2]),
    lambda _, F, x, c: F.multi_margin_loss(x, c.float()),
    lambda t, F, x, c: F.multi_margin_loss(x, c, weight=t.ones(3).double()),
    lambda t, F, x, c: F.multi_margin_loss(x, c, weight=t.ones(2, 1).double()),
    lambda t, F, x, c: F.multi_margin_loss(x, c, weight=t.ones(()).double()),
    lambda t, F, x, c: F.multi_margin_loss(x, c, weight=t.ones(2)),
    lambda _, F, x, c: F.multi_margin_loss(x[:, :0], c),
    lambda _, F, x, c: F.multi_margin_loss(x[None], c),
    lambda _, F, x, c: F.multi_margin_loss(x.long(), c),
    lambda _, F, x, c: F.multilabel_margin_loss(x[:, :0], x[:, :0].long()),
    lambda _, F, x, c: F.multilabel_margin_loss(x[None], x[None].long()),
    lambda _, F, x, c: F.multilabel_margin_loss(x, c),
    lambda _, F, x, c: F.multilabel_margin_loss(x, x.long() * 0 + 7),
    lambda _, F, x, c: F.multilabel_margin_loss(x, x),
    lambda _, F, x, c: F.multilabel_soft_margin_loss(x, x[:, :2]),
]


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
@pytest.mark.parametrize("action", ERRORS)
def test_errors(action):
    check_error(action, X, C)


@pytest.mark.parametrize("name", ["multi_margin_loss", "multilabel_margin_loss"])
def test_margin_losses_of_no_rows(name):
    target = np.zeros(0, int) if name == "multi_margin_loss" else np.zeros((0, 4), int)
    # torch leaves the mean and the sum of none as the memory happens to be
    check(lambda _, F, x, t: getattr(F, name)(x, t, reduction="none"), np.zeros((0, 4)), target, order=1)


@pytest.mark.cpu("nobody asks a GPU for the numbers, where torch ends the process")
def test_binary_targets_are_between_zero_and_one():
    import minitorch2 as mt

    for wrong in (2.0, float("nan")):
        with pytest.raises(RuntimeError, match="all elements of target should be between 0 and 1"):
            mt.nn.functional.binary_cross_entropy(mt.tensor([0.1, 0.2]), mt.tensor([0.0, wrong]))


@pytest.mark.cpu("an index out of range is not looked for on a GPU, where torch ends the process")
def test_the_wrong_class_is_named():
    import minitorch2 as mt

    with pytest.raises(IndexError, match=r"Target 10 is out of bounds\."):
        mt.nn.functional.cross_entropy(mt.zeros(2, 10), mt.tensor([3, 10]))
