"""Every layer class of ours, made by torch with arguments that are not its defaults, crosses the bridge and back.

Also the state that crosses it (nn/modules/_torch_names.py): what it must hold, may lack, and may not hold.
"""

import importlib
import inspect
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import minitorch2 as mt
from minitorch2.bridge import from_torch, to_torch
from minitorch2.nn.modules import _torch_attributes, _torch_names

pytestmark = pytest.mark.filterwarnings("ignore:.NLLLoss2d. has been deprecated:FutureWarning")

# torch 2.11's batch norm does not have this argument yet.
NO_BIAS = {"bias": False} if "bias" in inspect.signature(nn.BatchNorm3d).parameters else {}


def floats(*shape):
    return lambda rng: rng.normal(size=shape)


def positive(*shape):
    return lambda rng: rng.uniform(0.05, 0.95, shape)


def integers(stop, *shape):
    return lambda rng: rng.integers(0, stop, shape)


def signs(*shape):
    return lambda rng: rng.choice([-1, 1], shape)


SAME = positive(4, 3), positive(4, 3)
CLASSES = floats(4, 3), integers(3, 4)
WEIGHT = {"weight": torch.tensor([0.2, 1.0, 3.0])}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    OLD_NLL_LOSS = nn.NLLLoss2d(**WEIGHT)
STEPS = floats(5, 2, 3)  # (L, N, input_size) of a recurrent layer

