"""The random functions and methods on tensors, against torch: equal seeds, equal numbers, dtypes, layouts
and errors.

That the numbers themselves are right in every dtype and range is test_generator's business.
"""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as mt

DTYPES = ["float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool"]
FLOATS = DTYPES[:4]
shapes = st.lists(st.integers(0, 6), max_size=3).map(tuple)
seeds = st.integers(-(2**63), 2**64 - 1)

needs_avx2 = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="float32 normals equal those of torch's AVX2 kernel, which this processor does not run",
)


def bits(t):
    """Elements in logical order as integers, from a tensor of either library."""
    if isinstance(t, torch.Tensor):
        t = t.detach().reshape(-1).clone()
        return t.view(torch.uint8).numpy().tolist()
    return np.ascontiguousarray(t.detach()._data).reshape(-1).view(np.uint8).tolist()


def assert_same(ours, theirs):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    assert ours.requires_grad == theirs.requires_grad
    assert bits(ours) == bits(theirs)


def both(call, seed=1):
    """call(torch) and call(minitorch2) from the same seed; the generators must end alike."""
    results = []
    for lib in (mt, torch):
        lib.manual_seed(seed)
        results.append(call(lib))
    assert mt.get_rng_state().tolist() == torch.get_rng_state().tolist()
    return results


def check(call, seed=1):
    assert_same(*both(call, seed))


def check_error(call):
    with pytest.raises((RuntimeError, NotImplementedError, TypeError, ValueError)) as theirs:
        call(torch)
    with pytest.raises(type(theirs.value)) as ours:
        call(mt)
    return str(ours.value), str(theirs.value)


@given(seeds, shapes, st.sampled_from(FLOATS), st.booleans())
@needs_avx2
def test_rand_and_randn(seed, shape, dtype, requires_grad):
    for name in ("rand", "randn"):
        options = {"requires_grad": requires_grad}
        check(lambda lib: getattr(lib, name)(shape, dtype=getattr(lib, dtype), **options), seed)  # noqa: B023
    check(lambda lib: lib.rand(*shape, 3), seed)
    check(lambda lib: lib.randn([*shape, 20]), seed)


@given(seeds, shapes, st.sampled_from(DTYPES), st.integers(-5, 100), st.integers(1, 20))
def test_randint(seed, shape, dtype, low, span):
    if dtype in ("uint8", "bool"):
        low, span = 0, 2
    check(lambda lib: lib.randint(low, low + span, shape, dtype=getattr(lib, dtype)), seed)
    check(lambda lib: lib.randint(span, shape), seed)
    check(lambda lib: lib.randint(low=low, high=low + span, size=shape), seed)
    check(lambda lib: lib.randint_like(lib.zeros(shape), span), seed)
    check(lambda lib: lib.randint_like(lib.zeros(shape), low, low + span, dtype=lib.int32), seed)


@given(seeds, st.integers(0, 100), st.sampled_from(DTYPES[:-1]))
def test_randperm(seed, n, dtype):
    check(lambda lib: lib.randperm(n), seed)
    check(lambda lib: lib.randperm(n, dtype=getattr(lib, dtype)), seed)


def test_a_random_seed_is_drawn_as_the_data_loader_draws_it():
    check(lambda lib: lib.empty((), dtype=lib.int64).random_())


layouts = st.sampled_from(["plain", "transposed", "every other", "permuted", "0-d", "large", "large transposed"])


def laid_out(lib, layout, dtype):
    if layout == "0-d":
        return lib.zeros((), dtype=dtype)
    if layout == "every other":
        return lib.zeros(8, 6, dtype=dtype)[::2, ::2]
    if layout == "permuted":
        return lib.zeros(2, 3, 4, dtype=dtype).permute(1, 2, 0)
    x = lib.zeros(*((9, 13) if "large" in layout else (3, 4)), dtype=dtype)
    return x.t() if "transposed" in layout else x


FILLS = {
    "uniform_": [(), (-2, 3), (0.5,)],
    "normal_": [(), (1.5, 0.25)],
    "exponential_": [(), (2.5,)],
    "cauchy_": [(), (1.0, 2.0)],
    "log_normal_": [(), (0.0, 0.5)],
    "geometric_": [(0.3,)],
    "bernoulli_": [(), (0.2,)],
    "random_": [(), (100,), (3, 60), (5, None)],
}


