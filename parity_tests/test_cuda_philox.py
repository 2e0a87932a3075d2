"""The GPU's random numbers: against Philox written with NumPy, against numbers torch printed, against torch itself.

Without a GPU the kernels run emulated; with `-m gpu` they run there, and where torch sees that GPU too, both draw.
"""

import contextlib

import cuda_cases
import cuda_emulation
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS, MULTIPLIERS = (0x9E3779B9, 0xBB67AE85), (0xD2511F53, 0xCD9E8D57)

# Salmon et al.'s reference implementation, its known answers: counter, key, block
ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
# torch.manual_seed(0); torch.rand(8, device="cuda") and torch.randn(8, device="cuda"), as printed
TORCH_RAND = [0.3990, 0.5167, 0.0249, 0.9401, 0.9459, 0.7967, 0.4150, 0.8203]
TORCH_RANDN = [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209, -0.5797, -0.6229, -0.3284]


def block(counter, key):
    """Philox4x32-10: four uint64 arrays of 32-bit words, from a counter of four and a key of two."""
    a, b, c, d = (np.asarray(word, np.uint64) for word in counter)
    low = np.uint64(0xFFFFFFFF)
    for i in range(10):
        k0, k1 = (np.uint64((key[j] + i * KEYS[j]) % 2**32) for j in (0, 1))
        first, second = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b, c, d = (second >> np.uint64(32)) ^ b ^ k0, second & low, (first >> np.uint64(32)) ^ d ^ k1, first & low
    return a, b, c, d


