"""Names inside PyTorch that packages import or hang on: operators, printing, layouts, distributions' inner functions,
torch.cuda.nvtx, groups of tensors; and what only says that it is not here."""

import copy
import pickle
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed
import torch.utils._foreach_utils
import torch.utils.data._utils.pin_memory
from side_by_side import needs_build_of_the_cpu, outcome

import minitorch2
import minitorch2._C
import minitorch2.cuda.nvtx
import minitorch2.distributed
import minitorch2.distributions
import minitorch2.jit
import minitorch2.ops
import minitorch2.utils._foreach_utils
import minitorch2.utils.data

minitorch2: Any
BOTH = (minitorch2, torch)


def same(action):
    ours, theirs = (outcome(action, lib) for lib in BOTH)
    assert ours == theirs
    return ours


def test_operators_are_names():
    for lib in BOTH:
        aten = lib.ops.aten
        assert aten.mm is aten.mm and aten.mm.default is aten.mm.default != aten.add.Tensor
        assert {aten.mm.default: 1, aten.mm: 2}[aten.mm.default] == 1 and copy.deepcopy(aten.mm) is aten.mm
        assert str(aten.mm) == "aten.mm" and str(aten.mm.default) == "aten.mm.default"
        assert not hasattr(aten.mm, "__wrapped__")
    with pytest.raises(NotImplementedError, match=r"torch\.ops\.aten\.mm\.default is not supported: "):
        minitorch2.ops.aten.mm.default(minitorch2.ones(1, 1), minitorch2.ones(1, 1))
    with pytest.raises(ValueError, match="minitorch2's own"):
        minitorch2.library.custom_op("aten::mine", lambda x: x, mutates_args=())


def test_a_disabled_torch_function():
    same(lambda t: t._C._disabled_torch_function_impl(t.add, (), (t.ones(2), 3), {"alpha": 2}))
    same(lambda t: t._C._disabled_torch_function_impl(t.ones, (), (2,)))


@pytest.mark.parametrize("shape", [(), (0,), (3,), (30,), (2, 3), (4, 0), (11, 101)])
def test_the_text_of_the_elements(shape):
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape) / 3
    same(lambda t: [t._tensor_str._tensor_str(t.from_numpy(x), indent) for indent in (0, 7)])
    same(lambda t: t._tensor_str._str_intern(t.from_numpy(x), tensor_contents="..."))
    same(lambda t: t._tensor_str._str(t.from_numpy(x).requires_grad_()))
    more = ["a=1", "b=" + "2" * 70]
    same(lambda t: [t._tensor_str._add_suffixes("Index([1])", more, 6, force_newline=f) for f in (False, True)])


def test_printing_options():
    def printed(t):
        with t._tensor_str.printoptions(precision=2, edgeitems=1, threshold=3):
            inside = repr(t.arange(7.0) / 3), t._tensor_str.PRINT_OPTS.threshold, t._tensor_str.get_printoptions()
        return inside, t._tensor_str.PRINT_OPTS.threshold, repr(t.arange(7.0) / 3)

    same(printed)

    def set_by_attribute(t):
        options = t._tensor_str.PRINT_OPTS
        options.precision = 1
        text = repr(t.arange(2.0) / 3)
        t._tensor_str.set_printoptions(profile="default")
        return text, options.precision, options.sci_mode

    same(set_by_attribute)


LAYOUTS = sorted(name for name in dir(torch) if isinstance(getattr(torch, name), torch.layout))


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name):
    for lib in BOTH:
        layout = getattr(lib, name)
        assert repr(layout) == f"torch.{name}" and isinstance(layout, lib.layout)
        assert pickle.loads(pickle.dumps(layout)) is copy.deepcopy(layout) is layout
        assert (lib.ones(2).layout == layout) is (name == "strided")
    if name != "strided":
        with pytest.raises(NotImplementedError, match=f"layout torch.{name} is not supported"):
            minitorch2.ones(2, layout=getattr(minitorch2, name))


def groups(lib, with_indices, *lists):
    """By dtype, in the first tensors' order: torch's order of the groups is that of a hash table."""
    found = lib.utils._foreach_utils._group_tensors_by_device_and_dtype(list(lists), with_indices)
    return sorted((str(kind), lists, places) for (_, kind), (lists, places) in found.items())


@pytest.mark.parametrize("with_indices", [False, True])
@pytest.mark.parametrize(
    "lists",
    [
        lambda t: [[t.ones(1), t.zeros(2, dtype=t.float64), t.ones(3)], [], [None, None, t.ones(1)]],
        lambda t: [[t.ones(1), t.zeros(1)], [t.ones(1), t.ones((), dtype=t.float64)]],
        lambda t: [[t.ones(1), t.zeros(1)], [t.ones(1)]],
        lambda t: [[None, t.zeros(1)]],
        lambda t: [[]],
        lambda t: [],
    ],
)
def test_groups_of_tensors(lists, with_indices):
    ours, theirs = (outcome(lambda t: groups(t, with_indices, *lists(t)), lib) for lib in BOTH)
    assert ours == theirs or ours[0] == theirs[0] == "RuntimeError"