# The layer, and what its forward is called with; no inputs where it has no forward.
LAYERS = [
    (nn.AdaptiveAvgPool1d(3), floats(2, 3, 7)),
    (nn.AdaptiveAvgPool2d((None, 3)), floats(2, 3, 6, 7)),
    (nn.AdaptiveAvgPool3d((None, 3, 2)), floats(2, 3, 4, 5, 6)),
    (nn.AdaptiveMaxPool1d(3), floats(2, 3, 7)),
    (nn.AdaptiveMaxPool2d((2, 3), return_indices=True), floats(2, 3, 6, 7)),
    (nn.AdaptiveMaxPool3d((2, 3, 4), return_indices=True), floats(2, 3, 4, 5, 6)),
    (nn.AdaptiveLogSoftmaxWithLoss(9, 8, [3, 5], 2.0, True), floats(4, 9), integers(8, 4)),
    (nn.AlphaDropout(0.3), floats(8, 9)),
    (nn.AvgPool1d(3, 2, 1, count_include_pad=False), floats(2, 3, 7)),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=5), floats(2, 3, 6, 7)),
    (nn.AvgPool3d(3, 2, 1, True, False), floats(2, 3, 4, 5, 6)),
    (nn.BCELoss(WEIGHT["weight"], reduction="sum"), *SAME),
    (nn.BCEWithLogitsLoss(**WEIGHT, pos_weight=torch.tensor([2.0, 0.5, 1.0])), *SAME),
    (nn.BatchNorm1d(4, eps=1e-3, momentum=0.3), floats(6, 4)),
    (nn.BatchNorm2d(4, momentum=None), floats(3, 4, 2, 3)),
    (nn.BatchNorm2d(4, affine=False, track_running_stats=False), floats(3, 4, 2, 3)),
    (nn.BatchNorm3d(4, **NO_BIAS), floats(2, 4, 2, 3, 2)),
    (nn.SyncBatchNorm(4, momentum=0.3), floats(2, 4, 3)),
    (nn.Bilinear(3, 4, 5, bias=False), floats(2, 3), floats(2, 4)),
    (nn.CELU(0.7, inplace=True), floats(3, 4)),
    (
        nn.CTCLoss(1, "sum", True),
        lambda rng: np.log(rng.uniform(0.1, 1, (5, 2, 4))),
        lambda rng: np.array([[0, 2], [3, 3]]),
        integers(5, 2),
        integers(3, 2),
    ),
    (nn.ChannelShuffle(2), floats(2, 6, 3)),
    (nn.CircularPad1d((1, 2)), floats(2, 3, 5)),
    (nn.CircularPad2d((1, 2, 0, 3)), floats(2, 3, 5, 4)),
    (nn.CircularPad3d((1, 2, 0, 3, 2, 1)), floats(2, 3, 3, 5, 4)),
    (nn.ConstantPad1d(2, 3.5), floats(2, 5)),
    (nn.ConstantPad2d((1, -1, 2, 0), 0.5), floats(2, 3, 5, 4)),
    (nn.ConstantPad3d(1, 2), floats(2, 2, 2, 3)),
    (nn.Conv1d(4, 6, 3, padding="same", dilation=2, padding_mode="circular"), floats(2, 4, 9)),
    (nn.Conv2d(4, 6, (3, 2), (1, 2), (1, 0), groups=2, bias=False, padding_mode="reflect"), floats(2, 4, 6, 5)),
    (nn.Conv2d(3, 4, 4, padding="same", padding_mode="replicate"), floats(2, 3, 6, 5)),
    (nn.Conv3d(4, 6, (3, 2, 1), (1, 2, 1), (1, 0, 2), groups=2, bias=False), floats(2, 4, 4, 5, 3)),
    (nn.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1), floats(2, 4, 5)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2, dilation=2), floats(2, 4, 3, 4)),
    (nn.ConvTranspose3d(4, 6, (2, 3, 1), stride=2, padding=(1, 0, 0), output_padding=1), floats(2, 4, 3, 2, 3)),
    (nn.CosineEmbeddingLoss(0.1, reduction="none"), floats(4, 3), floats(4, 3), signs(4)),
    (nn.CosineSimilarity(0, eps=1e-3), *SAME),
    (nn.CrossEntropyLoss(**WEIGHT, ignore_index=2, label_smoothing=0.2), *CLASSES),
    (nn.Dropout(0.4, inplace=True), floats(8, 9)),
    (nn.Dropout1d(0.3), floats(4, 5, 3)),
    (nn.Dropout2d(0.3), floats(4, 5, 2, 2)),
    (nn.Dropout3d(0.3), floats(2, 5, 2, 2, 2)),
    (nn.ELU(1.5, inplace=True), floats(3, 4)),
    (nn.Embedding(6, 3, padding_idx=-1, max_norm=1.0, norm_type=1.5, scale_grad_by_freq=True), integers(6, 2, 3)),
    (nn.EmbeddingBag(6, 3, 1.0, 1.5, mode="sum", padding_idx=-1), integers(6, 2, 3)),
    (nn.FeatureAlphaDropout(0.3), floats(4, 5, 3)),
    (nn.Flatten(0, 1), floats(2, 3, 4)),
    (nn.Fold((4, 5), 2, padding=1, stride=(2, 1)), floats(2, 12, 18)),
    (nn.FractionalMaxPool2d((2, 3), 3, return_indices=True, _random_samples=torch.rand(2, 3, 2)), floats(2, 3, 6, 7)),
    (nn.FractionalMaxPool3d(2, output_ratio=(0.5, 0.4, 0.7)), floats(2, 3, 4, 5, 6)),
    (nn.GELU("tanh"), floats(3, 4)),
    (nn.GLU(0), floats(4, 3)),
    (nn.GRU(3, 4, 2, bias=False, batch_first=True), STEPS),
    (nn.GRUCell(3, 4, bias=False), floats(2, 3)),
    (nn.GaussianNLLLoss(full=True, eps=1e-3), *SAME, positive(4, 3)),
    (nn.GroupNorm(2, 4, eps=1e-3, affine=False), floats(3, 4, 5)),
    (nn.Hardshrink(0.25), floats(3, 4)),
    (nn.Hardsigmoid(inplace=True), floats(3, 4)),
    (nn.Hardswish(inplace=True), floats(3, 4)),
    (nn.Hardtanh(-0.5, 0.4, inplace=True), floats(3, 4)),
    (nn.HingeEmbeddingLoss(0.7), floats(4), signs(4)),
    (nn.HuberLoss("sum", 0.4), *SAME),
    (nn.Identity(), floats(2, 3)),
    (nn.InstanceNorm1d(4, affine=True), floats(3, 4, 5)),
    (nn.InstanceNorm2d(4, momentum=0.3, track_running_stats=True), floats(3, 4, 2, 3)),
    (nn.InstanceNorm3d(4, eps=1e-2), floats(2, 4, 2, 3, 2)),
    (nn.KLDivLoss(reduction="batchmean", log_target=True), *SAME),
    (nn.L1Loss(reduction="none"), *SAME),
    (nn.LPPool1d(2, 3, 1), positive(2, 3, 7)),
    (nn.LPPool2d(1.5, (2, 3), ceil_mode=True), positive(2, 3, 6, 7)),
    (nn.LPPool3d(3, (2, 1, 3), 1), positive(2, 3, 4, 3, 5)),
    (nn.LSTM(3, 4, 2, dropout=0.3, bidirectional=True, proj_size=2), STEPS),
    (nn.LSTMCell(3, 4, bias=False), floats(2, 3)),
    (nn.LayerNorm((2, 3), eps=1e-3, bias=False), floats(4, 2, 3)),
    (nn.LeakyReLU(0.2, inplace=True), floats(3, 4)),
    (nn.Linear(4, 3, bias=False), floats(2, 5, 4)),
    (
        nn.LinearCrossEntropyLoss(3, 4, bias=True, options=nn.LinearCrossEntropyOptions(batch_chunk_size=2)),
        floats(5, 3),
        integers(4, 5),
    ),
    (nn.LinearCrossEntropyLoss(3, 4, out_features=(2,), weight=torch.ones(4)), floats(5, 3), integers(4, 5, 2)),
    (nn.LocalResponseNorm(2, 1e-3, 0.5, 2), floats(2, 4, 3)),
    (nn.LogSigmoid(), floats(3, 4)),
    (nn.LogSoftmax(0), floats(3, 4)),
    (nn.MSELoss(reduction="sum"), *SAME),
    (nn.MarginRankingLoss(0.2), floats(4), floats(4), signs(4)),
    (nn.MaxPool1d(2, 1, 1), floats(2, 3, 7)),
    (nn.MaxPool2d(3, 2, 1, return_indices=True, ceil_mode=True), floats(2, 3, 6, 7)),
    (nn.MaxPool3d(3, 2, 1, return_indices=True, ceil_mode=True), floats(2, 3, 4, 6, 5)),
    (nn.MaxUnpool1d(2, 3), floats(2, 3, 4), lambda rng: np.tile(np.arange(4) * 3, (2, 3, 1))),
    (nn.MaxUnpool2d((2, 1)), floats(1, 1, 2, 2), lambda rng: np.array([[[[0, 3], [4, 7]]]])),
    (nn.MaxUnpool3d((2, 1, 1)), floats(1, 1, 1, 2, 2), lambda rng: np.array([[[[[0, 5], [2, 7]]]]])),
    (nn.Mish(inplace=True), floats(3, 4)),
    (nn.Module(),),
    (nn.ModuleDict({"a": nn.Linear(2, 3), "b": nn.ReLU()}),),
    (nn.ModuleList([nn.Linear(2, 3), nn.ReLU()]),),
    (nn.MultiheadAttention(4, 2, dropout=0.3, add_bias_kv=True), *[floats(3, 2, 4)] * 3),
    (
        nn.MultiheadAttention(4, 2, bias=False, add_zero_attn=True, kdim=3, vdim=5, batch_first=True),
        floats(2, 3, 4),
        floats(2, 6, 3),
        floats(2, 6, 5),
    ),
    (nn.MultiLabelMarginLoss(reduction="sum"), floats(2, 3), lambda rng: np.array([[0, -1, 2], [2, 1, -1]])),
    (nn.MultiLabelSoftMarginLoss(**WEIGHT), *SAME),
    (nn.MultiMarginLoss(p=2, margin=0.7, **WEIGHT), *CLASSES),
    (nn.NLLLoss(**WEIGHT, ignore_index=1, reduction="sum"), *CLASSES),
    (OLD_NLL_LOSS, *CLASSES),
    (nn.modules.linear.NonDynamicallyQuantizableLinear(4, 3), floats(2, 4)),
    (nn.PReLU(4, 0.1), floats(3, 4, 2)),
    (nn.PairwiseDistance(1.0, eps=1e-3, keepdim=True), *SAME),
    (nn.ParameterDict({"w": torch.ones(2), "n": 3}),),
    (nn.ParameterList([torch.ones(2), "text"]),),
    (nn.PixelShuffle(2), floats(1, 8, 2, 3)),
    (nn.PixelUnshuffle(2), floats(1, 2, 4, 6)),
    (nn.PoissonNLLLoss(log_input=False, full=True, eps=1e-3), *SAME),
    (nn.RMSNorm((2, 4), eps=1e-3), floats(3, 2, 4)),
    (nn.RNN(3, 4, nonlinearity="relu", bidirectional=True), STEPS),
    (nn.RNNBase("GRU", 3, 4, num_layers=2),),
    (nn.RNNCell(3, 4, nonlinearity="relu"), floats(2, 3)),
    (nn.RNNCellBase(3, 4, False, 2),),
    (nn.RReLU(0.1, 0.2, inplace=True), floats(3, 4)),
    (nn.ReLU(inplace=True), floats(3, 4)),
    (nn.ReLU6(inplace=True), floats(3, 4)),
    (nn.ReflectionPad1d((1, 2)), floats(2, 3, 5)),
    (nn.ReflectionPad2d((1, 2, 3, 0)), floats(2, 3, 5, 4)),
    (nn.ReflectionPad3d((1, 2, 0, 3, 1, 1)), floats(2, 3, 3, 4, 5)),
    (nn.ReplicationPad1d(2), floats(2, 3, 5)),
    (nn.ReplicationPad2d((1, 0, 2, 3)), floats(2, 3, 5, 4)),
    (nn.ReplicationPad3d(2), floats(2, 3, 3, 4, 2)),
    (nn.SELU(inplace=True), floats(3, 4)),
    (nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Tanh(), nn.Dropout(0.3))), floats(2, 4)),
    (nn.SiLU(inplace=True), floats(3, 4)),
    (nn.Sigmoid(), floats(3, 4)),
    (nn.SmoothL1Loss(beta=0.3), *SAME),
    (nn.SoftMarginLoss(reduction="sum"), floats(4), signs(4)),
    (nn.Softmax(1), floats(3, 4)),
    (nn.Softmax2d(), floats(2, 3, 2, 2)),
    (nn.Softmin(1), floats(3, 4)),
    (nn.Softplus(2, 1.5), floats(3, 4)),
    (nn.Softshrink(0.3), floats(3, 4)),
    (nn.Softsign(), floats(3, 4)),
    (nn.Tanh(), floats(3, 4)),
    (nn.Tanhshrink(), floats(3, 4)),
    (nn.Threshold(0.1, 20, inplace=True), floats(3, 4)),
    (nn.Transformer(4, 2, 1, 2, 8, 0.2, "gelu", batch_first=True), *[floats(3, 2, 4)] * 2),
    (nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8), 2, nn.LayerNorm(4)), *[floats(3, 2, 4)] * 2),
    (nn.TransformerDecoderLayer(4, 1, 8, activation=nn.functional.silu, bias=False), *[floats(3, 2, 4)] * 2),
    (nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2, None, False, False), floats(3, 2, 4)),
    (nn.TransformerEncoderLayer(4, 2, 8, 0.2, "gelu", 1e-3, batch_first=True, norm_first=True), floats(3, 2, 4)),
    (nn.TransformerEncoderLayer(4, 2, 8, activation=nn.Tanh()), floats(3, 2, 4)),
    (nn.TripletMarginLoss(0.5, 1.0, 1e-3, swap=True), *SAME, positive(4, 3)),
    (nn.TripletMarginWithDistanceLoss(swap=True, margin=0.4), *SAME, positive(4, 3)),
    (
        nn.TripletMarginWithDistanceLoss(distance_function=nn.functional.pairwise_distance),
        *SAME,
        positive(4, 3),
    ),
    (nn.Unflatten(1, (2, -1)), floats(3, 6)),
    (nn.Unfold((2, 3), 1, 2, (1, 2)), floats(1, 2, 5, 6)),
    (nn.Upsample(scale_factor=(2.0, 1.5), mode="bilinear", align_corners=True), floats(1, 2, 3, 4)),
    (nn.Upsample((5, 6)), floats(1, 2, 3, 4)),
    (nn.UpsamplingBilinear2d(scale_factor=2), floats(1, 2, 3, 4)),
    (nn.UpsamplingNearest2d((5, 6)), floats(1, 2, 3, 4)),
    (nn.ZeroPad1d(1), floats(2, 3)),
    (nn.ZeroPad2d((1, 1, 2, 2)), floats(2, 3, 4)),
    (nn.ZeroPad3d(1), floats(1, 2, 2, 2)),
]
IDS = [f"{i}-{type(layer).__name__}" for i, (layer, *_) in enumerate(LAYERS)]
every_layer = pytest.mark.parametrize("layer", [layer for layer, *_ in LAYERS], ids=IDS)


