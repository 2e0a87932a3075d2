"""minitorch2.utils.checkpoint: its errors, which are torch's, and what it refuses."""

import pytest
import torch
from checkpoint_cases import of
from on_gpu import gpu
from side_by_side import BOTH, outcome, same

import minitorch2 as mt
from minitorch2.utils.checkpoint import checkpoint


def test_an_argument_changed_in_place():
    def action(lib):
        y = lib.ones(2, requires_grad=True) * 2
        z = of(lib).checkpoint(lambda t: t * t, y, use_reentrant=False)
        y.add_(1)
        z.sum().backward()

    for lib in (mt, torch):
        kind, text = outcome(action, lib)
        assert kind == "RuntimeError" and "modified by an inplace operation" in text
        assert "is at version 1; expected version 0 instead" in text


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize(
    "second, match",
    [
        (lambda t: t[:1] * t[:1], "have different metadata"),
        (lambda t: t + 1, "different number of tensors"),
        (lambda t: t * t * t, None),
    ],
)
def test_a_second_run_that_computes_something_else(second, match, early_stop):
    def action(lib, **options):
        functions = iter([lambda t: t * t, second])
        x = lib.ones(2, requires_grad=True)
        y = of(lib).checkpoint(
            lambda t: next(functions)(t), x * 1, use_reentrant=False, early_stop=early_stop, **options
        )
        y.sum().backward()

    for lib in (mt, torch):
        if match is None and early_stop:  # everything was there before the difference
            action(lib)
            continue
        with pytest.raises(of(lib).CheckpointError, match=match):
            action(lib)
    if match == "have different metadata":  # unchecked, it is up to the op
        action(mt, determinism_check="none")


def test_an_error_inside_leaves_nothing_behind():
    def fail(t):
        raise KeyError("mine")

    x = mt.ones(2, requires_grad=True)
    with pytest.raises(KeyError, match="mine"):
        checkpoint(fail, x, use_reentrant=False)
    y = (x * x).sum()
    assert all(node.recompute is None for node, _ in y.grad_fn.next_functions if node is not None)
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("lib", BOTH)
def test_what_reentrant_refuses(lib):
    ck = of(lib)
    x = lib.ones(2, requires_grad=True)
    square = lambda t: t * t  # noqa: E731
    with pytest.raises(ValueError, match="Unexpected keyword arguments: b"):
        ck.checkpoint(square, x, use_reentrant=True, b=1)
    with pytest.raises(ValueError, match="is only supported when"):
        ck.checkpoint(square, x, use_reentrant=True, debug=True)
    with pytest.raises(RuntimeError, match="When use_reentrant=True"):
        lib.autograd.grad(ck.checkpoint(square, x, use_reentrant=True).sum(), x)
    with pytest.raises(RuntimeError, match="When use_reentrant=True"):
        ck.checkpoint(square, x, use_reentrant=True).sum().backward(inputs=[x])
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        ck.checkpoint(square, x.detach(), use_reentrant=True)
    with pytest.raises(RuntimeError, match="none of output has requires_grad=True"):
        ck.checkpoint(lambda t: t.detach(), x, use_reentrant=True).sum().backward()
    with pytest.warns(UserWarning, match="use_reentrant"):
        ck.checkpoint(square, x)
    with pytest.warns(UserWarning, match="use_reentrant"):
        ck.checkpoint_sequential([square, square], 2, x)
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        ck.checkpoint(square, x, use_reentrant=False, determinism_check="strict")
    with pytest.raises(ValueError, match="Unexpected keyword arguments: b"):
        ck.checkpoint_sequential([square], 1, x, use_reentrant=False, b=1)
    with pytest.raises(RuntimeError, match="Only tuple of tensors is supported"):
        ck.detach_variable([x])


def test_what_is_not_supported():
    x = mt.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="debug=True"):
        checkpoint(lambda t: t, x, use_reentrant=False, debug=True)
    with pytest.raises(NotImplementedError, match="create_selective_checkpoint_contexts"):
        of(mt).create_selective_checkpoint_contexts([])
    with (
        pytest.raises(NotImplementedError, match="debug=True"),
        of(mt).set_checkpoint_debug_enabled(True),
    ):
        checkpoint(lambda t: t, x, use_reentrant=False)


@pytest.mark.parametrize("lib", BOTH)
def test_debug_may_be_switched_off_from_outside(lib):
    x, ck = lib.ones(2, requires_grad=True), of(lib)
    with ck.set_checkpoint_debug_enabled(True), ck.set_checkpoint_debug_enabled(False):
        ck.checkpoint(lambda t: t * t, x, use_reentrant=False, debug=True).sum().backward()
        with pytest.raises(ValueError, match="is only supported when"):
            ck.checkpoint(lambda t: t * t, x, use_reentrant=True, debug=True)
        with ck.set_checkpoint_debug_enabled(None):
            ck.checkpoint(lambda t: t * t, x, use_reentrant=False).sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_names_of_selective_checkpoints():
    def action(lib):
        ck = of(lib)
        told = ck.SelectiveCheckpointContext(is_recompute=False, op_output=3)
        policies = [(policy.name, policy.value) for policy in ck.CheckpointPolicy]
        return policies, repr(ck.CheckpointPolicy(0)), told.is_recompute, told.op_output

    same(action)


@pytest.mark.cpu("the states of GPUs have a test of their own")
def test_states_of_devices():
    def action(lib):
        ck = of(lib)
        x = lib.ones(2)
        found = [ck.get_device_states(x, 3, {"a": [x]}), ck.set_device_states([], []), ck.get_device_states()]
        before = ck.DefaultDeviceType.get_device_type()
        ck.DefaultDeviceType.set_device_type("meta")
        try:
            found += [ck.DefaultDeviceType.get_device_type(), ck.set_device_states([0], [x])]
        finally:
            ck.DefaultDeviceType.set_device_type(before)
        return found, ck.set_device_states([0], [x], device_type="meta")

    same(action)
    with pytest.raises(NotImplementedError, match="set_device_states for cpu is not supported"):
        of(mt).set_device_states([0], [mt.ones(1)], device_type="cpu")


def test_states_of_gpus():
    ck = of(mt)
    with gpu():
        x = mt.ones(2, device="cuda")
        devices, states = ck.get_device_states(x, [x])
        assert devices == [0, 0] and len(states) == 2
        first = mt.rand(3, device="cuda").tolist()
        assert mt.rand(3, device="cuda").tolist() != first
        ck.set_device_states(devices, states, device_type="cuda")
        assert mt.rand(3, device="cuda").tolist() == first
