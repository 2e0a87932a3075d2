"""Every layer computes what torch's does: output, gradients, running statistics; training and evaluation."""

import numpy as np
import pytest
import torch

import minitorch2 as mt

# A layer (built with the same seed, so with the same weights) and the shape of its input.
FLOAT_INPUTS = [
    ("Identity()", (2, 3)),
    ("Linear(4, 3)", (2, 5, 4)),
    ("Linear(4, 3, bias=False)", (4,)),
    ("Linear(4, 3)", (0, 4)),
    ("Flatten()", (2, 3, 4)),
    ("Flatten(0, 1)", (2, 3, 4)),
    ("Unflatten(1, (2, -1))", (3, 6)),
    ("ReLU()", (3, 4)),
    ("ReLU(inplace=True)", (3, 4)),
    ("LeakyReLU(0.2)", (3, 4)),
    ("LeakyReLU(0.2, True)", (3, 4)),
    ("ReLU6()", (3, 4)),
    ("ReLU6(True)", (3, 4)),
    ("PReLU()", (3, 4)),
    ("PReLU(4, 0.1)", (3, 4, 2)),
    ("ELU(1.5)", (3, 4)),
    ("ELU(1.5, inplace=True)", (3, 4)),
    ("SELU()", (3, 4)),
    ("CELU(0.7)", (3, 4)),
    ("GELU()", (3, 4)),
    ("GELU('tanh')", (3, 4)),
    ("SiLU()", (3, 4)),
    ("SiLU(True)", (3, 4)),
    ("Mish()", (3, 4)),
    ("Sigmoid()", (3, 4)),
    ("LogSigmoid()", (3, 4)),
    ("Tanh()", (3, 4)),
    ("Softplus(2, 1.5)", (3, 4)),
    ("Softsign()", (3, 4)),
    ("Hardtanh(-0.5, 0.4)", (3, 4)),
    ("Hardtanh(inplace=True)", (3, 4)),
    ("Hardsigmoid()", (3, 4)),
    ("Hardswish()", (3, 4)),
    ("Threshold(0.1, 20)", (3, 4)),
    ("Threshold(0.1, 20, True)", (3, 4)),
    ("Softmax(dim=1)", (3, 4)),
    ("LogSoftmax(0)", (3, 4)),
    ("Softmax2d()", (2, 3, 2, 2)),
    ("Softmax2d()", (3, 2, 2)),
    ("Softmin(1)", (3, 4)),
    ("GLU()", (3, 4)),
    ("Softshrink()", (3, 4)),
    ("Hardshrink(0.25)", (3, 4)),
    ("Tanhshrink()", (3, 4)),
    ("Dropout(0.4)", (8, 9)),
    ("Dropout(0.4, inplace=True)", (8, 9)),
    ("Dropout1d()", (4, 5, 3)),
    ("Dropout2d(0.3)", (4, 5, 2, 2)),
    ("Dropout3d(0.3)", (2, 5, 2, 2, 2)),
    ("AlphaDropout(0.3)", (8, 9)),
    ("FeatureAlphaDropout(0.3)", (4, 5, 3)),
    ("BatchNorm1d(4)", (6, 4)),
    ("BatchNorm1d(4)", (3, 4, 5)),
    ("BatchNorm2d(4)", (3, 4, 2, 3)),
    ("BatchNorm2d(4, momentum=None)", (3, 4, 2, 3)),
    ("BatchNorm2d(4, affine=False)", (3, 4, 2, 3)),
    ("BatchNorm2d(4, track_running_stats=False)", (3, 4, 2, 3)),
    ("BatchNorm3d(4, bias=False)", (2, 4, 2, 3, 2)),
    ("SyncBatchNorm(4)", (6, 4)),
    ("SyncBatchNorm(4, momentum=None, process_group=3)", (3, 4, 2, 3)),
    ("InstanceNorm1d(4)", (3, 4, 5)),
    ("InstanceNorm2d(4, affine=True)", (3, 4, 2, 3)),
    ("InstanceNorm2d(4, track_running_stats=True)", (3, 4, 2, 3)),
    ("InstanceNorm3d(4)", (4, 2, 3, 2)),
    ("LayerNorm(4)", (3, 4)),
    ("LayerNorm((2, 3), bias=False)", (4, 2, 3)),
    ("GroupNorm(2, 4)", (3, 4, 5)),
    ("RMSNorm(4)", (3, 4)),
    ("RMSNorm((2, 4), eps=1e-3)", (3, 2, 4)),
    ("Conv1d(4, 6, 3, padding=1, stride=2)", (2, 4, 9)),
    ("Conv1d(4, 6, 2, groups=2)", (4, 9)),
    ("Conv1d(4, 6, 3, padding='same', dilation=2, padding_mode='circular')", (2, 4, 9)),
    ("Conv2d(3, 4, (3, 2), stride=(1, 2), padding=(1, 0))", (2, 3, 6, 5)),
    ("Conv2d(3, 4, 3, padding=1, padding_mode='reflect')", (2, 3, 6, 5)),
    ("Conv2d(3, 4, 3, padding=(2, 1), padding_mode='replicate', bias=False)", (2, 3, 6, 5)),
    ("Conv2d(3, 4, 4, padding='same')", (2, 3, 6, 5)),
    ("Conv2d(3, 4, 3, padding='valid')", (3, 6, 5)),
    ("ConvTranspose1d(4, 6, 3, stride=2, output_padding=1)", (2, 4, 5)),
    ("ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2, dilation=2)", (2, 4, 3, 4)),
    ("Conv3d(3, 4, (3, 2, 1), stride=(1, 2, 1), padding=(1, 0, 2))", (2, 3, 4, 5, 3)),
    ("Conv3d(4, 6, 3, padding='same', dilation=(2, 1, 1), groups=2, padding_mode='circular')", (2, 4, 5, 4, 3)),
    ("Conv3d(2, 3, 2, padding=1, padding_mode='replicate', bias=False)", (2, 4, 3, 3)),
    ("Conv3d(2, 3, 3, padding=(1, 2, 1), padding_mode='reflect')", (1, 2, 3, 4, 3)),
    ("ConvTranspose3d(4, 6, (2, 3, 1), stride=2, padding=(1, 0, 0), output_padding=1)", (2, 4, 3, 2, 3)),
    ("ConvTranspose3d(4, 6, 2, groups=2, dilation=(1, 2, 1), bias=False)", (4, 3, 2, 3)),
    ("MaxPool1d(2)", (2, 3, 7)),
    ("MaxPool2d(3, stride=2, padding=1, ceil_mode=True)", (2, 3, 6, 7)),
    ("MaxPool2d((2, 3), dilation=2)", (3, 6, 7)),
    ("MaxPool3d(3, stride=2, padding=1, ceil_mode=True)", (2, 3, 4, 6, 5)),
    ("MaxPool3d((1, 2, 3), dilation=(1, 2, 1))", (3, 4, 5, 6)),
    ("AvgPool1d(3, 2, 1)", (2, 3, 7)),
    ("AvgPool2d((2, 3))", (2, 3, 6, 7)),
    ("AvgPool2d(3, 2, 1, count_include_pad=False)", (2, 3, 6, 7)),
    ("AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=5)", (2, 3, 6, 7)),
    ("AvgPool3d((2, 3, 1))", (2, 3, 4, 6, 5)),
    ("AvgPool3d(3, 2, 1, ceil_mode=True, count_include_pad=False)", (2, 3, 4, 6, 5)),
    ("AvgPool3d(3, 2, 1, divisor_override=5)", (3, 4, 6, 5)),
    ("LPPool3d(2, (2, 1, 3), 1)", (2, 3, 4, 3, 5)),
    ("FractionalMaxPool2d((2, 3), output_ratio=0.5)", (2, 3, 6, 7)),
    ("FractionalMaxPool3d(2, (3, 2, 1))", (3, 5, 6, 7)),
    ("AdaptiveAvgPool1d(3)", (2, 3, 7)),
    ("AdaptiveAvgPool2d((None, 3))", (2, 3, 6, 7)),
    ("AdaptiveMaxPool1d(3)", (2, 3, 7)),
    ("AdaptiveMaxPool2d((2, 3))", (2, 3, 6, 7)),
    ("AdaptiveAvgPool3d((None, 3, 2))", (2, 3, 4, 5, 6)),
    ("AdaptiveAvgPool3d(1)", (2, 3, 4, 5, 6)),
    ("AdaptiveMaxPool3d((2, 3, 4))", (2, 3, 4, 5, 6)),
    ("ReflectionPad1d((1, 2))", (2, 3, 5)),
    ("ReflectionPad2d((1, 2, 3, 0))", (2, 3, 5, 4)),
    ("ReflectionPad3d((1, 2, 0, 3, 1, 1))", (2, 3, 3, 4, 5)),
    ("ReplicationPad1d(2)", (2, 3, 5)),
    ("ReplicationPad2d((1, 0, 2, 3))", (2, 3, 5, 4)),
    ("ReplicationPad3d((1, 0, 2, 3, 0, 4))", (3, 2, 3, 4)),
    ("CircularPad1d(2)", (2, 3, 5)),
    ("CircularPad2d((1, 2, 0, 3))", (2, 3, 5, 4)),
    ("CircularPad3d((1, 2, 0, 3, 2, 1))", (2, 3, 3, 5, 4)),
    ("ConstantPad1d(2, 3.5)", (2, 5)),
    ("ConstantPad2d((1, -1, 2, 0), 0.5)", (2, 3, 5, 4)),
    ("ConstantPad3d(1, 2)", (2, 2, 2, 3)),
    ("ZeroPad1d(1)", (2, 3)),
    ("ZeroPad2d((1, 1, 2, 2))", (2, 3, 4)),
    ("ZeroPad3d(1)", (1, 2, 2, 2)),
    ("RNN(3, 4, 2, nonlinearity='relu', bidirectional=True)", (5, 2, 3)),
    ("LSTM(3, 4, 2, batch_first=True, dropout=0.3, proj_size=2)", (2, 5, 3)),
    ("GRU(3, 4)", (5, 3)),
    ("RNNCell(3, 4)", (2, 3)),
    ("LSTMCell(3, 4)", (2, 3)),
    ("GRUCell(3, 4, bias=False)", (3,)),
    ("TransformerEncoderLayer(4, 2, 8)", (5, 2, 4)),
    ("TransformerEncoder(TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)", (2, 5, 4)),
]


