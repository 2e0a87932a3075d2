"""Attention against torch's: the function, the layer with its projections; values, derivatives, seeds, errors."""

import contextlib
import math
import warnings

import numpy as np
import pytest
import torch
from functional_side_by_side import check
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import outcome, same
from test_rnn import arrays_of, gradients

import minitorch2 as mt
from minitorch2.ops.attention import Attention

BOTH = (mt, torch)


def differentiable_twice(lib):
    """torch's fused kernels have no second derivative; its composed form has."""
    return (
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH) if lib is torch else contextlib.nullcontext()
    )


@st.composite
def attention_cases(draw):
    """Arrays q, k, v and perhaps a mask, and the keyword arguments."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    batch = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    length, keys, width, out = (draw(st.integers(1, 5)) for _ in range(4))
    kv_batch = batch
    options = {}
    if len(batch) and draw(st.booleans()):
        options["enable_gqa"] = True
        batch = (*batch[:-1], batch[-1] * draw(st.integers(1, 3)))
    elif draw(st.booleans()):
        kv_batch = tuple(1 if draw(st.booleans()) else n for n in batch)
    q, k, v = (rng.normal(size=s) for s in ((*batch, length, width), (*kv_batch, keys, width), (*kv_batch, keys, out)))
    kind = draw(st.sampled_from(["none", "causal", "bool", "float", "float with rows of -inf"]))
    mask = None
    if kind == "causal":
        options["is_causal"] = True
    elif kind != "none":
        dims = tuple(1 if draw(st.booleans()) else n for n in (*batch, length, keys))[
            draw(st.integers(0, len(batch))) :
        ]
        mask = rng.normal(size=dims)
        if kind == "bool":
            mask = mask > draw(st.sampled_from([-0.5, 0.5]))
        elif kind != "float":
            mask = np.where(rng.random((*dims[:-1], 1)) < 0.5, -np.inf, mask)
    if draw(st.booleans()):
        options["scale"] = draw(st.sampled_from([0.3, 2.0, -0.5, 0.0]))
    if draw(st.booleans()):
        options["dropout_p"] = draw(st.sampled_from([0.3, 1.0]))
    return ([q, k, v] if mask is None else [q, k, v, mask]), options


@given(attention_cases())
def test_scaled_dot_product_attention(case):
    """Values, first and second derivatives, those of a mask of numbers included, and dropout's draws."""
    arrays, options = case

    def action(lib, F, q, k, v, mask=None):
        with differentiable_twice(lib):
            return F.scaled_dot_product_attention(q, k, v, mask, **options)

    # The second derivative of a softmax is made of terms that cancel, here of scores up to twenty.
    check(action, *arrays, ulps=1024)


@given(attention_cases(), st.sampled_from(["float32", "float16", "bfloat16"]))
def test_attention_in_other_dtypes(case, dtype):
    arrays, options = case

    def action(lib, F, q, k, v, mask=None):
        q, k, v = (t.to(getattr(lib, dtype)) for t in (q, k, v))
        mask = mask if mask is None or mask.dtype == lib.bool else mask.to(lib.float32)
        return F.scaled_dot_product_attention(q, k, v, mask, **options)

    arrays = [a if a.dtype == bool else a.astype(np.float32) for a in arrays]
    if dtype == "float32":
        check(action, *arrays, order=1)
    else:  # torch rounds the scores and the weights of half precision, ours only the result: a few units more
        check(action, *arrays, order=0, ulps=8)


@given(attention_cases())
def test_fused_attention_is_the_composed_one(case):
    arrays, options = case
    found = []
    for fused in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not fused:
                patch.setattr(Attention, "apply", staticmethod(Attention.composed))
            tensors = [mt.from_numpy(a.copy()) for a in arrays]
            leaves = [t.requires_grad_() for t in tensors if t.is_floating_point()]
            mt.manual_seed(0)
            mask = tensors[3] if len(tensors) > 3 else None
            y = mt.nn.functional.scaled_dot_product_attention(*tensors[:3], mask, **options)
        found.append(arrays_of([y, *gradients(mt, [y], leaves, 1)]))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_changed_mask_is_noticed():
    for lib in BOTH:
        q, mask = lib.ones(2, 3, requires_grad=True), lib.zeros(2, 2)
        mask.requires_grad_()
        y = lib.nn.functional.scaled_dot_product_attention(q, q, q, mask * 1.0)
        assert lib.autograd.grad(y.sum(), mask)[0].shape == (2, 2)