@needs_avx2
@given(seeds, layouts, st.sampled_from(sorted(FILLS)), st.sampled_from(DTYPES), st.data())
def test_in_place(seed, layout, name, dtype, data):
    arguments = data.draw(st.sampled_from(FILLS[name]))
    if (dtype not in FLOATS and name not in ("geometric_", "bernoulli_", "random_")) or dtype == "bool":
        dtype = "float32"

    def call(lib):
        x = laid_out(lib, layout, getattr(lib, dtype))
        before = x._version
        result = getattr(x, name)(*arguments)
        assert result is x
        assert x._version != before or lib is mt
        return result

    check(call, seed)


@given(seeds, layouts, st.sampled_from(FLOATS))
def test_bernoulli(seed, layout, dtype):
    check(
        lambda lib: laid_out(lib, layout, lib.float32).bernoulli_(lib.rand((), dtype=getattr(lib, dtype))),
        seed,
    )
    check(lambda lib: lib.bernoulli(lib.rand(4, 5, dtype=getattr(lib, dtype)).t()), seed)
    check(lambda lib: lib.rand(4, 5, dtype=getattr(lib, dtype)).bernoulli(0.3), seed)
    check(lambda lib: lib.zeros(4, 5, dtype=lib.int32).bernoulli_(lib.rand(5, dtype=getattr(lib, dtype))), seed)


@given(seeds, layouts)
@needs_avx2
def test_like(seed, layout):
    for name in ("rand_like", "randn_like"):
        check(lambda lib: getattr(lib, name)(laid_out(lib, layout, lib.float32)), seed)  # noqa: B023
        check(lambda lib: getattr(lib, name)(laid_out(lib, layout, lib.int64), dtype=lib.float64), seed)  # noqa: B023
    ours, theirs = both(lambda lib: lib.rand_like(laid_out(lib, layout, lib.float32)), seed)
    if layout != "every other":
        assert ours.stride() == theirs.stride()


@given(seeds, st.floats(0, 0.9), layouts)
def test_dropout_masks(seed, p, layout):
    def mask(lib):
        return lib.nn.functional.dropout(laid_out(lib, layout, lib.float32) + 1, p) != 0

    check(mask, seed)


@needs_avx2
@given(seeds, st.sampled_from([1, 4, 17, 40]))
def test_normal(seed, n):
    check(lambda lib: lib.normal(0.5, 2.0, (n, 3)), seed)
    check(lambda lib: lib.normal(0, 1, size=(n,), dtype=lib.float64), seed)
    check(lambda lib: lib.normal(lib.rand(n), 0.5), seed)
    check(lambda lib: lib.normal(2.0, lib.rand(n)), seed)
    check(lambda lib: lib.normal(lib.rand(n, 1), lib.rand(1, 4)), seed)
    check(lambda lib: lib.normal(lib.rand(n, dtype=lib.float64), lib.ones(n)), seed)


@given(seeds, st.integers(1, 6), st.booleans())
def test_multinomial(seed, n, replacement):
    check(lambda lib: lib.multinomial(lib.rand(6), n, replacement), seed)
    check(lambda lib: lib.rand(3, 6).multinomial(n, replacement), seed)


