"""Layers print, register and complain as torch's: reprs, state, argument and input checks."""

import pytest
import torch
from side_by_side import neutral, outcome, same

import minitorch2 as mt

LAYERS = """
Identity(1, x=2); Linear(3, 4); Linear(3, 4, bias=False); Bilinear(2, 3, 4); Flatten(); Flatten(0, 2)
Unflatten(1, (2, 3)); ReLU(); ReLU(inplace=True); LeakyReLU(0.2); LeakyReLU(inplace=True); ReLU6()
ReLU6(True); PReLU(); PReLU(3, 0.1); ELU(); ELU(2.0, inplace=True); SELU(); SELU(True); CELU(2); GELU()
GELU('tanh'); SiLU(); SiLU(True); Mish(); Mish(True); Sigmoid(); LogSigmoid(); Tanh(); Softplus()
Softplus(2, 10); Softsign(); Hardtanh(); Hardtanh(-2, 2, True); Hardsigmoid(True); Hardswish(True)
Threshold(0.1, 20); Threshold(0.1, 20, True); Softmax(); Softmax(dim=1); LogSoftmax(-1); Softmax2d()
Softmin(0); GLU(); Softshrink(); Hardshrink(0.25); Tanhshrink(); Dropout(); Dropout(0.1, inplace=True)
Dropout1d(); Dropout2d(0.2); Dropout3d(); AlphaDropout(0.3); FeatureAlphaDropout(); Embedding(10, 3)
Embedding(10, 3, padding_idx=-1, max_norm=1.5, norm_type=1, scale_grad_by_freq=True); BatchNorm1d(4)
BatchNorm2d(4, affine=False); BatchNorm3d(4, momentum=None, track_running_stats=False)
SyncBatchNorm(4); SyncBatchNorm(4, affine=False, process_group=3)
BatchNorm1d(4, bias=False); InstanceNorm1d(4); InstanceNorm2d(4, affine=True); InstanceNorm3d(4)
LayerNorm(4); LayerNorm((2, 3), eps=1e-6, bias=False); LayerNorm([4], elementwise_affine=False)
GroupNorm(2, 4); GroupNorm(2, 4, affine=False); RMSNorm(4); RMSNorm((2, 4), eps=1e-5); Conv1d(2, 4, 3)
Conv1d(2, 4, 3, padding='same', dilation=2); Conv2d(2, 4, 3); Conv2d(2, 4, (3, 5), 2, 1)
Conv2d(2, 4, 3, stride=(1, 2), padding=(1, 0), dilation=(2, 1), groups=2, bias=False, padding_mode='reflect')
Conv2d(2, 4, 3, padding='valid'); ConvTranspose1d(2, 4, 3)
ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False, dilation=2)
MaxPool1d(2); MaxPool2d((2, 3), stride=2, padding=1, dilation=2, ceil_mode=True); AvgPool1d(2)
AvgPool2d(2, 1, 1); AvgPool2d((2, 3)); AdaptiveAvgPool1d(3); AdaptiveAvgPool2d((None, 3))
AdaptiveMaxPool1d(3); AdaptiveMaxPool2d((2, 3)); L1Loss(); NLLLoss(); KLDivLoss(); MSELoss()
ReflectionPad1d(2); ReflectionPad2d((1, 2, 3, 4)); ReplicationPad1d(1); ReplicationPad2d(2)
CircularPad1d(1); CircularPad2d((1, 2, 3, 4)); ConstantPad1d(2, 3.5); ConstantPad2d(1, 0)
ConstantPad3d(1, 2); ZeroPad1d(1); ZeroPad2d((1, 1, 2, 2)); ZeroPad3d(1); BCELoss(); BCEWithLogitsLoss()
CrossEntropyLoss(); SmoothL1Loss(); HuberLoss(); RReLU(); RReLU(0.1, 0.2, True); LocalResponseNorm(2)
LocalResponseNorm(2, 1e-3, 0.5, 2); MaxUnpool1d(2); MaxUnpool2d((2, 3), 2, 1); PairwiseDistance(1)
CosineSimilarity(0); Upsample(3); Upsample(scale_factor=2, mode='bilinear'); Upsample(scale_factor=(2, 3))
UpsamplingNearest2d((2, 3)); UpsamplingBilinear2d(scale_factor=2); PixelShuffle(2); PixelUnshuffle(3)
Unfold((2, 3), 1, 2, 3); Fold((4, 5), 2); PoissonNLLLoss(); GaussianNLLLoss(); HingeEmbeddingLoss()
MarginRankingLoss(); CosineEmbeddingLoss(); TripletMarginLoss(); TripletMarginWithDistanceLoss()
MultiMarginLoss(); MultiLabelMarginLoss(); SoftMarginLoss(); MultiLabelSoftMarginLoss(); RNN(2, 3)
RNN(2, 3, 2, 'relu', False, True, 0.5, True); LSTM(2, 3, 2, proj_size=1); GRU(2, 3, bidirectional=True)
RNNCell(2, 3, nonlinearity='relu'); LSTMCell(2, 3, bias=False); GRUCell(2, 3); MultiheadAttention(4, 2)
MultiheadAttention(4, 2, 0.1, False, True, True, 3, 5, True); TransformerEncoderLayer(4, 2, 8)
TransformerDecoderLayer(4, 2, 8, 0.2, 'gelu', bias=False); TransformerDecoder(TransformerDecoderLayer(4, 2, 8), 2)
TransformerEncoder(TransformerEncoderLayer(4, 2, 8, batch_first=True, activation=GELU()), 2, LayerNorm(4))
Transformer(4, 2, 1, 2, 8, batch_first=True); EmbeddingBag(10, 3); EmbeddingBag(4, 3, mode='sum', padding_idx=-1)
EmbeddingBag(9, 3, max_norm=1.5, norm_type=1, scale_grad_by_freq=True, include_last_offset=True); CTCLoss(2)
ChannelShuffle(2); LPPool1d(2, 3); LPPool2d(1.5, (2, 3), stride=1, ceil_mode=True)
AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], 2.0, True); LazyLinear(4); LazyConv2d(4, 3, 2, 1, padding_mode='reflect')
LazyConvTranspose1d(4, 3, output_padding=1, stride=2, bias=False); LazyBatchNorm2d(momentum=None); LazyInstanceNorm1d()
Conv3d(2, 4, 3); Conv3d(2, 4, (1, 3, 5), 2, (0, 1, 2), groups=2, bias=False, padding_mode='replicate')
Conv3d(2, 4, 3, padding='same', dilation=(1, 2, 1)); ConvTranspose3d(2, 4, 3)
ConvTranspose3d(2, 4, 3, stride=2, padding=1, output_padding=(1, 0, 1), groups=2, bias=False, dilation=2)
LazyConv3d(4, (3, 1, 2), 2, 1); LazyConvTranspose3d(4, 3, output_padding=1, stride=2, bias=False)
MaxPool3d((1, 2, 3), stride=2, padding=1, dilation=2, ceil_mode=True); MaxPool3d(2, return_indices=True)
AvgPool3d(2, 1, 1); AvgPool3d((1, 2, 3), divisor_override=2); MaxUnpool3d((1, 2, 3), 2, 1); MaxUnpool3d(2)
AdaptiveAvgPool3d((None, 3, 2)); AdaptiveAvgPool3d(2); AdaptiveMaxPool3d((2, 3, None)); LPPool3d(2, 3)
LPPool3d(1.5, (2, 3, 1), 1, True); ReflectionPad3d(2); ReplicationPad3d((1, 2, 3, 4, 5, 6))
CircularPad3d((1, 0, 1, 2, 0, 0)); FractionalMaxPool2d(2, 3); FractionalMaxPool3d((2, 3, 1), output_ratio=0.4)
LinearCrossEntropyLoss(3, 5, out_features=(2,), bias=True, ignore_index=3)
"""