def test_which_devices_gain():
    for lib in BOTH:
        inner = lib.utils._foreach_utils
        assert "cuda" in inner._get_foreach_kernels_supported_devices()
        assert {"cpu", "cuda"} <= set(inner._get_fused_kernels_supported_devices())
        assert inner._has_foreach_support([lib.ones(1)], lib.device("cpu"))
        assert not inner._has_foreach_support([lib.nn.Parameter(lib.ones(1))], lib.device("cpu"))
        assert not inner._has_foreach_support([], lib.device("meta"))


@pytest.mark.parametrize("given", ["scale_tril", "covariance_matrix", "precision_matrix"])
@pytest.mark.parametrize("family", ["MultivariateNormal", "Wishart"])
def test_the_factor_that_is_not_broadcast(family, given):
    """Of the matrix's own batch shape, also after expand; what is worked out from it has all of the batch."""

    def made(t):
        matrix = t.tensor([[[2.0, 0.0], [0.5, 1.0]]], dtype=t.float64)
        matrix = matrix if given == "scale_tril" else matrix @ matrix.mT
        first = t.full((3, 1, 2), 1.0, dtype=t.float64) if family[0] == "M" else t.full((3, 1), 4.0, dtype=t.float64)
        return getattr(t.distributions, family)(first, **{given: matrix})

    def numbers(t, d):
        value = t.eye(2, dtype=t.float64) + 0.25 if family == "Wishart" else t.tensor([0.5, 2.0], dtype=t.float64)
        parts = [d.scale_tril, d.covariance_matrix, d.precision_matrix, d.variance, d.entropy(), d.log_prob(value)]
        parts += [d._unbroadcasted_scale_tril] if family[0] == "M" else []  # torch's Wishart broadcasts in expand
        t.manual_seed(0)
        return [(tuple(x.shape), x.numpy()) for x in [*parts, d.sample((2,))]]

    for change in (lambda d: d, lambda d: d.expand((2, 3, 4)), lambda d: d.expand((2, 3, 4)).expand((5, 2, 3, 4))):
        results = [numbers(t, change(made(t))) for t in BOTH]
        for (our_shape, ours), (their_shape, theirs) in zip(*results, strict=True):
            assert our_shape == their_shape
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_inner_functions_of_distributions():
    x = np.linspace(-40, 40, 12).reshape(2, 3, 2)
    same(lambda t: [t.distributions.utils._sum_rightmost(t.from_numpy(x), dim).shape for dim in range(4)])
    same(lambda t: t.distributions.transforms._clipped_sigmoid(t.from_numpy(x)).isfinite().all())
    p = np.array([[2.0, 0.5], [0.5, 1.0]])
    factors = [t.distributions.multivariate_normal._precision_to_scale_tril(t.from_numpy(p)).numpy() for t in BOTH]
    np.testing.assert_allclose(*factors, rtol=1e-14)
    for lib in BOTH:
        inner = lib.distributions.transforms
        assert isinstance(inner.ExpTransform().inv, inner._InverseTransform)


def transform_with_parameters(lib):
    class Scaled(lib.distributions.Transform, lib.nn.Module):
        domain = codomain = lib.distributions.constraints.real
        bijective, sign = True, 1
        __hash__ = lib.nn.Module.__hash__

        def __init__(self, cache_size=0):
            super().__init__(cache_size=cache_size)
            self.weight = lib.nn.Parameter(lib.ones(2))

        def _call(self, x):
            return x * self.weight.exp()

        def _inverse(self, y):
            return y / self.weight.exp()

        def log_abs_det_jacobian(self, x, y):
            return self.weight.expand(x.shape)

    return Scaled


def test_a_transform_that_is_a_module():
    def trained(t):
        kind = transform_with_parameters(t)
        flow = kind()
        normal = t.distributions.Normal(t.zeros(2), t.ones(2))
        loss = -t.distributions.TransformedDistribution(normal, [flow]).log_prob(t.tensor([0.5, 2.0])).mean()
        loss.backward()
        gradients = [(name, p.grad) for name, p in flow.named_parameters()]
        return gradients, flow == flow, flow == kind(), list(flow.state_dict())

    ours, theirs = (trained(lib) for lib in BOTH)
    np.testing.assert_allclose(ours[0][0][1].numpy(), theirs[0][0][1].numpy(), rtol=1e-6)
    assert ours[1:] == theirs[1:] == (True, False, ["weight"])
    cached = (flow := transform_with_parameters(minitorch2)()).with_cache()
    x = minitorch2.ones(2)
    assert cached.weight is flow.weight and cached.inv(cached(x)) is x  # torch has this only where __init__ is its own