def plain(attributes):
    """A module's attributes without those that hold tensors and modules, and the dictionaries of hooks."""
    return {k: v for k, v in attributes.items() if not k.endswith("_hooks") and k not in ("_parameters", "_buffers")}


def assert_same_state(ours, theirs):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs) and dict(ours._metadata) == dict(theirs._metadata)
    for name, tensor in theirs.items():
        assert str(ours[name].dtype) == str(tensor.dtype), name
        np.testing.assert_array_equal(ours[name].numpy(), tensor.numpy(), err_msg=name)


def flat(output):
    if isinstance(output, tuple):
        return [array for part in output for array in flat(part)]
    return [output.detach().numpy()]


def test_every_layer_class_has_a_row():
    with_row = {type(layer).__name__ for layer, *_ in LAYERS}
    ours = {cls.__name__ for cls in _torch_names.layer_classes().values()}
    public = {name for name in mt.nn.modules.__all__ if isinstance(getattr(nn, name, None), type)}
    public -= {"LinearCrossEntropyOptions"}  # an argument of a layer
    public = {name for name in public if not name.startswith("Lazy")}  # they have no weights to take along
    assert ours >= public, f"_torch_names knows no path for {sorted(public - ours)}"
    assert not ours - with_row, f"give these classes a row in LAYERS: {sorted(ours - with_row)}"