def build(lib, text, seed=0):
    lib.manual_seed(seed)
    return eval(text, vars(lib.nn).copy())


def run(lib, text, arrays, training=True):
    """Output, gradients of inputs and parameters, and buffers after the call, as arrays."""
    layer = build(lib, text).double().train(training)
    inputs = [lib.from_numpy(a.copy()) for a in arrays]
    leaves = [t for t in inputs if t.is_floating_point()]
    for t in leaves:
        t.requires_grad_()
    lib.manual_seed(1)
    # An in-place layer may not write to a leaf: every input goes through an op first.
    output = layer(*(t * 1.0 if t.is_floating_point() else t for t in inputs))
    output = output[0] if isinstance(output, tuple) else output  # of recurrent and attention layers
    weights = lib.from_numpy(np.cos(np.arange(output.numel(), dtype=np.float64)).reshape(tuple(output.shape)))
    if output.requires_grad:
        (output * weights).sum().backward()
    results = {"output": output}
    results |= {f"input {i}": t.grad for i, t in enumerate(leaves)}
    results |= {name: p.grad for name, p in layer.named_parameters()}
    results |= dict(layer.named_buffers())
    return {name: None if t is None else t.detach().numpy() for name, t in results.items()}


def compare(text, arrays, training=True):
    ours, theirs = run(mt, text, arrays, training), run(torch, text, arrays, training)
    assert list(ours) == list(theirs)
    # float64; sums are taken in another order. In these two layers' backward torch rounds a constant to float32.
    rtol = 1e-7 if text.startswith(("CELU", "Hardsigmoid")) else 1e-9
    for name, expected in theirs.items():
        if expected is None:
            assert ours[name] is None, name
            continue
        assert ours[name].dtype == expected.dtype and ours[name].shape == expected.shape, name
        np.testing.assert_allclose(ours[name], expected, rtol=rtol, atol=1e-11, err_msg=name)


