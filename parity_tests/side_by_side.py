"""Doing the same thing with minitorch2 and with torch, and comparing what comes out."""

import pytest
import torch
from on_gpu import REAL

import minitorch2 as mt

OF_THE_CPU = torch.version.cuda is None  # what a build for CUDA says where there is no GPU, ours does not say
needs_build_of_the_cpu = pytest.mark.skipif(not OF_THE_CPU, reason="PyTorch here is built for CUDA")
BOTH = [pytest.param(mt, id="minitorch2"), pytest.param(torch, id="torch")]


def values(x):
    """Tensors of either library, in any nesting, as lists of numbers; modules as their class's name."""
    if isinstance(x, (mt.Tensor, torch.Tensor)):
        return [str(x.dtype), x.detach().tolist()]
    if isinstance(x, (mt.nn.Module, torch.nn.Module)):
        return type(x).__name__
    if isinstance(x, dict):
        return {key: values(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [values(item) for item in x]
    return x


def outcome(action, lib):
    """What an action gives: its values, or the type and text of its error."""
    try:
        return values(action(lib))
    except Exception as error:
        return type(error).__name__, neutral(str(error))


def neutral(text):
    """A text with torch's name for ours, and without the GPU of a tensor whose partner is on the CPU."""
    text = text.replace("minitorch2", "torch")
    return text if REAL else text.replace(", device='cuda:0'", "").replace("torch.cuda.", "torch.")


def same(action):
    """Both libraries must do the same; returns it."""
    ours, theirs = outcome(action, mt), outcome(action, torch)
    assert ours == theirs, f"minitorch2: {ours}\ntorch:      {theirs}"
    return ours


def net_class(lib):
    class Net(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = lib.nn.Linear(3, 4)
            self.scale = lib.nn.Parameter(lib.ones(4))
            self.register_buffer("offset", lib.zeros(4))
            self.register_buffer("scratch", lib.zeros(2), persistent=False)
            self.second = lib.nn.Sequential(lib.nn.Linear(4, 4), lib.nn.Tanh())
            self.tied = self.first

        def forward(self, x):
            return self.second(self.first(x) * self.scale + self.offset)

    return Net


def make_net(lib, seed=0):
    lib.manual_seed(seed)
    return net_class(lib)()