def test_paths_are_those_of_torch():
    for path, cls in _torch_names.layer_classes().items():
        theirs = getattr(importlib.import_module(path.rpartition(".")[0]), cls.__name__)
        assert path == f"{theirs.__module__}.{theirs.__qualname__}" == _torch_names.torch_path(cls)

    class Derived(mt.nn.Linear):
        pass

    assert _torch_names.torch_path(Derived) is None


@pytest.mark.parametrize(("layer", "inputs"), [(layer, inputs) for layer, *inputs in LAYERS if inputs])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_forward_agrees(layer, inputs, training):
    # In double, where the two differ by the order of sums alone; the same seed gives the same dropout masks.
    theirs = to_torch(from_torch(layer, copy=True)).double().train(training)
    ours = from_torch(theirs, copy=True)
    rng = np.random.default_rng(5)
    arrays = [draw(rng) for draw in inputs]
    outputs = []
    for lib, module in ((mt, ours), (torch, theirs)):
        lib.manual_seed(1)
        outputs.append(flat(module(*(lib.from_numpy(a.copy()) for a in arrays))))
    assert len(outputs[0]) == len(outputs[1])
    for mine, expected in zip(*outputs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-11)
    for mine, expected in zip(ours.buffers(), theirs.buffers(), strict=True):
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=1e-9)


