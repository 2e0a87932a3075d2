"""Names that programs and packages import and seldom use: those that are here do as torch's do, the others say what is
missing when they are used, and not before."""

import collections
import decimal
import gc
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch._utils
import torch.fx
import torch.jit
import torch.nn.attention.bias
import torch.utils.benchmark
import torch.utils.module_tracker
import torch.utils.weak
from side_by_side import BOTH, needs_build_of_the_cpu, same

import minitorch2
import minitorch2.library
import minitorch2.nn.attention.bias
import minitorch2.utils.benchmark
import minitorch2.utils.module_tracker
import minitorch2.utils.weak

MODULES = """
import minitorch2.alias; minitorch2.alias.install()
import torch
import torch.cpu, torch.__future__, torch.nested, torch.sparse, torch.quasirandom, torch.distributed.rpc
import torch.autograd.forward_ad, torch.autograd.grad_mode, torch.autograd.anomaly_mode, torch.autograd.variable
import torch.backends.opt_einsum, torch.backends.mkldnn, torch.profiler.profiler, torch.optim._functional
import torch.nn._reduction, torch.nn.attention.varlen, torch.nn.parallel.replicate, torch.nn.utils._per_sample_grad
import torch.utils.collect_env, torch.utils.cpp_extension, torch.utils.deterministic, torch.utils.module_tracker
import torch.utils.weak, torch.utils._python_dispatch, torch.utils.data._utils.worker
import torch.cuda.amp.grad_scaler, torch.cuda.amp.autocast_mode
from torch import FloatStorage, is_storage, to_dlpack, histogramdd, set_warn_always, set_deterministic_debug_mode
from torch._C import ScriptMethod, TensorBase, _TensorBase, _is_tracing, Size, dtype, device, Generator
from torch._C import DisableTorchFunction, ScriptModule, ScriptFunction
from torch._tensor import Tensor, _convert
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors, ExceptionWrapper, _rebuild_tensor_v2
from torch.autograd.function import InplaceFunction, NestedIOFunction
from torch.cuda import FloatTensor
from torch.cuda.amp.grad_scaler import GradScaler, OptState, _refresh_per_optimizer_state
from torch.fx import GraphModule
from torch.jit import Attribute, Error, isinstance as is_of, optimized_execution, script_method, _get_trace_graph
from torch.library import Library
from torch.nn.attention.bias import causal_lower_right, causal_upper_left
from torch.nn.parallel import parallel_apply, replicate
from torch.nn.parallel.parallel_apply import parallel_apply
from torch.nn.parallel.replicate import replicate
from torch.optim import SparseAdam
from torch.profiler.profiler import profile, tensorboard_trace_handler
from torch.quasirandom import SobolEngine
from torch.serialization import get_unsafe_globals_in_checkpoint
from torch.utils.benchmark import Language
from torch.utils.cpp_extension import BuildExtension, CUDAExtension, CUDA_HOME, load
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass
print("imported")
"""


def test_where_packages_look_for_them():
    run = subprocess.run([sys.executable, "-c", MODULES], capture_output=True, text=True)
    assert run.stdout == "imported\n", run.stderr


def test_importing_the_library_brings_none_of_their_files():
    late = (
        "cpu",
        "_utils",
        "native_layers",
        "autograd.forward_ad",
        "nn.attention.bias",
        "utils.weak",
        "utils.collect_env",
    )
    program = f"import sys, minitorch2\nprint([n for n in {late} if 'minitorch2.' + n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


ABSENT = """
t.autograd.forward_ad.make_dual(x, x)
t.autograd.function.NestedIOFunction()
t.backends.disable_global_flags()
t.complex(x, x)
t.cpu.get_capabilities()
t.fx.GraphModule({}, None)
t.jit._get_trace_graph(x)
t.library.Library("a_namespace", "IMPL").fallback(abs)
t.native_norm(x)
t.nested.nested_tensor([x])
t.nn.attention.varlen.varlen_attn(x, x, x)
t.nn.parallel.parallel_apply([x], [x])
t.nn.parallel.replicate(x, [0])
t.nn.utils._per_sample_grad.call_for_per_sample_grads(x)
t.optim.SparseAdam([x])
t.optim._functional.adam(x)
t.quasirandom.SobolEngine(2)
t.quantize_per_tensor(x, 1.0, 0, t.qint8)
t.sparse.mm(x, x)
t.sparse_coo_tensor([[0]], [1.0])
t.stft(x, 2)
t.utils._python_dispatch.TorchDispatchMode()
t.utils.collect_env.get_env_info()
t.utils.cpp_extension.CUDAExtension("a", [])
t.utils.cpp_extension.load("a", [])
t.Tensor._make_wrapper_subclass(t.Tensor, (2,))
t.__future__.set_swap_module_params_on_conversion(True)
setattr(t.utils.deterministic, "fill_uninitialized_memory", True)
""".strip().split("\n")


