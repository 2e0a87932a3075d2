"""torch.channels_last: which memory a tensor gets that asks for it, that images stay in it, and that numbers drawn for
them from one seed land where torch's do. Not followed: roll, sort, stack, and sums of tensors in two formats."""

import numpy as np
import pytest
import torch
from side_by_side import outcome

import minitorch2 as mt

SHAPES = [(2, 3, 4, 5), (2, 4, 1, 1), (2, 1, 4, 4), (1, 3, 4, 5), (1, 1, 1, 1), (2, 3, 1, 4)]


def last(lib, x):
    return x.contiguous(memory_format=lib.channels_last)


MADE = {
    "to": lambda lib, x: x.to(memory_format=lib.channels_last),
    "contiguous": last,
    "clone": lambda lib, x: x.clone(memory_format=lib.channels_last),
    "and back": lambda lib, x: x.to(memory_format=lib.channels_last).to(memory_format=lib.contiguous_format),
    "contiguous again": lambda lib, x: x.to(memory_format=lib.channels_last).contiguous(),
    "another dtype": lambda lib, x: x.to(lib.float64, memory_format=lib.channels_last),
    "another dtype, back": lambda lib, x: last(lib, x).to(lib.float64, memory_format=lib.contiguous_format),
    "zeros_like": lambda lib, x: lib.zeros_like(x, memory_format=lib.channels_last),
    "ones_like, back": lambda lib, x: lib.ones_like(last(lib, x), memory_format=lib.contiguous_format),
    "full_like": lambda lib, x: lib.full_like(last(lib, x), 2.0),
    "transposed": lambda lib, x: x.transpose(2, 3).to(memory_format=lib.contiguous_format),
    "transposed, cloned": lambda lib, x: x.transpose(2, 3).clone(memory_format=lib.contiguous_format),
    "permuted": lambda lib, x: x.permute(2, 0, 3, 1).to(memory_format=lib.channels_last),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", MADE)
def test_memory(how, shape):
    found = []
    for lib in (mt, torch):
        x = lib.arange(float(np.prod(shape))).reshape(shape)
        y = MADE[how](lib, x)
        formats = [y.is_contiguous(memory_format=f) for f in (lib.channels_last, lib.contiguous_format)]
        found.append((y.tolist(), y.stride(), formats, y is x))
    assert found[0] == found[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_empty(shape):
    ours, theirs = (lib.empty(shape, memory_format=lib.channels_last).stride() for lib in (mt, torch))
    assert ours == theirs


@pytest.mark.parametrize(
    "action",
    [
        lambda lib: lib.ones(2, 3).contiguous(memory_format=lib.channels_last),
        lambda lib: lib.ones(2, 3, 4).to(memory_format=lib.channels_last),
        lambda lib: lib.ones(2).clone(memory_format=lib.channels_last),
        lambda lib: lib.empty(2, 3, memory_format=lib.channels_last),
        lambda lib: lib.zeros_like(lib.ones(2), memory_format=lib.channels_last),
        lambda lib: lib.ones(2, 3).is_contiguous(memory_format=lib.channels_last),
    ],
)
def test_other_numbers_of_dims(action):
    assert outcome(action, mt) == outcome(action, torch)


def test_what_is_no_format():
    with pytest.raises(TypeError, match=r"argument 'memory_format' must be .*, not 3"):
        mt.ones(2).contiguous(memory_format=3)


def test_nothing():
    assert last(mt, mt.ones(0, 3, 2, 2)).shape == (0, 3, 2, 2)


def functional(lib):
    return lib.nn.functional


def weights(lib, *shape):
    return lib.linspace(-1, 1, int(np.prod(shape))).reshape(shape)


OPS = {
    "conv2d": lambda lib, x: functional(lib).conv2d(x, weights(lib, 8, 4, 3, 3)),
    "conv2d of weights": lambda lib, x: functional(lib).conv2d(x.contiguous(), last(lib, weights(lib, 8, 4, 3, 3))),
    "conv2d, 1x1": lambda lib, x: functional(lib).conv2d(x, weights(lib, 8, 4, 1, 1), lib.ones(8)),
    "conv2d by name": lambda lib, x: functional(lib).conv2d(weight=weights(lib, 8, 4, 1, 1), input=x),
    "depthwise": lambda lib, x: functional(lib).conv2d(x, weights(lib, 4, 1, 3, 3), groups=4),
    "to one pixel": lambda lib, x: functional(lib).conv2d(x, weights(lib, 2, 4, 6, 8)),
    "transposed": lambda lib, x: functional(lib).conv_transpose2d(x, weights(lib, 4, 2, 3, 3), stride=2),
    "max_pool2d": lambda lib, x: functional(lib).max_pool2d(x, 2),
    "max_pool2d, indices": lambda lib, x: functional(lib).max_pool2d(x, 2, return_indices=True)[1],
    "max_unpool2d": lambda lib, x: functional(lib).max_unpool2d(
        *functional(lib).max_pool2d(x, 2, return_indices=True), 2
    ),
    "avg_pool2d": lambda lib, x: functional(lib).avg_pool2d(x, 3, 1, 1),
    "adaptive_avg_pool2d": lambda lib, x: functional(lib).adaptive_avg_pool2d(x, 2),
    "global": lambda lib, x: functional(lib).adaptive_avg_pool2d(x, 1),
    "adaptive_max_pool2d": lambda lib, x: functional(lib).adaptive_max_pool2d(x, (2, 3)),
    "lp_pool2d": lambda lib, x: functional(lib).lp_pool2d(x, 2.0, 2),
    "batch_norm": lambda lib, x: functional(lib).batch_norm(x, lib.zeros(4), lib.ones(4), training=True),
    "batch_norm, running": lambda lib, x: functional(lib).batch_norm(x, lib.zeros(4), lib.ones(4)),
    "group_norm": lambda lib, x: functional(lib).group_norm(x, 2),
    "instance_norm": lambda lib, x: functional(lib).instance_norm(x),
    "layer_norm": lambda lib, x: functional(lib).layer_norm(x, (8,)),
    "local_response_norm": lambda lib, x: functional(lib).local_response_norm(x, 2),
    "relu": lambda lib, x: x.relu(),
    "gelu": lambda lib, x: functional(lib).gelu(x),
    "hardswish": lambda lib, x: functional(lib).hardswish(x),
    "leaky_relu": lambda lib, x: functional(lib).leaky_relu(x, 0.2),
    "prelu": lambda lib, x: functional(lib).prelu(x, lib.ones(4)),
    "glu": lambda lib, x: functional(lib).glu(x, 1),
    "softmax": lambda lib, x: x.softmax(1),
    "x + x": lambda lib, x: x + x,
    "a number": lambda lib, x: 1 - 2 * x,
    "a bias": lambda lib, x: x + weights(lib, 1, 4, 1, 1),
    "a gate": lambda lib, x: weights(lib, 2, 4, 1, 1) * x,
    "cat": lambda lib, x: lib.cat([x, x], 1),
    "cat of two formats": lambda lib, x: lib.cat([x, x.contiguous()], 1),
    "chunk": lambda lib, x: x.chunk(2, 1)[1],
    "chunk, copied": lambda lib, x: x.chunk(2, 1)[1] * 1,
    "pad": lambda lib, x: functional(lib).pad(x, (1, 2, 0, 1)),
    "pad, reflected": lambda lib, x: functional(lib).pad(x, (1, 1, 1, 1), mode="reflect"),
    "pad, replicated": lambda lib, x: functional(lib).pad(x, (1, 1, 1, 1), mode="replicate"),
    "nearest": lambda lib, x: functional(lib).interpolate(x, scale_factor=2),
    "bilinear": lambda lib, x: functional(lib).interpolate(x, scale_factor=2, mode="bilinear"),
    "bicubic": lambda lib, x: functional(lib).interpolate(x, (5, 5), mode="bicubic"),
    "pixel_shuffle": lambda lib, x: functional(lib).pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda lib, x: functional(lib).pixel_unshuffle(x, 2),
    "channel_shuffle": lambda lib, x: functional(lib).channel_shuffle(x, 2),
    "mean": lambda lib, x: x.mean((2, 3), keepdim=True),
    "flip": lambda lib, x: x.flip(3),
    "where": lambda lib, x: lib.where(x > 0, x, 0.0),
    "index": lambda lib, x: x[lib.tensor([1, 0])],
    "index_select": lambda lib, x: x.index_select(1, lib.tensor([0, 2])),
    "slice": lambda lib, x: x[:, :, ::2] + 0,
    "flatten": lambda lib, x: x.flatten(1),
    "double": lambda lib, x: x.double(),
    "clone": lambda lib, x: x.clone(),
    "dropout": lambda lib, x: functional(lib).dropout(x, 0.5),
    "dropout2d": lambda lib, x: functional(lib).dropout2d(x, 0.5),
    "rand_like": lambda lib, x: lib.rand_like(x),
    "normal_": lambda lib, x: lib.empty_like(x).normal_(),
    "grid_sample": lambda lib, x: functional(lib).grid_sample(x, weights(lib, 2, 3, 3, 2), align_corners=False),
}


def strides(x):
    """Of the dims that have more than one element: the others' mean nothing."""
    return [stride for n, stride in zip(x.shape, x.stride(), strict=True) if n > 1]


@pytest.mark.parametrize("op", OPS)
def test_results(op):
    found = []
    for lib in (mt, torch):
        x = last(lib, lib.from_numpy(np.random.default_rng(0).standard_normal((2, 4, 6, 8), np.float32)))
        lib.manual_seed(3)
        found.append(OPS[op](lib, x))
    ours, theirs = found
    assert strides(ours) == strides(theirs)
    # bicubic sums sixteen products of numbers up to 3, in another order
    np.testing.assert_allclose(ours.double().numpy(), theirs.double().numpy(), rtol=1e-5, atol=5e-6)


def network(lib):
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.3),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 16, 1),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 5),
    )