@every_layer
def test_layer_crosses(layer):
    torch.manual_seed(0)
    mt.manual_seed(0)
    before = torch.get_rng_state(), mt.get_rng_state()
    ours = from_torch(layer)
    back = to_torch(ours)
    assert torch.equal(before[0], torch.get_rng_state()) and before[1].tolist() == mt.get_rng_state().tolist()
    assert repr(ours) == repr(layer) == repr(back)
    assert type(back) is type(layer) and type(ours).__name__ == type(layer).__name__
    assert_same_state(ours, layer)
    assert_same_state(back, layer)
    for name, value in plain(vars(layer)).items():
        if name in ("_modules", "_flat_weights", "_flat_weight_refs", "distance_function"):
            continue
        assert vars(back)[name] == value and type(vars(back)[name]) is type(value), name
    for ours_p, theirs_p in zip(ours.parameters(), layer.parameters(), strict=True):
        assert ours_p.requires_grad == theirs_p.requires_grad and ours_p.data_ptr() == theirs_p.data_ptr()


@every_layer
def test_layer_attributes_are_exactly_torchs(layer):
    """Else a layer of a later torch, or one somebody added an attribute to, would pass unnoticed."""
    cls = type(from_torch(layer))
    caches = {"_flat_weights", "_flat_weight_refs"}
    stored = set(vars(layer)) - set(vars(nn.Identity())) - caches
    known = set(_torch_attributes._attributes(cls))
    if cls in (mt.nn.ParameterList, mt.nn.ParameterDict):
        stored -= set(map(str, range(len(layer)))) | {"n"}
    members = {*layer._parameters, *layer._buffers, *layer._modules}
    assert stored <= known <= stored | members


