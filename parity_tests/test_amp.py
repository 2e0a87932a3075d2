"""autocast beside torch's: regions, gradients, caches, decorators, layers, training. (Its lists: test_amp_lists.)"""

import contextlib
import threading
import warnings

import numpy as np
import pytest
import torch
from amp_cases import TOLERANCE, as_array, dtype_name
from on_gpu import REAL, gpu
from side_by_side import BOTH, same

import minitorch2 as mt

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
STEP = 2.0**-7  # from one bfloat16 to the next, relative
on_cuda = pytest.mark.gpu if REAL else lambda test: test  # there it belongs to the tests of the GPU


def one_layer(lib, *, dtype="bfloat16"):
    w = lib.linspace(-1, 1, 12).reshape(3, 4).requires_grad_()
    x = lib.linspace(-2, 2, 8).reshape(2, 4).requires_grad_()
    with lib.autocast("cpu", dtype=getattr(lib, dtype)):
        y = lib.nn.functional.linear(x, w).relu()
        loss = lib.nn.functional.mse_loss(y, lib.ones(2, 3))
    loss.backward()
    return loss, w.grad, x.grad


def test_gradients_come_back_in_float32():
    for a, b in zip(one_layer(mt), one_layer(torch), strict=True):
        assert dtype_name(a) == dtype_name(b) == "float32"
        np.testing.assert_allclose(as_array(a), as_array(b), rtol=STEP, atol=STEP)  # a sum taken in another order


@pytest.mark.parametrize("lib", BOTH)
def test_regions_nest_and_end(lib):
    x = lib.ones(2, 2)
    product = lambda: dtype_name(x @ x)  # noqa: E731
    seen = [product()]
    with lib.autocast("cpu"):
        seen += [product(), lib.is_autocast_enabled("cpu")]
        with lib.autocast("cpu", enabled=False):
            seen += [product(), lib.is_autocast_enabled("cpu")]
            with lib.autocast("cpu", dtype=lib.float16):
                seen += [product(), str(lib.get_autocast_dtype("cpu"))]
        seen += [product(), str(lib.get_autocast_dtype("cpu"))]
        with contextlib.suppress(ValueError), lib.autocast("cpu", enabled=False):
            raise ValueError
        seen.append(product())
    seen += [product(), lib.is_autocast_enabled("cpu")]
    expected = ["float32", "bfloat16", True, "float32", False, "float16", "torch.float16", "bfloat16"]
    assert seen == [*expected, "torch.bfloat16", "bfloat16", "float32", False]


@pytest.mark.parametrize("lib", BOTH)
def test_one_object_is_entered_again_and_decorates(lib):
    region = lib.autocast("cpu")

    @region
    def product(depth):
        """Its docstring."""
        x = lib.ones(2, 2)
        return [dtype_name(x @ x)] + (product(depth - 1) if depth else [])

    class Net(lib.nn.Module):
        @lib.amp.autocast("cpu", dtype=lib.float16)
        def forward(self, x):
            return x @ x

    depth = 2 if lib is mt else 0  # torch's object remembers one outer state only, and leaves the region open
    assert product(depth) == ["bfloat16"] * (depth + 1) and product.__doc__ == "Its docstring."
    assert dtype_name(Net()(lib.ones(2, 2))) == "float16"
    assert not lib.is_autocast_enabled("cpu")


@pytest.mark.parametrize("lib", BOTH)
def test_a_region_is_its_threads_own(lib):
    x, seen = lib.ones(2, 2), []
    with lib.autocast("cpu"):
        thread = threading.Thread(target=lambda: seen.append((lib.is_autocast_enabled("cpu"), dtype_name(x @ x))))
        thread.start()
        thread.join()
        seen.append(dtype_name(x @ x))
    assert seen == [(False, "float32"), "bfloat16"]


def test_a_parameter_is_cast_once_until_the_outermost_region_ends():
    w, x, casts = mt.ones(3, 3, requires_grad=True), mt.ones(2, 3), mt.core.autocast.state.casts

    def product():
        mt.mm(x, w)
        return [cast for _, cast in casts.values()]

    with mt.autocast("cpu"):
        (first,) = product()
        assert first.dtype is mt.bfloat16 and first.requires_grad
        with mt.autocast("cpu", dtype=mt.bfloat16):
            assert product()[0] is first
        assert product()[0] is first
        mt.clear_autocast_cache()
        with mt.autocast("cpu", cache_enabled=False):
            assert not product()
        assert product()[0] is not first
    assert not casts