BAD_LAYERS = """
Dropout(1.5); Dropout(-0.1); Hardtanh(1, 0); Conv2d(3, 4, 3, groups=0); Conv2d(3, 4, 3, groups=2)
Conv2d(2, 3, 3, groups=2); Conv2d(2, 4, 3, 2, padding='same')
ConvTranspose1d(2, 4, 3, padding_mode='reflect')
ConvTranspose2d(2, 4, 3, padding_mode='circular'); GroupNorm(3, 4); Embedding(3, 2, padding_idx=3)
Embedding(3, 2, padding_idx=-4); Unflatten(1, 3); Unflatten(1, (2, 'a')); HuberLoss(delta='x')
Bilinear(0, 2, 3); Linear(); ReLU(1, 2, 3); TripletMarginLoss(margin=0); MultiMarginLoss(p=3)
TripletMarginWithDistanceLoss(margin=-1); GaussianNLLLoss(True); EmbeddingBag(3, 2, padding_idx=3)
EmbeddingBag(3, 2, padding_idx=-4); AdaptiveLogSoftmaxWithLoss(8, 20, []); AdaptiveLogSoftmaxWithLoss(8, 20, [4, 20])
AdaptiveLogSoftmaxWithLoss(8, 20, [4, 4]); AdaptiveLogSoftmaxWithLoss(8, 20, [0, 4]); LazyConv1d(4, 3, groups=0)
AdaptiveLogSoftmaxWithLoss(8, 20, [2.5, 4]); LazyConvTranspose1d(2, 3, padding_mode='reflect')
Conv3d(3, 4, 3, groups=2); Conv3d(2, 4, 3, (1, 2, 1), padding='same'); ConvTranspose3d(2, 4, 3, padding_mode='reflect')
"""


