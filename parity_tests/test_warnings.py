"""Warnings that torch gives, in its opening words, at the line of the program that caused them."""

import warnings

import numpy as np
import pytest
import torch
from side_by_side import BOTH

CASES = {
    "the gradient of what is no leaf": (
        lambda lib: (lib.ones(1, requires_grad=True) * 2).grad,
        "The .grad attribute of",
    ),
    "a tensor of a tensor": (lambda lib: lib.tensor(lib.ones(2)), "To copy construct from a tensor"),
    "a new tensor of a tensor": (lambda lib: lib.ones(1).new_tensor(lib.ones(2)), "To copy construct from a tensor"),
    "a tensor of a loss": (
        lambda lib: lib.tensor([lib.ones(2, requires_grad=True).sum()]),
        "Converting a tensor with requires_grad=True to a scalar",
    ),
    "x.T of three dims": (lambda lib: lib.ones(2, 3, 4).T, "The use of `x.T` on tensors of dimension other than 2"),
    "x.T of a vector": (lambda lib: lib.ones(2).T, "The use of `x.T` on tensors of dimension other than 2"),
    "x.T of a number": (lambda lib: lib.ones(()).T, "Tensor.T is deprecated on 0-D tensors"),
    "a tensor of arrays": (
        lambda lib: lib.tensor([np.ones(2)]),
        "Creating a tensor from a list of numpy.ndarrays is extremely slow",
    ),
    "the spread of one number": (lambda lib: lib.ones(1).std(), "std(): degrees of freedom is <= 0"),
    "the spread of no number": (lambda lib: lib.ones(0).var(), "var(): degrees of freedom is <= 0"),
    "the spread of rows of one": (
        lambda lib: lib.std_mean(lib.ones(2, 1), 1),
        "std_mean(): degrees of freedom is <= 0",
    ),
    "a target that broadcasts": (
        lambda lib: lib.nn.functional.mse_loss(lib.ones(2, 3), lib.ones(3)),
        "Using a target size",
    ),
    "a mean that is none": (lambda lib: lib.nn.functional.kl_div(lib.zeros(2, 3), lib.ones(2, 3)), "reduction: 'mean'"),
    "an output of another shape": (lambda lib: lib.add(lib.ones(2), 1, out=lib.ones(3)), "An output with one or more"),
}
SILENT = {
    "a leaf's gradient": lambda lib: lib.ones(1, requires_grad=True).grad,
    "a gradient that is kept": lambda lib: retained(lib).grad,
    "a constant's gradient": lambda lib: (lib.ones(1) * 2).grad,
    "the spread of two numbers": lambda lib: lib.ones(2).std(),
    "the spread without correction": lambda lib: lib.ones(1).std(correction=0),
    "x.T of a matrix": lambda lib: lib.ones(2, 3).T,
    "a tensor of arrays' elements": lambda lib: lib.tensor([np.float64(1)]),
    "a tensor of a loss without its history": lambda lib: lib.tensor([lib.ones(2, requires_grad=True).sum().detach()]),
    "a tensor of numbers": lambda lib: lib.tensor([1.0]),
}


def retained(lib):
    y = lib.ones(1, requires_grad=True) * 2
    y.retain_grad()
    return y


def warned(action, lib):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if lib is torch:
            torch.set_warn_always(True)
        try:
            action(lib)
        finally:
            torch.set_warn_always(False)
    return caught


@pytest.mark.parametrize("lib", BOTH)
@pytest.mark.parametrize("case", CASES)
def test_warnings(case, lib):
    action, opening = CASES[case]
    (warning,) = warned(action, lib)
    assert warning.category is UserWarning and str(warning.message).startswith(opening)
    assert warning.filename == __file__


@pytest.mark.parametrize("lib", BOTH)
@pytest.mark.parametrize("case", SILENT)
def test_no_warnings(case, lib):
    assert not warned(SILENT[case], lib)
