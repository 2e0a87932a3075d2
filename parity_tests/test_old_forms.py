"""What programs still say that torch has moved on from, or that means nothing here: old forms, compilers, processes."""

import importlib
import warnings

import pytest
import torch
from side_by_side import OF_THE_CPU

import minitorch2
from minitorch2.core import warned

BOTH = (torch, minitorch2)


def both(function):
    """function(library) of both, and the categories of the warnings."""
    results = []
    for lib in BOTH:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = function(lib)
        results.append((result, [w.category for w in caught]))
    return results


OLD = {
    "add": lambda lib, x, y: x.add(2, y),
    "torch.add": lambda lib, x, y: lib.add(x, 2, y),
    "add_": lambda lib, x, y: x.clone().add_(0.5, y),
    "sub": lambda lib, x, y: x.sub(3, y),
    "sub_": lambda lib, x, y: x.clone().sub_(3, y),
    "addcmul": lambda lib, x, y: x.addcmul(0.5, x, y),
    "addcmul_": lambda lib, x, y: x.clone().addcmul_(0.5, x, y),
    "torch.addcdiv": lambda lib, x, y: lib.addcdiv(x, 0.5, x, y),
    "addcdiv_": lambda lib, x, y: x.clone().addcdiv_(0.5, x, y),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", OLD)
def test_the_number_before_its_operands(name):
    """As optimizers before torch 1.5 wrote it; warned of once in a process."""
    warned.forget()
    results = both(lambda lib: OLD[name](lib, lib.tensor([1.0, 2.0]), lib.tensor([3.0, 4.0])).tolist())
    assert results[0][0] == results[1][0]
    assert results[1][1] == [UserWarning]


def test_one_operand_too_many():
    x = minitorch2.ones(2)
    for call in (lambda: x.add(x, x), lambda: x.addcmul(x, x, x)):
        with pytest.raises(TypeError, match="one operand less"):
            call()


def test_variable():
    for lib in BOTH:
        x = lib.ones(2)
        assert isinstance(x, lib.autograd.Variable) and not isinstance(1.0, lib.autograd.Variable)
        leaf = lib.autograd.Variable(x, requires_grad=True)
        assert leaf.requires_grad and leaf.is_leaf and not x.requires_grad
        assert not lib.autograd.Variable(leaf * 2).requires_grad
        with pytest.raises(TypeError, match="data has to be a tensor, but got list"):
            lib.autograd.Variable([1.0])
        with pytest.warns(UserWarning, match="volatile was removed"):
            lib.autograd.Variable(x, volatile=True)


@pytest.mark.parametrize("name", ["exp_", "sqrt_", "sigmoid_", "clamp_", "fill_", "zero_", "neg_", "detach_"])
def test_in_place_methods_as_functions(name):
    arguments = {"clamp_": (1.2, 1.5), "fill_": (7.0,)}.get(name, ())
    results = []
    for lib in BOTH:
        x = lib.tensor([1.0, 2.0])
        assert getattr(lib, name)(x, *arguments) is x
        results.append(x.tolist())
    assert results[0] == pytest.approx(results[1])


def test_backends_are_modules():
    cudnn = importlib.import_module("minitorch2.backends.cudnn")
    before = cudnn.benchmark
    try:
        cudnn.benchmark = not before
        assert minitorch2.backends.cudnn.benchmark is not before
    finally:
        cudnn.benchmark = before
    for name in ("cuda", "mps", "mkl", "mkldnn", "openmp"):
        module = importlib.import_module(f"minitorch2.backends.{name}")
        assert getattr(minitorch2.backends, name) is module
        assert callable(getattr(module, "is_available", getattr(module, "is_built", None)))
    with pytest.raises(RuntimeError, match="expects a bool"):
        cudnn.enabled = 1


def test_accelerator():
    for lib in BOTH:
        assert lib.accelerator.is_available() is lib.cuda.is_available()
        if not lib.cuda.is_available() and OF_THE_CPU:
            assert lib.accelerator.current_accelerator() is None and lib.accelerator.device_count() == 0


def test_compile_runs_what_it_is_given():
    def double(x):
        return x * 2

    net = minitorch2.nn.Linear(2, 2)
    with pytest.warns(UserWarning, match="compiles nothing"):
        assert minitorch2.compile(double) is double
        assert minitorch2.compile(net, mode="max-autotune", fullgraph=True) is net
        assert minitorch2.compile(dynamic=True)(double) is double
    with pytest.raises(TypeError, match="unexpected keyword argument 'speed'"):
        minitorch2.compile(double, speed=2)
    assert minitorch2.compiler.is_compiling() is torch.compiler.is_compiling() is False
    assert minitorch2.compiler.disable(double) is minitorch2.compiler.disable(recursive=False)(double) is double
    minitorch2.compiler.reset()


def test_jit_leaves_functions_alone():
    def double(x):
        return x * 2

    with pytest.warns(UserWarning, match="compiles nothing"):
        assert minitorch2.jit.script(double) is double
    for decorate in (minitorch2.jit.ignore, minitorch2.jit.unused, minitorch2.jit.export):
        assert decorate(double) is decorate()(double) is double
    assert minitorch2.jit.is_scripting() is torch.jit.is_scripting() is False
    assert minitorch2.jit.annotate(int, 3) == 3
    for name in ("trace", "load", "save"):
        with pytest.raises(NotImplementedError, match=f"{name} is not supported"):
            getattr(minitorch2.jit, name)(double)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        minitorch2.jit.nothing  # noqa: B018


def test_distributed_says_that_there_is_none():
    assert not minitorch2.distributed.is_available() and not minitorch2.distributed.is_initialized()
    with pytest.raises(NotImplementedError, match="init_process_group is not supported"):
        minitorch2.distributed.init_process_group("gloo")


@pytest.mark.parametrize("data", [[1, "a"], ["a"], [["a"]], "a"])
def test_text_is_no_tensor(data):
    with pytest.raises((TypeError, ValueError)) as theirs:
        torch.tensor(data)
    with pytest.raises(type(theirs.value)) as ours:
        minitorch2.tensor(data)
    assert str(ours.value) == str(theirs.value)


def test_likes_by_keyword():
    for lib in BOTH:
        x = lib.ones(2, 3)
        assert lib.full_like(x, fill_value=2.0).tolist() == [[2.0] * 3] * 2
    values = [(lib.manual_seed(0), lib.randint_like(lib.ones(5), high=9))[1].tolist() for lib in BOTH]
    assert values[0] == values[1]
    assert minitorch2.linspace(0, 1, minitorch2.tensor(3)).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(TypeError, match="foo"):
        minitorch2.zeros_like(minitorch2.ones(2), foo=1)


def test_what_is_pytorchs_own_is_called_that():
    """As happens where one import of a program was left as it was."""
    x = minitorch2.ones(2)
    for call in (
        lambda: minitorch2.add(torch.ones(2), x),
        lambda: minitorch2.exp(torch.ones(2)),
        lambda: x.copy_(torch.ones(2)),
        lambda: minitorch2.nn.functional.linear(torch.ones(2), x),
        lambda: minitorch2.device(torch.device("cpu")),
    ):
        with pytest.raises(TypeError, match=r"PyTorch's torch\.\w+ \(was one import not replaced\?\)"):
            call()