@every_layer
def test_a_state_with_something_unknown_is_refused(layer):
    ours = from_torch(layer)
    if type(layer) is nn.Module:
        return
    state = _torch_names.torch_state(ours)
    for changed, message in (
        ({"later_option": True}, "has no attribute 'later_option'"),
        ({"forward": 3}, "has no attribute 'forward'"),
        ({"_forward_hooks": {0: print}}, "_forward_hooks"),
        ({"_parameters": {"w": mt.zeros(1)}}, "'w' in _parameters must be a Parameter or None, got Tensor"),
        ({"_buffers": {"b": 1}}, "'b' in _buffers must be a Tensor"),
        ({"_modules": {"m": mt.zeros(1)}}, "'m' in _modules must be a Module"),
        ({"_modules": {"a.b": None}}, "is no name"),
        ({"_modules": []}, "_modules must be a dict, got list"),
        ({"_non_persistent_buffers_set": {"?"}}, "must name buffers"),
        ({"training": 1}, "training must be a bool"),
        ({3: 1}, "keys that are no names"),
    ):
        with pytest.raises(ValueError, match=message):
            _torch_names.restore(type(ours), state | changed)


@every_layer
def test_a_state_that_lacks_something_is_completed_or_refused(layer):
    """Older versions of torch had fewer attributes. A missing tensor cannot be guessed."""
    ours = from_torch(layer)
    state = _torch_names.torch_state(ours)
    for name in set(state) - {"_parameters", "_buffers", "_modules"}:
        fewer = {key: value for key, value in state.items() if key != name}
        try:
            module = _torch_names.restore(type(ours), fewer)
        except ValueError as error:
            assert "lacks" in str(error) or "entries" in str(error) or "no attribute 'n'" in str(error), error
        else:
            assert set(vars(module)) == set(vars(ours))
    containers = mt.nn.Module, mt.nn.ParameterDict, mt.nn.ParameterList
    for registry in ("_parameters", "_buffers"):
        for name in state[registry] if type(ours) not in containers else ():
            fewer = {key: value for key, value in state[registry].items() if key != name}
            if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
                continue  # named only by what stands in them
            with pytest.raises(ValueError, match=f"lacks '{name}'"):
                _torch_names.restore(type(ours), state | {registry: fewer})


def test_what_older_versions_of_torch_did_not_save():
    def without(layer, *names):
        state = _torch_names.torch_state(from_torch(layer))
        state = {key: value for key, value in state.items() if key not in names}
        return repr(_torch_names.restore(type(from_torch(layer)), state))

    conv = nn.Conv2d(2, 2, 3, padding=1)
    assert without(conv, "padding_mode", "_reversed_padding_repeated_twice", "_backward_pre_hooks") == repr(conv)
    assert without(nn.GELU(), "approximate") == "GELU(approximate='none')"
    assert without(nn.Upsample(3), "recompute_scale_factor") == repr(nn.Upsample(3))
    assert without(nn.LSTM(2, 3), "proj_size", "_flat_weights_names") == repr(nn.LSTM(2, 3))
    assert without(nn.AvgPool2d(2), "divisor_override", "count_include_pad") == repr(nn.AvgPool2d(2))
    two = nn.ParameterList([torch.ones(1), torch.ones(2)])
    assert without(two, "_size") == repr(two)
    named = nn.ParameterDict({"a": torch.ones(1)})
    assert without(named, "_keys") == repr(named)


@pytest.mark.parametrize(
    ("layer", "changed", "message"),
    [
        (nn.Embedding(2, 3), {"sparse": True}, "sparse=True"),
        (nn.Conv2d(1, 1, 1), {"padding_mode": "mirror"}, "padding_mode='mirror'"),
        (nn.MSELoss(), {"reduction": "elementwise_mean"}, "reduction='elementwise_mean'"),
        (nn.Linear(1, 1), {"in_features": print}, "in_features=.* builtin_function_or_method: it must be made of"),
        (nn.ParameterList([torch.ones(1)]), {"_size": 10**12}, "other entries than it says"),
        (nn.ParameterDict({"a": torch.ones(1)}), {"_keys": {"b": None}}, "other entries than it says"),
        (nn.ParameterDict({"a": torch.ones(1)}), {"_keys": ["a"]}, "no dict of names"),
    ],
)
def test_values_that_are_not_supported(layer, changed, message):
    state = _torch_names.torch_state(from_torch(layer))
    with pytest.raises(ValueError, match=message):
        _torch_names.restore(type(from_torch(layer)), state | changed)