@pytest.mark.parametrize(("text", "shape"), FLOAT_INPUTS)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_layer(text, shape, training):
    compare(text, [np.random.default_rng(5).normal(size=shape)], training)


def test_bilinear():
    draw = np.random.default_rng(5).normal
    compare("Bilinear(3, 4, 5)", [draw(size=(2, 3)), draw(size=(2, 4))])


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_layers_that_attend(training):
    draw = np.random.default_rng(5).normal
    compare("MultiheadAttention(4, 2, dropout=0.3)", [draw(size=(n, 2, 4)) for n in (3, 5, 5)], training)
    arguments = [draw(size=(n, 2, 4)) for n in (3, 5)]
    compare("TransformerDecoderLayer(4, 2, 8)", arguments, training)
    compare("TransformerDecoder(TransformerDecoderLayer(4, 2, 8), 2)", arguments, training)
    compare("Transformer(4, 2, 1, 1, 8, activation='gelu')", arguments, training)


@pytest.mark.parametrize(
    "text",
    [
        "Embedding(6, 3)",
        "Embedding(6, 3, padding_idx=2)",
        "Embedding(6, 3, max_norm=1.0, norm_type=1.5)",
        "Embedding(6, 3, scale_grad_by_freq=True)",
    ],
)
def test_embedding(text):
    compare(text, [np.array([[1, 2, 2], [5, 0, 1]])])