def listed(text):
    return text.strip().replace("\n", "; ").split("; ")


def construct(text):
    return lambda lib: eval(text, vars(lib.nn).copy())


@pytest.mark.parametrize("text", listed(LAYERS))
def test_layer_reprs_and_state(text):
    def action(lib):
        layer = construct(text)(lib)
        state = layer.state_dict().items()
        shapes = [(name, neutral(repr(t)) if text[:4] == "Lazy" else list(t.shape), str(t.dtype)) for name, t in state]
        buffers = [name for name, _ in layer.named_buffers()] if text[:4] == "Lazy" else list(layer.named_buffers())
        return repr(layer), shapes, dict(layer.state_dict()._metadata), buffers

    assert isinstance(same(action), list)


@pytest.mark.parametrize("text", listed(BAD_LAYERS))
def test_layer_argument_errors(text):
    assert isinstance(same(construct(text)), tuple)


def test_conv_names_what_it_accepts():
    for arguments, expected in (
        ("padding='half'", "Invalid padding string 'half'"),
        ("padding_mode='x'", "'x'"),
    ):
        for lib in (mt, torch):  # torch prints a set, in an order that changes from run to run
            with pytest.raises(ValueError, match=expected):
                construct(f"Conv1d(2, 4, 3, {arguments})")(lib)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("BatchNorm1d(4)", (4,)),
        ("BatchNorm2d(4)", (2, 4, 3)),
        ("BatchNorm3d(4)", (2, 4, 3, 3)),
        ("SyncBatchNorm(4)", (4,)),
        ("SyncBatchNorm(0)", (4, 0)),
        ("InstanceNorm1d(4)", (2, 4, 3, 3)),
        ("InstanceNorm2d(4)", (2, 4)),
        ("InstanceNorm3d(4)", (1, 4)),
        ("InstanceNorm2d(4, affine=True)", (1, 3, 2, 2)),
        ("Softmax2d()", (3, 3)),
        ("CircularPad1d(1)", (3,)),
        ("CircularPad2d(1)", (3, 3)),
        ("CircularPad3d(1)", (3, 3, 3)),
    ],
)
def test_input_dimension_errors(layer, shape):
    assert isinstance(same(lambda lib: construct(layer)(lib)(lib.zeros(shape))), tuple)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_take_device_and_dtype(dtype):
    def action(lib):
        options = {"device": "cpu", "dtype": getattr(lib, dtype)}
        nn = lib.nn
        layers = [
            nn.Linear(2, 2, **options),
            nn.Bilinear(2, 2, 2, **options),
            nn.Conv1d(2, 2, 1, **options),
            nn.ConvTranspose2d(2, 2, 1, **options),
            nn.Conv3d(2, 2, 1, **options),
            nn.BatchNorm1d(2, **options),
            nn.LayerNorm(2, **options),
            nn.GroupNorm(1, 2, **options),
            nn.RMSNorm(2, **options),
            nn.Embedding(2, 2, **options),
            nn.PReLU(**options),
            nn.RNN(2, 2, **options),
            nn.LSTM(2, 2, proj_size=1, **options),
            nn.GRU(2, 2, **options),
            nn.LSTMCell(2, 2, **options),
            nn.MultiheadAttention(2, 1, add_bias_kv=True, **options),
            nn.Transformer(2, 1, 1, 1, 2, **options),
        ]
        return [{name: str(t.dtype) for name, t in layer.state_dict().items()} for layer in layers]

    same(action)


