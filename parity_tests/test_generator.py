"""core.generator against torch's CPU generator: equal seeds give equal bits and leave equal states."""

import copy
import pickle
import threading
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minitorch2.core import box_muller, fma, mt19937
from minitorch2.core import generator as generator_module
from minitorch2.core.generator import Generator
from minitorch2.core.memory_order import memory_order
from minitorch2.core.mt19937 import MersenneTwister
from minitorch2.core.multinomial import multinomial
from minitorch2.core.permutation import shuffled
from minitorch2_kernels.cpu import twister
from minitorch2_kernels.reference.cast import BFLOAT16, cast

FLOATS = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: BFLOAT16,
}
INTEGERS = {
    torch.uint8: np.dtype(np.uint8),
    torch.int8: np.dtype(np.int8),
    torch.int16: np.dtype(np.int16),
    torch.int32: np.dtype(np.int32),
    torch.int64: np.dtype(np.int64),
}
ALL = {**FLOATS, **INTEGERS, torch.bool: np.dtype(np.bool_)}

# The portable build of torch (no AVX2) rounds float32 normals otherwise; see core.generator.
needs_avx2 = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="float32 normals equal those of torch's AVX2 kernel, which this processor does not run",
)

seeds = st.integers(-(2**63), 2**64 - 1)
sizes = st.sampled_from([0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 100, 623, 624, 625, 1000, 4097])
float_dtypes = st.sampled_from(list(FLOATS))
reals = st.floats(-1000, 1000, allow_nan=False).map(lambda x: x + 0.0)  # no negative zero
positives = st.floats(0.001, 100)


def bits(array):
    """The bytes of a tensor's or array's elements, in logical order."""
    if isinstance(array, torch.Tensor):
        flat = array.reshape(-1).clone(memory_format=torch.contiguous_format)
        return flat.view(torch.uint8).numpy()
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def assert_same(ours, theirs, generator, torch_generator):
    assert np.array_equal(bits(ours), bits(theirs))
    assert ours.shape == tuple(theirs.shape)
    assert_same_state(generator, torch_generator)


def assert_same_state(generator, torch_generator):
    """The same numbers follow. Compared by drawing: torch and NumPy refill their words at other times."""
    ours, theirs, after = Generator(), torch.Generator(), torch_generator.clone_state()
    ours.load_state(torch_generator.get_state().numpy())
    theirs.set_state(torch.from_numpy(generator.saved_state()))
    expected = one_by_one(after)
    assert np.array_equal(ours.normal((350,), np.dtype(np.float64), contiguous=False), expected)
    assert np.array_equal(one_by_one(theirs), expected)


def one_by_one(torch_generator):
    """350 float64 normals, a spare one first if there is one."""
    return torch.empty(700, dtype=torch.float64)[::2].normal_(generator=torch_generator).numpy()


def pair(seed):
    return Generator().manual_seed(seed), torch.Generator().manual_seed(int(seed))


@given(seeds, sizes, st.integers(0, 40))
def test_saved_state_is_torchs_byte_for_byte(seed, n, singles):
    ours, theirs = pair(seed)
    assert np.array_equal(ours.saved_state(), theirs.get_state().numpy())
    ours.uniform((n,), np.dtype(np.float32))
    torch.rand(n, generator=theirs)
    for _ in range(singles % 4):  # an odd number leaves a spare normal behind
        ours.normal((1,), np.dtype(np.float64))
        torch.randn(1, dtype=torch.float64, generator=theirs)
    assert np.array_equal(ours.saved_state(), theirs.get_state().numpy())


@given(seeds, sizes)
def test_states_can_be_exchanged(seed, n):
    ours, theirs = pair(seed)
    torch.rand(n, generator=theirs)
    torch.randn(3, generator=theirs)
    ours.load_state(theirs.get_state().numpy())
    assert ours.initial_seed() == theirs.initial_seed()
    assert np.array_equal(ours.saved_state(), theirs.get_state().numpy())
    assert_same_state(ours, theirs)


