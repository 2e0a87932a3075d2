"""grid_sample, affine_grid, and interpolate by cubics: values and two derivatives as torch's, also on the GPU."""

import itertools

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, check_warning, floats
from hypothesis import given
from hypothesis import strategies as st
from on_gpu import gpu, host

import minitorch2 as mt

MODES = ("bilinear", "nearest", "bicubic")
PADDING = ("zeros", "border", "reflection")
EVERY = list(itertools.product(MODES, PADDING, (False, True)))
SAMPLED = 256  # cubic weights cancel: their sum is 1, their sizes are not


@given(
    data=st.data(),
    how=st.sampled_from(EVERY),
    size=st.sampled_from([(3, 4), (1, 5), (4, 1)]),
    reach=st.sampled_from([1.0, 4.0]),
)
def test_grid_sample(data, how, size, reach):
    mode, padding, align = how
    x, grid = data.draw(floats((2, 3, *size))), data.draw(floats((2, 3, 2, 2), -reach, reach))
    check(lambda _, F, x, g: F.grid_sample(x, g, mode, padding, align), x, grid, ulps=SAMPLED)
    x, grid = x.astype("float32"), grid.astype("float32")
    check(lambda _, F, x, g: F.grid_sample(x, g, mode, padding, align), x, grid, order=0, ulps=SAMPLED)


@pytest.mark.parametrize(("mode", "padding", "align"), EVERY)
def test_grid_sample_at_centres_and_edges(mode, padding, align):
    """Where pieces meet, the derivative is that of one side, and nearest rounds to even. Sizes are powers of two: the
    places are then exact, also where torch's compiler has joined a product and a sum."""
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 8))
    rows, columns = np.linspace(-2, 2, 17), np.linspace(-2, 2, 33)
    if align:  # four and eight centres have three and seven steps between them: only the ends and middles are exact
        rows, columns = np.linspace(-2, 2, 5), np.linspace(-1, 1, 3)
    grid = np.stack(np.meshgrid(columns, rows), -1)[None]
    check(lambda _, F, x, g: F.grid_sample(x, g, mode, padding, align), x, grid, ulps=SAMPLED)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", PADDING)
def test_grid_sample_of_infinite_places(mode, padding):
    bad = np.array([[[[np.nan, 0], [np.inf, 0], [-np.inf, 0.5], [1e30, 0], [0, np.nan]]]])
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 4))
    check(lambda _, F, x, g: F.grid_sample(x, g, mode, padding, False), x, bad, order=0)


def test_what_stands_outside_is_not_read():
    x = np.array([[[[np.inf, 1.0, 2.0], [3.0, 4.0, np.nan]]]])
    grid = np.array([[[[0.1, 0.9], [0.0, -1.9], [0.3, 1.4], [-3.0, 0.0], [3.0, 0.0]]]])
    for mode, padding in itertools.product(("bilinear", "nearest"), ("zeros", "border")):
        check(lambda _, F, x, g, m=mode, p=padding: F.grid_sample(x, g, m, p, False), x, grid, order=0)


def test_sampling_of_nothing_and_of_halves():
    x, grid = np.ones((2, 3, 4, 5)), np.zeros((2, 3, 2, 2))
    for a, b in ((x[:0], grid[:0]), (x[:, :0], grid), (x, grid[:, :0])):
        for mode in MODES:
            check(lambda _, F, a, b, m=mode: F.grid_sample(a, b, m, align_corners=False), a, b, order=0)
    rng = np.random.default_rng(0)
    x, grid = rng.normal(size=(2, 3, 5, 6)).astype("float32"), rng.uniform(-1, 1, (2, 4, 3, 2)).astype("float32")
    theta = rng.normal(size=(2, 2, 3)).astype("float32")
    for name in ("float16", "bfloat16"):
        for mode in ("bilinear", "bicubic"):  # torch computes the weights of bilinear in the half's precision
            check(
                lambda lib, F, x, g, n=name, m=mode: F.grid_sample(
                    x.to(getattr(lib, n)), g.to(getattr(lib, n)), m, align_corners=False
                ),
                x,
                grid,
                order=0,
                ulps=8,
            )
        check(
            lambda lib, F, t, n=name: F.affine_grid(t.to(getattr(lib, n)), (2, 1, 4, 5), align_corners=False),
            theta,
            order=0,
            ulps=4,
        )