SHAPES = [  # query, key, value, and what else
    ((3,), (3,), (3,), {}),
    ((2, 3), (2, 4), (2, 3), {}),
    ((2, 3), (2, 3), (3, 3), {}),
    ((2, 2, 3), (3, 2, 3), (3, 2, 3), {}),
    ((2, 4, 2, 3), (2, 2, 5, 3), (2, 2, 5, 3), {}),
    ((2, 3), (2, 3), (2, 3), {"mask": (3, 2)}),
    ((2, 3), (2, 3), (2, 3), {"mask": (5, 2, 2)}),
    ((1, 1, 2, 3), (1, 1, 2, 3), (1, 1, 2, 3), {"mask": (5, 1, 2, 2)}),
    ((2, 3), (2, 3), (2, 3), {"mask": (2, 2), "is_causal": True}),
    ((2, 3), (2, 3), (2, 3), {"dropout_p": 1.5}),
    ((2, 3), (2, 3), (2, 3), {"dropout_p": -0.5}),
    ((2, 4, 0, 3), (2, 4, 5, 3), (2, 4, 5, 3), {}),
    ((2, 4, 2, 3), (2, 4, 0, 3), (2, 4, 0, 3), {}),
    ((2, 4, 2, 0), (2, 4, 5, 0), (2, 4, 5, 3), {}),
    ((0, 4, 2, 3), (0, 4, 5, 3), (0, 4, 5, 3), {"dropout_p": 0.5}),
]


@pytest.mark.parametrize(("q", "k", "v", "options"), SHAPES)
def test_shapes_and_errors(q, k, v, options):
    def action(lib):
        given = dict(options)
        mask = lib.zeros(given.pop("mask")) if "mask" in given else None
        tensors = [lib.ones(s) for s in (q, k, v)]
        return lib.nn.functional.scaled_dot_product_attention(*tensors, mask, **given)

    same(action)


def test_dtype_errors():
    def action(lib):
        attend, x = lib.nn.functional.scaled_dot_product_attention, lib.zeros(2, 3)
        calls = [
            lambda _: attend(x, x.double(), x),
            lambda _: attend(x, x, x, lib.zeros(2, 2, dtype=lib.int64)),
            lambda _: attend(x, x, x, lib.zeros(2, 2, dtype=lib.float64)),
            lambda _: attend([1], x, x),
        ]
        return [outcome(call, lib) for call in calls]

    same(action)
    for lib in BOTH:  # torch's message ends in the middle of the sentence, and it has no words for integers
        x = lib.zeros(2, 3)
        with pytest.raises(RuntimeError, match="Number of heads in key and value must divide the number of heads in"):
            lib.nn.functional.scaled_dot_product_attention(
                lib.zeros(4, 2, 3), lib.zeros(3, 2, 3), lib.zeros(3, 2, 3), enable_gqa=True
            )
        with pytest.raises(IndexError, match="Dimension out of range"):
            lib.nn.functional.scaled_dot_product_attention(x, x, x, enable_gqa=True)
        with pytest.raises(RuntimeError, match="expected m1 and m2 to have the same dtype"):
            lib.nn.functional.scaled_dot_product_attention(x.long(), x.long(), x.long())
        with pytest.raises(TypeError):
            lib.nn.functional.scaled_dot_product_attention(x, x, x, None, 0.0, False, 1.0)


@st.composite
def layers(draw):
    """The layer as text, and its sizes: heads, embed_dim, kdim, vdim, batch_first."""
    heads = draw(st.integers(1, 3))
    width = heads * draw(st.integers(1, 3))
    options = {name: draw(st.booleans()) for name in ("bias", "add_bias_kv", "add_zero_attn", "batch_first")}
    kdim, vdim = (draw(st.sampled_from([width, width, 2, 5])) for _ in range(2))
    if (kdim, vdim) != (width, width):
        options |= {"kdim": kdim, "vdim": vdim}
    if draw(st.booleans()):
        options["dropout"] = 0.4
    text = f"MultiheadAttention({width}, {heads}, " + ", ".join(f"{k}={v}" for k, v in options.items()) + ")"
    return text, heads, (width, kdim, vdim), options["batch_first"]