def test_bad_states_are_refused():
    generator = Generator(1)
    before = generator.saved_state()
    with pytest.raises(RuntimeError, match="size 5056"):
        generator.load_state(np.zeros(10, np.uint8))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        generator.load_state(np.zeros(5056, np.uint8))
    with pytest.raises(TypeError, match="ByteTensor"):
        generator.load_state(np.zeros(5056, np.float32))
    assert np.array_equal(generator.saved_state(), before)


def test_seeding():
    assert Generator().initial_seed() == torch.Generator().initial_seed()
    for seed in (0, -1, 2**64 - 1, -(2**63), 2**32 + 5, np.int64(3)):
        ours, theirs = pair(seed)
        assert ours.initial_seed() == theirs.initial_seed()
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match="Overflow when unpacking long long"):
            Generator().manual_seed(seed)
    for seed in (1.5, "a", None):
        with pytest.raises(RuntimeError, match="manual_seed expected a long, but got"):
            Generator().manual_seed(seed)
    generator = Generator()
    assert generator.seed() == generator.initial_seed() != generator.seed()


def test_copies_go_on_alike():
    generator = Generator(5)
    generator.normal((3,), np.dtype(np.float32))
    for twin in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert np.array_equal(twin.saved_state(), generator.saved_state())


@pytest.mark.skipif(not twister.available, reason="numba is not installed")
@given(
    st.integers(0, 2**32 - 1),
    st.lists(
        st.tuples(
            st.sampled_from(["words", "long_words", "floats", "doubles"]),
            st.one_of(st.integers(0, 40), st.integers(600, 650), st.integers(1000, 9000)),
        ),
        max_size=8,
    ),
)
def test_compiled_numbers_are_numpys(seed, draws):
    """The same stream, whichever of the two makes the next numbers of it."""
    compiled, numpys = MersenneTwister(seed), MersenneTwister(seed)
    for i, (kind, n) in enumerate(draws):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mt19937, "by_loops", lambda n, i=i: i % 3 < 2)  # and now and then NumPy on the compiled one's
            ours = getattr(compiled, kind)(n)
            patch.setattr(mt19937, "by_loops", lambda n: False)
            theirs = getattr(numpys, kind)(n)
        assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()


def test_threads_share_a_stream_without_losing_or_doubling_words():
    generator, drawn = Generator(1), []

    def draw():
        for _ in range(50):
            drawn.append(generator.raw64(100))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = np.sort(np.concatenate(drawn))
    assert np.array_equal(together, np.sort(Generator(1).raw64(4 * 50 * 100)))


@given(seeds, sizes, float_dtypes, reals, reals)
def test_uniform(seed, n, dtype, a, b):
    low, high = min(a, b), max(a, b)
    ours, theirs = pair(seed)
    got = ours.uniform((n,), FLOATS[dtype], low, high)
    assert_same(got, torch.empty(n, dtype=dtype).uniform_(low, high, generator=theirs), ours, theirs)


@needs_avx2
@given(seeds, sizes, float_dtypes)
def test_standard_normal(seed, n, dtype):
    ours, theirs = pair(seed)
    assert_same(ours.normal((n,), FLOATS[dtype]), torch.randn(n, dtype=dtype, generator=theirs), ours, theirs)


@needs_avx2
@given(seeds, sizes, float_dtypes, reals, positives, st.booleans())
def test_normal(seed, n, dtype, mean, std, contiguous):
    ours, theirs = pair(seed)
    expected = torch.empty(n, 2, dtype=dtype)[:, 0] if not contiguous else torch.empty(n, dtype=dtype)
    expected.normal_(mean, std, generator=theirs)
    got = ours.normal((n,), FLOATS[dtype], mean, std, contiguous=expected.is_contiguous())
    assert_same(got, expected, ours, theirs)