def words(seed, offset, threads, calls):
    """(calls, 4, threads): what thread t's k-th call gives."""
    key = seed % 2**32, seed >> 32
    counters = [offset // 4 + k for k in range(calls)]
    subsequence = np.arange(threads, dtype=np.uint64)
    zero = np.zeros(threads, np.uint64)
    blocks = [block((c % 2**32 + zero, (c >> 32) % 2**32 + zero, subsequence, zero), key) for c in counters]
    return np.array(blocks)


class Stream:
    """The stream of a seed as the docstring of philox.py has it, on a GPU of `most` blocks."""

    def __init__(self, seed, offset, most):
        self.seed, self.offset, self.most = seed, offset, most

    def draw(self, n, of_call, per_call):
        """n numbers of of_call(words (calls, 4, threads)) -> (calls, per_call, threads)."""
        threads = 256 * min(self.most, -(-n // 256))
        calls = -(-n // (threads * per_call))
        numbers = of_call(words(self.seed, self.offset, threads, calls))
        self.offset += 4 * calls
        return numbers.reshape(-1)[:n]

    def uniform(self, n, dtype=np.float32):
        """In (0, 1]."""
        if dtype == np.float64:
            return self.draw(n, lambda w: doubles(w).astype(np.float64) * 2.0**-53 + 2.0**-54, 2)
        return self.draw(n, floats, 4)

    def normal(self, n, dtype):
        def of_call(w):
            if dtype == np.float64:
                z = doubles(w) * 2.0**-53 + 2.0**-54
                radius, angle = np.sqrt(-2 * np.log(z[:, :1])), 2 * np.pi * z[:, 1:]
                return np.concatenate((radius * np.sin(angle), radius * np.cos(angle)), axis=1)
            z = w * 2.0**-32 + 2.0**-33
            radius, angle = np.sqrt(-2 * np.log(z[:, ::2])), 2 * np.pi * z[:, 1::2]
            return np.stack((radius * np.sin(angle), radius * np.cos(angle)), axis=2).reshape(w.shape)

        return self.draw(n, of_call, 2 if dtype == np.float64 else 4)

    def integers(self, n, low, span):
        if span >= 2**28:
            drawn = self.draw(n, lambda w: (w[:, ::2] << np.uint64(32)) | w[:, 1::2], 2)
        else:
            drawn = self.draw(n, lambda w: w, 4)
        return (drawn % np.uint64(span) if span < 2**64 else drawn).astype(np.int64) + np.int64(low)


def floats(w):
    return w.astype(np.float32) * np.float32(2.0**-32) + np.float32(2.0**-33)


def doubles(w):
    return w[:, ::2] ^ (w[:, 1::2] << np.uint64(21))


@pytest.fixture(scope="module")
def philox():
    with cuda_cases.cupy_or_standin():
        from minitorch2_kernels.cuda import philox

        yield philox


here = pytest.mark.skipif(
    not (cuda_cases.has_gpu() or cuda_emulation.available()), reason="no GPU, and no C++ compiler to emulate one with"
)
seeds, offsets = st.integers(0, 2**64 - 1), st.integers(0, 2**40).map(lambda n: 4 * n) | st.just(4 * (2**32 - 1))
counts = st.sampled_from([1, 5, 255, 256, 257, 1024, 2051, 5000])


@contextlib.contextmanager
def gpu_of(philox, blocks):
    """In this block kernels are launched as on a GPU that holds so many blocks at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(philox, "_most_blocks", lambda device: blocks)
        yield


def test_reference_gives_the_known_answers():
    for counter, key, answer in ANSWERS:
        assert tuple(int(word) for word in block(counter, key)) == answer


@here
def test_numbers_that_torch_printed(philox):
    drawn = philox.uniform((8,), np.float32, 0.0, 1.0, philox.PhiloxState(0)).get()
    np.testing.assert_allclose(drawn, TORCH_RAND, atol=5.1e-5)
    drawn = philox.normal((8,), np.float32, 0.0, 1.0, philox.PhiloxState(0)).get()
    np.testing.assert_allclose(drawn, TORCH_RANDN, atol=5.1e-5)


@here
@settings(max_examples=15)
@given(seeds, offsets, counts, st.sampled_from([np.float32, np.float64]), st.integers(1, 3))
def test_uniform_bernoulli_and_exponential(philox, seed, offset, n, dtype, most):
    kind = np.dtype(dtype).type
    with gpu_of(philox, most):
        state, stream = philox.PhiloxState(seed, offset), Stream(seed, offset, most)
        drawn, u = philox.uniform((n,), dtype, -1.0, 3.0, state).get(), stream.uniform(n, dtype)
        expected = u * kind(4) + kind(-1)
        np.testing.assert_allclose(drawn, np.where(expected == 3, kind(-1), expected), rtol=2e-7)  # fused or not
        assert drawn.min() >= -1 and drawn.max() < 3
        drawn = philox.bernoulli((n,), 0.3, state, dtype).get()
        np.testing.assert_array_equal(drawn, (stream.uniform(n, dtype) < kind(0.3)).astype(dtype))
        drawn = philox.exponential((n,), dtype, 2.0, state).get()
        expected = -np.log(stream.uniform(n, dtype).astype(np.float64)) / 2
        # the GPU's fast logarithm is off by 2^-21.4 in absolute terms near 1
        np.testing.assert_allclose(drawn, expected, rtol=1e-5, atol=4e-7 if dtype == np.float32 else 1e-15)
        assert drawn.min() > 0
        assert state.offset == stream.offset


@here
@settings(max_examples=15)
@given(seeds, offsets, counts, st.sampled_from([np.float32, np.float64]), st.integers(1, 3))
def test_normal(philox, seed, offset, n, dtype, most):
    with gpu_of(philox, most):
        state, stream = philox.PhiloxState(seed, offset), Stream(seed, offset, most)
        drawn = philox.normal((n,), dtype, 0.5, 2.0, state).get()
        expected = stream.normal(n, dtype) * 2 + 0.5
        # float32: bits are rounded to floats before the logarithm, and the GPU's fast sine and cosine are off by 2^-21
        np.testing.assert_allclose(drawn, expected, rtol=0, atol=2e-5 if dtype == np.float32 else 1e-13)
        assert state.offset == stream.offset


@here
@settings(max_examples=15)
@given(seeds, offsets, counts, st.sampled_from([1, 2, 10, 2**28 - 1, 2**28, 2**31, 2**63, 2**64]), st.integers(1, 3))
def test_integers(philox, seed, offset, n, span, most):
    low = -(2**63) if span == 2**64 else -7 if span < 2**63 else 0
    if span == 2**64:  # all bits are one number: nothing is added
        low = 0
    with gpu_of(philox, most):
        state, stream = philox.PhiloxState(seed, offset), Stream(seed, offset, most)
        drawn = philox.integers((n,), low, span, state).get()
        np.testing.assert_array_equal(drawn, stream.integers(n, low, span))
        assert state.offset == stream.offset
        drawn = philox.bernoulli((n,), 0.5, state).get()
        assert drawn.dtype == bool
        np.testing.assert_array_equal(drawn, stream.uniform(n) < np.float32(0.5))


def shuffled_equal(keys, order, seed, offset):
    """Fisher and Yates's shuffle of each run of equal keys, which are sorted, by the stream of its first place."""
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
        drawn = words(seed, offset, len(keys), -(-(end - start) // 4))[:, :, start].reshape(-1)
        for step, last in enumerate(range(end - start - 1, 0, -1)):
            other = int(drawn[step]) % (last + 1)
            order[start + last], order[start + other] = order[start + other], order[start + last]
    return order


@here
@settings(max_examples=15)
@given(seeds, st.sampled_from([1, 2, 300, 1500]), st.sampled_from([1, 3, 8, None, 32, 40, 64]), st.integers(1, 3))
def test_permutation(philox, seed, n, bits, most):
    """bits: fewer than the rule has, so that many keys are equal, and more, as millions of keys have."""
    with gpu_of(philox, most), pytest.MonkeyPatch.context() as patch:
        if bits is not None:
            patch.setattr(philox, "_key_bits", lambda n: bits)
        state, stream = philox.PhiloxState(seed, 8), Stream(seed, 8, most)
        order = philox.permutation(n, state).get()
        bits = philox._key_bits(n)
    width = 32 if bits <= 32 else 64
    keys = stream.integers(n, -(2 ** (width - 1)), 2**width - 1)
    keys = keys if bits == width else keys % 2**bits
    expected = np.argsort(keys, kind="stable")
    np.testing.assert_array_equal(order, shuffled_equal(keys[expected], expected, seed, stream.offset))
    assert sorted(order) == list(range(n))
    assert state.offset == stream.offset + -(-n // 4) * 4


@here
def test_bits_of_keys(philox):
    """As many as torch's rule says: worked out by hand for a few sizes."""
    assert [philox._key_bits(n) for n in (1, 2, 1000, 30000, 10**6, 2**31)] == [3, 5, 23, 32, 43, 64]
    assert philox.permutation(0, philox.PhiloxState(1)).shape == (0,)


@here
@settings(max_examples=15)
@given(seeds, counts, st.sampled_from([np.float16, np.float32, np.float64]), st.integers(1, 3))
def test_dropout(philox, seed, n, dtype, most):
    import cupy

    x = np.random.RandomState(0).standard_normal(n).astype(dtype)
    together = next(v for v in (16 // x.itemsize, 4, 2, 1) if v * x.itemsize <= 16 and n % v == 0)
    with gpu_of(philox, most):
        state = philox.PhiloxState(seed)
        y, kept = (a.get() for a in philox.dropout(cupy.asarray(x), 0.75, state))
    threads = 256 * min(most, -(-n // 256))
    if together == 1:
        u = Stream(seed, 0, most).uniform(n)
    else:  # a thread's elements side by side; it calls once for every four of them, or for two
        rounds, calls = -(-n // (threads * together)), -(-together // 4)
        u = floats(words(seed, 0, threads, rounds * calls))[:, : min(4, together)]  # (calls, of a call, threads)
        u = u.reshape(rounds, together, threads).swapaxes(1, 2).reshape(-1)[:n]
    keep = np.float64(0.75) if dtype == np.float64 else np.float32(0.75)
    np.testing.assert_array_equal(kept, u < keep)
    np.testing.assert_array_equal(y, (x.astype(type(keep)) * kept * type(keep)(1 / keep)).astype(dtype))
    assert state.offset == 4 * -(-n // (threads * 4))


@here
def test_a_probability_for_each(philox):
    import cupy

    p = np.random.RandomState(1).rand(1001)
    state = philox.PhiloxState(3, 8)
    for dtype, kind in ((np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float32)):
        offset = state.offset
        drawn = philox.bernoulli_each(cupy.asarray(p), dtype, state).get()
        u = floats(words(3, offset, 512, 1))[0].T.reshape(-1)[:1001]
        np.testing.assert_array_equal(drawn, (u <= p.astype(kind)).astype(dtype))
        assert state.offset == offset + 12


@here
def test_a_graph_reads_seed_and_offset_from_the_device(philox):
    import cupy

    eager, captured = philox.PhiloxState(5, 12), philox.PhiloxState(5, 12)
    expected = [philox.uniform((700,), np.float32, 0.0, 1.0, eager).get() for _ in range(2)]
    buffer = cupy.zeros((2,), np.uint64)
    captured.prepare(buffer, 0)
    captured.begin_capture(buffer)
    found = [philox.uniform((700,), np.float32, 0.0, 1.0, captured).get() for _ in range(2)]
    with pytest.raises(RuntimeError, match="already used by a graph"):
        captured.begin_capture(buffer)
    increment = captured.end_capture()
    np.testing.assert_array_equal(found, expected)
    captured.prepare(buffer, increment)
    assert captured.offset == eager.offset
    assert buffer.get().tolist() == [5, 12]


@here
def test_nothing_to_draw_leaves_the_offset(philox):
    state = philox.PhiloxState(1)
    assert philox.normal((0, 3), np.float32, 0.0, 1.0, state).shape == (0, 3)
    assert state.offset == 0
    with pytest.raises(TypeError, match="floating dtype, not int64"):
        philox.uniform((1,), np.int64, 0.0, 1.0, state)
    with pytest.raises(ValueError, match="span of 0"):
        philox.integers((1,), 0, 0, state)


def _torch_on_gpu():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    return torch


@pytest.mark.gpu
@pytest.mark.parametrize("n", [1, 1000, 1 << 20, (1 << 22) + 1])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_torch_draws_the_same(philox, n, dtype):
    """Bit for bit: uniform, normal, Bernoulli, exponential, integers and dropout, one after the other."""
    torch = _torch_on_gpu()
    import cupy

    torch.cuda.manual_seed(11)
    state, of_torch = philox.PhiloxState(11), getattr(torch, dtype)
    fresh = torch.empty(n, device="cuda", dtype=of_torch)
    pairs = [
        ("uniform", fresh.clone().uniform_(-1, 2), philox.uniform((n,), dtype, -1.0, 2.0, state)),
        ("normal", fresh.clone().normal_(1, 3), philox.normal((n,), dtype, 1.0, 3.0, state)),
        ("bernoulli", fresh.clone().bernoulli_(0.3), philox.bernoulli((n,), 0.3, state, dtype)),
        ("exponential", fresh.clone().exponential_(2.0), philox.exponential((n,), dtype, 2.0, state)),
        ("randint", torch.randint(-5, 100, (n,), device="cuda"), philox.integers((n,), -5, 105, state)),
        ("wide randint", torch.randint(2**40, (n,), device="cuda"), philox.integers((n,), 0, 2**40, state)),
    ]
    for size in (1, n, 40000):
        pairs.append(("randperm", torch.randperm(size, device="cuda"), philox.permutation(size, state)))
    x = cupy.arange(n).astype(dtype)
    y = philox.dropout(x, 0.7, state)[0]
    pairs.append(("dropout", torch.dropout(torch.arange(n, device="cuda").to(of_torch), 0.3, True), y))
    for name, theirs, ours in pairs:
        np.testing.assert_array_equal(ours.get(), theirs.cpu().numpy(), err_msg=name)
    offset = int.from_bytes(torch.cuda.get_rng_state().numpy().tobytes()[8:16], "little")
    assert state.offset == offset