PROBABILITY = ["BCELoss()", "BCELoss(reduction='sum')"]
SAME_SHAPE = [
    "L1Loss()",
    "L1Loss(reduction='none')",
    "MSELoss()",
    "MSELoss(reduction='sum')",
    "SmoothL1Loss(beta=0.3)",
    "SmoothL1Loss(beta=0.0)",
    "HuberLoss(delta=0.4)",
    "HuberLoss('none')",
    "KLDivLoss(reduction='batchmean')",
    "BCEWithLogitsLoss()",
    "BCEWithLogitsLoss(reduction='none')",
    "CrossEntropyLoss()",
    "CrossEntropyLoss(label_smoothing=0.2, reduction='sum')",
    "PoissonNLLLoss()",
    "PoissonNLLLoss(False, True)",
    "PairwiseDistance()",
    "CosineSimilarity()",
    "MultiLabelSoftMarginLoss()",
    *PROBABILITY,
]


@pytest.mark.parametrize("text", SAME_SHAPE)
def test_loss_of_two_tensors(text):
    uniform = np.random.default_rng(5).uniform
    compare(text, [uniform(0.05, 0.95, (4, 3)), uniform(0.05, 0.95, (4, 3))])


CLASS_LOSSES = [
    "NLLLoss()",
    "NLLLoss(ignore_index=2, reduction='sum')",
    "CrossEntropyLoss()",
    "CrossEntropyLoss(label_smoothing=0.1)",
    "CrossEntropyLoss(reduction='none')",
]


@pytest.mark.parametrize("text", CLASS_LOSSES)
@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2), (4, 3, 2, 5)])
def test_loss_of_classes(text, shape):
    rng = np.random.default_rng(5)
    compare(text, [rng.normal(size=shape), rng.integers(0, 3, shape[:1] + shape[2:])])