@pytest.mark.parametrize("lib", BOTH)
def test_a_cast_made_without_a_graph_does_not_cut_the_graph_later(lib):
    w, x = lib.ones(3, 3, requires_grad=True), lib.ones(2, 3)
    with lib.autocast("cpu"):
        with lib.no_grad():
            lib.mm(x, w)
        y = lib.mm(x, w)
    y.sum().backward()
    assert dtype_name(w.grad) == "float32" and w.grad[0, 0].item() == 2


@pytest.mark.parametrize("lib", BOTH)
def test_what_torch_leaves_alone(lib):
    x, d, n = lib.ones(2, 2), lib.ones(2, 2, dtype=lib.float64), lib.ones(2, 2, dtype=lib.int64)
    with lib.autocast("cpu"):
        assert dtype_name(d @ d) == "float64"
        assert dtype_name(n @ n) == "int64"
        y = x.clone()
        y.addmm_(x, x)
        assert dtype_name(y) == "float32"
        assert dtype_name(lib.cat([d, d])) == "float64"


def test_errors_and_warnings_are_torchs():
    same(lambda lib: lib.autocast(3))
    same(lambda lib: lib.autocast("cpu")(3))
    same(lambda lib: lib.amp.custom_fwd(device_type=3))
    same(lambda lib: lib.amp.custom_bwd(device_type=3))
    same(lambda lib: lib.set_autocast_enabled("cpu", 1))
    same(lambda lib: lib.autocast("cpu", enabled=1).__enter__())
    same(lambda lib: lib.autocast("cpu", "bfloat16").__enter__())
    for lib in (mt, torch):  # torch sets one switch before it refuses the other
        lib.set_autocast_enabled("cpu", False)
        with lib.autocast("cpu:0"):
            assert lib.is_autocast_enabled("cpu")
    for lib in (mt, torch):
        with pytest.raises(RuntimeError, match="device type at start of device string: foo"):
            lib.autocast("foo")
        half = lib.ones(2, dtype=lib.float16)
        with lib.autocast("cpu"), pytest.raises(RuntimeError, match="Unexpected floating ScalarType"):
            lib.cat([half, half])
        with pytest.warns(UserWarning, match="CPU Autocast only supports dtypes of torch.bfloat16, torch.float16"):
            assert not lib.autocast("cpu", dtype=lib.float32)._enabled
        with pytest.warns(DeprecationWarning, match=r"torch.get_autocast_gpu_dtype\(\) is deprecated"):
            assert lib.get_autocast_gpu_dtype() is lib.float16


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.standin("CuPy finds a device")
@pytest.mark.parametrize("lib", BOTH)
def test_without_a_gpu_cuda_warns_and_does_nothing(lib):
    with pytest.warns(UserWarning, match="Disabling autocast"), lib.autocast("cuda"):
        assert not lib.is_autocast_enabled()
    with pytest.warns(FutureWarning, match=r"`torch.cuda.amp.autocast\(args...\)` is deprecated"):
        assert not lib.cuda.amp.autocast()._enabled
    with pytest.warns(FutureWarning, match=r"`torch.cuda.amp.GradScaler\(args...\)` is deprecated"):
        assert not lib.cuda.amp.GradScaler().is_enabled()


@pytest.mark.parametrize("lib", BOTH)
def test_switches_by_hand(lib):
    x = lib.ones(2, 2)
    lib.set_autocast_enabled("cpu", True)
    lib.set_autocast_dtype("cpu", lib.float16)
    try:
        assert dtype_name(x @ x) == "float16"
        assert (lib.autocast_increment_nesting(), lib.autocast_decrement_nesting()) == (1, 0)
    finally:
        lib.set_autocast_enabled("cpu", False)
        lib.set_autocast_dtype("cpu", lib.bfloat16)
    assert dtype_name(x @ x) == "float32" and not lib.is_autocast_enabled("cpu")
    lib.set_autocast_cache_enabled(False)
    assert not lib.is_autocast_cache_enabled()
    lib.set_autocast_cache_enabled(True)


