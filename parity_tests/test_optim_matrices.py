"""Adafactor and Muon, which see a parameter as a matrix, against torch's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optim_side_by_side import Run, draw_gradients, flag, keywords, loops, lr, to_numpy, weight_decay
from side_by_side import BOTH

import minitorch2 as mt

ADAFACTOR = keywords(
    beta2_decay=st.sampled_from([-0.8, -0.3, 0.0]),
    eps=st.sampled_from([(None, 1e-3), (1e-4, 0.1)]),
    d=st.sampled_from([1.0, 2.0]),
    **loops,
)
MUON = st.fixed_dictionaries(
    {},
    optional={
        "lr": lr,
        "weight_decay": weight_decay,
        "momentum": st.sampled_from([0.95, 0.5, 0.0]),
        "nesterov": flag,
        "ns_steps": st.sampled_from([0, 1, 5]),
        "adjust_lr_fn": st.sampled_from([None, "original", "match_rms_adamw"]),
    },
)


@given(data=st.data())
def test_adafactor_steps_as_torch(data):
    shapes = data.draw(st.lists(st.sampled_from([(), (1,), (7,), (3, 5), (5, 2), (2, 3, 4)]), min_size=1, max_size=3))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    run = Run("Adafactor", data.draw(ADAFACTOR), arrays)
    for i in range(data.draw(st.integers(1, 8))):
        run.step(draw_gradients(rng, arrays, missing=i == 1))
    run.check()


def test_adafactor_of_an_empty_parameter():
    """torch divides by its number of elements, which is 0."""
    p = mt.nn.Parameter(mt.zeros(0, 3))
    p.grad = mt.zeros(0, 3)
    mt.optim.Adafactor([p]).step()
    assert p.shape == (0, 3)


@given(data=st.data())
def test_muon_steps_as_torch(data):
    shapes = data.draw(st.lists(st.sampled_from([(3, 5), (5, 2), (1, 4), (0, 3), (20, 30)]), min_size=1, max_size=3))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    options = data.draw(MUON)
    run = Run("Muon", options, arrays)
    steps = data.draw(st.integers(1, 5))
    for i in range(steps):
        run.step(draw_gradients(rng, arrays, missing=i == 1))
    # The direction is computed in bfloat16: a sum of products that falls on the other side of a rounding differs by
    # 2**-8, which five iterations multiply by up to 3.4445**5; it has happened in larger matrices, to a few elements.
    scale = options.get("lr", 1e-3) * (0.2 * 30**0.5 if options.get("adjust_lr_fn") == "match_rms_adamw" else 1.6)
    for p, q in zip(run.params["minitorch2"], run.params["torch"], strict=True):
        ours, theirs = to_numpy(p), to_numpy(q)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=0.05 * steps * scale)
        if ours.size < 16:
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    state, expected = run.state_dict("minitorch2"), run.state_dict("torch")
    assert state["param_groups"] == expected["param_groups"] and list(state["state"]) == list(expected["state"])
    for key, values in expected["state"].items():
        np.testing.assert_allclose(
            state["state"][key]["momentum_buffer"], values["momentum_buffer"], rtol=1e-5, atol=1e-6
        )


def test_muon_makes_the_direction_orthogonal():
    p = mt.nn.Parameter(mt.zeros(6, 4))
    p.grad = mt.from_numpy(np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32))
    mt.optim.Muon([p], lr=1.0, weight_decay=0.0, adjust_lr_fn="original").step()
    sizes = mt.linalg.svdvals(p.detach() / (6 / 4) ** 0.5)
    assert ((sizes > 0.6) & (sizes < 1.3)).all()


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_muon_leaves_the_average_alone(half):
    """torch normalises the momentum itself where it is bfloat16 and nesterov is off, since the cast makes no copy."""
    p = mt.nn.Parameter(mt.zeros(2, 2, dtype=getattr(mt, half)))
    p.grad = mt.full((2, 2), 3.0, dtype=p.dtype)
    optimizer = mt.optim.Muon([p], momentum=0.5, nesterov=False)
    optimizer.step()
    assert (optimizer.state[p]["momentum_buffer"] == 1.5).all()


REFUSED = {
    "Adafactor": [
        {"lr": -1},
        {"beta2_decay": 1},
        {"eps": (-1, 1)},
        {"eps": (None, -1)},
        {"d": 0.5},
        {"weight_decay": -1},
    ],
    "Muon": [{"lr": -1}, {"momentum": -1}, {"weight_decay": -1}, {"adjust_lr_fn": "x"}],
}


@pytest.mark.parametrize(("name", "options"), [(name, options) for name, rows in REFUSED.items() for options in rows])
def test_values_out_of_range(name, options):
    messages = []
    for lib in (mt, torch):
        with pytest.raises(ValueError) as caught:
            getattr(lib.optim, name)([lib.nn.Parameter(lib.zeros(2, 2))], **options)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("lib", BOTH)
def test_what_muon_does_not_take(lib):
    with pytest.raises(ValueError, match="2D parameters whereas we found a parameter with size"):
        lib.optim.Muon([lib.nn.Parameter(lib.zeros(3))])
    p = lib.nn.Parameter(lib.zeros(2, 2))
    p.grad = lib.ones(2, 2)
    for options, words in (({"ns_steps": 100}, "less than 100"), ({"ns_coefficients": (1, 2)}, "exactly 3 values")):
        with pytest.raises(ValueError, match=words):
            lib.optim.Muon([p], **options).step()


@pytest.mark.parametrize("name", ["Adafactor", "Muon"])
def test_defaults_are_torchs(name):
    ours, theirs = (getattr(lib.optim, name)([lib.nn.Parameter(lib.zeros(2, 2))]) for lib in (mt, torch))
    assert list(ours.defaults.items()) == list(theirs.defaults.items())
    assert repr(ours) == repr(theirs)