@pytest.mark.parametrize("use", ABSENT)
def test_what_is_missing_is_said_when_it_is_used(use):
    import minitorch2.autograd.forward_ad
    import minitorch2.utils.deterministic
    import minitorch2.utils.module_tracker

    with pytest.raises(NotImplementedError, match="minitorch2: "):
        eval(use, {"t": minitorch2, "x": minitorch2.ones(2)})


def test_they_may_be_asked_about():
    x, layer = minitorch2.ones(2), minitorch2.nn.Linear(1, 1)
    assert issubclass(minitorch2.fx.GraphModule, minitorch2.nn.Module)
    assert not isinstance(layer, minitorch2.fx.GraphModule | minitorch2._C.ScriptMethod | minitorch2.optim.SparseAdam)
    assert isinstance(x, minitorch2._C.TensorBase) and not minitorch2._C._is_tracing()
    assert not minitorch2.utils._python_dispatch.is_traceable_wrapper_subclass(x)
    assert minitorch2.utils.cpp_extension.CUDA_HOME is None and not minitorch2.distributed.rpc.is_available()
    assert "NumPy" in minitorch2.__config__.show() and "Python" in minitorch2.utils.collect_env.get_pretty_env_info()
    for lib in (minitorch2, torch):
        assert [(each.name, each.value) for each in lib.utils.benchmark.Language] == [("PYTHON", 0), ("CPP", 1)]


@needs_build_of_the_cpu
def test_tensors_of_the_gpu_by_their_old_name():
    same(lambda t: t.cuda.FloatTensor(2))


@pytest.mark.parametrize("variant", ["causal_upper_left", "causal_lower_right"])
@pytest.mark.parametrize("sizes", [(2, 3), (3, 3), (4, 6)])
def test_causal_biases(variant, sizes):
    q, k, v = (np.random.default_rng(i).normal(size=(2, n, 4)) for i, n in enumerate((sizes[0], sizes[1], sizes[1])))
    results = []
    for lib in (minitorch2, torch):
        mask = getattr(lib.nn.attention.bias, variant)(*sizes)
        arrays = map(lib.from_numpy, (q, k, v))
        y = lib.nn.functional.scaled_dot_product_attention(*arrays, attn_mask=mask)
        results.append((y.numpy(), mask._materialize().numpy(), int(mask.variant), mask.seq_len_q, mask.seq_len_kv))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-12)
    np.testing.assert_array_equal(results[0][1], results[1][1])
    assert results[0][2:] == results[1][2:]


def test_a_bias_with_empty_rows_warns():
    for lib in (minitorch2, torch):
        with pytest.warns(UserWarning, match="will produce NaNs in the output"):
            lib.nn.attention.bias.causal_lower_right(3, 2)


@pytest.mark.parametrize("bins", [3, [2, 1, 4]])
@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0, -0.5, 2.0, 0.0, 0.5)])
@pytest.mark.parametrize("density", [False, True])
def test_histograms_of_points(bins, bounds, density):
    rng = np.random.default_rng(0)
    points, weights = rng.normal(size=(4, 50, 3)), rng.uniform(size=(4, 50))
    for weight in (None, weights):
        results = []
        for lib in (minitorch2, torch):
            each = None if weight is None else lib.from_numpy(weight)
            results.append(lib.histogramdd(lib.from_numpy(points), bins, range=bounds, weight=each, density=density))
        (ours, our_edges), (theirs, their_edges) = results
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)
        for one, other in zip(our_edges, their_edges, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-15)


