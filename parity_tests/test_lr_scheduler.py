"""minitorch2.optim.lr_scheduler against torch's: learning rates equal to the last bit, states key by key.

Both sides compute on Python floats in the same order, so nothing here has a tolerance.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedules_side_by_side import LIBRARIES, Decay, assert_same_states, halves, make_optimizer, run, same

STEPS = 50

gamma = st.sampled_from([0.1, 0.5, 0.97, 1.0])
iters = st.integers(1, 60)


def keywords(**strategies):
    return st.fixed_dictionaries({}, optional=strategies)


# name -> strategy of (positional, keyword) arguments after the optimizer; factories make objects anew per
# library
SCHEDULES = {
    "LambdaLR": st.tuples(
        st.sampled_from([[lambda: halves], [lambda: Decay(0.9)], [lambda: [halves, Decay(0.5)]]]), st.just({})
    ),
    "MultiplicativeLR": st.tuples(
        st.sampled_from([[lambda: halves], [lambda: Decay(0.99)], [lambda: [Decay(0.999), halves]]]),
        st.just({}),
    ),
    "StepLR": st.tuples(st.tuples(st.integers(1, 20)), keywords(gamma=gamma)),
    "MultiStepLR": st.tuples(st.tuples(st.lists(st.integers(0, 49), max_size=5)), keywords(gamma=gamma)),
    "ExponentialLR": st.tuples(st.tuples(gamma), st.just({})),
    "ConstantLR": st.tuples(st.just(()), keywords(factor=st.sampled_from([0.25, 1.0]), total_iters=iters)),
    "LinearLR": st.tuples(
        st.just(()),
        keywords(
            start_factor=st.sampled_from([0.1, 1.0]),
            end_factor=st.sampled_from([0.0, 0.7]),
            total_iters=iters,
        ),
    ),
    "PolynomialLR": st.tuples(st.just(()), keywords(total_iters=iters, power=st.sampled_from([0.5, 1.0, 2.0]))),
    "CosineAnnealingLR": st.tuples(st.tuples(iters), keywords(eta_min=st.sampled_from([0.0, 0.01]))),
    "CosineAnnealingWarmRestarts": st.tuples(
        st.tuples(st.integers(1, 20)),
        keywords(T_mult=st.integers(1, 3), eta_min=st.sampled_from([0.0, 0.01])),
    ),
    "CyclicLR": st.tuples(
        st.sampled_from([(0.01, 0.1), ([0.01, 0.02], [0.3, 0.2])]),
        keywords(
            step_size_up=st.integers(1, 20),
            step_size_down=st.integers(1, 20),
            mode=st.sampled_from(["triangular", "triangular2", "exp_range"]),
            gamma=st.sampled_from([0.9, 1.0]),
            scale_fn=st.sampled_from([lambda: halves, lambda: Decay(0.9)]),
            scale_mode=st.sampled_from(["cycle", "iterations"]),
            cycle_momentum=st.booleans(),
            max_momentum=st.sampled_from([0.95, 0.99]),
        ),
    ),
    "OneCycleLR": st.tuples(
        st.sampled_from([(0.1,), ([0.1, 0.3],)]),
        st.builds(
            dict,
            st.sampled_from([{"total_steps": 60}, {"epochs": 6, "steps_per_epoch": 10}]),
            pct_start=st.sampled_from([0.1, 0.3, 0.45]),
            anneal_strategy=st.sampled_from(["cos", "linear"]),
            cycle_momentum=st.booleans(),
            div_factor=st.sampled_from([25.0, 3.0]),
            three_phase=st.booleans(),
        ),
    ),
}


def made(value):
    """Calls the factories in the arguments, so that each library gets objects of its own."""
    return value() if callable(value) else value


def make(lib, name, optimizer, arguments, **more):
    positional, keyword = arguments
    keyword = {key: made(value) for key, value in keyword.items()}
    return getattr(lib.optim.lr_scheduler, name)(optimizer, *map(made, positional), **keyword, **more)


@pytest.mark.parametrize("name", SCHEDULES)
@given(data=st.data())
def test_learning_rates_are_equal(name, data):
    arguments = data.draw(SCHEDULES[name])
    kind = data.draw(st.sampled_from(["SGD", "Adam"]))
    states = []

    def program(lib):
        optimizer = make_optimizer(lib, kind)
        scheduler = make(lib, name, optimizer, arguments)
        trace = run(optimizer, scheduler, STEPS)
        states.append(scheduler.state_dict())
        return trace

    assert not isinstance(same(program), tuple)  # no error in either
    assert_same_states(*states)


@pytest.mark.parametrize("name", SCHEDULES)
@given(data=st.data())
def test_resuming_from_a_checkpoint(name, data):
    """Optimizer and schedule saved after some steps, loaded into new ones (of either library), go on the
    same."""
    arguments = data.draw(SCHEDULES[name])
    before = data.draw(st.integers(0, 30))
    origin = data.draw(st.sampled_from(LIBRARIES))

    optimizer = make_optimizer(origin)
    scheduler = make(origin, name, optimizer, arguments)
    run(optimizer, scheduler, before)
    saved = optimizer.state_dict()["param_groups"], scheduler.state_dict()
    expected = run(optimizer, scheduler, STEPS - 1 - before)

    def resumed(lib):
        fresh = make_optimizer(lib)
        again = make(lib, name, fresh, arguments)
        again.load_state_dict(dict(saved[1]))
        fresh.load_state_dict({"state": {}, "param_groups": saved[0]})
        return run(fresh, again, STEPS - 1 - before)

    # The saved attributes of callable objects were copied at saving time, the rest is numbers.
    assert same(resumed) == expected


@pytest.mark.parametrize("name", SCHEDULES)
@given(data=st.data())
def test_resuming_by_last_epoch(name, data):
    arguments = data.draw(SCHEDULES[name])
    last_epoch = data.draw(st.integers(0, 20))

    def program(lib):
        optimizer = make_optimizer(lib)
        scheduler = make(lib, name, optimizer, arguments)
        run(optimizer, scheduler, last_epoch)
        return run(optimizer, make(lib, name, optimizer, arguments, last_epoch=last_epoch), 20)

    same(program)


@pytest.mark.parametrize("name", SCHEDULES)
@given(data=st.data())
def test_stepping_to_an_epoch(name, data):
    arguments = data.draw(SCHEDULES[name])
    epochs = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=5))

    def program(lib):
        optimizer = make_optimizer(lib)
        return run(optimizer, make(lib, name, optimizer, arguments), len(epochs), epochs)

    same(program)


@given(epochs=st.lists(st.floats(0, 60), min_size=1, max_size=8), mult=st.integers(1, 3))
def test_warm_restarts_take_fractions_of_an_epoch(epochs, mult):
    def program(lib):
        optimizer = make_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 7, T_mult=mult)
        return (
            run(optimizer, scheduler, len(epochs), epochs),
            scheduler.T_cur,
            scheduler.T_i,
            scheduler.last_epoch,
        )

    same(program)


@given(
    metrics=st.lists(st.sampled_from([0.5, 0.9, 0.99, 1.0, 1.01, 1.5]), min_size=STEPS, max_size=STEPS),
    settings=keywords(
        mode=st.sampled_from(["min", "max"]),
        factor=st.sampled_from([0.1, 0.5]),
        patience=st.integers(0, 3),
        threshold=st.sampled_from([1e-4, 0.02]),
        threshold_mode=st.sampled_from(["rel", "abs"]),
        cooldown=st.integers(0, 3),
        min_lr=st.sampled_from([0, 0.004, [0.001, 0.02]]),
        eps=st.sampled_from([1e-8, 0.01]),
    ),
)
def test_reduce_on_plateau(metrics, settings):
    states = []

    def program(lib):
        optimizer = make_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
        first = run(optimizer, scheduler, STEPS // 2, metrics)
        states.append(scheduler.state_dict())
        again = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        again.load_state_dict(scheduler.state_dict())
        return first, run(optimizer, again, STEPS // 2, [lib.tensor(m) for m in metrics[STEPS // 2 :]])

    same(program)
    assert_same_states(*states)
