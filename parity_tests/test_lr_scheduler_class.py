"""minitorch2.optim.lr_scheduler against torch's: schedules made of schedules, warnings, errors."""

import re

import pytest
from schedules_side_by_side import LIBRARIES, Decay, halves, make_optimizer, options, plain, run, same


def programs():
    def sequential(lib):
        L = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        parts = [L.ConstantLR(optimizer, 0.1, 3), L.StepLR(optimizer, 2), L.ExponentialLR(optimizer, 0.9)]
        scheduler = L.SequentialLR(optimizer, parts, [5, 12])
        trace = run(optimizer, scheduler, 20)
        return trace, plain(scheduler.state_dict()), list(scheduler.state_dict())

    def sequential_from_the_second(lib):
        L = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        parts = [L.LinearLR(optimizer), L.CosineAnnealingLR(optimizer, 10)]
        return run(optimizer, L.SequentialLR(optimizer, parts, [0]), 12)

    def nested(lib):
        L = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        inner = L.SequentialLR(optimizer, [L.LinearLR(optimizer), L.StepLR(optimizer, 3)], [4])
        outer = L.SequentialLR(optimizer, [inner, L.CosineAnnealingLR(optimizer, 5)], [9])
        return run(optimizer, outer, 15)

    def chained(lib):
        L = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        scheduler = L.ChainedScheduler([L.ConstantLR(optimizer, 0.1, 3), L.ExponentialLR(optimizer, 0.9)])
        trace = run(optimizer, scheduler, 9)
        return trace, plain(scheduler.state_dict()), list(scheduler.state_dict())

    def sequential_resumes(lib):
        L = lib.optim.lr_scheduler

        def build():
            optimizer = make_optimizer(lib)
            parts = [L.LinearLR(optimizer, total_iters=4), L.LambdaLR(optimizer, Decay(0.9))]
            return optimizer, L.SequentialLR(optimizer, parts, [4])

        optimizer, scheduler = build()
        run(optimizer, scheduler, 6)
        fresh, again = build()
        again.load_state_dict(scheduler.state_dict())
        fresh.load_state_dict(optimizer.state_dict())
        return run(fresh, again, 6)

    def two_at_a_time(lib):
        L = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        first, second = L.StepLR(optimizer, 3, 0.5), L.CosineAnnealingLR(optimizer, 20)
        trace = []
        for _ in range(30):
            optimizer.step()
            first.step()
            second.step()
            trace.append((options(optimizer), first.get_last_lr(), second.get_last_lr()))
        return trace

    def tensor_learning_rate(lib):
        optimizer = make_optimizer(lib, lr=lib.tensor(0.1))
        rate = optimizer.param_groups[0]["lr"]
        scheduler = lib.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
        trace = run(optimizer, scheduler, 4)
        return trace, rate is optimizer.param_groups[0]["lr"], rate.tolist(), plain(scheduler.base_lrs)

    def group_added_for_plateau(lib):
        optimizer = make_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.01)
        optimizer.add_param_group({"params": [lib.nn.Parameter(lib.zeros(1))], "lr": 1.0})
        return run(optimizer, scheduler, 3, [1.0, 1.0, 1.0])

    def own_schedule(lib):
        class Warmup(lib.optim.lr_scheduler.LRScheduler):
            def __init__(self, optimizer, warmup, last_epoch=-1):
                self.warmup = warmup
                super().__init__(optimizer, last_epoch)

            def get_lr(self):
                scale = min(1.0, (self.last_epoch + 1) / self.warmup)
                return [base * scale for base in self.base_lrs]

        optimizer = make_optimizer(lib)
        return run(optimizer, Warmup(optimizer, 4), 6)

    def scheduler_before_optimizer(lib):
        optimizer = make_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.StepLR(optimizer, 2)
        scheduler.step()
        optimizer.step()
        scheduler.step()

    def step_overridden(lib):
        optimizer = make_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.StepLR(optimizer, 2)
        optimizer.step = lambda: None
        scheduler.step()

    def get_lr_outside_step(lib):
        optimizer = make_optimizer(lib)
        return lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.5).get_lr()

    def old_base_class_name(lib):
        return issubclass(lib.optim.lr_scheduler.StepLR, lib.optim.lr_scheduler._LRScheduler.__mro__[-2])

    return {f.__name__: f for f in list(locals().values())}


PROGRAMS = programs()


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_do_the_same(name):
    result = same(PROGRAMS[name])
    assert not (isinstance(result, tuple) and isinstance(result[0], type)), result


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scheduler_before_optimizer", r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"),
        ("step_overridden", r"`optimizer.step\(\)` has been overridden"),
        ("get_lr_outside_step", r"please use `get_last_lr\(\)`"),
    ],
)
def test_warnings(name, text):
    for lib in LIBRARIES:
        with pytest.warns(UserWarning, match=text):
            PROGRAMS[name](lib)