@needs_build_of_the_cpu
def test_nvtx_without_a_gpu():
    for lib in BOTH:

        @lib.cuda.nvtx.range("step {}", 3)
        def step():
            return 1

        for use in (step, lib.cuda.nvtx.range_pop, lambda nvtx=lib.cuda.nvtx: nvtx.mark("x")):
            with pytest.raises(RuntimeError):
                use()
    with pytest.raises(NotImplementedError, match="one thread"):
        minitorch2.cuda.nvtx.range_start("x")


def test_nvtx(monkeypatch):
    seen = []
    names = ("RangePush", "RangePop", "Mark")
    nvtx = SimpleNamespace(**{name: lambda *args, name=name: seen.append((name, *args)) for name in names})
    module = minitorch2.cuda.nvtx
    monkeypatch.setattr(module.core, "cupy", lambda: SimpleNamespace(cuda=SimpleNamespace(nvtx=nvtx)))
    with module.range("epoch {} of {n}", 1, n=2):
        assert module.range_push("step") == 1 and module.range_pop() == 1
        module.mark("here")
    pushed = [("RangePush", "epoch 1 of 2"), ("RangePush", "step"), ("RangePop",), ("Mark", "here"), ("RangePop",)]
    assert seen == pushed


def test_names_to_ask_about():
    same(lambda t: t.cuda._initialized and t.cuda.is_initialized())
    same(lambda t: t.autograd._is_checkpoint_valid())
    same(lambda t: issubclass(t.jit.TracerWarning, Warning))
    x, layer = minitorch2.ones(2), minitorch2.nn.Linear(1, 1)
    assert not isinstance(x, minitorch2.TensorType | minitorch2.DeviceObjType | minitorch2._C.Value)
    inner = minitorch2.distributed
    assert not isinstance(layer, inner.fsdp.FSDPModule | inner._composable.fsdp.FSDPModule)
    for use in (
        minitorch2.nn.modules.CrossMapLRN2d,
        minitorch2.nn.CrossMapLRN2d,
        inner.fsdp.fully_shard,
        minitorch2.TensorType,
        inner._tensor.experimental.local_map,
    ):
        with pytest.raises(NotImplementedError, match="is not supported"):
            use(layer)


def test_functional():
    for name in set(torch.functional.__all__) - {"istft", "stft"}:
        assert getattr(minitorch2.functional, name) is getattr(minitorch2, name)


def test_a_checkpoint_is_asked_about_in_backward():
    def asked(t, by_grad):
        seen = []
        x = t.ones(2, requires_grad=True)
        y = (2 * x).sum()
        y.register_hook(lambda g: seen.append(t.autograd._is_checkpoint_valid()))
        t.autograd.grad(y, x) if by_grad else y.backward()
        return seen

    same(lambda t: [asked(t, by_grad) for by_grad in (False, True)])


def test_ways_to_reduce():
    names = [n for n in dir(torch.distributed.ReduceOp.RedOpType) if n.isupper()]
    assert names == sorted(minitorch2.distributed.ReduceOp.__members__)
    for name in names:
        ours, theirs = (getattr(lib.distributed.ReduceOp, name) for lib in BOTH)
        assert ours.value == theirs.value and isinstance(ours, minitorch2.distributed.ReduceOp)


def test_what_has_memory_of_its_own_to_pin():
    class Pinnable:
        def pin_memory(self):
            return "pinned"

    point = torch.Size([1, 2])
    data = [Pinnable(), (Pinnable(), "a", 3), {"b": Pinnable()}, b"c", None, range(2), point]
    ours = minitorch2.utils.data._utils.pin_memory.pin_memory(data, "cuda")
    theirs = torch.utils.data._utils.pin_memory.pin_memory(data, "cuda")
    assert ours == theirs and [*map(type, ours)] == [*map(type, theirs)]


IMPORTS = """
import minitorch2.alias; minitorch2.alias.install()
import torch
from torch import TensorType, DeviceObjType, sparse_csr, ops
from torch._C import Value, _disabled_torch_function_impl
from torch._tensor_str import PRINT_OPTS, _tensor_str, printoptions, set_printoptions
from torch.cuda import nvtx
from torch.distributed import ReduceOp
from torch.distributed._tensor.experimental import local_map
from torch.distributed._composable.fsdp import FSDPModule
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.functional import einsum
from torch.distributions.multivariate_normal import _precision_to_scale_tril
from torch.distributions.transforms import _InverseTransform, _clipped_sigmoid
from torch.distributions.utils import _sum_rightmost
from torch.jit import TracerWarning
from torch.nn.modules.normalization import CrossMapLRN2d
from torch.utils._foreach_utils import _group_tensors_by_device_and_dtype
from torch.utils._pytree import SequenceKey, tree_map_with_path
from torch.utils.data._utils.pin_memory import pin_memory
from torch.utils.data.dataloader import _collate_fn_t
assert torch.utils._pytree and torch.utils._foreach_utils and torch.ops.aten.mm is ops.aten.mm
print("imported")
"""


def test_where_packages_look_for_them():
    run = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert run.stdout == "imported\n", run.stderr
