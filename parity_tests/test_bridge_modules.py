"""minitorch2.bridge: whole models between PyTorch and here, what they share, and which are refused."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import prune

import minitorch2 as mt
from minitorch2.bridge import from_torch, to_torch


def net_class(lib):
    class Net(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = lib.nn.Conv2d(1, 4, 3, padding=1)
            self.norms = lib.nn.ModuleList([lib.nn.BatchNorm2d(4) for _ in range(2)])
            self.heads = lib.nn.ModuleDict({"a": lib.nn.Linear(4, 3), "b": lib.nn.Linear(4, 3, bias=False)})
            self.heads["b"].weight = self.heads["a"].weight  # tied
            self.again = self.heads["a"]  # and shared
            self.scales = lib.nn.ParameterList([lib.ones(4)])
            self.register_buffer("seen", lib.zeros(3))
            self.register_buffer("cache", lib.ones(2), persistent=False)
            self.register_buffer("absent", None)
            self.register_parameter("nothing", None)
            self.act, self.norm_layer, self.dtype = lib.nn.functional.gelu, lib.nn.BatchNorm2d, lib.float32
            self.config = {"sizes": [1, 4], "shape": self.seen.shape}
            self.unregistered = [self.stem]
            self.parent = [self]

        def forward(self, x):
            x = self.act(self.norms[1](self.norms[0](self.stem(x)))).mean((2, 3)) * self.scales[0]
            return self.heads["a"](x) + self.heads["b"](x) + self.seen

    return Net


TheirNet, OurNet = net_class(torch), net_class(mt)


def assert_same_tree(one, other):
    for members in ("named_parameters", "named_buffers", "named_modules"):
        for duplicates in (True, False):
            names, others = ([n for n, _ in getattr(m, members)(remove_duplicate=duplicates)] for m in (one, other))
            assert names == others, members
    assert list(one.state_dict()) == list(other.state_dict())
    for (name, p), (_, q) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert p.requires_grad == q.requires_grad and p.tolist() == q.tolist(), name
        assert (p.grad is None) == (q.grad is None), name
    for m, n in zip(one.modules(), other.modules(), strict=True):
        assert m.training == n.training and type(m).__name__ == type(n).__name__
        assert m._non_persistent_buffers_set == n._non_persistent_buffers_set


@pytest.mark.parametrize("copy", [False, True])
def test_a_model_of_the_users_crosses(copy):
    theirs = TheirNet()
    theirs.norms[0].eval()
    theirs.stem.weight.requires_grad_(False)
    theirs.scales[0].grad = torch.ones(4)
    ours = from_torch(theirs, copy=copy, classes={TheirNet: OurNet})
    back = to_torch(ours, copy=copy, classes={OurNet: TheirNet})
    for net, lib in ((ours, mt), (back, torch)):
        assert_same_tree(net, theirs)
        assert net.again is net.heads["a"] and net.heads["b"].weight is net.heads["a"].weight
        assert net.unregistered[0] is net.stem and net.parent[0] is net
        assert net.act is lib.nn.functional.gelu and net.norm_layer is lib.nn.BatchNorm2d and net.dtype is lib.float32
        assert net.config == theirs.config and net.absent is None and net.nothing is None
        assert (net.stem.weight.data_ptr() == theirs.stem.weight.data_ptr()) is not copy
    x = np.random.default_rng(0).normal(size=(3, 1, 5, 5)).astype(np.float32)
    outputs = []
    for net, lib in ((ours, mt), (theirs, torch), (back, torch)):
        if lib is torch and not copy:  # the running statistics are on the same memory
            net.eval()
        outputs.append((net.eval() if not copy else net)(lib.from_numpy(x)).detach().numpy())
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs[2], outputs[1], rtol=1e-5, atol=1e-6)


def test_training_goes_on_across_the_bridge():
    """Torch and ours take turns at steps of SGD on one memory; torch alone gives the same weights."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    alone = to_torch(from_torch(net, copy=True))
    ours = from_torch(net)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)

    def step(lib, module):
        module.zero_grad()
        module(lib.from_numpy(x)).pow(2).sum().backward()
        lib.optim.SGD(module.parameters(), lr=0.1).step()

    for _ in range(3):
        step(torch, net)
        step(mt, ours)
        step(torch, alone)
        step(torch, alone)
    for p, q, r in zip(net.parameters(), ours.parameters(), alone.parameters(), strict=True):
        assert p.tolist() == q.tolist()
        np.testing.assert_allclose(p.detach().numpy(), r.detach().numpy(), rtol=1e-5, atol=1e-6)


