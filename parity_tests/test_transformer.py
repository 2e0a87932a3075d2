"""Transformer layers and stacks against torch's: values, derivatives, seeds, dropout, masks, evaluation, errors."""

import contextlib
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import outcome, same
from test_attention import assert_close, build, differentiable_twice, same_weights
from test_rnn import arrays_of, gradients

import minitorch2 as mt

BOTH = (mt, torch)


@st.composite
def settings(draw):
    """Arguments of a layer as text, and heads, d_model, batch_first."""
    heads = draw(st.integers(1, 2))
    width = heads * draw(st.integers(1, 3))
    options = {name: draw(st.booleans()) for name in ("batch_first", "norm_first", "bias")}
    options["dropout"] = draw(st.sampled_from([0.0, 0.3]))
    options["activation"] = draw(st.sampled_from(["'relu'", "'gelu'", "Tanh()", "GELU()", "Sigmoid().forward"]))
    text = f"{width}, {heads}, dim_feedforward={draw(st.integers(1, 4))}, "
    return text + ", ".join(f"{k}={v}" for k, v in options.items()), heads, width, options["batch_first"]


@st.composite
def encoder_calls(draw, stack):
    arguments, _, width, batch_first = draw(settings())
    text = f"TransformerEncoderLayer({arguments})"
    if stack:
        norm = f", norm=LayerNorm({width})" if draw(st.booleans()) else ""
        options = f", enable_nested_tensor={draw(st.booleans())}, mask_check={draw(st.booleans())}"
        text = f"TransformerEncoder({text}, {draw(st.integers(1, 2))}{norm}{options})"
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    batch, length, batched = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.booleans())
    x = rng.normal(size=source_shape(batch, length, width, batched, batch_first))
    kinds = st.sampled_from(["none", "bool", "numbers"])
    masks = {
        name: draw_mask(draw, rng, draw(kinds), shape)
        for name, shape in (("mask", (length, length)), ("padding", (batch, length) if batched else (length,)))
    }
    if (
        masks["mask"] is None and masks["padding"] is not None and draw(st.booleans())
    ):  # at the end, as nested tensors do
        masks["padding"] = np.arange(length) >= rng.integers(0, length + 1, (batch, 1) if batched else ())
    causal = {} if draw(st.booleans()) else {"is_causal": draw(st.booleans())}
    if causal.get("is_causal"):
        masks["mask"] = np.triu(np.ones((length, length), bool), 1)
    return text, x, masks, causal, draw(st.sampled_from(["train", "eval", "no grad"]))


def source_shape(batch, length, width, batched, batch_first):
    if not batched:
        return length, width
    return (batch, length, width) if batch_first else (length, batch, width)


def draw_mask(draw, rng, kind, shape):
    if kind == "none":
        return None
    mask = rng.random(shape) < 0.4
    if draw(st.booleans()):
        mask[..., 0] = False  # every query sees something
    return mask if kind == "bool" else np.where(mask, -np.inf if draw(st.booleans()) else -1.0, 0.0)


def run(lib, text, arrays, call, mode, order=2):
    """Outputs and derivatives of call(layer, *tensors), or outputs and strides where gradients are off."""
    layer = build(lib, text).train(mode == "train")
    for p in layer.parameters():
        p.data.add_(0.05)  # biases that are not zero, norms that are not one
    tensors = [lib.from_numpy(a.copy()).requires_grad_(mode != "no grad") for a in arrays]
    lib.manual_seed(1)
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore", UserWarning)  # mismatched masks; torch: nested tensors are a prototype
        stack.enter_context(lib.no_grad() if mode == "no grad" else contextlib.nullcontext())
        if order == 2 and mode != "no grad":
            stack.enter_context(differentiable_twice(lib))
        y = call(lib, layer, *tensors)
        derived = [] if mode == "no grad" else gradients(lib, [y], [*tensors, *layer.parameters()], order)
    return arrays_of([y, *derived]), y.stride()


def compare(text, arrays, call, mode, order=2):
    (ours, our_strides), (theirs, strides) = (run(lib, text, arrays, call, mode, order) for lib in BOTH)
    # Second derivatives pass through two norms over few numbers, whose small deviations are divided by.
    assert_close(ours[:1], theirs[:1], 1e-10)
    assert_close(ours[1:], theirs[1:], 1e-7)
    assert our_strides == strides


