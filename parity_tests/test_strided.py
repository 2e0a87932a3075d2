"""as_strided and its kin: drawn sizes and strides against torch, gradients and second gradients; resize_ and set_."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import same

import minitorch2 as mt

geometry = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=3)


@given(geometry, st.integers(0, 3))
def test_views_and_their_gradients(dims, offset):
    """Overlapping windows too: an element has the sum of its places' gradients."""
    size, stride = [n for n, _ in dims], [s for _, s in dims]

    def run(lib):
        x = lib.arange(24.0, dtype=lib.float64).reshape(4, 6).requires_grad_()
        y = lib.as_strided(x, size, stride, offset)
        weights = lib.arange(1.0, 1 + y.numel(), dtype=lib.float64).reshape(y.shape)
        (g,) = lib.autograd.grad((y**3 * weights).sum(), x, create_graph=True)
        (gg,) = lib.autograd.grad((g * x).sum(), x)
        return y, y.storage_offset() if y.numel() else 0, g, gg

    same(run)


@given(st.integers(0, 5), st.integers(0, 5))
def test_of_a_view(start, n):
    def run(lib):
        x = lib.arange(12.0).reshape(3, 4)
        row = x[1:].t()
        return row.as_strided((n,), (1,)), row.as_strided((n,), (1,), start), x[2, 1:].as_strided((2,), (-1 + 2,))

    same(run)


def test_writing_through_one():
    def run(lib):
        w = lib.arange(6.0, requires_grad=True)
        x = w * 1
        x.as_strided((2, 2), (3, 1)).mul_(lib.tensor([[2.0, 3.0], [4.0, 5.0]]))
        (x * x).sum().backward()
        return x, w.grad

    same(run)


def test_empty_strided_lies_as_it_says():
    for lib in (mt, torch):
        x = lib.empty_strided((2, 3), (1, 2), dtype=lib.float64)
        assert x.stride() == (1, 2) and x.shape == (2, 3) and not x.is_contiguous()
        x.fill_(7)
        assert x.tolist() == [[7.0] * 3] * 2
        assert x.new_empty_strided((3,), (2,)).stride() == (2,) and x.new_empty_strided((3,), (2,)).dtype is lib.float64


def test_resize_and_set():
    def run(lib):
        x = lib.arange(6.0)
        smaller = x.clone().resize_(2, 2)
        larger = x.clone().resize_(3, 3).flatten()[:6]
        alike = x.clone().resize_as_(lib.ones(3, 2))
        source, there = lib.arange(3.0), lib.zeros(2)
        there.set_(source)
        there.add_(1)
        return smaller, larger, alike, source, source._version, there.untyped_storage().nbytes()

    same(run)


def test_resize_takes_a_memory_format():
    def run(lib):
        x, last = lib.arange(96.0), lib.zeros(1, 2, 3, 3).to(memory_format=lib.channels_last)
        made = [
            x.clone().resize_(2, 3, 4, 4, memory_format=lib.channels_last),
            x.clone().resize_(2, 3, 4, 4, memory_format=lib.contiguous_format),
            x.clone().resize_as_(last),
            x.clone().resize_as_(last, memory_format=lib.preserve_format),
            x.clone().resize_as_(last.contiguous(), memory_format=lib.preserve_format),
            x.clone().resize_as_(last, memory_format=lib.channels_last),
        ]
        return made, [y.stride() for y in made]

    same(run)


def test_storages_tell_who_shares_memory():
    for lib in (mt, torch):
        x = lib.arange(6.0)
        assert x[2:].untyped_storage().data_ptr() == x.view(2, 3).t().untyped_storage().data_ptr()
        assert x.clone().untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
        assert len(x[:1].untyped_storage()) == x.untyped_storage().size() == 24
        assert lib.tensor([1, 2], dtype=lib.uint8).untyped_storage().tolist() == [1, 2]


def test_a_gradient_without_memory_of_its_own():
    """The gradient of a sum is one number seen everywhere: it may not be looked into as if it were a row of numbers."""
    x = mt.ones(1000, requires_grad=True)
    y = x * 1
    y.as_strided((3,), (300,)).zero_()
    y.sum().backward()
    expected = np.ones(1000, np.float32)
    expected[[0, 300, 600]] = 0
    np.testing.assert_array_equal(x.grad.cpu().numpy(), expected)