@pytest.mark.parametrize("loss", ["NLLLoss", "CrossEntropyLoss", "BCELoss", "BCEWithLogitsLoss"])
def test_weighted_losses(loss):
    rng = np.random.default_rng(5)
    x = rng.uniform(0.1, 0.9, (4, 3))
    target = rng.integers(0, 3, 4) if loss in ("NLLLoss", "CrossEntropyLoss") else rng.uniform(0.1, 0.9, (4, 3))
    losses = []
    for lib in (mt, torch):
        weights = {"weight": lib.tensor([0.2, 1.0, 3.0], dtype=lib.float64)}
        if loss == "BCEWithLogitsLoss":
            weights["pos_weight"] = lib.tensor([2.0, 0.5, 1.0], dtype=lib.float64)
        layer = getattr(lib.nn, loss)(**weights)
        assert list(layer.state_dict()) == list(weights)
        losses.append(layer(lib.from_numpy(x), lib.from_numpy(target)).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


THREE_TENSORS = ["TripletMarginLoss()", "TripletMarginLoss(p=1, swap=True)", "TripletMarginWithDistanceLoss(swap=True)"]


@pytest.mark.parametrize("text", [*THREE_TENSORS, "GaussianNLLLoss()", "GaussianNLLLoss(full=True)"])
def test_loss_of_three_tensors(text):
    compare(text, list(np.random.default_rng(5).uniform(0.1, 1, (3, 4, 3))))


@pytest.mark.parametrize(
    ("text", "n_scores"),
    [
        ("HingeEmbeddingLoss()", 1),
        ("SoftMarginLoss()", 1),
        ("MarginRankingLoss(0.2)", 2),
        ("CosineEmbeddingLoss(0.1)", 2),
    ],
)
def test_loss_of_signs(text, n_scores):
    rng = np.random.default_rng(5)
    shape = (4, 3) if text.startswith("Cosine") else (4,)
    compare(text, [*rng.normal(size=(n_scores, *shape)), np.array([1, -1, -1, 1])])


def test_multi_margin_losses():
    scores = np.random.default_rng(5).normal(size=(4, 3))
    compare("MultiMarginLoss(p=2, margin=0.7)", [scores, np.array([0, 2, 1, 1])])
    compare("MultiLabelMarginLoss()", [scores, np.array([[0, -1, 2], [2, 1, -1], [1, 0, 2], [-1, 0, 1]])])


def test_max_unpool_undoes_max_pool():
    x = np.random.default_rng(5).normal(size=(2, 3, 6, 8))
    results = []
    for lib in (mt, torch):
        pooled, indices = build(lib, "MaxPool2d(2, return_indices=True)")(lib.from_numpy(x))
        results.append(build(lib, "MaxUnpool2d(2)")(pooled, indices).numpy())
    np.testing.assert_array_equal(results[0], results[1])


def test_max_pool_returns_indices():
    x = np.random.default_rng(5).normal(size=(2, 3, 6, 7))
    for text in ("MaxPool2d(2, return_indices=True)", "AdaptiveMaxPool2d(3, return_indices=True)"):
        (values, indices), (expected, where) = (build(lib, text)(lib.from_numpy(x)) for lib in (mt, torch))
        np.testing.assert_array_equal(values.numpy(), expected.numpy())
        np.testing.assert_array_equal(indices.numpy(), where.numpy())


@pytest.mark.parametrize("size", [(9, 8), (10, 9), (2, 6, 9, 9), (8, 8), (11, 9), (9,), (1, 2, 3, 4, 5)])
def test_conv_transpose_output_size(size):
    results = []
    for lib in (mt, torch):
        layer = build(lib, "ConvTranspose2d(4, 6, 3, stride=2, padding=1)")
        try:
            results.append(list(layer(lib.zeros(2, 4, 5, 5), output_size=size).shape))
        except ValueError as error:
            results.append(str(error))
    assert results[0] == results[1]


def test_network_trains_as_torchs():
    """Ten steps of plain gradient descent: the losses agree step by step."""
    text = (
        "Sequential(Conv2d(1, 4, 3, padding=1), BatchNorm2d(4), ReLU(inplace=True), MaxPool2d(2), Flatten(),"
        " Linear(36, 16), LayerNorm(16), GELU(), Dropout(0.25), Linear(16, 3))"
    )
    rng = np.random.default_rng(5)
    x, target = rng.normal(size=(8, 1, 6, 6)).astype(np.float32), rng.integers(0, 3, 8)
    curves = []
    for lib in (mt, torch):
        net = build(lib, text)
        criterion = lib.nn.CrossEntropyLoss()
        curve = []
        for _ in range(10):
            loss = criterion(net(lib.from_numpy(x)), lib.from_numpy(target))
            net.zero_grad()
            loss.backward()
            with lib.no_grad():
                for p in net.parameters():
                    p -= 0.1 * p.grad
            curve.append(loss.item())
        curves.append(curve)
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)  # float32 rounding, grown over ten steps
    assert curves[0][-1] < curves[0][0]