@needs_avx2
@pytest.mark.parametrize("compiled", [twister.available, False], ids=["compiled", "NumPy"])
def test_a_million_standard_normals(compiled, monkeypatch):
    monkeypatch.setattr(box_muller, "by_loops", lambda n: compiled)
    ours, theirs = pair(12)
    got = ours.normal((1000, 1000), np.dtype(np.float32))
    # An FMA made of float64 arithmetic is rounded twice, which shows perhaps once in 10**8 numbers; not here.
    assert np.array_equal(got, torch.randn(1000, 1000, generator=theirs).numpy())


@pytest.mark.skipif(not twister.available, reason="numba is not installed")
@given(seeds, sizes, float_dtypes, reals, positives)
def test_compiled_or_not_the_numbers_are_the_same(seed, n, dtype, mean, std):
    dtype, found = FLOATS[dtype], []
    for compiled in (True, False):
        g = pair(seed)[0]
        with pytest.MonkeyPatch.context() as patch:
            for module in (box_muller, generator_module):
                patch.setattr(module, "by_loops", lambda n, compiled=compiled: compiled)
            found.append([g.normal((n,), dtype, mean, std), g.uniform((n,), dtype, mean, mean + std)])
            found[-1] += [g.exponential((n,), dtype, std), g.cauchy((n,), dtype, mean, std)]
            found[-1] += [g.geometric((n,), dtype, std / 101), g.log_normal((n,), dtype, mean, std)]
            found[-1] += [g.normal((n,), dtype, mean, std, contiguous=False)]
    for compiled, plain in zip(*found, strict=True):
        np.testing.assert_array_equal(compiled, plain)


@given(seeds, sizes, st.sampled_from(list(ALL)))
def test_random_over_the_whole_dtype(seed, n, dtype):
    ours, theirs = pair(seed)
    expected = torch.empty(n, dtype=dtype).random_(generator=theirs)
    assert_same(ours.integers((n,), ALL[dtype]), expected, ours, theirs)


bounds = st.one_of(
    st.integers(-300, 300), st.integers(-(2**30), 2**30), st.integers(-(2**62), 2**62), st.just(-(2**63))
)


@given(seeds, sizes, st.sampled_from(list(ALL)), bounds, st.one_of(st.none(), bounds))
def test_random_from_to(seed, n, dtype, low, high):
    ours, theirs = pair(seed)
    with warnings.catch_warnings(record=True) as their_warnings:
        warnings.simplefilter("always")
        try:
            expected, error = torch.empty(n, dtype=dtype).random_(low, high, generator=theirs), None
        except (RuntimeError, NotImplementedError) as caught:
            error = caught
    if error is not None:
        with pytest.raises(type(error)) as ours_caught, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours.integers((n,), ALL[dtype], low, high)
        assert str(ours_caught.value) == str(error)
        return
    with warnings.catch_warnings(record=True) as our_warnings:
        warnings.simplefilter("always")
        got = ours.integers((n,), ALL[dtype], low, high)
    assert len(our_warnings) == len(their_warnings)
    assert_same(got, expected, ours, theirs)


@given(seeds, st.one_of(sizes, st.integers(0, 300)), st.sampled_from(list(ALL)))
def test_randperm(seed, n, dtype):
    ours, theirs = pair(seed)
    try:
        expected = torch.randperm(n, dtype=dtype, generator=theirs)
    except (RuntimeError, NotImplementedError) as error:
        with pytest.raises(type(error)) as caught:
            ours.randperm(n, ALL[dtype])
        assert str(caught.value) == str(error)
        return
    assert_same(ours.randperm(n, ALL[dtype]), expected, ours, theirs)


@given(st.integers(1, 200), st.randoms(use_true_random=False))
def test_shuffled_is_the_swaps_one_after_the_other(n, random):
    targets = [random.randrange(i, n) for i in range(n)]
    expected = list(range(n))
    for i, t in enumerate(targets):
        expected[i], expected[t] = expected[t], expected[i]
    assert shuffled(np.array(targets)).tolist() == expected
    if twister.available:
        assert twister.shuffled(np.array(targets)).tolist() == expected