@given(theta=floats((2, 2, 3)), size=st.sampled_from([(2, 3, 4, 5), (2, 3, 1, 4), (2, 1, 1, 1)]), align=st.booleans())
def test_affine_grid(theta, size, align):
    check(lambda _, F, t: F.affine_grid(t, size, align_corners=align), theta)
    check(lambda lib, F, t: F.affine_grid(t, lib.ones(size).shape, align), theta.astype("float32"), order=1)


def test_a_spatial_transformer_learns():
    """The rotation that turns one image into another is found through both functions, as in torch."""
    losses = []
    for lib in (mt, torch):
        image = lib.from_numpy(np.random.default_rng(0).normal(size=(1, 2, 8, 8)))
        F = lib.nn.functional
        turned = lib.tensor([[[0.9, -0.3, 0.1], [0.3, 0.9, 0.0]]], dtype=lib.float64)
        goal = F.grid_sample(image, F.affine_grid(turned, image.shape, False), align_corners=False)
        theta = lib.eye(3, dtype=lib.float64)[None, :2].clone().requires_grad_()
        seen = []
        for _ in range(20):
            loss = F.mse_loss(F.grid_sample(image, F.affine_grid(theta, image.shape, False), align_corners=False), goal)
            (grad,) = lib.autograd.grad(loss, theta)
            theta = (theta.detach() - 0.05 * grad).requires_grad_()
            seen.append(loss.item())
        losses.append(seen)
    np.testing.assert_allclose(*losses, rtol=1e-9)
    assert losses[0][-1] < 0.5 * losses[0][0]


X, G = np.ones((2, 3, 4, 5)), np.zeros((2, 3, 2, 2))
SAMPLING_ERRORS = [
    lambda _, F, x, g: F.grid_sample(x, g.float()),
    lambda _, F, x, g: F.grid_sample(x.long(), g.long()),
    lambda _, F, x, g: F.grid_sample(x, g, mode="cubic"),
    lambda _, F, x, g: F.grid_sample(x, g, padding_mode="edge"),
    lambda _, F, x, g: F.grid_sample(x, g[..., :1]),
    lambda _, F, x, g: F.grid_sample(x, g[:1]),
    lambda _, F, x, g: F.grid_sample(x[0], g),
    lambda _, F, x, g: F.grid_sample(x, g[0]),
    lambda _, F, x, g: F.grid_sample(x[:, :, :0], g),
    lambda _, F, x, g: F.grid_sample(x[..., :0], g),
    lambda _, F, x, g: F.grid_sample(3, g),
    lambda _, F, x, g: F.grid_sample(x, None),
    lambda t, F, x, g: F.grid_sample(x[:, :, None], t.zeros(2, 2, 2, 2, 3).double(), mode="bicubic"),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 4)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 4, 5, 6)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 3), (2, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 3, 4), (2, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (3, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 0, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, -1, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3).long(), (2, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2.0, 3, 4, 5)),
    lambda _, F, x, g: F.interpolate(x, 3, mode="lanczos"),
    lambda _, F, x, g: F.interpolate(x, 3, mode="lanczos", antialias=True, align_corners=True),
]


@pytest.mark.parametrize("action", SAMPLING_ERRORS)
def test_sampling_errors(action):
    check_error(action, X, G)


def test_sampling_warnings():
    check_warning(lambda _, F, x, g: F.grid_sample(x, g), X, G)
    check_warning(lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 4, 5)), X, G)
    check_warning(lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 1, 5), True), X, G)
    for name in ("upsample_bilinear", "upsample_nearest"):
        check_warning(lambda _, F, x, g, n=name: getattr(F, n)(x, scale_factor=2), X, G)


def test_what_is_not_supported_says_so():
    F = mt.nn.functional
    with pytest.raises(NotImplementedError, match="grid_sample of 5-d input is not supported"):
        F.grid_sample(mt.ones(1, 1, 2, 2, 2), mt.zeros(1, 1, 1, 1, 3))
    with pytest.raises(NotImplementedError, match="affine_grid of 5-d sizes is not supported"):
        F.affine_grid(mt.zeros(1, 3, 4), (1, 1, 2, 2, 2), False)


