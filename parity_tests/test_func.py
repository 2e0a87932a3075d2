"""torch.func, every case in both libraries: numbers to rounding, shapes, dtypes, requires_grad, errors in words."""

import math
from collections import namedtuple

import pytest
import torch
from side_by_side import BOTH, outcome

import minitorch2 as mt

Pair = namedtuple("Pair", "first second")


def numbers(lib, *shape, seed=0):
    """As good as random, and the same on every device."""
    return lib.arange(1, 1 + math.prod(shape), dtype=lib.float64).mul(2.3 + seed).sin().reshape(shape)


def tree_of(lib, x):
    """Containers as they are, each tensor as (dtype, shape, requires_grad, numbers)."""
    if isinstance(x, lib.Tensor):
        return str(x.dtype).rpartition(".")[2], tuple(x.shape), x.requires_grad, x.detach().reshape(-1).tolist()
    if isinstance(x, dict):
        return {key: tree_of(lib, value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [type(x).__name__, *(tree_of(lib, each) for each in x)]
    return x


def agree(ours, theirs):
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and list(ours) == list(theirs) and all(agree(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, (list, tuple)):
        return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(agree, ours, theirs))
    if isinstance(ours, float):
        return isinstance(theirs, float) and (math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-11))
    return ours == theirs


def check(case):
    ours, theirs = tree_of(mt, case(mt)), tree_of(torch, case(torch))
    assert agree(ours, theirs), f"minitorch2: {ours}\ntorch:      {theirs}"


def two_layers(lib, seed=0):
    lib.manual_seed(seed)
    return lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.Linear(4, 2)).double()


def loss_of(lib, net):
    def loss(parameters, x, y):
        return lib.nn.functional.mse_loss(lib.func.functional_call(net, parameters, (x,)), y)

    return loss


def outer(lib):
    """A number that depends on a tensor of the program's own, which requires a gradient."""
    w = numbers(lib, 3).requires_grad_()
    return w, lambda x: (w * x**3).sum()


def with_outer_gradient(lib, transform):
    w, f = outer(lib)
    x = numbers(lib, 3, seed=1)
    found = transform(f)(x)
    return found, lib.autograd.grad(found.sum(), w)


def traced(lib, mode):
    w, f = outer(lib)
    with mode(lib):
        return lib.func.grad(f)(numbers(lib, 3, seed=1)), lib.func.grad(f)(w)