def test_randperm_too_long_says_so():
    with pytest.raises(NotImplementedError, match="randperm of"):
        Generator().randperm(2**32 // 20)


@given(seeds, sizes, st.sampled_from(list(ALL)), st.floats(0, 1))
def test_bernoulli(seed, n, dtype, p):
    ours, theirs = pair(seed)
    expected = torch.empty(n, dtype=dtype).bernoulli_(p, generator=theirs)
    assert_same(ours.bernoulli((n,), ALL[dtype], p), expected, ours, theirs)


@given(seeds, sizes, st.sampled_from(list(ALL)), float_dtypes)
def test_bernoulli_of_probabilities(seed, n, dtype, p_dtype):
    ours, theirs = pair(seed)
    p = torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(p_dtype)
    p_array = cast(p.double().numpy(), FLOATS[p_dtype])
    expected = torch.empty(n, dtype=dtype).bernoulli_(p, generator=theirs)
    assert_same(ours.bernoulli((n,), ALL[dtype], p_array), expected, ours, theirs)


@given(seeds, sizes, float_dtypes, positives)
def test_exponential(seed, n, dtype, lambd):
    ours, theirs = pair(seed)
    expected = torch.empty(n, dtype=dtype).exponential_(lambd, generator=theirs)
    assert_same(ours.exponential((n,), FLOATS[dtype], lambd), expected, ours, theirs)


@given(seeds, sizes, st.sampled_from([*FLOATS, torch.int32, torch.int64]), st.floats(0.01, 0.99))
def test_geometric(seed, n, dtype, p):
    ours, theirs = pair(seed)
    expected = torch.empty(n, dtype=dtype).geometric_(p, generator=theirs)
    assert_same(ours.geometric((n,), ALL[dtype], p), expected, ours, theirs)


@given(seeds, sizes, float_dtypes, reals, positives)
def test_cauchy(seed, n, dtype, median, sigma):
    ours, theirs = pair(seed)
    expected = torch.empty(n, dtype=dtype).cauchy_(median, sigma, generator=theirs)
    assert_same(ours.cauchy((n,), FLOATS[dtype], median, sigma), expected, ours, theirs)


@given(seeds, sizes, float_dtypes, st.floats(-3, 3), st.floats(0.01, 500))
def test_log_normal(seed, n, dtype, mean, std):
    ours, theirs = pair(seed)
    expected = torch.empty(n, dtype=dtype).log_normal_(mean, std, generator=theirs)
    assert_same(ours.log_normal((n,), FLOATS[dtype], mean, std), expected, ours, theirs)


@given(seeds, st.integers(0, 3), st.integers(1, 40), st.integers(1, 50), st.booleans(), float_dtypes)
def test_multinomial(seed, rows, categories, n, replacement, dtype):
    ours, theirs = pair(seed)
    n = n if replacement else min(n, categories)
    shape = (rows, categories) if rows else (categories,)
    weights = (torch.rand(shape, generator=torch.Generator().manual_seed(n)) + 0.01).to(dtype)
    expected = torch.multinomial(weights, n, replacement, generator=theirs)
    got = multinomial(ours, cast(weights.float().numpy(), FLOATS[dtype]), n, replacement)
    if dtype in (torch.float16, torch.bfloat16) and n > 1 and not replacement:
        # Quotients of half precision are often equal, and topk may then take either.
        assert got.shape == tuple(expected.shape)
        assert all(len(set(row)) == n for row in got.reshape(-1, n))
        assert_same_state(ours, theirs)
    else:
        assert_same(got, expected, ours, theirs)


def test_multinomial_errors():
    nan, inf = float("nan"), float("inf")
    for weights, n, replacement in (
        ([0.0, 0.0], 1, False),
        ([0.0, 0.0], 2, True),
        ([1.0, 2.0], 3, False),
        ([1, 2], 1, False),
        ([-1.0, 2.0], 1, False),
        ([-1.0, 2.0], 2, True),
        ([1.0, inf], 2, True),
        ([1.0, nan], 1, False),
        ([1.0, 2.0], 0, False),
        (1.0, 1, False),
        ([[[1.0]]], 1, False),
        ([[1.0, 1.0], [0.0, 0.0]], 1, False),
    ):
        with pytest.raises(RuntimeError) as theirs:
            torch.multinomial(torch.tensor(weights), n, replacement)
        with pytest.raises(RuntimeError) as ours:
            multinomial(Generator(), torch.tensor(weights).numpy(), n, replacement)
        assert str(ours.value) == str(theirs.value)


f32, f64, i64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda g: g.uniform((3,), f32, 2, 1), lambda t: t.uniform_(2, 1)),
        (lambda g: g.uniform((3,), f32, -1e39, 1), lambda t: t.uniform_(-1e39, 1)),
        (lambda g: g.uniform((3,), f32, 0, float("nan")), lambda t: t.uniform_(0, float("nan"))),
        (lambda g: g.uniform((3,), f32, -3e38, 3e38), lambda t: t.uniform_(-3e38, 3e38)),
        (lambda g: g.uniform((3,), i64), lambda t: t.long().uniform_()),
        (lambda g: g.normal((3,), f32, 0, -1), lambda t: t.normal_(0, -1)),
        (lambda g: g.normal((3,), i64), lambda t: t.long().normal_()),
        (lambda g: g.bernoulli((3,), f32, 1.5), lambda t: t.bernoulli_(1.5)),
        (lambda g: g.bernoulli((3,), f32, np.arange(3)), lambda t: t.bernoulli_(torch.arange(3))),
        (lambda g: g.exponential((3,), f32, -1), lambda t: t.exponential_(-1)),
        (lambda g: g.exponential((3,), i64), lambda t: t.long().exponential_()),
        (lambda g: g.geometric((3,), f32, 2), lambda t: t.geometric_(2)),
        (lambda g: g.geometric((3,), np.dtype(bool), 0.5), lambda t: t.bool().geometric_(0.5)),
        (lambda g: g.cauchy((3,), f32, 0, -1), lambda t: t.cauchy_(0, -1)),
        (lambda g: g.cauchy((3,), i64), lambda t: t.long().cauchy_()),
        (lambda g: g.log_normal((3,), f32, 0, -1), lambda t: t.log_normal_(0, -1)),
        (lambda g: g.log_normal((3,), i64), lambda t: t.long().log_normal_()),
    ],
)
def test_errors_are_torchs(ours, theirs):
    with pytest.raises((RuntimeError, NotImplementedError)) as expected:
        theirs(torch.zeros(3))
    with pytest.raises(type(expected.value)) as got:
        ours(Generator())
    assert str(got.value) == str(expected.value)


@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4), st.integers(1, 2))
def test_memory_order_is_the_order_torch_fills_in(axes, shape, step):
    tensor = torch.empty(*shape)[..., ::step].permute(*axes)
    array = np.empty(shape, np.float32)[..., ::step].transpose(axes)
    tensor.uniform_(generator=torch.Generator().manual_seed(1))
    view = array.transpose(memory_order(array))
    view[...] = Generator(1).uniform(view.shape, f32)
    assert np.array_equal(array, tensor.numpy())


exact_floats = st.floats(-1e20, 1e20, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-20)


@given(exact_floats, exact_floats, exact_floats, st.sampled_from([0, 1, 2, 3]))
def test_fma64_rounds_once(a, b, c, nearness):
    if nearness:  # sums in which almost everything cancels
        c = -a * b * (1 + (nearness - 2) * 2.0**-52)
    exact = float(Fraction(a) * Fraction(b) + Fraction(c))
    assert fma.fma64(np.array([a]), b, c)[0] == exact