def test_nested_repr():
    def action(lib):
        class Wide(lib.nn.Module):
            def extra_repr(self):
                return "one\ntwo"

        class Outer(lib.nn.Module):
            def __init__(self):
                super().__init__()
                self.wide = Wide()
                self.nothing = None
                self.add_module("empty", None)
                self.body = lib.nn.Sequential(lib.nn.Linear(1, 2), lib.nn.Sequential(), Wide())

            def extra_repr(self):
                return "k=1"

        return repr(Outer()), repr(Wide()), repr(lib.nn.Module())

    same(action)


def test_batchnorm_loads_state_of_version_one():
    def action(lib):
        net = lib.nn.BatchNorm1d(2)
        state = net.state_dict()
        del state["num_batches_tracked"]
        strict = outcome(lambda _: net.load_state_dict(state), lib)
        state._metadata.clear()
        return strict, repr(net.load_state_dict(state)), net.num_batches_tracked

    same(action)


def test_legacy_loss_arguments():
    def action(lib):
        results = []
        for size_average in (None, True, False):
            for reduce in (None, True, False):
                if size_average is None and reduce is None:
                    continue
                with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
                    results.append(lib.nn.MSELoss(size_average, reduce).reduction)
        return results

    same(action)


def test_embedding():
    def action(lib):
        table = lib.arange(6, dtype=lib.float32).reshape(3, 2)
        frozen = lib.nn.Embedding.from_pretrained(table, padding_idx=1)
        lib.manual_seed(0)
        drawn = lib.nn.Embedding(3, 2, padding_idx=-1)
        errors = [
            outcome(lambda _: lib.nn.Embedding.from_pretrained(lib.ones(3)), lib),
            outcome(lambda _: lib.nn.Embedding(2, 2, _weight=lib.ones(3, 2)), lib),
        ]
        return frozen.weight, frozen.weight.requires_grad, frozen.padding_idx, drawn.weight[2], errors

    same(action)
    with pytest.raises(NotImplementedError, match="sparse=True"):
        mt.nn.Embedding(3, 2, sparse=True)


def test_all_names_exist_in_torch():
    for name in mt.nn.__all__:
        assert hasattr(torch.nn, name), name
        assert hasattr(mt.nn, name), name


def test_unsupported_layers_say_so():
    with pytest.raises(AttributeError, match=r"'LSTMCellX'.*not supported here"):
        _ = mt.nn.LSTMCellX
    assert not hasattr(mt.nn, "LSTMCellX")
