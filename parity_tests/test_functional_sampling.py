"""grid_sample, affine_grid, and interpolate by cubics: values and two derivatives as torch's, also on the GPU."""

import itertools

import numpy as np
import pytest
import torch
from functional_side_by_side import check, check_error, check_warning, floats
from hypothesis import assume, given
from hypothesis import strategies as st
from on_gpu import gpu, host

import minitorch2 as mt

MODES = ("bilinear", "nearest", "bicubic")
PADDING = ("zeros", "border", "reflection")
EVERY = list(itertools.product(MODES, PADDING, (False, True)))
VOLUMES = [each for each in EVERY if each[0] != "bicubic"]
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


@given(
    data=st.data(),
    how=st.sampled_from(VOLUMES),
    size=st.sampled_from([(2, 3, 4), (1, 4, 5), (3, 1, 1)]),
    reach=st.sampled_from([1.0, 4.0]),
)
def test_grid_sample_of_volumes(data, how, size, reach):
    mode, padding, align = how
    x, grid = data.draw(floats((2, 3, *size))), data.draw(floats((2, 1, 3, 2, 3), -reach, reach))
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


@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("padding", PADDING)
def test_grid_sample_of_infinite_places_in_volumes(mode, padding):
    """In the kernel for volumes torch brings NaN to the last element, in that for images to the first."""
    some = [np.nan, np.inf, -np.inf, 1e9, 3e9] + ([1e30] if padding != "reflection" else [])
    bad = np.array([np.insert([0.0, 0.3], i, place) for i in range(3) for place in some]).reshape(1, 1, 1, -1, 3)
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 4, 5))
    check(lambda _, F, x, g: F.grid_sample(x, g, mode, padding, False), x, bad, order=0)
    fit = np.nan_to_num(bad, nan=9, posinf=3e9, neginf=-3e9)
    check(lambda _, F, x, g: F.grid_sample(x, g, mode, padding, False), x, fit)


def test_what_stands_outside_is_not_read():
    x = np.array([[[[np.inf, 1.0, 2.0], [3.0, 4.0, np.nan]]]])
    grid = np.array([[[[0.1, 0.9], [0.0, -1.9], [0.3, 1.4], [-3.0, 0.0], [3.0, 0.0]]]])
    for mode, padding in itertools.product(("bilinear", "nearest"), ("zeros", "border")):
        check(lambda _, F, x, g, m=mode, p=padding: F.grid_sample(x, g, m, p, False), x, grid, order=0)


def test_sampling_of_nothing_and_of_halves():
    x, grid = np.ones((2, 3, 4, 5)), np.zeros((2, 3, 2, 2))
    volume, places = np.ones((2, 3, 4, 5, 6)), np.zeros((2, 3, 2, 1, 3))
    for images, at, modes in ((x, grid, MODES), (volume, places, MODES[:2])):
        for a, b in ((images[:0], at[:0]), (images[:, :0], at), (images, at[:, :0])):
            for mode in modes:
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
            lambda lib, F, x, g, n=name: F.grid_sample(
                x.to(getattr(lib, n)), g.to(getattr(lib, n)), align_corners=False
            ),
            rng.normal(size=(2, 3, 3, 5, 6)).astype("float32"),
            rng.uniform(-1, 1, (2, 1, 4, 3, 3)).astype("float32"),
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


@given(
    theta=floats((2, 3, 4)),
    size=st.sampled_from([(2, 3, 4, 5, 6), (2, 3, 1, 1, 4), (2, 1, 1, 2, 1)]),
    align=st.booleans(),
)
def test_affine_grid_of_volumes(theta, size, align):
    check(lambda _, F, t: F.affine_grid(t, size, align_corners=align), theta)
    check(lambda lib, _, t: lib.affine_grid_generator(t, size, align), theta.astype("float32"), order=1)


def test_samplers_by_number():
    rng = np.random.default_rng(0)
    x, grid = rng.normal(size=(2, 3, 4, 5)), rng.uniform(-1.5, 1.5, (2, 3, 2, 2))
    volume, places = rng.normal(size=(2, 2, 3, 4, 5)), rng.uniform(-1.5, 1.5, (2, 1, 3, 2, 3))
    for mode, padding in itertools.product((0, 1), (0, 1, 2)):
        numbers = mode, padding, False
        check(lambda t, _, x, g, n=numbers: t.grid_sampler_2d(x, g, *n), x, grid)
        for name in ("grid_sampler", "grid_sampler_3d"):
            check(lambda t, _, x, g, n=name, m=numbers: getattr(t, n)(x, g, *m), volume, places)
    check_error(lambda t, _, x, g: t.grid_sampler_2d(x, g, 0, 0, False), volume, places)
    check_error(lambda t, _, x, g: t.grid_sampler_3d(x, g, 0, 0, False), x, grid)
    check_error(lambda t, _, x, g: t.grid_sampler_3d(x, g, 2, 0, False), volume, places)