@st.composite
def calls(draw):
    """A layer, arrays for its inputs and masks (or None), and the other arguments."""
    text, heads, widths, batch_first = draw(layers())
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    batched = draw(st.booleans())
    batch, length, keys = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    alike = draw(st.sampled_from(["different", "key is value", "all one"])) if len(set(widths)) == 1 else "different"
    keys = length if alike == "all one" else keys
    sizes = (length, keys, keys)
    if batched:
        sizes = [(batch, n) if batch_first else (n, batch) for n in sizes]
    else:
        sizes = [(n,) for n in sizes]
    inputs = [rng.normal(size=(*s, w)) for s, w in zip(sizes, widths, strict=True)]
    inputs = {"different": inputs, "key is value": inputs[:2], "all one": inputs[:1]}[alike]
    masks = {"key_padding_mask": None, "attn_mask": None}
    if draw(st.booleans()):
        # the first key is seen, so that no row is empty: what becomes of those has a test of its own
        masks["key_padding_mask"] = rng.random((batch, keys) if batched else (keys,)) < 0.4
        masks["key_padding_mask"][..., 0] = False
    mask_kind = draw(st.sampled_from(["none", "2-d", "3-d", "causal"]))
    if mask_kind != "none":
        shape = (length, keys) if mask_kind != "3-d" else ((batch if batched else 1) * heads, length, keys)
        mask = rng.random(shape) < 0.4 if mask_kind != "causal" else np.triu(np.ones(shape, bool), 1)
        mask[..., 0] = False
        masks["attn_mask"] = mask
    if draw(st.booleans()):
        masks = {name: m if m is None else np.where(m, -np.inf, 0.5) for name, m in masks.items()}
    flags = {"need_weights": draw(st.booleans()), "average_attn_weights": draw(st.booleans())}
    if mask_kind == "causal" and "add_bias_kv=True" not in text:
        flags["is_causal"] = draw(st.booleans())
    return text, inputs, masks, flags, draw(st.booleans()), draw(st.booleans())


def build(lib, text, seed=3):
    lib.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # enable_nested_tensor
        return eval(text, vars(lib.nn).copy()).double()


def attend(lib, layer, tensors, masks, flags):
    q, k, v = {1: (0, 0, 0), 2: (0, 1, 1), 3: (0, 1, 2)}[len(tensors)]
    masks = {name: m if m is None else lib.from_numpy(m) for name, m in masks.items()}
    lib.manual_seed(1)
    with differentiable_twice(lib):
        return [t for t in layer(tensors[q], tensors[k], tensors[v], **masks, **flags) if t is not None]


def assert_close(ours, theirs, tolerance=1e-12):
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype, i
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1, np.nanmax(np.abs(b), initial=0)), err_msg=i)


@given(calls())
def test_multihead_attention(call):
    """Training and evaluation, with gradients; and evaluation without, where torch runs another program."""
    text, inputs, masks, flags, training, with_grad = call
    found = []
    for lib in BOTH:
        layer = build(lib, text).train(training)
        with torch.no_grad():  # biases that are not zero
            for p in layer.parameters():
                p.data.add_(0.1)
        tensors = [lib.from_numpy(a.copy()).requires_grad_(with_grad) for a in inputs]
        leaves = [*tensors, *layer.parameters()]
        with contextlib.nullcontext() if with_grad else lib.no_grad():
            outputs = attend(lib, layer, tensors, masks, flags)
        strides = [t.stride() for t in outputs]
        derived = gradients(lib, outputs, leaves, 2) if with_grad else []
        found.append((arrays_of([*outputs, *derived]), strides))
    (ours, our_strides), (theirs, strides) = found
    assert_close(ours, theirs, 1e-10)
    assert our_strides[0] == strides[0]


@given(layers())
def test_one_seed_one_set_of_weights(layer):
    text, *_ = layer
    same_weights(text)


def same_weights(text):
    ours, theirs = (build(lib, text) for lib in BOTH)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    for name, weight in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].numpy(), weight.numpy(), err_msg=name)


