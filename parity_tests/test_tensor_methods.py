"""Methods and functions that fit no row of the op table: what writes into its tensor, what leaves the tensor world."""

import copy
import operator
import pickle

import numpy as np
import pytest
import torch
from autograd_cases import same_error
from side_by_side import BOTH, same

import minitorch2 as mt


def matrix(lib, dtype="float64"):
    return lib.tensor([[3.0, -1.0, 2.0], [0.5, 4.0, -2.0], [1.0, 0.0, -3.0]], dtype=getattr(lib, dtype))


WRITES = {
    "cumsum_": lambda lib, x: x.cumsum_(1),
    "cumprod_": lambda lib, x: x.cumprod_(0),
    "tril_": lambda lib, x: x.tril_(-1),
    "triu_": lambda lib, x: x.triu_(1),
    "index_fill_": lambda lib, x: x.index_fill_(1, lib.tensor([0, 2]), 7.0),
    "addbmm_": lambda lib, x: x.addbmm_(lib.ones(2, 3, 4, dtype=x.dtype), lib.ones(2, 4, 3, dtype=x.dtype), alpha=2),
    "fill_diagonal_": lambda lib, x: x.fill_diagonal_(9.0),
    "detach_": lambda lib, x: x.detach_(),
    "where": lambda lib, x: x.where(x > 0, -x),
    "where, a number": lambda lib, x: x.where(x > 0, 5.0),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("write", WRITES)
def test_writes(write, dtype):
    """The tensor afterwards, what came back, and the gradient that went through."""

    def run(lib):
        leaf = matrix(lib, dtype).requires_grad_()
        x = leaf * 1
        y = WRITES[write](lib, x)
        if y.requires_grad:
            (y * y.detach()).sum().backward()
        return x, y, leaf.grad, y is x

    same(run)


def test_polygamma_writes():
    results = [matrix(lib).abs_().add_(1).polygamma_(1).numpy() for lib in (mt, torch)]
    np.testing.assert_allclose(*results, rtol=1e-8)  # torch's trigamma is good to no more


@pytest.mark.cpu("apply_ and map_ are of the CPU")
def test_python_functions_element_by_element():
    same(lambda lib: matrix(lib).apply_(lambda v: v * v + 1))
    same(lambda lib: matrix(lib).map_(matrix(lib).t(), lambda a, b: a - 2 * b))


@pytest.mark.parametrize("method", ["apply_", "numpy", "map_"])
def test_what_leaves_the_graph_refuses_a_tensor_in_one(method):
    def run(lib):
        x = matrix(lib).requires_grad_()
        arguments = {"apply_": (abs,), "numpy": (), "map_": (x, max)}[method]
        return getattr(x, method)(*arguments)

    assert same_error(run, "requires grad") == "RuntimeError"


@pytest.mark.cpu("a GPU's memory is not NumPy's")
@pytest.mark.parametrize("lib", BOTH)
def test_numpy_shares_memory_both_ways(lib):
    x = matrix(lib)
    array = x.numpy()
    array[0, 0] = 100.0
    assert x[0, 0].item() == 100.0
    x.add_(1)
    assert array[0, 0] == 101.0
    assert x.requires_grad_().numpy(force=True)[0, 0] == 101.0
    assert np.asarray(x.detach()).shape == (3, 3)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16", "int64", "uint8", "bool"])
def test_item(dtype):
    def run(lib):
        x = lib.tensor([[1]], dtype=getattr(lib, dtype))
        return x.item(), type(x.item()).__name__, float(x), int(x), bool(x)

    same(run)


def test_inference_tensors_know_it():
    def run(lib):
        with lib.inference_mode():
            x = matrix(lib)
        return x.is_inference(), x.clone().is_inference(), matrix(lib).is_inference()

    same(run)


@pytest.mark.parametrize("made", ["inside", "outside"])
@pytest.mark.parametrize(
    "look",
    [
        lambda lib, x: x,
        lambda lib, x: x.view(-1),
        lambda lib, x: x[0:1],
        lambda lib, x: x.data,
        lambda lib, x: x.detach(),
        lambda lib, x: x.clone(),
        lambda lib, x: lib.nn.Parameter(x),
    ],
)
def test_inference_stays_with_the_memory(made, look):
    def action(lib):
        x = lib.ones(3)
        with lib.inference_mode():
            x = lib.ones(3) if made == "inside" else x
            inside = look(lib, x).is_inference()
        return inside, look(lib, x).is_inference(), x._version

    same(action)


def test_deepcopy_keeps_shared_memory_shared():
    def action(lib):
        whole = lib.arange(6.0, device="cpu")  # on a GPU a copy of its own is made of each
        twin = copy.deepcopy({"whole": whole, "rest": whole[1:], "turned": whole.view(2, 3).t()})
        twin["whole"][1] = 9
        alone = copy.deepcopy(whole[2:])
        alone[0] = 7
        views = lib.ones(1, device="cpu").expand(3), lib.ones(2, 3, 4, device="cpu").permute(2, 0, 1)[1:]
        strides = [copy.deepcopy(x).stride() for x in views]
        return twin, whole, alone, strides

    same(action)


def test_a_result_is_pickled_without_its_history():
    def action(lib):
        (x,) = pickle.loads(pickle.dumps([lib.ones(2, requires_grad=True) * 2]))
        return x, x.is_leaf, x.requires_grad

    same(action)


def test_numpy_without_gradients():
    def action(lib):
        p = lib.ones(2, requires_grad=True, device="cpu")
        with lib.no_grad():
            inside = p.numpy().tolist(), np.asarray(p).tolist()
        return inside, p.numpy()

    same(action)


IN_PLACE = ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor"]


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", *IN_PLACE])
@pytest.mark.parametrize("dtype, numpy_dtype", [("float32", "float64"), ("int64", "int64"), ("int64", "float32")])
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_operators_with_numpys_arrays(name, dtype, numpy_dtype):
    """The in-place ones turn to NumPy, too, and give another tensor."""

    def action(lib):
        x, array = lib.tensor([3, 2], dtype=getattr(lib, dtype), device="cpu"), np.array([1, 2], numpy_dtype)
        try:
            result = getattr(operator, name)(x, array)
        except (TypeError, NotImplementedError):  # bits of floats; NumPy's words, or ours
            return None
        return result, result is x, None if name in IN_PLACE else getattr(operator, name)(array, x)

    same(action)


def test_numpys_matrix_is_an_array():
    def action(lib):
        matrix = np.asmatrix(np.eye(2) * 3)
        return [f(matrix)[:, 0] * f(matrix)[:, 1] for f in (lib.from_numpy, lib.as_tensor, lib.tensor)]

    same(action)


def test_sharing_between_processes_is_refused_with_the_way_out():
    with pytest.raises(NotImplementedError, match="queue"):
        mt.ones(2).share_memory_()


ACTIVATIONS = {
    "celu_": (1.5,),
    "elu_": (1.5,),
    "hardtanh_": (-1.0, 1.5),
    "leaky_relu_": (0.1,),
    "relu_": (),
    "selu_": (),
    "threshold_": (0.5, 9.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_in_place(name):
    """They write into x, hand it back, and their slope is that of the result."""

    def run(lib):
        leaf = matrix(lib).requires_grad_()
        x = leaf * 1
        y = getattr(lib.nn.functional, name)(x, *ACTIVATIONS[name])
        y.sum().backward()
        return y is x, x.detach().numpy(), leaf.grad.numpy()

    ours, theirs = run(mt), run(torch)
    assert ours[0] is theirs[0] is True
    for a, b in zip(ours[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_random_leaky_relu_in_place():
    def run(lib):
        lib.manual_seed(0)
        return lib.nn.functional.rrelu_(matrix(lib, "float32"), 0.1, 0.3, training=False)

    np.testing.assert_allclose(run(mt).numpy(), run(torch).numpy(), rtol=1e-6)


POOLS = (
    "max_pool1d_with_indices",
    "max_pool2d_with_indices",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d_with_indices",
)


@pytest.mark.parametrize("name", POOLS)
def test_pools_with_indices(name):
    shape = (2, 3, 8) if "1d" in name else (2, 3, 6, 8)
    x = np.random.RandomState(0).standard_normal(shape)

    def run(lib):
        return getattr(lib.nn.functional, name)(lib.from_numpy(x), 2)

    same(run)


def test_upsample():
    x = np.random.RandomState(0).standard_normal((1, 2, 3, 3))
    with pytest.warns(UserWarning, match="deprecated"):
        same(lambda lib: lib.nn.functional.upsample(lib.from_numpy(x), scale_factor=2))