DERIVATIVES = {
    "grad": lambda lib: lib.func.grad(lambda x: x.sin().sum())(numbers(lib, 3)),
    "grad of grad of grad": lambda lib: lib.func.grad(lib.func.grad(lib.func.grad(lib.sin)))(numbers(lib)),
    "argnums": lambda lib: [
        lib.func.grad(lambda x, y: (x * y.exp()).sum(), argnums)(numbers(lib, 2), numbers(lib, 2, seed=1))
        for argnums in (0, 1, -1, (0, 1), (1, 0), (-1,))
    ],
    "keyword arguments": lambda lib: lib.func.grad(lambda x, k: (k * x**2).sum())(numbers(lib, 2), k=3.0),
    "trees of arguments": lambda lib: lib.func.grad(lambda t: (t["a"] * t["b"][0] ** 2).sum() + t["b"][1])(
        {"a": numbers(lib, 2), "b": [numbers(lib, 2, seed=1), numbers(lib, seed=2)]}
    ),
    "a named tuple": lambda lib: lib.func.grad(lambda p: (p.first * p.second).sum())(
        Pair(numbers(lib, 2), numbers(lib, 2, seed=1))
    ),
    "no dependence": lambda lib: lib.func.grad(lambda x: lib.zeros(()))(numbers(lib, 2)),
    "an argument that requires a gradient": lambda lib: lib.func.grad(lambda x: x.sin().sum())(
        numbers(lib, 3).requires_grad_()
    ),
    "something outside": lambda lib: with_outer_gradient(lib, lib.func.grad),
    "something outside, linearly": lambda lib: lib.func.grad(
        (lambda w, f: lambda x: w.sum() + (x * x).sum())(*outer(lib))
    )(numbers(lib, 2)),
    "under no_grad": lambda lib: traced(lib, lambda lib: lib.no_grad()),
    "under enable_grad": lambda lib: traced(lib, lambda lib: lib.enable_grad()),
    "no_grad inside": lambda lib: lib.func.grad(lambda x: (x * lib.no_grad()(lambda: x * 2)()).sum())(numbers(lib, 2)),
    "aux": lambda lib: lib.func.grad(lambda x: (x.sum(), {"twice": 2 * x}), has_aux=True)(numbers(lib, 2)),
    "value": lambda lib: lib.func.grad_and_value(lambda x: x.exp().sum())(numbers(lib, 2)),
    "value and aux": lambda lib: lib.func.grad_and_value(lambda x: (x.exp().sum(), x), has_aux=True)(numbers(lib, 2)),
    "vjp": lambda lib: (lambda y, f: (y, f(lib.ones_like(y)), f(y)))(*lib.func.vjp(lib.sin, numbers(lib, 3))),
    "vjp of several": lambda lib: (lambda y, f: (y, f(y), f((y[1], y[0]))))(
        *lib.func.vjp(lambda a, b: (a * b, a + b), numbers(lib, 2), numbers(lib, 2, seed=1))
    ),
    "vjp of a dict": lambda lib: (lambda y, f, aux: (y, f({"y": lib.ones(2, dtype=lib.float64)}), aux))(
        *lib.func.vjp(lambda t: ({"y": t["x"] ** 2}, t["x"]), {"x": numbers(lib, 2)}, has_aux=True)
    ),
    "vjp, differentiated": lambda lib: lib.func.grad(
        lambda v: lib.func.vjp(lib.sin, numbers(lib, 3))[1](v)[0].pow(2).sum()
    )(numbers(lib, 3, seed=1)),
    "jvp": lambda lib: lib.func.jvp(lib.sin, (numbers(lib, 3),), (numbers(lib, 3, seed=1),)),
    "jvp of several": lambda lib: lib.func.jvp(
        lambda a, b: {"p": a * b, "s": (a.sum(), b)},
        (numbers(lib, 2), numbers(lib, 2, seed=1)),
        (numbers(lib, 2, seed=2), numbers(lib, 2, seed=3)),
    ),
    "jvp, aux, no dependence": lambda lib: lib.func.jvp(
        lambda a: (lib.ones(2), a), (numbers(lib, 2),), (numbers(lib, 2),), has_aux=True
    ),
    "jvp, differentiated": lambda lib: lib.func.grad(
        lambda x: lib.func.jvp(lib.sin, (x,), (numbers(lib, 3, seed=1),))[1].sum()
    )(numbers(lib, 3)),
    "jvp of grad": lambda lib: lib.func.jvp(
        lib.func.grad(lambda x: (x**3).sum()), (numbers(lib, 3),), (numbers(lib, 3, seed=1),)
    ),
    "linearize": lambda lib: (lambda y, f: (y, f(numbers(lib, 3, seed=1)), f(y)))(
        *lib.func.linearize(lib.sin, numbers(lib, 3))
    ),
    "jacrev": lambda lib: lib.func.jacrev(lambda x: lib.stack([x.sin(), x.prod() * x]))(numbers(lib, 3)),
    "jacfwd": lambda lib: lib.func.jacfwd(lambda x: lib.stack([x.sin(), x.prod() * x]))(numbers(lib, 3)),
    "jacobians of trees": lambda lib: [
        jacobian(lambda a, b: {"p": a * b["b"], "s": (a.sum(), b["b"])}, argnums=(1, 0))(
            numbers(lib, 2), {"b": numbers(lib, 2, seed=1)}
        )
        for jacobian in (lib.func.jacrev, lib.func.jacfwd)
    ],
    "jacobians with aux": lambda lib: [
        jacobian(lambda a: (a.cos(), a * 2), has_aux=True)(numbers(lib, 2))
        for jacobian in (lib.func.jacrev, lib.func.jacfwd)
    ],
    "jacobians to float32": lambda lib: [
        jacobian(lambda a: a.float())(numbers(lib, 2)) for jacobian in (lib.func.jacrev, lib.func.jacfwd)
    ],
    "jacobian of jacobian": lambda lib: lib.func.jacrev(lib.func.jacrev(lambda x: x**3))(numbers(lib, 2)),
    "jacobian with something outside": lambda lib: with_outer_gradient(
        lib, lambda f: lib.func.jacrev(lambda x: f(x) * x)
    ),
    "hessian": lambda lib: lib.func.hessian(lambda x: x.sin().prod())(numbers(lib, 3)),
    "hessian in two": lambda lib: lib.func.hessian(lambda x, y: (x * y).sin().prod(), (0, 1))(
        numbers(lib, 2), numbers(lib, 2, seed=1)
    ),
    "parameters": lambda lib: lib.func.grad(loss_of(lib, net := two_layers(lib)))(
        dict(net.named_parameters()), numbers(lib, 5, 3), numbers(lib, 5, 2, seed=1)
    ),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(name):
    check(DERIVATIVES[name])


def per_sample_gradients(lib):
    net = two_layers(lib)
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    x, y = numbers(lib, 5, 3), numbers(lib, 5, 2, seed=1)
    return lib.func.vmap(lib.func.grad(loss_of(lib, net)), (None, 0, 0))(parameters, x, y)


def ensemble(lib):
    nets = [two_layers(lib, seed) for seed in range(3)]
    parameters, buffers = lib.func.stack_module_state(nets)

    def one(parameters, buffers, x):
        return lib.func.functional_call(nets[0], (parameters, buffers), (x,))

    y = lib.vmap(one, in_dims=(0, 0, None))(parameters, buffers, numbers(lib, 5, 3))
    return y, lib.autograd.grad(y.pow(2).sum(), list(parameters.values()))


def maml(lib):
    """One outer gradient through an inner step of each task."""
    net = two_layers(lib)
    loss = loss_of(lib, net)
    x, y = numbers(lib, 4, 5, 3), numbers(lib, 4, 5, 2, seed=1)

    def after_a_step(parameters, x, y):
        gradients = lib.func.grad(loss)(parameters, x, y)
        return loss({name: p - 0.1 * gradients[name] for name, p in parameters.items()}, x, y)

    losses = lib.vmap(after_a_step, in_dims=(None, 0, 0))(dict(net.named_parameters()), x, y)
    return losses, lib.autograd.grad(losses.sum(), list(net.parameters()))


def jacobian_by_vmap(lib):
    x = numbers(lib, 3).requires_grad_()
    y = x.sin() * x.sum()
    return lib.vmap(lambda v: lib.autograd.grad(y, x, v)[0])(lib.eye(3, dtype=lib.float64))


BATCHES = {
    "vmap": lambda lib: lib.vmap(lib.dot)(numbers(lib, 4, 3), numbers(lib, 4, 3, seed=1)),
    "dims": lambda lib: [
        lib.vmap(lambda a, b: a @ b, in_dims=dims, out_dims=out)(numbers(lib, 3, 3, 3), numbers(lib, 3, 3, 3, seed=1))
        for dims in (0, 1, -1, (0, 2), (None, 1), (-2, None))
        for out in (0, 1, -1, 2)
    ],
    "trees": lambda lib: lib.vmap(lambda t, n: {"s": t["a"] + t["b"][0], "m": (n * t["a"],)}, ({"a": 0, "b": 1}, None))(
        {"a": numbers(lib, 2), "b": [numbers(lib, 3, 2)]}, 3
    ),
    "keywords": lambda lib: lib.vmap(lambda a, *, b: a * b)(numbers(lib, 2), b=numbers(lib, 2, 3)),
    "out dims of a tree": lambda lib: lib.vmap(lambda a: (a, {"t": a * 2}), out_dims=(1, {"t": 0}))(numbers(lib, 2, 3)),
    "the same for all": lambda lib: lib.vmap(lambda a: (a * 2, 5, lib.ones(2)), out_dims=(0, None, None))(
        numbers(lib, 2)
    ),
    "what does not depend on the sample": lambda lib: lib.vmap(lambda a: lib.ones(2))(numbers(lib, 3)),
    "a batch of none": lambda lib: lib.vmap(lambda a: (a.sin(), a.sum()), out_dims=(1, 0))(lib.ones(0, 2)),
    "chunks": lambda lib: lib.vmap(lib.sin, chunk_size=2)(numbers(lib, 5)),
    "nested": lambda lib: lib.vmap(lib.vmap(lambda a, b: a * b, (0, None)), (None, 0))(
        numbers(lib, 3), numbers(lib, 2, seed=1)
    ),
    "backward": lambda lib: (lambda x: lib.autograd.grad(lib.vmap(lambda a: a.prod())(x).sin().sum(), x))(
        numbers(lib, 4, 3).requires_grad_()
    ),
    "jacobian of each": lambda lib: lib.vmap(lib.func.jacrev(lambda x: x**2))(numbers(lib, 4, 3)),
    "writes into a mapped input": lambda lib: (lambda x: (lib.vmap(lambda a: a.mul_(2))(x), x))(numbers(lib, 4, 3)),
    "same numbers for all": lambda lib: [
        lib.manual_seed(3) and None,
        lib.vmap(lambda a: lib.rand(20) + 0 * a, randomness="same")(lib.zeros(3)),
        lib.rand(3),
    ],
    "backward of each, through one graph": jacobian_by_vmap,
    "per-sample gradients": per_sample_gradients,
    "ensemble": ensemble,
    "maml": maml,
}


@pytest.mark.parametrize("name", BATCHES)
def test_batches(name):
    check(BATCHES[name])


@pytest.mark.parametrize("lib", BOTH)
def test_different_numbers_for_each(lib):
    drawn = lib.vmap(lambda a: lib.rand(20) + 0 * a, randomness="different")(lib.zeros(3))
    assert len({tuple(row) for row in drawn.tolist()}) == 3


def refused_draw(lib):
    lib.manual_seed(0)
    lib.vmap(lambda a: a + lib.rand(()))(lib.zeros(3))


REFUSED = {
    "grad of a vector": lambda lib: lib.func.grad(lib.sin)(lib.ones(2)),
    "grad of a number": lambda lib: lib.func.grad(lambda x: 3.0)(lib.ones(2)),
    "grad in a number": lambda lib: lib.func.grad(lambda x: x)(3.0),
    "grad in integers": lambda lib: lib.func.grad(lambda x: x.sum())(lib.ones(2, dtype=lib.int64)),
    "argnums beyond": lambda lib: lib.func.grad(lib.sin, 1)(lib.ones(())),
    "argnums twice": lambda lib: lib.func.grad(lib.add, (0, 0))(lib.ones(()), lib.ones(())),
    "argnums of none": lambda lib: lib.func.grad(lib.add, ())(lib.ones(()), lib.ones(())),
    "argnums of another type": lambda lib: lib.func.grad(lib.sin, "x")(lib.ones(())),
    "no aux": lambda lib: lib.func.grad(lib.sin, has_aux=True)(lib.ones(())),
    "primals not in a tuple": lambda lib: lib.func.jvp(lib.sin, lib.ones(()), (lib.ones(()),)),
    "vmap of nothing": lambda lib: lib.vmap(lambda: 1)(),
    "sizes that differ": lambda lib: lib.vmap(lib.add)(lib.ones(2), lib.ones(3)),
    "nothing mapped over": lambda lib: lib.vmap(lib.sin, in_dims=None)(lib.ones(2)),
    "nothing mapped over, in a tuple": lambda lib: lib.vmap(lib.sin, in_dims=(None,))(lib.ones(2)),
    "a dim too far": lambda lib: lib.vmap(lib.sin, in_dims=1)(lib.ones(2)),
    "a dim of a number": lambda lib: lib.vmap(lib.mul)(lib.ones(2), 3),
    "a dim that is none": lambda lib: lib.vmap(lib.sin, in_dims=("x",))(lib.ones(2)),
    "out_dims that are none": lambda lib: lib.vmap(lib.sin, out_dims="x")(lib.ones(2)),
    "an output that is no tensor": lambda lib: lib.vmap(lambda x: 3)(lib.ones(2)),
    "a sample's value for all": lambda lib: lib.vmap(lambda x: x, out_dims=None)(lib.ones(2).cumsum(0)),
    "randomness": lambda lib: lib.vmap(lib.sin, randomness="some")(lib.ones(2)),
    "a draw": refused_draw,
    "chunks of none": lambda lib: lib.vmap(lib.sin, chunk_size=0)(lib.ones(2)),
    "no models": lambda lib: lib.func.stack_module_state([]),
    "models of two classes": lambda lib: lib.func.stack_module_state([lib.nn.Linear(1, 1), lib.nn.ReLU()]),
    "models of two modes": lambda lib: lib.func.stack_module_state([lib.nn.Linear(1, 1), lib.nn.Linear(1, 1).eval()]),
    "a name in two dicts": lambda lib: lib.func.functional_call(
        lib.nn.ReLU(), ({"a": lib.ones(1)}, {"a": lib.ones(1)}), lib.ones(1)
    ),
    "dicts of another type": lambda lib: lib.func.functional_call(lib.nn.ReLU(), [3], lib.ones(1)),
    "names, strictly": lambda lib: lib.func.functional_call(
        lib.nn.Linear(2, 2), {"bias": lib.ones(2), "more": lib.ones(1)}, lib.ones(2), strict=True
    ),
    "a tensor that is none": lambda lib: lib.func.functional_call(lib.nn.Linear(2, 2), {"bias": 3}, lib.ones(2)),
    "an attribute that is no tensor": lambda lib: lib.func.functional_call(
        lib.nn.Linear(1, 1), {"weight": lib.ones(1, 1), "in_features": lib.ones(1)}, lib.ones(1)
    ),
    "no name": lambda lib: lib.func.functional_call(lib.nn.Linear(1, 1), {"": lib.ones(1)}, lib.ones(1)),
    "a module that is none": lambda lib: lib.func.functional_call(
        lib.nn.Linear(1, 1), {"a.b": lib.ones(1)}, lib.ones(1)
    ),
    "a name besides, strictly": lambda lib: lib.func.functional_call(
        lib.nn.Linear(1, 1, False), {"weight": lib.ones(1, 1), "more": lib.ones(1)}, lib.ones(1), strict=True
    ),
    "DataParallel": lambda lib: lib.func.functional_call(lib.nn.DataParallel(lib.nn.ReLU()), {}, lib.ones(2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    ours, theirs = outcome(REFUSED[name], mt), outcome(REFUSED[name], torch)
    assert isinstance(theirs, tuple) and ours == theirs


def running_statistics(lib):
    """What forward writes into a buffer goes into the dict, not into the module."""
    net = lib.nn.BatchNorm1d(3).double()
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
    y = lib.func.functional_call(net, (dict(net.named_parameters()), buffers), (numbers(lib, 4, 3),))
    return y, buffers, dict(net.named_buffers())


def an_assigned_buffer(lib):
    class Counts(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", lib.zeros(()))
            self.plain = lib.ones(())

        def forward(self, x):
            self.n = self.n + 1
            return self.n + x + self.plain

    net, tensors = Counts(), {"n": lib.full((), 5.0), "plain": lib.full((), 100.0)}
    return lib.func.functional_call(net, tensors, lib.zeros(())), tensors, net.n, net.plain


def names_of_none(lib, kind):
    """Tensors under names that the module does not have are there during the call, and not afterwards."""

    class Looks(lib.nn.Linear):
        def forward(self, x):
            return self.bias * 0 + self.more + x

    net = lib.nn.Sequential(Looks(1, 1))
    tensors = {"0.more": kind(lib.full((1,), 3.0)), "other": lib.zeros(1)}
    result = lib.func.functional_call(net, tensors, lib.ones(1))
    return result.item(), tensors, list(net.state_dict()), hasattr(net[0], "more"), hasattr(net, "other")


def a_parameter_for_a_plain_attribute(lib):
    net = lib.nn.Linear(1, 1)
    net.plain = own = lib.ones(1)
    given = lib.nn.Parameter(lib.zeros(1))
    tensors = {"plain": given}
    lib.func.functional_call(net, tensors, lib.ones(1))
    return net.plain is own, tensors["plain"] is given


def tied(lib, tie_weights):
    net = lib.nn.Sequential(lib.nn.Linear(2, 2, bias=False), lib.nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    return lib.func.functional_call(net, {"0.weight": lib.eye(2)}, lib.ones(2), tie_weights=tie_weights), net[0].weight


def after_an_error(lib):
    net = lib.nn.Linear(2, 2)
    own = net.weight
    with pytest.raises(RuntimeError):
        lib.func.functional_call(net, {"weight": lib.ones(3, 3)}, lib.ones(2))
    return net.weight is own


def without_running_statistics(lib):
    net = lib.func.replace_all_batch_norm_modules_(lib.nn.Sequential(lib.nn.BatchNorm1d(3), lib.nn.ReLU())).eval()
    return net(numbers(lib, 4, 3).float()).double().round(decimals=5), list(net.state_dict()), str(net)


MODULES = {
    "running statistics": running_statistics,
    "an assigned buffer": an_assigned_buffer,
    "after an error": after_an_error,
    "without running statistics": without_running_statistics,
    "names of none": lambda lib: names_of_none(lib, lib.Tensor.detach),
    "parameters of none": lambda lib: names_of_none(lib, lib.nn.Parameter),
    "a parameter for a plain attribute": a_parameter_for_a_plain_attribute,
    "one argument, keywords": lambda lib: lib.func.functional_call(
        lib.nn.Bilinear(1, 1, 1),
        {"weight": lib.ones(1, 1, 1), "bias": lib.ones(1)},
        lib.ones(1),
        {"input2": lib.ones(1)},
    ),
    "a tied weight": lambda lib: (lib.manual_seed(0), tied(lib, True))[1],
    "a tied weight, not tied": lambda lib: (lib.manual_seed(0), tied(lib, False)[1])[1],
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_as_functions(name):
    check(MODULES[name])


@pytest.mark.parametrize("lib", BOTH)
def test_two_tensors_for_one_tied_weight(lib):
    net = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.Linear(2, 2))
    net[1].weight = net[0].weight
    with pytest.raises(ValueError, match=r"multiple values for keys \['0.weight', '1.weight'\], which are tied"):
        lib.func.functional_call(net, {"0.weight": lib.ones(2, 2), "1.weight": lib.zeros(2, 2)}, lib.ones(2))


@pytest.mark.parametrize("lib", BOTH)
def test_the_older_name(lib):
    with pytest.warns(FutureWarning, match="torch.func.functional_call"):
        y = lib.nn.utils.stateless.functional_call(
            lib.nn.Linear(1, 1), {"bias": lib.ones(1), "more": lib.ones(1)}, lib.zeros(1)
        )
    assert y.tolist() == [1.0]


@pytest.mark.parametrize("lib", BOTH)
def test_a_write_that_would_need_one_result_per_sample(lib):
    with pytest.raises(RuntimeError):
        lib.vmap(lambda total, x: total.add_(x), in_dims=(None, 0))(lib.zeros(()), lib.ones(3))


def test_a_draw_refused_takes_no_numbers():
    mt.manual_seed(0)
    expected = mt.rand(3).tolist()
    with pytest.raises(RuntimeError, match="randomness error mode"):
        refused_draw(mt)
    assert mt.rand(3).tolist() == expected


def test_no_graph_is_kept_where_nobody_can_ask_for_it():
    """A gradient of what the transform alone knows is an ordinary backward pass, not one that can be differentiated."""
    created = []

    class Watched(mt.autograd.Function):
        forward = staticmethod(lambda x: x * 2)
        setup_context = staticmethod(lambda ctx, inputs, output: None)

        @staticmethod
        def backward(ctx, g):
            created.append(mt.is_grad_enabled())
            return g * 2

    x = mt.ones(2)
    mt.func.grad(lambda x: Watched.apply(x).sum())(x)
    mt.func.grad(lambda x: Watched.apply(x).sum())(x.requires_grad_())
    assert created == [False, True]