def test_state_goes_both_ways():
    ours, theirs = build(mt, "MultiheadAttention(4, 2)", 1), build(torch, "MultiheadAttention(4, 2)", 2)
    before = {name: t.numpy().copy() for name, t in ours.state_dict().items()}
    ours.load_state_dict({name: mt.from_numpy(t.numpy().copy()) for name, t in theirs.state_dict().items()})
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in before.items()})
    x = np.random.default_rng(0).normal(size=(3, 2, 4))
    swapped = [layer(*[lib.from_numpy(x)] * 3)[0].detach().numpy() for lib, layer in ((mt, ours), (torch, theirs))]
    again = [build(lib, "MultiheadAttention(4, 2)", seed) for lib, seed in ((mt, 1), (torch, 2))]
    first = [layer(*[lib.from_numpy(x)] * 3)[0].detach().numpy() for lib, layer in zip(BOTH, again, strict=True)]
    assert_close(swapped, first[::-1])


@pytest.mark.parametrize("with_grad", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("number", [-math.inf, True, -1.0])
def test_queries_that_see_nothing(with_grad, need_weights, number):
    """nan with weights, zeros without them; and nan again in torch's program for inference, which takes bools only."""
    padding = np.array([[False, False, True], [True, True, True]])
    padding = padding if number is True else np.where(padding, number, 0.0)
    x, found = np.random.default_rng(0).normal(size=(2, 3, 4)), []
    for lib in BOTH:
        layer, t = build(lib, "MultiheadAttention(4, 2, batch_first=True)").eval(), lib.from_numpy(x)
        with contextlib.nullcontext() if with_grad else lib.no_grad():
            y, weights = layer(t, t, t, key_padding_mask=lib.from_numpy(padding), need_weights=need_weights)
        found.append(arrays_of([y] if weights is None else [y, weights]))
        found.append(y.stride())
    assert_close(found[0], found[2])
    assert found[1] == found[3]


def test_static_keys_and_values():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in ((3, 2, 4), (12, 4), (12,), (4, 4), (4,), (4, 5, 2), (4, 5, 2))]

    def action(lib, F, x, w, b, w_out, b_out, k, v):
        settings = (4, 2, w, b, None, None, True, 0.0, w_out, b_out)
        return F.multi_head_attention_forward(x, x, x, *settings, static_k=k, static_v=v)

    check(action, *arrays)


def test_half_precision():
    x = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
    for dtype, eps in (("float16", 2.0**-10), ("bfloat16", 2.0**-7)):
        found = []
        for lib in BOTH:
            layer = build(lib, "MultiheadAttention(4, 2)").to(getattr(lib, dtype))
            t = lib.from_numpy(x).to(getattr(lib, dtype))
            mask = lib.nn.Transformer.generate_square_subsequent_mask(3, dtype=t.dtype)
            y, weights = layer(t, t, t, attn_mask=mask)
            assert str(y.dtype) == str(weights.dtype) == f"torch.{dtype}"
            found.append([a.float().detach().numpy() for a in (y, weights)])
        assert_close(*found, tolerance=8 * eps)  # two products and a softmax, rounded in between in torch


def test_masks_of_another_dtype():
    for lib in BOTH:
        layer, t, mask = build(lib, "MultiheadAttention(4, 2)"), lib.ones(3, 2, 4).double(), lib.zeros(3, 3)
        assert layer(t, t, t, attn_mask=mask, need_weights=False)[0].dtype == lib.float64
        with pytest.raises(RuntimeError, match="Input dtypes must be the same, got: input float, batch1: double"):
            layer(t, t, t, attn_mask=mask)


def test_mismatched_masks_warn():
    texts = []
    for lib in BOTH:
        layer, t = lib.nn.MultiheadAttention(4, 2), lib.ones(3, 2, 4)
        with pytest.warns(UserWarning) as caught:
            layer(t, t, t, key_padding_mask=lib.zeros(2, 3).bool(), attn_mask=lib.zeros(3, 3))
        texts.append([str(w.message) for w in caught])
    assert texts[0] == texts[1]