SIZES = st.one_of(
    st.tuples(st.sampled_from([1, 3, 5, 9]), st.sampled_from([1, 4, 6, 7])).map(lambda s: {"size": s}),
    st.sampled_from([0.7, 1.9, (2, 1.3)]).map(lambda s: {"scale_factor": s}),
)


def test_interpolate_to_one_column_with_antialias():
    """torch 2.13 repeats the first row there, but for images in channels_last."""
    x = torch.linspace(-1, 1, 60, dtype=torch.float64).sin().reshape(1, 2, 5, 6)
    expected = torch.nn.functional.interpolate(
        x.contiguous(memory_format=torch.channels_last), (3, 1), mode="bilinear", antialias=True
    )
    ours = mt.nn.functional.interpolate(
        mt.tensor(x.tolist(), dtype=mt.float64), (3, 1), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(ours.cpu().numpy(), expected.numpy(), rtol=1e-12)


@given(
    x=floats((2, 3, 5, 6)),
    to=SIZES.filter(lambda to: to.get("size", (0, 0))[1] != 1),
    mode=st.sampled_from(["bilinear", "bicubic", "lanczos"]),
    align=st.sampled_from([None, False, True]),
    recompute=st.sampled_from([None, True]),
)
def test_interpolate_with_antialias(x, to, mode, align, recompute):
    options = {"mode": mode, "align_corners": align and mode != "lanczos", "antialias": True}
    options["recompute_scale_factor"] = recompute if "scale_factor" in to else None
    check(lambda _, F, x: F.interpolate(x, **to, **options), x, ulps=SAMPLED)
    check(lambda _, F, x: F.interpolate(x, **to, **options), x.astype("float32"), order=1, ulps=SAMPLED)


@given(x=floats((2, 3, 5, 6)), to=SIZES, align=st.sampled_from([None, False, True]))
def test_interpolate_bicubic(x, to, align):
    check(lambda _, F, x: F.interpolate(x, mode="bicubic", align_corners=align, **to), x, ulps=SAMPLED)
    x = x.astype("float32")
    check(lambda _, F, x: F.interpolate(x, mode="bicubic", align_corners=align, **to), x, order=1, ulps=SAMPLED)
    check(lambda lib, _, x: lib.nn.Upsample(mode="bicubic", align_corners=align, **to)(x), x, order=0, ulps=SAMPLED)


def test_interpolate_by_its_other_names():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6))
    check(lambda _, F, x: F.upsample_bilinear(x, (3, 8)), x)
    check(lambda _, F, x: F.upsample_nearest(x, scale_factor=2), x)
    for name in ("float16", "bfloat16"):
        check(
            lambda lib, F, x, n=name: F.interpolate(x.to(getattr(lib, n)), (7, 3), mode="bicubic"),
            x.astype("float32"),
            order=0,
            ulps=2,
        )


def test_sampling_on_the_gpu():
    rng = np.random.default_rng(0)
    x, grid = rng.normal(size=(2, 3, 4, 5)), rng.uniform(-1.5, 1.5, (2, 3, 2, 2))

    def run(device):
        results = []
        for mode, padding, align in EVERY:
            a, g = (mt.tensor(v, device=device, requires_grad=True) for v in (x, grid))
            y = mt.nn.functional.grid_sample(a, g, mode, padding, align)
            y.square().sum().backward()
            results += [y, a.grad, g.grad]
        theta = mt.tensor(rng.normal(size=(2, 2, 3)) * 0 + 0.5, device=device)
        results.append(mt.nn.functional.affine_grid(theta, (2, 1, 3, 4), False))
        results.append(mt.nn.functional.interpolate(a, (7, 3), mode="bicubic"))
        assert all(t.device == a.device for t in results)
        return [host(t.detach()._data) for t in results]

    expected = run("cpu")
    with gpu():
        for mine, wanted in zip(run("cuda"), expected, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-10, atol=1e-12)
