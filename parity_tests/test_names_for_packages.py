"""What packages written for PyTorch import, ask about and register: dtypes that no tensor has here, torch.library,
torch.fft's frequencies, trees, and the names of what is not here, which say so when they are used."""

import copy
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import minitorch2
import minitorch2.fft
import minitorch2.fx
import minitorch2.jit
import minitorch2.library
import minitorch2.onnx
import minitorch2.overrides
from minitorch2.core import dtypes, other_dtypes
from minitorch2.utils import _pytree

BOTH = (minitorch2, torch)
DTYPE_NAMES = sorted(name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype))
ABSENT = [name for name in DTYPE_NAMES if getattr(torch, name) not in [getattr(torch, d.name) for d in dtypes.ALL]]


def outcome(function, *args, **kwargs):
    """What the call returns, or its error's type and the first words of its message."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)[:30]


@pytest.mark.parametrize("name", DTYPE_NAMES)
def test_every_dtype_of_torch_has_its_name(name):
    ours, theirs = getattr(minitorch2, name), getattr(torch, name)
    assert repr(ours) == repr(theirs) and ours.itemsize == theirs.itemsize
    assert (ours.is_floating_point, ours.is_complex) == (theirs.is_floating_point, theirs.is_complex)
    if not name.startswith(("q", "bits")):  # torch raises there
        assert ours.is_signed == theirs.is_signed
    assert repr(ours.to_real()) == repr(theirs.to_real())
    if theirs.is_complex or theirs in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        assert repr(ours.to_complex()) == repr(theirs.to_complex())
    else:
        with pytest.raises(RuntimeError, match="Unknown Complex ScalarType"):
            ours.to_complex()
    assert pickle.loads(pickle.dumps(ours)) is copy.deepcopy(ours) is ours


@pytest.mark.parametrize("name", [name for name in DTYPE_NAMES if not name.startswith("q") and "float4" not in name])
def test_limits(name):
    ours, theirs = getattr(minitorch2, name), getattr(torch, name)
    for kind, fields in (
        ("finfo", ("bits", "min", "max", "eps", "tiny", "smallest_normal", "resolution", "dtype")),
        ("iinfo", ("bits", "min", "max", "dtype")),
    ):
        expected = outcome(getattr(torch, kind), theirs)
        found = outcome(getattr(minitorch2, kind), ours)
        if isinstance(expected, tuple):
            assert isinstance(found, tuple) and found[0] in (expected[0], NotImplementedError), (found, expected)
        else:
            assert [getattr(found, f) for f in fields] == [getattr(expected, f) for f in fields]


@pytest.mark.parametrize("name", ABSENT)
def test_no_tensor_gets_a_dtype_that_is_a_name_only(name):
    dtype, x = getattr(minitorch2, name), minitorch2.ones(3)
    for use in (
        lambda: minitorch2.zeros(3, dtype=dtype),
        lambda: minitorch2.tensor([1, 2], dtype=dtype),
        lambda: minitorch2.rand(3, dtype=dtype),
        lambda: minitorch2.arange(3, dtype=dtype),
        lambda: minitorch2.zeros_like(x, dtype=dtype),
        lambda: x.to(dtype),
        lambda: x.to(minitorch2.zeros(3, dtype=dtype)),
        lambda: x.type(dtype),
        lambda: x.view(dtype),
        lambda: x.sum(dtype=dtype),
        lambda: x.new_zeros(3, dtype=dtype),
        lambda: minitorch2.softmax(x, 0, dtype=dtype),
        lambda: minitorch2.promote_types(dtype, minitorch2.float32),
        lambda: minitorch2.can_cast(minitorch2.float32, dtype),
        lambda: minitorch2.frombuffer(b"12345678", dtype=dtype),
        lambda: minitorch2.nn.Embedding(2, 3, dtype=dtype),
    ):
        with pytest.raises(NotImplementedError, match=re.escape(f"no tensors of dtype {dtype}; ")):
            use()
    assert x.dtype != dtype and dtype not in (x.dtype, minitorch2.int64) and {dtype: 1}[dtype] == 1


def test_a_dtype_that_torch_lacks_is_an_error():
    with pytest.raises(AttributeError, match="has no 'float128'"):
        minitorch2.float128  # noqa: B018
    with pytest.raises(KeyError):
        other_dtypes.of_name("float128")


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8, 101])
@pytest.mark.parametrize("d", [1.0, 0.3, 1 / 101, 0.0])
@pytest.mark.parametrize("dtype", [None, "float64", "float16"])
def test_frequencies(n, d, dtype):
    for function in ("fftfreq", "rfftfreq"):
        ours, theirs = (
            getattr(t.fft, function)(n, d, dtype=None if dtype is None else getattr(t, dtype)) for t in BOTH
        )
        assert repr(ours.dtype) == repr(theirs.dtype)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "use",
    [
        lambda t: t.fft.fftfreq(4, dtype=t.int64),
        lambda t: t.fft.rfftfreq(4, dtype=t.bool),
        lambda t: t.fft.fftfreq(-3),
        lambda t: t.fft.fftshift([1.0]),
        lambda t: t.fft.ifftshift(t.ones(2, 3), dim=2),
    ],
)
def test_frequencies_refused(use):
    assert outcome(use, minitorch2) == outcome(use, torch)


@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2), [1]])
@pytest.mark.parametrize("function", ["fftshift", "ifftshift"])
def test_shifts(function, dim):
    x = np.arange(2 * 5 * 4.0).reshape(2, 5, 4)
    results = []
    for t in BOTH:
        leaf = t.from_numpy(x).requires_grad_()
        y = getattr(t.fft, function)(leaf, dim=dim)
        (y * t.from_numpy(x)).sum().backward()
        results.append((y.detach().numpy(), leaf.grad.numpy()))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def custom_operator(t, namespace):
    """A sine with a factor and its backward, as the tutorials write them."""

    @t.library.custom_op(f"{namespace}::scaled_sin", mutates_args=())
    def scaled_sin(x: t.Tensor, scale: float = 2.0) -> t.Tensor:
        return t.sin(x) * scale

    def setup_context(ctx, inputs, output):
        x, ctx.scale = inputs
        ctx.save_for_backward(x)

    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].cos() * ctx.scale, None

    t.library.register_autograd(f"{namespace}::scaled_sin", backward, setup_context=setup_context)
    return scaled_sin


@pytest.fixture(scope="module")
def operators():
    return [custom_operator(t, "minitorch2_tests") for t in BOTH]


def test_a_custom_operator(operators):
    results = []
    for t, function in zip(BOTH, operators, strict=True):
        x = t.tensor([0.1, -0.7, 2.0], dtype=t.float64, requires_grad=True)
        y = function(x, 3.0)
        (first,) = t.autograd.grad(y.square().sum(), x, create_graph=True)
        (second,) = t.autograd.grad(first.sum(), x)
        assert not function(x.detach()).requires_grad
        by_name = t.ops.minitorch2_tests.scaled_sin(x)
        results.append([each.detach().numpy() for each in (y, first, second, function(x, scale=0.5), by_name)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_custom_operators_refused(operators):
    library, x = minitorch2.library, minitorch2.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="defined already"):
        custom_operator(minitorch2, "minitorch2_tests")
    with pytest.raises(ValueError, match="namespace::name"):
        library.custom_op("sin", lambda x: x, mutates_args=())
    with pytest.raises(ValueError, match="minitorch2's own"):
        library.custom_op("unary::sin", lambda x: x, mutates_args=())

    plain = library.custom_op("minitorch2_tests::plain", lambda x: x * 2, mutates_args=(), device_types="cpu")
    assert torch.equal(torch.from_numpy(plain(x).detach().numpy()), torch.full((2,), 2.0))
    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        plain(x).sum().backward()
    writes = library.custom_op("minitorch2_tests::writes", lambda x: x.add_(1), mutates_args=("x",))
    with pytest.raises(NotImplementedError, match="writes to its arguments"):
        writes(x)
    of_list = library.custom_op("minitorch2_tests::of_list", sum, mutates_args=())
    with pytest.raises(NotImplementedError, match="takes tensors in a list"):
        of_list([x, x])
    with minitorch2.no_grad():
        assert of_list([x, x]).tolist() == [2, 2]
    by_keyword = library.custom_op("minitorch2_tests::by_keyword", lambda *, x: x * 2, mutates_args=())
    with pytest.raises(NotImplementedError, match="takes tensors by keyword only"):
        by_keyword(x=x)
    elsewhere = library.custom_op("minitorch2_tests::elsewhere", lambda x: x + 1, mutates_args=(), device_types="cuda")
    with pytest.raises(NotImplementedError, match="no implementation for cpu"):
        elsewhere(x)
    elsewhere.register_kernel("cpu")(lambda x: x - 1)
    assert elsewhere(x.detach()).tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="no operator minitorch2_tests::nothing"):
        library.register_autograd("minitorch2_tests::nothing", lambda ctx, g: g)
    assert library.register_fake("minitorch2_tests::plain")(outcome) is outcome


class Pair:
    def __init__(self, first, second):
        self.first, self.second = first, second


def test_registered_containers():
    for tree in (_pytree, torch.utils._pytree):
        tree.register_pytree_node(Pair, lambda p: ([p.first, p.second], "pair"), lambda held, context: Pair(*held))
        leaves, spec = tree.tree_flatten({"a": Pair(1, [2, 3])})
        assert leaves == [1, 2, 3] and spec.num_leaves == 3
        doubled = tree.tree_map(lambda x: 2 * x, Pair(1, (2,)))
        assert (type(doubled), doubled.first, doubled.second) == (Pair, 2, (4,))
        assert "Pair" in repr(spec)
        with pytest.raises(ValueError, match="already registered as pytree node"):
            tree.register_pytree_node(Pair, lambda p: ([], None), lambda held, context: None)


CHECKS = [
    lambda t: t._assert(t.tensor(1), "no"),
    lambda t: t._assert(t.tensor(0), "no"),
    lambda t: t._check(True),
    lambda t: t._check(False),
    lambda t: t._check(False, lambda: "the reason"),
    lambda t: t._check_value(False, lambda: 7),
    lambda t: t._check_index(False),
    lambda t: t._check_type(False, lambda: "x"),
    lambda t: t._check_not_implemented(False),
    lambda t: t._check("x"),
    lambda t: t._check(t.tensor(True)),
    lambda t: t._check(False, "text"),
]


@pytest.mark.parametrize("number", range(len(CHECKS)))
def test_checks(number):
    assert outcome(CHECKS[number], minitorch2) == outcome(CHECKS[number], torch)


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.fx.symbolic_trace(None),
        lambda t: t.fx.Graph(),
        lambda t: t.jit.trace(None, ()),
        lambda t: t.jit.ScriptModule(),
        lambda t: t.fft.rfft(t.ones(4)),
        lambda t: t.library.wrap_triton(abs),
        lambda t: t.onnx.export(None, (), "x"),
        lambda t: t.export.export(None, ()),
        lambda t: t.overrides.TorchFunctionMode(),
        lambda t: t.distributed.init_process_group("gloo"),
        lambda t: t.ao.quantization.QuantStub(),
        lambda t: t.nn.attention.flex_attention.create_block_mask(None),
        lambda t: t._dynamo.OptimizedModule(),
    ],
)
def test_what_is_not_here_says_so_when_it_is_used(make):
    with pytest.raises(NotImplementedError, match="is not supported: "):
        make(minitorch2)


def test_what_is_not_here_may_be_asked_about():
    x, layer = minitorch2.ones(2), minitorch2.nn.Linear(1, 1)
    assert not isinstance(x, minitorch2.fx.Proxy | minitorch2.fx.Node)
    assert not isinstance(layer, minitorch2.jit.ScriptModule | minitorch2.fx.GraphModule)
    assert not minitorch2.overrides.has_torch_function((x,)) and not minitorch2.onnx.is_in_onnx_export()
    with pytest.raises(OSError, match="compiled for PyTorch"):
        minitorch2.ops.load_library("x.so")
    assert isinstance(x.untyped_storage(), minitorch2.UntypedStorage)


@pytest.mark.parametrize("function", ["_standard_gamma", "_sample_dirichlet"])
def test_samplers_by_their_inner_names(function):
    results = []
    for t in BOTH:
        t.manual_seed(3)
        results.append(getattr(t, function)(t.tensor([[0.5, 2.0, 7.0]])).numpy())
    np.testing.assert_allclose(*results, rtol=1e-6)
    with pytest.raises(NotImplementedError, match="default generator"):
        getattr(minitorch2, function)(minitorch2.ones(2), minitorch2.Generator())


PACKAGE = """
import torch, torch.fx, torch.library, torch._custom_ops, torch._dynamo.utils, torch.onnx.symbolic_helper
from torch import fx, nn
from torch._C import DisableTorchFunctionSubclass, _get_tracing_state
from torch._dynamo import OptimizedModule, allow_in_graph
from torch._subclasses.fake_tensor import is_fake
from torch.ao.quantization import DeQuantStub, QuantStub
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.fx.graph_module import _copy_attr
from torch.hub import HASH_REGEX, download_url_to_file, urlparse, _get_torch_home, tqdm
from torch.jit import ScriptModule
from torch.jit.annotations import BroadcastingList2, List
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from torch.nn.modules.module import _IncompatibleKeys
from torch.onnx import symbolic_opset11
from torch.overrides import TorchFunctionMode, has_torch_function
from torch.storage import UntypedStorage
from torch.utils.model_zoo import load_url, tqdm