CONSTRUCTION = "(0, 1); (4, 0); (4, 3); (4, -1); (4); (4, 2, 0.1, True, False, False, 3); (4, 2, foo=1)"


@pytest.mark.parametrize("arguments", CONSTRUCTION.split("; "))
def test_construction(arguments):
    same(lambda lib: repr(eval(f"MultiheadAttention{arguments}", vars(lib.nn).copy())))


BAD_CALLS = [  # shapes of query, key, value, key_padding_mask, attn_mask; and what else
    ((1, 3, 2, 4), (3, 2, 4), (3, 2, 4), None, None, {}),
    ((3, 2, 4), (3, 4), (3, 2, 4), None, None, {}),
    ((3, 4), (3, 4), (3, 2, 4), None, None, {}),
    ((3, 2, 4), (3, 2, 4), (3, 2, 4), (3,), None, {}),
    ((3, 4), (3, 4), (3, 4), (2, 3), None, {}),
    ((3, 2, 4), (3, 2, 4), (3, 2, 4), None, (3,), {}),
    ((3, 4), (3, 4), (3, 4), None, (3,), {}),
    ((3, 4), (3, 4), (3, 4), None, (3, 3, 3), {}),
    ((3, 2, 5), (3, 2, 5), (3, 2, 5), None, None, {}),
    ((3, 2, 4), (3, 2, 4), (4, 2, 4), None, None, {}),
    ((3, 2, 4), (3, 2, 4), (3, 2, 4), None, (2, 3), {}),
    ((3, 2, 4), (3, 2, 4), (3, 2, 4), None, (3, 3, 3), {}),
    ((3, 2, 4), (3, 2, 4), (3, 2, 4), (3, 3), None, {}),
    ((3, 2, 4), (3, 2, 4), (3, 2, 4), (2, 4), None, {}),
    ((3, 2, 4), (3, 2, 4), (3, 2, 4), None, None, {"is_causal": True}),
]


@pytest.mark.parametrize(("q", "k", "v", "padding", "mask", "options"), BAD_CALLS)
def test_errors_of_the_layer(q, k, v, padding, mask, options):
    def action(lib):
        masks = {"key_padding_mask": padding, "attn_mask": mask}
        masks = {name: None if m is None else lib.zeros(m) for name, m in masks.items()}
        return lib.nn.MultiheadAttention(4, 2)(*[lib.zeros(s) for s in (q, k, v)], **masks, **options)

    assert isinstance(same(action), tuple)


def test_more_errors_of_the_function():
    def action(lib):
        F, x, w, b = lib.nn.functional, lib.ones(3, 2, 4), lib.ones(12, 4), lib.ones(12)
        square, extra = lib.ones(4, 4), lib.ones(1, 1, 4)

        def call(x=x, width=4, heads=2, w=w, bias_k=None, bias_v=None, **options):
            settings = (width, heads, w, b, bias_k, bias_v, False, 0.0, square, None)
            return F.multi_head_attention_forward(x, x, x, *settings, **options)

        separate = {"use_separate_proj_weight": True, "q_proj_weight": square, "k_proj_weight": square}
        separate["v_proj_weight"] = square
        calls = [
            lambda _: call(width=5),
            lambda _: call(heads=3),
            lambda _: call(w=None),
            lambda _: call(bias_k=extra),
            lambda _: call(bias_v=extra),
            lambda _: call(bias_k=extra, bias_v=extra, static_k=extra),
            lambda _: call(bias_k=extra, bias_v=extra, static_v=extra),
            lambda _: call(static_k=lib.ones(3, 3, 2)),
            lambda _: call(static_k=lib.ones(4, 3, 3)),
            lambda _: call(static_v=lib.ones(3, 3, 2)),
            lambda _: call(static_v=lib.ones(4, 3, 3)),
            *(lambda _, n=name: call(**{**separate, n: None}) for name in list(separate)[1:]),
            *(lambda _, n=name: call(**{**separate, n: lib.ones(4, 5)}) for name in list(separate)[1:]),
            lambda _: call(key_padding_mask=lib.zeros(2, 3).long()),
            lambda _: call(attn_mask=lib.zeros(3, 3).long()),
        ]
        return [outcome(c, lib) for c in calls]

    assert all(error[0].endswith("Error") for error in same(action))