@pytest.mark.parametrize("pad", [0, 1, 3])
def test_conv_tbc_and_its_gradients(pad):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((6, 2, 3), (4, 3, 5), (5,))]
    results = []
    for lib in (minitorch2, torch):
        tensors = [lib.from_numpy(a).requires_grad_() for a in arrays]
        y = lib.nn.functional.conv_tbc(*tensors, pad)
        (y * y).sum().backward()
        results.append([y.detach(), *(t.grad for t in tensors)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10)


def test_as_strided_and_storages_in_place():
    same(lambda t: t.arange(5.0).as_strided_((2, 2), (1, 2), 1).add_(1))
    same(lambda t: [t.is_storage(t.ones(2).untyped_storage()), t.is_storage(t.ones(2))])


def test_as_strided_scatter_gives_both_their_gradients():
    a, b = (minitorch2.ones(n, n, requires_grad=True) for n in (3, 2))
    factors = minitorch2.arange(9.0).view(3, 3)
    (minitorch2.as_strided_scatter(a, b, (2, 2), (3, 1)) * factors).sum().backward()
    assert a.grad.tolist() == [[0, 0, 2], [0, 0, 5], [6, 7, 8]] and b.grad.tolist() == [[0, 1], [3, 4]]


HINTS = [
    ([1], list[int]),
    ([1, "a"], list[int]),
    ({1: "a"}, dict[int, str]),
    ({"a": 1}, dict[int, str]),
    ((1, "a"), tuple[int, str]),
    ((1,), tuple[int, str]),
    (None, int | None),
    ([1], list[int] | None),
    ([1], (list[str], list[int])),
    ([[1], ["a"]], list[list[int]]),
    (1, int),
    ([1], list),
]


@pytest.mark.parametrize("case", HINTS)
def test_isinstance_of_what_containers_hold(case):
    same(lambda t: t.jit.isinstance(*case))


def test_small_things_of_torchscript():
    same(lambda t: [t.jit.Attribute(1, int).value, t.jit.Attribute(1, int).type, issubclass(t.jit.Error, Exception)])
    with minitorch2.jit.optimized_execution(False):
        assert minitorch2.jit.script_method(abs) is abs


@pytest.mark.parametrize("lib", BOTH)
def test_a_library_of_operators(lib):
    name = f"lesser_{lib.__name__}"
    library = lib.library.Library(name, "DEF")
    assert library.define("scaled(Tensor x, float factor=2.0) -> Tensor") == "scaled"
    library.impl("scaled", lambda x, factor=2.0: x.sin() * factor, "CompositeImplicitAutograd")
    scaled = getattr(lib.ops, name).scaled
    x = lib.ones(2, requires_grad=True)
    scaled(x, 3.0).sum().backward()
    assert x.grad.tolist() == (3 * lib.ones(2).cos()).tolist() and scaled.default(x).tolist() == scaled(x).tolist()
    library.define("halved(Tensor x) -> Tensor")
    with pytest.raises(NotImplementedError):
        getattr(lib.ops, name).halved(x)
    lib.library.impl(library, "halved", "CPU")(lambda x: x / 2)
    assert getattr(lib.ops, name).halved(lib.ones(1)).tolist() == [0.5]
    lib.library.define(f"{name}::squared", "(Tensor x) -> Tensor")
    lib.library.impl(f"{name}::squared", "cpu")(lambda x: x * x)
    assert getattr(lib.ops, name).squared(lib.full((1,), 3.0)).tolist() == [9]

    class Doubled(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with lib._C._AutoDispatchBelowAutograd():
                return getattr(lib.ops, name).doubled(x)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    library.define("doubled(Tensor x) -> Tensor")
    library.impl("doubled", lambda x: x.detach() * 2, "CPU")

    library.impl("doubled", Doubled.apply, "Autograd")
    y = lib.ones(1, requires_grad=True)
    getattr(lib.ops, name).doubled(y).backward()
    assert y.grad.tolist() == [2] and getattr(lib.ops, name).doubled(lib.ones(1)).tolist() == [2]
    with pytest.raises(RuntimeError):
        library.define("squared(Tensor x) -> Tensor")
    with pytest.raises(ValueError, match="Unsupported kind"):
        lib.library.Library(name, "ANY")
    assert repr(library) == f"Library(kind=DEF, ns={name}, dispatch_key=)>"


@pytest.mark.parametrize("lib", BOTH)
def test_weak_dictionaries(lib):
    weak = lib.utils.weak
    keys = [lib.ones(2), lib.ones(2)]  # equal, and two
    d = weak.WeakTensorKeyDictionary({keys[0]: "a"})
    d[keys[1]] = "b"
    assert len(d) == 2 and d[keys[0]] == "a" and d.get(keys[1]) == "b" and lib.ones(2) not in d and 1 not in d
    assert [k is key for k, key in zip(d, keys, strict=True)] == [True, True] and list(d.copy().values()) == ["a", "b"]
    ref = weak.TensorWeakRef(keys[0])
    assert ref() is keys[0]
    assert len({weak.WeakIdRef(keys[i]) for i in (0, 1, 0)}) == 2
    del keys[0]
    gc.collect()
    assert ref() is None and len(d) == 1 and list(d.values()) == ["b"]
    del d[keys[0]]
    assert not d and d.pop(keys[0], None) is None


@pytest.mark.parametrize("lib", BOTH)
@pytest.mark.parametrize("needs", [True, False])
def test_the_modules_that_a_program_is_in(lib, needs):
    tracker, seen = lib.utils.module_tracker.ModuleTracker(), []

    class Noted(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append((sorted(tracker.parents), tracker.is_bw))
            return x * 1

        @staticmethod
        def backward(ctx, g):
            seen.append((sorted(tracker.parents), tracker.is_bw))
            return g

    class Noting(lib.nn.Module):
        def forward(self, x):
            return Noted.apply(x)

    nn = lib.nn
    model = nn.Sequential(Noting(), nn.Sequential(nn.Linear(2, 2), Noting()), Noting())
    with tracker:
        for _ in range(2):
            model(lib.ones(1, 2, requires_grad=needs)).sum().backward()
            seen.append(sorted(tracker.parents))
    inner = ["Global", "Sequential", "Sequential.1", "Sequential.1.1"]
    first, last = (["Global", "Sequential", f"Sequential.{i}"] for i in (0, 2))
    forward, back = [(p, False) for p in (first, inner, last)], [(p, True) for p in (last, inner, first)]
    assert seen == 2 * [*forward, *(back if needs else back[:2]), ["Global"]]


def test_inner_functions_on_lists_of_tensors():
    def flat(t):
        tensors = [t.arange(3.0), t.arange(4.0).view(2, 2), t.tensor(5.0)]
        flat = t._utils._flatten_dense_tensors(tensors)
        return flat, t._utils._unflatten_dense_tensors(flat * 2, tensors)

    same(flat)
    same(lambda t: list(t._utils._take_tensors([t.ones(n, dtype=t.float64) for n in (1, 2, 3, 4)] + [t.ones(9)], 24)))
    same(lambda t: t._utils._get_device_index("cpu"))
    same(lambda t: [t._utils._get_device_index(3), t._utils._get_device_index("cuda:1")])
    same(lambda t: t._utils._get_device_index(t.device("cpu"), allow_cpu=True))
    same(lambda t: [t._utils._element_size(t.float16), t._utils._import_dotted_name("os.path.join").__name__])

    class Counted:
        @minitorch2._utils.classproperty
        def name(cls):
            return cls.__name__

    assert Counted.name == Counted().name == "Counted"


class OwnClass:
    pass


def test_names_that_loading_refuses(tmp_path):
    for content in ({"a": torch.ones(2), "o": collections.OrderedDict()}, [decimal.Decimal(1), slice(1)], OwnClass()):
        file = io.BytesIO()
        torch.save(content, file)
        (tmp_path / "file.pt").write_bytes(file.getvalue())
        found = []
        for lib in (minitorch2, torch):
            file.seek(0)
            unsafe = lib.serialization.get_unsafe_globals_in_checkpoint
            found.append((sorted(unsafe(file)), sorted(unsafe(tmp_path / "file.pt"))))
        assert found[0] == found[1]
    for lib in (minitorch2, torch):
        with lib.serialization.safe_globals([OwnClass]):
            assert lib.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "file.pt") == []
        with pytest.raises(ValueError, match=r"returned by torch\.save"):
            lib.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(b"something else"))


def test_parameters_without_a_shape_may_be_asked():
    same(lambda t: [getattr(t.nn.UninitializedParameter(), name) for name in ("is_cuda", "is_meta", "ndim", "nbytes")])
    same(lambda t: t.nn.UninitializedParameter(dtype=t.float64).itemsize)


def test_a_class_with_several_optimizer_steps_is_wrapped_once():
    class Own(minitorch2.optim.SGD):
        calls = 0

        def _patch_step_function(self):
            Own.calls += 1
            super()._patch_step_function()

        @minitorch2.optim.Optimizer.profile_hook_step
        def step(self, closure=None):
            return "stepped"

    step = Own.step
    optimizer = Own([minitorch2.ones(1)], 0.1)
    assert Own.calls == 1 and Own.step is step and optimizer.step() == "stepped"