def given_masks(lib, masks):
    return [m if m is None else lib.from_numpy(np.asarray(m)) for m in masks]


@given(encoder_calls(stack=False))
def test_encoder_layer(call):
    text, x, masks, causal, mode = call

    def action(lib, layer, x):
        return layer(x, *given_masks(lib, masks.values()), **causal)

    compare(text, [x], action, mode)


@given(encoder_calls(stack=True))
def test_encoder(call):
    """With nested tensors, that is with zeros for padding, wherever torch takes them."""
    text, x, masks, causal, mode = call

    def action(lib, layer, x):
        return layer(x, *given_masks(lib, masks.values()), **causal)

    compare(text, [x], action, mode, order=1)


@given(settings(), st.integers(0, 2**16), st.booleans(), st.sampled_from(["train", "eval", "no grad"]), st.data())
def test_decoder(arguments, seed, stack, mode, data):
    arguments, _, width, batch_first = arguments
    text = f"TransformerDecoderLayer({arguments})"
    if stack:
        text = f"TransformerDecoder({text}, 2, norm=LayerNorm({width}))"
    rng = np.random.default_rng(seed)
    batch, target, source, batched = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 4), rng.random() < 0.7
    arrays = [rng.normal(size=source_shape(batch, n, width, batched, batch_first)) for n in (target, source)]
    shapes = [(target, target), (target, source)]
    shapes += [(batch, n) if batched else (n,) for n in (target, source)]
    kinds = st.sampled_from(["none", "bool", "numbers"])
    masks = [draw_mask(data.draw, rng, data.draw(kinds), shape) for shape in shapes]
    causal = {}
    if rng.random() < 0.5:
        masks[0], causal["tgt_is_causal"] = np.triu(np.ones((target, target), bool), 1), True

    def action(lib, layer, x, memory):
        return layer(x, memory, *given_masks(lib, masks), **causal)

    compare(text, arrays, action, mode, order=1)


@given(settings(), st.integers(0, 2**16), st.sampled_from(["train", "eval", "no grad"]))
def test_transformer(arguments, seed, mode):
    arguments, _, width, batch_first = arguments
    text = f"Transformer({arguments}, num_encoder_layers=2, num_decoder_layers=1)"
    rng = np.random.default_rng(seed)
    batched, sizes = rng.random() < 0.7, rng.integers(1, 4, 3)
    arrays = [rng.normal(size=source_shape(sizes[2], n, width, batched, batch_first)) for n in sizes[:2]]

    def action(lib, layer, src, tgt):
        mask = layer.generate_square_subsequent_mask(sizes[1], dtype=lib.float64)
        return layer(src, tgt, tgt_mask=mask)

    compare(text, arrays, action, mode, order=1)


@given(settings(), st.integers(1, 2))
def test_one_seed_one_set_of_weights(arguments, layers):
    arguments, _, width, _ = arguments
    same_weights(f"TransformerEncoder(TransformerEncoderLayer({arguments}), {layers}, LayerNorm({width}))")
    same_weights(f"TransformerDecoder(TransformerDecoderLayer({arguments}), {layers})")
    same_weights(f"Transformer({arguments}, num_encoder_layers={layers}, num_decoder_layers=1)")


def test_layers_of_a_stack_are_copies():
    def action(lib):
        layer = build(lib, "TransformerEncoderLayer(4, 2, 8)")
        stack = lib.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        own = {id(p) for p in layer.parameters()}
        first, second = (list(part.parameters()) for part in stack.layers)
        shared = any(id(p) in own for p in stack.parameters())
        return shared, all(bool((a == b).all()) for a, b in zip(first, second, strict=True)), stack.num_layers

    assert same(action) == [False, True, 2]


def test_decoders_of_layers_with_a_module_for_activation():
    """torch's copies of such a layer use relu instead, and so must ours; here that is said aloud."""
    with pytest.warns(UserWarning, match="use relu, as in torch"):
        stack = mt.nn.TransformerDecoder(mt.nn.TransformerDecoderLayer(4, 2, 8, activation=mt.nn.Tanh()), 1)
    assert stack.layers[0].activation is mt.nn.functional.relu
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for activation in ("gelu", mt.nn.functional.silu, mt.nn.ReLU()):
            mt.nn.TransformerDecoder(mt.nn.TransformerDecoderLayer(4, 2, 8, activation=activation), 1)