class Block(torch.nn.Sequential):
    pass


def parametrized():
    return torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))


def pruned():
    return prune.l1_unstructured(torch.nn.Linear(2, 2), "weight", 1)


def with_attribute(name, value):
    layer = torch.nn.Linear(2, 2)
    setattr(layer, name, value)
    return layer


def compiled():
    """torch.compile imports what turns the checks of torch.distributions off."""
    checks = torch.distributions.Distribution._validate_args
    try:
        return torch.compile(torch.nn.ReLU())
    finally:
        torch.distributions.Distribution.set_default_validate_args(checks)


REFUSED = [
    (Block, TypeError, r"Block is a Module class of yours.*classes=\{Block: OurBlock\}"),
    (lambda: torch.nn.CrossMapLRN2d(2), TypeError, "is a module that minitorch2 does not have"),
    (lambda: torch.nn.LazyLinear(2), TypeError, "LazyLinear has no weights yet"),
    (lambda: torch.nn.DataParallel(torch.nn.ReLU()), TypeError, r"wrapper: .*model\.module"),
    (compiled, TypeError, r"wrapper: .*_orig_mod"),
    (lambda: torch.jit.script(torch.nn.ReLU()), TypeError, "ScriptModule"),
    (parametrized, TypeError, "remove_parametrizations"),
    (pruned, ValueError, "Linear comes with _forward_pre_hooks"),
    (lambda: torch.nn.Embedding(2, 2, sparse=True), ValueError, "sparse=True is not supported"),
    (lambda: torch.nn.Linear(2, 2, device="meta"), NotImplementedError, r"a tensor on the meta device"),
    (lambda: torch.nn.Linear(2, 2, dtype=torch.complex64), NotImplementedError, "the dtype torch.complex64"),
    (lambda: with_attribute("scale_init", 1), ValueError, "no attribute 'scale_init' here.*del layer.scale_init"),
    (lambda: with_attribute("forward", print), TypeError, "print is code without a counterpart"),
]


@pytest.mark.filterwarnings("ignore")  # deprecations of torch's own
@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_modules_that_are_refused(make, error, message):
    net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ModuleDict({"inner": make()}))
    with pytest.raises(error, match=r"minitorch2\.bridge\.from_torch: 1\.inner[.\w]*: .*" + message):
        from_torch(net)


def test_our_classes_need_a_counterpart_too():
    with pytest.raises(TypeError, match=r"to_torch: 0: .*Net is a Module class that PyTorch does not have"):
        to_torch(mt.nn.Sequential(OurNet()))


def test_classes_are_checked():
    attempts: list[Any] = [
        (from_torch, {OurNet: TheirNet}),
        (to_torch, {TheirNet: OurNet}),
        (from_torch, {TheirNet: dict}),
        (from_torch, {"TheirNet": OurNet}),
    ]
    for cross, classes in attempts:
        with pytest.raises(TypeError, match="classes must map"):
            cross([], classes=classes)


def test_a_class_of_torchs_may_be_given_a_class_of_the_users():
    class Doubled(mt.nn.ReLU):
        def forward(self, input):
            return super().forward(input) * 2

    ours = from_torch(torch.nn.Sequential(torch.nn.ReLU()), classes={torch.nn.ReLU: Doubled})
    assert ours(mt.ones(1)).item() == 2