def test_training_is_torchs():
    """With dropout, whose mask lies in the order of memory; the numbers differ from those of row-major images."""
    losses = []
    for lib in (mt, torch):
        lib.manual_seed(0)
        net = network(lib).to(memory_format=lib.channels_last)
        assert net[0].weight.is_contiguous(memory_format=lib.channels_last) and not net[0].weight.is_contiguous()
        optimizer = lib.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        x, t = last(lib, lib.randn(6, 3, 8, 8)), lib.randint(0, 5, (6,))
        losses.append([])
        for _ in range(4):
            optimizer.zero_grad()
            loss = lib.nn.functional.cross_entropy(net(x), t)
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(*losses, rtol=2e-5)


CONVOLUTIONS = ("Conv2d", "ConvTranspose2d", "Conv3d", "Conv1d")


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("wanted", ["channels_last", "contiguous_format", "preserve_format"])
def test_weights_of_convolutions(wanted, dims):
    def action(lib, name):
        lib.manual_seed(0)
        layer = getattr(lib.nn, name)(2, 3, 2)
        net = lib.nn.Sequential(lib.nn.ReLU(), lib.nn.Sequential(layer))
        weight, before = layer.weight, layer.weight.tolist()
        convert = getattr(lib.nn.utils, f"convert_conv{dims}d_weight_memory_format")
        for form in (getattr(lib, wanted), lib.contiguous_format, getattr(lib, wanted)):
            assert convert(net, form) is net and layer.weight is weight and weight.tolist() == before
        return weight.stride(), weight.requires_grad

    for name in CONVOLUTIONS:
        ours, theirs = (outcome(lambda lib, name=name: action(lib, name), lib) for lib in (mt, torch))
        assert ours == theirs