def test_the_nodes_are_named_as_torchs():
    for dims, lib in itertools.product((2, 3), (mt, torch)):
        x, grid = lib.ones(1, 1, *(2,) * dims, requires_grad=True), lib.zeros(1, *(1,) * dims, dims)
        y = lib.nn.functional.grid_sample(x, grid, align_corners=False)
        assert y.grad_fn.name() == f"GridSampler{dims}DBackward0"
        theta = lib.ones(1, dims, dims + 1, requires_grad=True)
        places = lib.nn.functional.affine_grid(theta, (1, 1, *(2,) * dims), False)
        assert places.grad_fn.name() == "AffineGridGeneratorBackward0"


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
    lambda t, F, x, g: F.grid_sample(t.ones(2, 1, 2, 2, 2), t.zeros(2, 2, 2, 2, 2)),
    lambda t, F, x, g: F.grid_sample(t.ones(2, 1, 2, 2, 0), t.zeros(2, 2, 2, 2, 3)),
    lambda t, F, x, g: F.grid_sample(t.ones(2, 1, 2, 2, 2), t.zeros(1, 2, 2, 2, 3)),
    lambda t, F, x, g: F.grid_sample(t.ones(2, 1, 2, 2, 2).long(), t.zeros(2, 2, 2, 2, 3).long()),
    lambda t, F, x, g: F.grid_sample(t.ones(2, 1, 2, 2, 2, 2), t.zeros(2, 2, 2, 2, 2, 4)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 4)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 4), (2, 3, 4, 5, 6)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 3, 4), (3, 3, 4, 5, 6)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 4, 5, 6)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 3), (2, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 3, 4), (2, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (3, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, 0, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2, 3, -1, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3).long(), (2, 3, 4, 5)),
    lambda t, F, x, g: F.affine_grid(t.ones(2, 2, 3), (2.0, 3, 4, 5)),
    lambda _, F, x, g: F.interpolate(x, 3, mode="lanczos"),
    lambda _, F, x, g: F.interpolate(x.byte()[0], 3, mode="linear"),
    lambda _, F, x, g: F.interpolate(x.byte()[None], 3, mode="trilinear"),
    lambda _, F, x, g: F.interpolate(x.char(), 3, mode="bilinear"),
    lambda _, F, x, g: F.interpolate(x.long(), 3, mode="bicubic"),
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


BYTES = st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 40), st.integers(1, 40))


@given(
    shape=BYTES,
    seed=st.integers(0, 2**16),
    to=st.one_of(
        st.tuples(st.integers(1, 50), st.integers(1, 50)).map(lambda size: {"size": size}),
        st.tuples(st.floats(0.1, 2.5), st.sampled_from([0.25, 0.5, 1.0, 1.7, 2.0])).map(lambda s: {"scale_factor": s}),
    ),
    how=st.sampled_from(
        [("bilinear", False), ("bilinear", True), ("bicubic", False), ("bicubic", True), ("lanczos", True)]
    ),
    align=st.booleans(),
    format=st.sampled_from(["contiguous_format", "channels_last"]),
)
def test_interpolate_of_bytes(shape, seed, to, how, align, format):
    """The same bytes, and the same strides."""
    mode, antialias = how
    if "scale_factor" in to:
        assume(all(n * s >= 1 for n, s in zip(shape[2:], to["scale_factor"], strict=True)))
    columns = to["size"][1] if "size" in to else int(shape[3] * to["scale_factor"][1])
    assume(columns > 1 or format == "channels_last")  # torch repeats the first row there
    rng = np.random.default_rng(seed)
    x = (
        rng.integers(0, 256, shape) if seed % 3 else rng.integers(0, 2, shape) * 255
    )  # or black and white: it overshoots
    results = []
    for lib in (mt, torch):
        image = lib.from_numpy(x.astype("uint8")).to(memory_format=getattr(lib, format))
        y = lib.nn.functional.interpolate(
            image, mode=mode, antialias=antialias, align_corners=align and mode != "lanczos", **to
        )
        assert str(y.dtype) == "torch.uint8"
        results.append((y.numpy(force=True) if lib is torch else y.numpy(), y.stride()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_interpolate_of_bytes_to_one_column():
    """As of images in channels_last: torch 2.13 repeats the first row of others."""
    x = np.random.default_rng(0).integers(0, 256, (1, 5, 6, 7)).astype("uint8")
    images = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
    expected = torch.nn.functional.interpolate(images, (4, 1), mode="bilinear")
    ours = mt.nn.functional.interpolate(mt.from_numpy(x), (4, 1), mode="bilinear")
    np.testing.assert_array_equal(ours.cpu().numpy(), expected.numpy())


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_interpolate_to_the_same_size_copies(mode, dtype):
    for lib in (mt, torch):
        x = lib.ones(1, 1, 2, 2, dtype=getattr(lib, dtype))
        lib.nn.functional.interpolate(x, (2, 2), mode=mode).zero_()
        assert x.sum().item() == 4


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
    volume, places = rng.normal(size=(2, 2, 3, 4, 5)), rng.uniform(-1.5, 1.5, (2, 1, 3, 2, 3))

    def run(device):
        results = []
        for mode, padding, align in EVERY:
            a, g = (mt.tensor(v, device=device, requires_grad=True) for v in (x, grid))
            y = mt.nn.functional.grid_sample(a, g, mode, padding, align)
            y.square().sum().backward()
            results += [y, a.grad, g.grad]
        for mode, padding, align in VOLUMES:
            v, g = (mt.tensor(each, device=device, requires_grad=True) for each in (volume, places))
            y = mt.nn.functional.grid_sample(v, g, mode, padding, align)
            y.square().sum().backward()
            results += [y, v.grad, g.grad]
        results.append(mt.nn.functional.affine_grid(mt.full((2, 3, 4), 0.5, device=device), (2, 1, 2, 3, 4), False))
        theta = mt.tensor(rng.normal(size=(2, 2, 3)) * 0 + 0.5, device=device)
        results.append(mt.nn.functional.affine_grid(theta, (2, 1, 3, 4), False))
        results.append(mt.nn.functional.interpolate(a, (7, 3), mode="bicubic"))
        assert all(t.device == a.device for t in results)
        return [host(t.detach()._data) for t in results]

    expected = run("cpu")
    with gpu():
        for mine, wanted in zip(run("cuda"), expected, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-10, atol=1e-12)