def custom(lib, cast_inputs):
    seen = []

    class Product(lib.autograd.Function):
        @staticmethod
        @lib.amp.custom_fwd(device_type="cpu", cast_inputs=cast_inputs and getattr(lib, cast_inputs))
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            seen.append((dtype_name(a), dtype_name(a @ b), lib.is_autocast_enabled("cpu")))
            return a @ b

        @staticmethod
        @lib.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            seen.append((dtype_name(g), dtype_name(g.float() @ b.float().t()), lib.is_autocast_enabled("cpu")))
            return g @ b.t().to(g.dtype), a.t().to(g.dtype) @ g

    x = lib.ones(2, 2, requires_grad=True)
    with lib.autocast("cpu"):
        y = Product.apply(x, x)
    y.sum().backward()
    seen += [dtype_name(y), dtype_name(x.grad)]
    Product.apply(x, x).sum().backward()
    return seen


@pytest.mark.parametrize("cast_inputs", [None, "float32", "float16"])
def test_custom_functions(cast_inputs):
    assert custom(mt, cast_inputs) == custom(torch, cast_inputs)


def recurrent(lib, name, settings, how):
    """Output and state of a layer in a region, a cell's step, and the parameters' gradients."""
    lib.manual_seed(0)
    layer, cell = getattr(lib.nn, name)(3, 4, 2, **settings), getattr(lib.nn, f"{name}Cell")(3, 4)
    x, rows = lib.linspace(-1, 1, 30).reshape(5, 2, 3), 4 if settings.get("bidirectional") else 2
    x = x.bfloat16() if how == "lower input" else x
    state = [lib.linspace(-1, 1, rows * 2 * n).reshape(rows, 2, n) for n in (settings.get("proj_size", 4), 4)]
    if how == "lower h":
        state[0] = state[0].bfloat16()
    state = tuple(state) if name == "LSTM" else state[0]
    if how.endswith("length"):
        x = lib.nn.utils.rnn.pack_padded_sequence(x, [5, 5 if how == "one length" else 3])
    if how == "no_grad":
        layer.requires_grad_(False).eval()
    with lib.autocast("cpu"), lib.set_grad_enabled(how != "no_grad"):
        y, last = layer(x, state if "h" in how.split() else None)
        y, x = (y.data, x.data) if how.endswith("length") else (y, x)
        step = cell(x[:2] if x.dim() == 2 else x[0])
    if how != "no_grad":
        y.float().sum().backward()
    tuples = [t if name == "LSTM" else [t] for t in (last, step)]
    grads = [p.grad for p in layer.parameters() if p.grad is not None]
    return [y, *tuples[0], *tuples[1], *grads]


HOW = ("float32 input", "lower input", "float32 h", "lower h", "one length", "each its length", "no_grad")
# torch runs sequences of one length through oneDNN, whose LSTM needs bfloat16 of the CPU; its own loop needs nothing.
ONEDNN = pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no bfloat16 LSTM in torch here")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "name, settings",
    [
        ("RNN", {}),
        ("GRU", {}),
        pytest.param("LSTM", {}, marks=ONEDNN),
        pytest.param("LSTM", {"bidirectional": True}, marks=ONEDNN),
        ("LSTM", {"proj_size": 2}),
    ],
)
def test_recurrent_layers(name, settings, how):
    for a, b in zip(*(recurrent(lib, name, settings, how) for lib in (mt, torch)), strict=True):
        assert dtype_name(a) == dtype_name(b)
        # 2^-8 is one rounding; torch rounds each step's h and gates anew, and sums gradients of ten rows in bfloat16.
        np.testing.assert_allclose(as_array(a), as_array(b), rtol=6e-2, atol=6e-2)


def test_attention_and_a_transformers_layer():
    found = []
    for lib in (mt, torch):
        lib.manual_seed(0)
        heads, layer = lib.nn.MultiheadAttention(8, 2), lib.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
        x = lib.linspace(-1, 1, 48).reshape(3, 2, 8)
        with lib.autocast("cpu"):
            found.append([*heads(x, x, x), heads(x, x, x, need_weights=False)[0], layer(x)])
    for a, b in zip(*found, strict=True):
        assert dtype_name(a) == dtype_name(b)
        np.testing.assert_allclose(as_array(a), as_array(b), rtol=STEP, atol=STEP)  # sums taken in another order