KEYS = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU) | torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
SIZES = {torch.complex64: 8, torch.uint16: 2, torch.float8_e4m3fn: 1, torch.cdouble: 16}

class Tracer(fx.Tracer):
    pass

class Mode(TorchFunctionMode):
    pass

@torch.library.register_fake("package::op")
def fake(x: torch.Tensor) -> torch.Tensor:
    return x

@torch.onnx.symbolic_helper.parse_args("v", "f")
def symbolic(g, x):
    return x

@torch.fx.wrap
def wrapped(x: torch.Tensor, size: BroadcastingList2[int] = (1, 2)):
    torch._assert(x.ndim == 2, "two dims")
    with DisableTorchFunctionSubclass():
        return x * 2

try:
    torch.ops.load_library("package.so")
except OSError:
    pass
assert torch.torch is torch and not is_fake(torch.ones(1)) and get_proxy_mode() is None
assert _get_tracing_state() is None and not isinstance(nn.Linear(1, 1), (ScriptModule, OptimizedModule))
print(wrapped(torch.ones(1, 2)).tolist())
"""


def test_a_package_is_imported_as_it_stands(tmp_path):
    """What torchvision, timm and transformers do while they are imported."""
    (tmp_path / "package.py").write_text(PACKAGE)
    (tmp_path / "program.py").write_text("import package\n")
    for command in (["-m", "minitorch2", "run"], []):
        if not command:  # PyTorch wants an operator before it is told about one
            (tmp_path / "package.py").write_text(re.sub(r"@torch\.library.*\n", "", PACKAGE))
        done = subprocess.run(
            [sys.executable, *command, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "[[2.0, 2.0]]\n"


def test_compilers_may_be_told_what_they_like():
    program = """
import torch, torch._dynamo, torch._inductor.config, torch._functorch.config
torch._dynamo.config.suppress_errors = True
torch._inductor.config.coordinate_descent_tuning = True
torch._dynamo.mark_dynamic(torch.ones(2), 0)
torch.compiler.cudagraph_mark_step_begin()
with torch.compiler.set_stance("force_eager"):
    assert torch._dynamo.optimize("eager")(lambda x: x + 1)(1) == 2
"""
    for start in (
        "import warnings; warnings.simplefilter('ignore')",
        "import minitorch2.alias; minitorch2.alias.install()",
    ):
        subprocess.run([sys.executable, "-c", start + program], check=True)
