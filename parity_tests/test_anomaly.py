"""Anomaly detection finds what torch's finds, and says so in its words; where our own lines stand differs."""

import re
import warnings

import pytest
import torch
from side_by_side import BOTH, neutral, outcome, same

import minitorch2 as mt


@pytest.fixture(autouse=True)
def off_again():
    yield
    for lib in (mt, torch):
        lib.autograd.set_detect_anomaly(False)


def root(lib):
    return lib.tensor([0.0, -1.0], requires_grad=True).sqrt()


def a_nan(lib):
    lib.autograd.set_detect_anomaly(True)
    lib.nn.functional.relu(root(lib) * 2).sum().backward()


def a_nan_through_a_layer(lib):
    with lib.autograd.set_detect_anomaly(True):
        lib.nn.Softplus()(root(lib)).sum().backward()


def without_a_forward_pass(lib):
    y = root(lib)
    with lib.autograd.detect_anomaly():
        y.sum().backward()


def a_second_derivative(lib):
    with lib.autograd.set_detect_anomaly(True):
        x = lib.zeros(1, requires_grad=True)
        (g,) = lib.autograd.grad(x.pow(1.5).sum(), x, create_graph=True)
        (g * 0).sum().backward()


def an_overwritten_value(lib):
    with lib.autograd.detect_anomaly(check_nan=False):
        y = lib.ones(2, requires_grad=True).exp()
        z = (y * y).sum()
        y.mul_(2)
        z.backward()


def own_function(lib, backward):
    class Own(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    Own.backward = staticmethod(backward)
    return Own


def an_error_of_ones_own(lib):
    def backward(ctx, g):
        raise KeyError("mine")

    with lib.autograd.set_detect_anomaly(True, False):
        own_function(lib, backward).apply(lib.ones(1, requires_grad=True)).sum().backward()


def nan_unasked(lib):
    with lib.autograd.set_detect_anomaly(True, check_nan=False):
        x = lib.tensor([0.0, -1.0], requires_grad=True)
        x.sqrt().sum().backward()
        return x.grad[0]


def all_is_well(lib):
    with lib.autograd.set_detect_anomaly(True):
        x = lib.ones(2, requires_grad=True)
        (x * x).sum().backward()
        return x.grad


def half(lib):
    with lib.autograd.set_detect_anomaly(True):
        lib.tensor([-1.0], dtype=lib.bfloat16, requires_grad=True).sqrt().sum().backward()


def said(program, lib):
    """(what it gave, its warnings with the lines of this file alone)"""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = outcome(program, lib)
    texts = []
    for warning in caught:
        text = neutral(str(warning.message)).split(" (Triggered")[0]
        head, *frames = re.split(r'(?=  File ")', text)
        here = [re.sub(r"\s+[~^]+\n?$", "\n", frame) for frame in frames if __file__ in frame]
        texts.append([head.strip(), [frame.split(", line ")[1].strip() for frame in here]])
    return result, texts


@pytest.mark.parametrize(
    "program",
    [
        a_nan,
        a_nan_through_a_layer,
        without_a_forward_pass,
        a_second_derivative,
        an_error_of_ones_own,
        nan_unasked,
        all_is_well,
        half,
    ],
)
def test_the_same_is_said(program):
    ours, theirs = (said(program, lib) for lib in (mt, torch))
    assert ours == theirs


def test_an_overwritten_value_is_shown():
    (ours, our_warnings), (theirs, their_warnings) = (said(an_overwritten_value, lib) for lib in (mt, torch))
    assert our_warnings == their_warnings
    assert ours[0] == theirs[0] == "RuntimeError"
    for text in (ours[1], theirs[1]):
        assert text.endswith("The variable in question was changed in there or anywhere later. Good luck!")


@pytest.mark.parametrize("lib", BOTH)
def test_on_and_off(lib):
    def states():
        return lib.is_anomaly_enabled(), lib.is_anomaly_check_nan_enabled()

    assert states() == (False, True)
    with lib.autograd.set_detect_anomaly(True, check_nan=False):
        assert states() == (True, False)
        with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"), lib.autograd.detect_anomaly():
            assert states() == (True, True)
        assert states() == (True, False)
    assert states() == (False, True)
    lib.set_anomaly_enabled(True)
    assert states() == (True, True)


def test_lines_inside_the_engine_are_left_out():
    with mt.autograd.set_detect_anomaly(True):
        node = mt.nn.functional.relu(mt.ones(1, requires_grad=True)).grad_fn
    last = node.made_by.strip().split("  File ")[-1]
    assert "relu(" in last and "core/function.py" not in node.made_by and "ops/" not in last
    assert (mt.ones(1, requires_grad=True) * 2).grad_fn.made_by is None


@pytest.mark.parametrize("value", [-1.0, [-1.0]])
def test_a_nan_in_a_gradient_without_dims_is_seen(value):
    def run(lib):
        x = lib.tensor(value, requires_grad=True)
        with lib.autograd.set_detect_anomaly(True):
            x.sqrt().backward()

    with pytest.warns(UserWarning, match="Error detected in SqrtBackward0"):
        same(run)
