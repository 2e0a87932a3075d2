"""minitorch2.bridge: tensors and containers between PyTorch and here. (Modules: test_bridge_modules.)"""

import collections
import functools
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as mt
from minitorch2.bridge import from_torch, to_torch
from minitorch2.core import dtypes

DTYPES = [getattr(torch, d.name) for d in dtypes.ALL]
SHAPES = st.lists(st.integers(0, 4), max_size=4)


@st.composite
def tensors(draw):
    """A tensor of any dtype that is any kind of view of its storage."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    t = torch.from_numpy(np.asarray(rng.normal(size=draw(SHAPES)) * 50)).to(draw(st.sampled_from(DTYPES)))
    for kind in draw(st.lists(st.sampled_from(["permute", "step", "narrow", "expand", "diagonal"]), max_size=3)):
        if kind == "permute":
            t = t.permute(draw(st.permutations(range(t.dim()))))
        elif kind == "step" and t.dim():
            t = t[:: draw(st.integers(1, 3))]
        elif kind == "narrow" and t.dim() and t.shape[-1]:
            t = t[..., draw(st.integers(0, t.shape[-1] - 1)) :]
        elif kind == "expand":
            t = t.unsqueeze(0).expand(draw(st.integers(0, 3)), *t.shape)
        elif kind == "diagonal" and t.dim() > 1:
            t = t.diagonal()
    return t


def last(t):
    """One element, as a view that may be written even where the others are the same memory."""
    return t[(0,) * (t.dim() - 1)][-1:] if t.dim() else t


def bits(t):
    """The elements as they stand in memory: a NaN is equal to itself, -0 is not 0."""
    if isinstance(t, mt.Tensor):
        return t._data.tobytes()
    flat = t.new_empty(t.numel()).copy_(t.reshape(-1))
    return flat.view(torch.uint8).numpy().tobytes() if t.numel() else b""


def assert_same_tensor(ours, theirs):
    assert str(ours.dtype) == str(theirs.dtype) and tuple(ours.shape) == tuple(theirs.shape)
    assert bits(ours) == bits(theirs)
    if theirs.numel():
        assert ours.stride() == theirs.stride()


@given(tensors(), st.booleans())
def test_any_strided_tensor_crosses(t, copy):
    ours = from_torch(t, copy=copy)
    assert type(ours) is mt.Tensor and ours._version == 0
    assert_same_tensor(ours, t)
    back = to_torch(ours, copy=copy)
    assert type(back) is torch.Tensor
    assert back.dtype == t.dtype and back.shape == t.shape and bits(back) == bits(t)
    if t.numel():
        assert (ours.data_ptr() == t.data_ptr()) is not copy
        assert (back.data_ptr() == t.data_ptr()) is not copy
        first = (0,) * t.dim()
        ours[first] = 1 - ours[first].item() if t.dtype is torch.bool else 0 if t[first] else 1
        assert (ours[first].item() == t[first].item()) is not copy


@given(tensors(), st.booleans())
def test_tensors_of_one_storage_share_memory_again(t, copy):
    if not t.numel():
        return
    pair = {"whole": t, "part": last(t) if t.dim() else t[None], "again": t}
    ours = from_torch(pair, copy=copy)
    assert ours["again"] is ours["whole"] and ours["part"] is not ours["whole"]
    version = ours["whole"]._version
    ours["part"].fill_(1)
    assert last(ours["whole"]).eq(1).all()
    assert ours["whole"]._version == version + 1  # so that a tensor saved for backward is seen to have changed
    back = to_torch(ours, copy=copy)
    assert back["again"] is back["whole"]
    assert back["whole"].untyped_storage().data_ptr() == back["part"].untyped_storage().data_ptr()
    back["part"].fill_(0)
    assert last(back["whole"]).eq(0).all() and bool(ours["part"].eq(0).all()) is not copy


@given(tensors())
def test_ours_cross_where_torch_can_describe_them(t):
    array = from_torch(t)._data
    for view in (array, np.asarray(array).transpose(), np.broadcast_to(array, (2, *array.shape))):
        ours = mt.Tensor._wrap(view)
        assert to_torch(ours).tolist() == ours.tolist()
    for view in (array[::-1],) if array.ndim else ():  # backwards: torch has no such strides
        assert to_torch(mt.Tensor._wrap(view)).tolist() == mt.Tensor._wrap(view).tolist()


def test_memory_outlives_its_first_owner():
    ours = from_torch(torch.arange(1000.0))
    theirs = to_torch(mt.arange(1000.0))
    junk = [torch.full((1000,), -1.0) for _ in range(50)]
    assert ours.sum().item() == theirs.sum().item() == 499500 and len(junk) == 50


def test_read_only_memory_is_copied():
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    theirs = to_torch(mt.Tensor._wrap(array))
    theirs.fill_(2)
    assert array.tolist() == [1, 1, 1] and theirs.tolist() == [2, 2, 2]


def test_one_memory_under_two_dtypes():
    ours = from_torch([(t := torch.arange(4.0)), t.view(torch.int32)])
    ours[0][0] = 1.0
    assert ours[1][0] == 0x3F800000
    back = to_torch(ours)
    assert back[1][0] == 0x3F800000 and back[1].dtype == torch.int32


@pytest.mark.parametrize("copy", [False, True])
def test_what_a_tensor_carries(copy):
    p = torch.nn.Parameter(torch.ones(2, 3))
    p.grad = torch.full((2, 3), 2.0)
    p.note = {"lr_scale": 0.5}
    b = torch.nn.Buffer(torch.ones(2), persistent=False)
    leaf, frozen = torch.ones(3, requires_grad=True), torch.nn.Parameter(torch.arange(3), requires_grad=False)
    with torch.inference_mode():
        inferred = torch.ones(2)
    given = [p, b, leaf, frozen, inferred]
    ours = from_torch(given, copy=copy)
    back = to_torch(ours, copy=copy)
    assert [type(t) for t in ours] == [mt.nn.Parameter, mt.nn.Buffer, mt.Tensor, mt.nn.Parameter, mt.Tensor]
    for result in (ours, back):
        assert [t.requires_grad for t in result] == [True, False, True, False, False]
        assert [t.is_inference() for t in result] == [False] * 4 + [True]
        assert result[0].grad.tolist() == [[2] * 3] * 2 and result[0].note == {"lr_scale": 0.5}
        assert not result[1].persistent
    assert isinstance(back[0], torch.nn.Parameter) and isinstance(back[1], torch.nn.Buffer)
    loss = (ours[0] * ours[0]).sum()
    loss.backward()
    assert ours[0].grad.tolist() == [[4] * 3] * 2


UNSUPPORTED = [
    (torch.zeros(2, dtype=torch.complex64), NotImplementedError, r"dtype torch.complex64.*view_as_real"),
    (torch.zeros(2, dtype=torch.uint16), NotImplementedError, r"dtype torch.uint16"),
    (torch.zeros(2, dtype=torch.float8_e5m2), NotImplementedError, r"dtype torch.float8_e5m2"),
    (torch.zeros(2).to_sparse(), NotImplementedError, r"layout torch.sparse_coo.*to_dense"),
    (torch.zeros(2, device="meta"), NotImplementedError, "meta device has no data"),
    (torch.ones(2, requires_grad=True) * 2, RuntimeError, "result of a computation.*detach"),
    (torch.complex32, NotImplementedError, "complex32"),
    (torch.device("meta"), NotImplementedError, "'meta'"),
    (torch.channels_last_3d, NotImplementedError, "channels_last_3d"),
    (torch.Generator(), TypeError, "torch._C.Generator has no counterpart"),
    (torch.optim.SGD([torch.zeros(1)], lr=0.1), TypeError, r"state_dict\(\)"),
    (types.SimpleNamespace(weight=torch.zeros(1)), TypeError, "SimpleNamespace has no counterpart"),
    (types.SimpleNamespace(deep=[{"net": torch.nn.Linear}]), TypeError, "SimpleNamespace has no counterpart"),
    (torch.fft, TypeError, "module has no counterpart"),
    (lambda x: x, TypeError, "lambda.* is code without a counterpart"),
    (torch.nn.Linear(1, 1).forward, TypeError, "forward is code without a counterpart"),
    (torch.fft.fft, TypeError, "is code without a counterpart"),
]


@pytest.mark.parametrize(("thing", "error", "message"), UNSUPPORTED)
def test_what_is_not_supported_says_so_and_where(thing, error, message):
    with pytest.raises(error, match=r"minitorch2\.bridge\.from_torch: \['model'\]\[1\]: .*" + message):
        from_torch({"model": [0, thing]})


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, that quantized tensors will go
def test_tensors_of_other_kinds():
    with pytest.raises(NotImplementedError, match=r"quantized.*dequantize"):
        from_torch(torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8))
    with pytest.raises(NotImplementedError, match=r"nested.*to_padded_tensor"):
        from_torch(torch.nested.nested_tensor([torch.zeros(2)]))
    subclass = torch.zeros(2).as_subclass(type("Sub", (torch.Tensor,), {}))
    with pytest.raises(TypeError, match="Sub is a Tensor subclass"):
        from_torch(subclass)
    with pytest.raises(TypeError, match="Sub is a Tensor subclass"):
        to_torch(type("Sub", (mt.Tensor,), {})(2))


@pytest.mark.parametrize(("lib", "cross"), [(torch, from_torch), (mt, to_torch)])
def test_hooks_and_graphs_are_refused(lib, cross):
    t = lib.ones(2, requires_grad=True)
    t.register_hook(lambda g: g)
    with pytest.raises(RuntimeError, match=r"\[0\]: the tensor has hooks"):
        cross([t])
    t = lib.ones(2, requires_grad=True)
    t.register_post_accumulate_grad_hook(lambda t: None)
    with pytest.raises(RuntimeError, match="the tensor has hooks"):
        cross(t)
    with pytest.raises(RuntimeError, match="result of a computation"):
        cross(lib.ones(2, requires_grad=True) * 2)
    net = lib.nn.Sequential(lib.nn.Linear(1, 1))
    handle = net[0].register_forward_hook(lambda *args: None)
    with pytest.raises(ValueError, match=r": 0: Linear comes with _forward_hooks"):
        cross(net)
    handle.remove()
    cross(net)
    net.register_state_dict_pre_hook(lambda *args: None)
    with pytest.raises(ValueError, match="Sequential comes with _state_dict_pre_hooks"):
        cross(net)


Pair = collections.namedtuple("Pair", ["left", "right"])


def test_containers_and_plain_values():
    array, token = np.ones(2), types.SimpleNamespace(a=1, np=np)
    t = torch.ones(2)
    shared = [t]
    given = {
        "list": shared,
        "same": shared,
        ("a", 1): (t, Pair(t, 2)),
        "ordered": collections.OrderedDict(b=t, a=None),
        "counts": collections.Counter("aab"),
        "default": collections.defaultdict(list, {"k": [t]}),
        "set": {1, 2},
        "frozen": frozenset([1]),
        "numbers": [1, 2.5, 1j, True, None, "text", b"bytes"],
        "array": array,
        "object": token,
        "dtype": torch.bfloat16,
        "device": torch.device("cpu"),
        "cuda": torch.device("cuda", 1),
        "size": t.shape,
        "layout": torch.strided,
        "format": torch.channels_last,
        "classes": [torch.nn.BatchNorm2d, torch.Tensor, torch.nn.Parameter, dict],
        "functions": [torch.nn.functional.gelu, torch.relu, functools.partial(torch.nn.LayerNorm, eps=1e-6)],
    }
    given["self"] = given
    ours = from_torch(given)
    assert list(ours) == list(given) and ours["self"] is ours and ours["same"] is ours["list"]
    tensor = ours["list"][0]
    assert ours["a", 1][0] is tensor and ours["a", 1][1] == Pair(tensor, 2) and type(ours["a", 1][1]) is Pair
    assert ours["ordered"]["b"] is tensor and type(ours["ordered"]) is collections.OrderedDict
    assert ours["default"]["k"][0] is tensor and ours["default"]["new"] == []
    for name in ("counts", "set", "frozen", "numbers"):
        assert ours[name] == given[name] and type(ours[name]) is type(given[name])
    assert ours["array"] is array and ours["object"] is token
    assert ours["dtype"] is mt.bfloat16 and type(ours["size"]) is mt.Size
    assert ours["device"] == mt.device("cpu") and ours["cuda"] == mt.device("cuda:1")
    assert ours["layout"] is mt.strided and ours["format"] is mt.channels_last
    assert ours["classes"] == [mt.nn.BatchNorm2d, mt.Tensor, mt.nn.Parameter, dict]
    gelu, relu, partial = ours["functions"]
    assert gelu is mt.nn.functional.gelu and relu is mt.relu and partial(3).eps == 1e-6
    back = to_torch(ours)
    assert list(back) == list(given) and back["self"] is back
    for name in ("dtype", "device", "cuda", "size", "layout", "format", "classes", "counts", "numbers"):
        assert back[name] == given[name], name
    assert back["functions"][:2] == given["functions"][:2] and back["functions"][2].func is torch.nn.LayerNorm


def test_state_dicts_keep_their_metadata():
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    ours = from_torch(net.state_dict())
    assert ours._metadata == net.state_dict()._metadata and ours._metadata["0"] == {"version": 2}
    mt.nn.Sequential(mt.nn.BatchNorm1d(2)).load_state_dict(ours)
    assert to_torch(ours)._metadata == net.state_dict()._metadata
    assert from_torch(torch.optim.Adam(net.parameters()).state_dict())["param_groups"][0]["betas"] == (0.9, 0.999)


def test_only_torchs_things_are_converted():
    for thing in (5, "text", None, np.zeros(2), mt.zeros(2), mt.nn.Linear(1, 1)):
        with pytest.raises(TypeError, match="expected something of torch's"):
            from_torch(thing)
    with pytest.raises(TypeError, match="expected something of minitorch2's"):
        to_torch(torch.zeros(2))


def test_without_torch_the_error_says_what_to_do():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import minitorch2 as torch\n"
        "try: torch.bridge.to_torch(torch.zeros(2))\n"
        "except ImportError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "minitorch2.bridge needs PyTorch" in result.stdout and "minitorch2.load" in result.stdout