def test_generators():
    ours, theirs = mt.Generator(), torch.Generator()
    assert ours.initial_seed() == theirs.initial_seed() and str(ours.device) == str(theirs.device) == "cpu"
    assert ours.manual_seed(-3) is ours and ours.initial_seed() == theirs.manual_seed(-3).initial_seed()
    assert_same(mt.rand(5, generator=ours), torch.rand(5, generator=theirs))
    assert_same(ours.get_state(), theirs.get_state())
    assert_same(mt.randn(3, generator=ours.clone_state()), torch.randn(3, generator=theirs.clone_state()))
    assert_same(ours.get_state(), theirs.get_state())  # the clone had a state of its own
    torch.rand(1000, generator=theirs)
    assert ours.set_state(mt.from_numpy(theirs.get_state().numpy())) is ours
    for twin in (ours, copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert isinstance(twin, mt.Generator)
        assert_same(mt.randperm(9, generator=twin), torch.randperm(9, generator=theirs.clone_state()))


def test_the_default_generator():
    assert mt.manual_seed(7) is mt.default_generator is mt.random.default_generator
    torch.manual_seed(7)
    state, their_state = mt.get_rng_state(), torch.get_rng_state()
    assert_same(state, their_state)
    first = mt.randn(3)
    mt.set_rng_state(mt.from_numpy(their_state.numpy()))
    assert_same(mt.randn(3), torch.randn(3))
    torch.set_rng_state(torch.from_numpy(state.numpy()))
    assert_same(first, torch.randn(3))
    assert mt.initial_seed() == torch.initial_seed() == 7
    assert mt.seed() == mt.initial_seed() != 7
    mt.manual_seed("5")
    assert mt.initial_seed() == 5


def test_fork_rng():
    def fork(lib):
        with lib.random.fork_rng():
            lib.rand(3)
        with lib.random.fork_rng(enabled=False):
            lib.rand(2)
        return lib.rand(3)

    check(fork)
    with pytest.raises(RuntimeError, match="devices"), mt.random.fork_rng(devices=[0]):
        pass


def test_gradients_are_zero():
    for call in (
        lambda lib, x: x.normal_(),
        lambda lib, x: x.uniform_(1, 2),
        lambda lib, x: lib.bernoulli(x),
        lambda lib, x: lib.normal(x, 1.0),
        lambda lib, x: lib.normal(0.0, x),
        lambda lib, x: lib.normal(x, x),
        lambda lib, x: lib.normal(lib.zeros(2, 1), x),
    ):

        def grad(lib):
            leaf = lib.ones(3, requires_grad=True)
            y = call(lib, leaf * 0.5)  # noqa: B023
            assert y.requires_grad and not y.is_leaf
            (y.sum() + leaf.sum()).backward()
            assert leaf.grad.tolist() == [1.0, 1.0, 1.0]
            return y

        check(grad)


def test_writing_is_noticed():
    x = mt.rand(3, requires_grad=True)
    hidden = x * 1
    y = hidden * hidden
    hidden.detach().uniform_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


ERRORS = [
    lambda lib: lib.ones(3, requires_grad=True).uniform_(),
    lambda lib: lib.zeros(1).expand(3).normal_(),
    lambda lib: lib.empty(3).uniform_(2, 1),
    lambda lib: lib.empty(3).normal_(0, -1),
    lambda lib: lib.empty(3).bernoulli_(2.0),
    lambda lib: lib.empty(3, dtype=lib.int64).uniform_(),
    lambda lib: lib.bernoulli(lib.arange(3)),
    lambda lib: lib.rand(3, dtype=lib.int64),
    lambda lib: lib.randn(3, dtype=lib.int64),
    lambda lib: lib.rand(-1),
    lambda lib: lib.randint(5, 5, (2,)),
    lambda lib: lib.randint(0, 300, (2,), dtype=lib.uint8),
    lambda lib: lib.randperm(-1),
    lambda lib: lib.randperm(300, dtype=lib.uint8),
    lambda lib: lib.normal(0.0, -1.0, (3,)),
    lambda lib: lib.normal(lib.zeros(2), lib.tensor([-1.0, 1.0])),
    lambda lib: lib.multinomial(lib.ones(2), 3),
    lambda lib: lib.set_rng_state(lib.zeros(10, dtype=lib.uint8)),
    lambda lib: lib.set_rng_state(lib.zeros(5056, dtype=lib.uint8)),
    lambda lib: lib.set_rng_state(lib.zeros(5056)),
    lambda lib: lib.manual_seed(2**64),
    lambda lib: lib.Generator().manual_seed(1.5),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_torchs(number):
    ours, theirs = check_error(ERRORS[number])
    assert ours == theirs


@pytest.mark.parametrize(
    "call",
    [
        lambda lib: lib.randint(3),
        lambda lib: lib.randint(2.5, (2,)),
        lambda lib: lib.randint(0, 5, 2),
        lambda lib: lib.randperm(3.0),
        lambda lib: lib.rand(3.0),
        lambda lib: lib.rand(3, generator=5),
        lambda lib: lib.normal(0, 1),
        lambda lib: lib.normal(lib.zeros(2), 1, (2,)),
        lambda lib: lib.empty(3).random_(1, 2, 3),
        lambda lib: lib.rand_like(lib.arange(3)),
        lambda lib: lib.randint(0, 10, (3,), requires_grad=True),
        lambda lib: lib.empty(3).bernoulli_(lib.ones(2)),
    ],
)
def test_error_types_are_torchs(call):
    check_error(call)