def composed(lib, kind, *arguments, parts=None, other=False):
    L = lib.optim.lr_scheduler
    optimizer = make_optimizer(lib)
    inner = make_optimizer(lib) if other else optimizer
    parts = parts(L, inner) if parts else [L.StepLR(inner, 1), L.StepLR(inner, 2)]
    return (
        getattr(L, kind)(optimizer, parts, *arguments)
        if kind == "SequentialLR"
        else L.ChainedScheduler(parts, optimizer)
    )


def beyond_the_last(lib):
    optimizer = make_optimizer(lib)
    run(optimizer, lib.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3), 5)


def groups_changed(lib):
    optimizer = make_optimizer(lib)
    scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.1, 0.2])
    optimizer.add_param_group({"params": [lib.nn.Parameter(lib.zeros(1))]})
    run(optimizer, scheduler, 3, [1.0, 1.0, 1.0])


def of(name, *arguments, **more):
    return lambda lib: getattr(lib.optim.lr_scheduler, name)(make_optimizer(lib), *arguments, **more)


ERRORS = {
    "no optimizer": lambda lib: lib.optim.lr_scheduler.StepLR(3, 1),
    "no optimizer for plateau": lambda lib: lib.optim.lr_scheduler.ReduceLROnPlateau("sgd"),
    "no optimizer for one cycle": lambda lib: lib.optim.lr_scheduler.OneCycleLR(None, 0.1, 10),
    "lambdas": of("LambdaLR", [halves]),
    "multiplicative": of("MultiplicativeLR", 0.5),
    "multiplicative for two": of("MultiplicativeLR", [1, 2]),
    "constant": of("ConstantLR", 1.5),
    "linear start": of("LinearLR", 0.0),
    "linear end": of("LinearLR", 0.5, 2.0),
    "restarts T_0": of("CosineAnnealingWarmRestarts", 0),
    "restarts float T_0": of("CosineAnnealingWarmRestarts", 1.5),
    "restarts T_mult": of("CosineAnnealingWarmRestarts", 1, 0),
    "restarts eta_min": of("CosineAnnealingWarmRestarts", 1, 1, "0"),
    "restarts epoch": lambda lib: of("CosineAnnealingWarmRestarts", 3)(lib).step(-1),
    "plateau factor": of("ReduceLROnPlateau", factor=1.0),
    "plateau mode": of("ReduceLROnPlateau", "best"),
    "plateau threshold_mode": of("ReduceLROnPlateau", threshold_mode="both"),
    "plateau min_lr": of("ReduceLROnPlateau", min_lr=[0.1]),
    "plateau groups": groups_changed,
    "cyclic mode": of("CyclicLR", 0.1, 0.2, mode="square"),
    "cyclic lrs": of("CyclicLR", [0.1], 0.2),
    "cyclic momentum": lambda lib: lib.optim.lr_scheduler.CyclicLR(make_optimizer(lib, "Adagrad"), 0.1, 0.2),
    "one cycle momentum": lambda lib: lib.optim.lr_scheduler.OneCycleLR(make_optimizer(lib, "Adagrad"), 0.1, 9),
    "one cycle steps": of("OneCycleLR", 0.1),
    "one cycle total_steps": of("OneCycleLR", 0.1, 0),
    "one cycle epochs": of("OneCycleLR", 0.1, epochs=0, steps_per_epoch=3),
    "one cycle steps_per_epoch": of("OneCycleLR", 0.1, epochs=1, steps_per_epoch=1.5),
    "one cycle pct_start": of("OneCycleLR", 0.1, 10, pct_start=1),
    "one cycle anneal": of("OneCycleLR", 0.1, 10, anneal_strategy="sine"),
    "one cycle end": beyond_the_last,
    "no schedules": lambda lib: composed(lib, "SequentialLR", [], parts=lambda L, o: []),
    "no chain": lambda lib: composed(lib, "ChainedScheduler", parts=lambda L, o: []),
    "milestones": lambda lib: composed(lib, "SequentialLR", [1, 2]),
    "plateau in sequence": lambda lib: composed(
        lib, "SequentialLR", [1], parts=lambda L, o: [L.StepLR(o, 1), L.ReduceLROnPlateau(o)]
    ),
    "plateau in chain": lambda lib: composed(lib, "ChainedScheduler", parts=lambda L, o: [L.ReduceLROnPlateau(o)]),
    "another optimizer": lambda lib: composed(lib, "SequentialLR", [1], other=True),
    "another optimizer's chain": lambda lib: composed(lib, "ChainedScheduler", other=True),
    "no scheduler": lambda lib: composed(lib, "SequentialLR", [1], parts=lambda L, o: [L.StepLR(o, 1), 3]),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_as_torch(case):
    assert isinstance(same(ERRORS[case])[0], type)


def test_resuming_without_initial_lr():
    """The error is torch's; the advice after its first sentence is our own."""
    for lib in LIBRARIES:
        with pytest.raises(KeyError, match=re.escape("param 'initial_lr' is not specified in param_groups[0]")):
            lib.optim.lr_scheduler.StepLR(make_optimizer(lib), 1, last_epoch=2)