def test_blocks_may_be_overridden():
    """Programs replace these methods, to see the weights or to attend in their own way."""

    def action(lib):
        class Layer(lib.nn.TransformerDecoderLayer):
            def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
                return x * 2

            def _mha_block(self, x, mem, attn_mask, key_padding_mask, is_causal=False):
                return x * 3

            def _ff_block(self, x):
                return super()._ff_block(x) * 0

        x = lib.arange(4.0).reshape(1, 1, 4)
        return Layer(4, 2, 8, norm_first=True)(x, x).round(decimals=4)

    same(action)


def test_custom_stacks():
    def action(lib):
        lib.manual_seed(0)

        class Encoder(lib.nn.Module):
            def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
                return src + 1

        net = lib.nn.Transformer(4, 2, num_decoder_layers=1, dim_feedforward=4, custom_encoder=Encoder())
        return [list(p.shape) for p in net.parameters()], list(net(lib.ones(3, 1, 4), lib.ones(2, 1, 4)).shape)

    same(action)


def test_causal_masks():
    same(lambda lib: lib.nn.Transformer.generate_square_subsequent_mask(3))
    same(lambda lib: lib.nn.Transformer.generate_square_subsequent_mask(2, dtype=lib.float64))
    same(lambda lib: lib.nn.Transformer.generate_square_subsequent_mask(0))


NESTED = """
(4, 2, batch_first=True); (4, 2); (4, 2, batch_first=True, norm_first=True); (4, 1, batch_first=True)
(4, 2, batch_first=True, bias=False); (4, 2, batch_first=True, activation=SiLU())
"""


@pytest.mark.parametrize("arguments", NESTED.strip().replace("\n", "; ").split("; "))
def test_what_stands_against_nested_tensors(arguments):
    texts = []
    for lib in BOTH:
        layer = eval(f"TransformerEncoderLayer{arguments}", vars(lib.nn).copy())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            stack = lib.nn.TransformerEncoder(layer, 1)
        texts.append([str(w.message) for w in caught] + [stack.use_nested_tensor, stack.enable_nested_tensor])
    assert texts[0] == texts[1]


def test_errors():
    def action(lib):
        nn, zeros = lib.nn, lib.zeros
        net = nn.Transformer(4, 2, 1, 1, 4)
        calls = [
            lambda _: net(zeros(3, 2, 4), zeros(3, 1, 4)),
            lambda _: net(zeros(3, 2, 5), zeros(3, 2, 4)),
            lambda _: nn.Transformer(4, 2, 1, 1, 4, batch_first=True)(zeros(3, 2, 4), zeros(2, 2, 4)),
            lambda _: nn.TransformerEncoderLayer(4, 2, activation="elu"),
            lambda _: nn.TransformerDecoderLayer(4, 2, activation="elu"),
            lambda _: nn.TransformerEncoderLayer(4, 3),
            lambda _: nn.TransformerEncoderLayer(4),
            lambda _: nn.TransformerEncoderLayer(4, 2)(zeros(3, 2, 4), is_causal=True),
            lambda _: nn.TransformerEncoderLayer(4, 2)(zeros(3, 2, 4), zeros(3, 3).long()),
            lambda _: nn.TransformerEncoderLayer(4, 2)(zeros(3, 2, 4), src_key_padding_mask=zeros(2, 3).int()),
            lambda _: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2), 0)(zeros(3, 2, 4)),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return [outcome(call, lib) for call in calls]

    assert all(error[0].endswith("Error") for error in same(action))


def test_training_gives_the_losses_of_torch():
    """Ten steps of AdamW on a small encoder with dropout: the same numbers from the same seed."""
    curves = []
    for lib in BOTH:
        lib.manual_seed(0)
        nn = lib.nn
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)
        stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        net = nn.Sequential(nn.Embedding(11, 8), stack, nn.Linear(8, 11))
        optimizer = lib.optim.AdamW(net.parameters(), lr=1e-2)
        text, losses = lib.randint(0, 11, (4, 7)), []
        for _ in range(10):
            loss = nn.functional.cross_entropy(net(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves.append(losses)
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)  # float32 rounding, grown over ten steps
    assert curves[0][-1] < curves[0][0]