def penalised(lib, lower, steps=3):
    """Gradients of gradients: torch's example of a gradient penalty."""
    lib.manual_seed(0)
    nn = lib.nn
    model = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer, scaler = lib.optim.SGD(model.parameters(), lr=0.02), lib.amp.GradScaler("cpu", init_scale=128.0)
    x, y, found = lib.linspace(-1, 1, 12).reshape(3, 4), lib.zeros(3, 2), []
    for _ in range(steps):
        optimizer.zero_grad()
        with lib.autocast("cpu", dtype=getattr(lib, lower)):
            loss = nn.functional.mse_loss(model(x), y)
        scaled = lib.autograd.grad(scaler.scale(loss), list(model.parameters()), create_graph=True)
        grads = [g / scaler.get_scale() for g in scaled]
        with lib.autocast("cpu", dtype=getattr(lib, lower)):
            penalty = sum(g.pow(2).sum() for g in grads).sqrt()
            loss = loss + penalty
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        found += [loss.item(), penalty.item()]
    return found


@pytest.mark.parametrize("lower", ["bfloat16", "float16"])
def test_gradient_penalty(lower):
    np.testing.assert_allclose(penalised(mt, lower), penalised(torch, lower), rtol=TOLERANCE[lower])


def backward_in_region(lib, create_graph):
    w, x = lib.linspace(-1, 1, 16).reshape(4, 4).requires_grad_(), lib.ones(2, 4, requires_grad=True)
    with lib.autocast("cpu"):
        (g,) = lib.autograd.grad(((x @ w).tanh() @ w).sum(), x, create_graph=create_graph)
        if create_graph:
            g.pow(2).sum().backward()
    return g, *([w.grad] if create_graph else [])


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_inside_a_region(create_graph):
    for a, b in zip(backward_in_region(mt, create_graph), backward_in_region(torch, create_graph), strict=True):
        assert dtype_name(a) == dtype_name(b)
        # three ops follow one another, whose gradients are rounded each; a step that a sum taken in another order made
        # is multiplied by weights and summed again in the second derivative
        np.testing.assert_allclose(as_array(a), as_array(b), rtol=3 * STEP, atol=3 * STEP)


def train(lib, lower, steps=25, device="cpu"):
    """A small network by the book: autocast, GradScaler, unscale_, clipping, Adam."""
    lib.manual_seed(0)
    nn, rng = lib.nn, np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    model.to(device)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-2)
    scaler = lib.amp.GradScaler(device, init_scale=2.0**10, enabled=lower == "float16")
    labels = rng.integers(0, 3, 24)
    x = rng.standard_normal((24, 1, 8, 8)).astype("float32") + labels[:, None, None, None].astype("float32") * 0.3
    x, t = lib.from_numpy(x).to(device), lib.from_numpy(labels).to(device)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        with lib.autocast(device, dtype=getattr(lib, lower)):
            loss = nn.functional.cross_entropy(model(x), t)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert all(p.dtype is p.grad.dtype is lib.float32 for p in model.parameters())
    return losses


@pytest.mark.parametrize("lower", ["bfloat16", "float16"])
def test_training_follows_torchs_curve(lower):
    # Each step's gradient is off by some units of the lower dtype (2^-9, 2^-12), in directions that mostly cancel.
    ours, theirs = train(mt, lower), train(torch, lower)
    assert theirs[-1] < theirs[0] / 4
    np.testing.assert_allclose(ours, theirs, rtol=0.05 if lower == "bfloat16" else 0.01, atol=0.01)


@on_cuda
@pytest.mark.parametrize("lower", ["bfloat16", "float16"])
def test_training_on_a_gpu_follows_torchs_curve(lower):
    # Without a GPU torch computes on the CPU, where its lists give the ops of this network the same dtypes.
    theirs = train(torch, lower, device="cuda" if torch.cuda.is_available() else "cpu")
    with gpu():
        ours = train(mt, lower, device="cuda")
    np.testing.assert_allclose(ours, theirs, rtol=0.05 if lower == "bfloat16" else 0.01, atol=0.01)


def test_a_warning_still_points_at_the_callers_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mt.nn.functional.mse_loss(mt.ones(2, 3), mt.ones(3))
        mt.nn.functional.softmax(mt.ones(2, 3))
        mt.nn.functional.l1_loss(mt.ones(2), mt.ones(2), size_average=True)
        mt.nn.functional.kl_div(mt.zeros(2, 3), mt.ones(2, 3))
    assert [w.filename for w in caught] == [__file__] * 4
