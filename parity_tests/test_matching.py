"""load_matching and find_state_dict: the part of somebody else's checkpoint that fits, and a report on the rest."""

import io
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as mt
from minitorch2.serialization import LoadReport, find_state_dict, load_matching


def net(lib, classes=10, seed=0) -> Any:
    lib.manual_seed(seed)
    features = lib.nn.Sequential(lib.nn.Conv2d(3, 4, 3, bias=False), lib.nn.BatchNorm2d(4))
    return lib.nn.Sequential(OrderedDict(features=features, head=lib.nn.Linear(4, classes)))


def from_file(state):
    """As a fine-tuner gets it: written by torch, read by ours."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return mt.load(file)


def arrays(module):
    return {name: t.detach().numpy().copy() for name, t in module.state_dict().items()}


def assert_loaded(model, names, theirs, untouched):
    """These names have the file's numbers, all others what they had."""
    source = arrays(theirs)
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, source[name] if name in names else untouched[name], err_msg=name)


FEATURES = [f"features.1.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]
FEATURES.insert(0, "features.0.weight")
HEAD = ["head.weight", "head.bias"]


def trained(classes):
    theirs = net(torch, classes, seed=1)
    theirs.features(torch.randn(8, 3, 5, 5))  # statistics that are not those of a new layer
    return theirs


def test_a_new_head_on_old_features():
    theirs, ours = trained(1000), net(mt)
    before, grads = arrays(ours), [p.requires_grad for p in ours.parameters()]
    report = load_matching(ours, from_file(theirs.state_dict()))
    assert report.loaded == FEATURES and report.missing == report.skipped == report.unexpected == []
    assert report.mismatched == {
        "head.weight": "shape differs: here (10, 4), file (1000, 4)",
        "head.bias": "shape differs: here (10,), file (1000,)",
    }
    assert report.converted == {} and (report.loaded_numbers, report.all_numbers) == (125, 175)
    assert_loaded(ours, FEATURES, theirs, before)
    assert [p.requires_grad for p in ours.parameters()] == grads
    assert str(report) == "\n".join(
        [
            "loaded 6 of 8 tensors, 125 of 175 numbers",
            "  loaded (6)                  features.0.weight",
            "                              features.1.weight",
            "                              features.1.bias",
            "                              features.1.running_mean",
            "                              features.1.running_var",
            "                              features.1.num_batches_tracked",
            "  does not fit (2)            head.weight: shape differs: here (10, 4), file (1000, 4)",
            "                              head.bias: shape differs: here (10,), file (1000,)",
        ]
    )


def test_the_table_is_short_and_the_report_complete():
    many = mt.nn.Sequential(*[mt.nn.Linear(1, 1) for _ in range(20)])
    report = load_matching(many, many.state_dict())
    assert len(report.loaded) == 40 and "... and 32 more" in str(report) and len(str(report).splitlines()) == 10


RENAMED = {
    "a prefix": (lambda n: f"module.{n}", {"strip_prefix": "module."}),
    "a dict": (lambda n: n.replace("features.", "encoder.body."), {"rename": {"encoder.body.": "features."}}),
    "the longest of two": (
        lambda n: "enc." + n.removeprefix("features.") if n in FEATURES else "enc.top." + n,
        {"rename": {"enc.": "features.", "enc.top.": ""}},
    ),
    "strip, then rename": (
        lambda n: "module." + n.replace("head.", "fc."),
        {"strip_prefix": "module.", "rename": {"fc.": "head."}},
    ),
    "a function": (lambda n: n.replace(".", "/"), {"rename": lambda n: n.replace("/", ".")}),
}


@pytest.mark.parametrize(("change", "options"), RENAMED.values(), ids=RENAMED)
def test_names_are_translated(change, options):
    theirs, ours = trained(10), net(mt)
    state = OrderedDict((change(name), tensor) for name, tensor in theirs.state_dict().items())
    report = load_matching(ours, from_file(state), **options)
    assert sorted(report.loaded) == sorted(FEATURES + HEAD) and not report.unexpected and not report.missing
    assert_loaded(ours, FEATURES + HEAD, theirs, {})


@pytest.mark.parametrize(
    ("skip", "skipped"),
    [
        ("head", HEAD),
        (["*.bias"], ["features.1.bias", "head.bias"]),
        (["features.?.weight", "head"], ["features.0.weight", "features.1.weight", *HEAD]),
        ("features.1.running*", ["features.1.running_mean", "features.1.running_var"]),
    ],
)
def test_what_is_skipped_stays(skip, skipped):
    theirs, ours = trained(10), net(mt)
    before = arrays(ours)
    report = load_matching(ours, from_file(theirs.state_dict()), skip=skip)
    assert report.skipped == skipped and not set(skipped) & set(report.loaded)
    assert_loaded(ours, report.loaded, theirs, before)


def test_what_the_file_has_and_the_model_has_not():
    theirs = OrderedDict(trained(10).state_dict(), **{"aux.weight": torch.ones(1), "ema": torch.ones(2)})
    report = load_matching(net(mt), from_file(theirs), skip="aux")
    assert report.unexpected == ["ema"] and report.skipped == ["aux.weight"]
    report = load_matching(net(mt), from_file(theirs), rename=lambda n: None if n.startswith("aux") else n)
    assert report.unexpected == ["ema"] and report.skipped == ["aux.weight"]
    assert "unexpected in the file (1)  ema" in str(report)


def test_what_the_model_has_and_the_file_has_not():
    state = trained(10).state_dict()
    del state["head.bias"], state["features.1.running_mean"]
    ours = net(mt)
    before = arrays(ours)
    report = load_matching(ours, from_file(state))
    assert report.missing == ["features.1.running_mean", "head.bias"]
    np.testing.assert_array_equal(arrays(ours)["head.bias"], before["head.bias"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "bool"])
def test_dtypes_are_converted_as_torch_does_and_said(dtype):
    theirs = torch.nn.Linear(3, 2)
    state = {name: (t * 3).to(getattr(torch, dtype)) for name, t in theirs.state_dict().items()}
    theirs.load_state_dict(state)
    ours = mt.nn.Linear(3, 2)
    report = load_matching(ours, from_file(state))
    assert report.converted == dict.fromkeys(["weight", "bias"], f"{dtype} to float32")
    assert ours.weight.dtype is mt.float32
    assert_loaded(ours, ["weight", "bias"], theirs, {})


def test_fractions_are_not_cut_off():
    ours = mt.nn.BatchNorm1d(2)
    state = dict(ours.state_dict(), num_batches_tracked=mt.tensor(2.5))
    report = load_matching(ours, state)
    assert report.mismatched == {"num_batches_tracked": "dtype differs: here int64, file float32"}
    assert ours.num_batches_tracked.item() == 0


def test_states_of_older_layers_are_understood():
    """A BatchNorm of before torch 0.4.1 has no num_batches_tracked; the version in the file says so, renamed or not."""
    theirs = trained(10).state_dict()
    del theirs["features.1.num_batches_tracked"]
    theirs._metadata["features.1"]["version"] = 1
    state = from_file(theirs)
    ours = net(mt)
    ours.features[1].num_batches_tracked.fill_(3)
    assert load_matching(ours, state).missing == ["features.1.num_batches_tracked"]
    assert ours.features[1].num_batches_tracked.item() == 3
    seen = []

    class Watched(mt.nn.BatchNorm2d):
        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            seen.append(local_metadata.get("version"))
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    load_matching(mt.nn.Sequential(OrderedDict(norm=Watched(4))), state, rename={"features.1.": "norm."})
    assert seen == [1]


def test_extra_state_is_the_modules_business():
    class Counted(mt.nn.Linear):
        count = 1

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    ours = Counted(2, 2)
    state = dict(ours.state_dict(), _extra_state={"count": 7})
    assert "_extra_state" in load_matching(ours, state).loaded and ours.count == 7


def test_tied_tensors():
    class Tied(mt.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = mt.nn.Embedding(3, 2), mt.nn.Linear(2, 3, bias=False)
            self.out.weight = self.embed.weight

    report = load_matching(Tied(), {"embed.weight": mt.ones(3, 2)})
    assert report.loaded == ["embed.weight"] and report.tied == ["out.weight"] and report.missing == []
    assert "loaded 2 of 2 tensors, 6 of 6 numbers" in str(report)


def test_scalars_of_before_there_were_any():
    ours = mt.nn.Module()
    ours.x = mt.nn.Parameter(mt.tensor(1.0))
    load_matching(ours, {"x": mt.tensor([4.0])})
    assert ours.x.item() == 4 and ours.x.shape == ()


STATE = {"module.0.weight": mt.ones(2, 3), "module.0.bias": mt.ones(2)}
load: Any = load_matching  # what it is given here is wrong on purpose
ERRORS = {
    "no module": (lambda m: load({}, STATE), TypeError, "model must be a Module, got dict"),
    "no mapping": (lambda m: load(m, [1]), TypeError, "must map names to tensors, got list"),
    "no names": (lambda m: load(m, {1: mt.ones(1)}), TypeError, "keys that are no strings"),
    "a checkpoint": (
        lambda m: load(m, {"model": STATE, "epoch": 3}),
        ValueError,
        "'model', 'epoch'.*find_state",
    ),
    "nothing fits": (
        lambda m: load(m, STATE),
        ValueError,
        r"fit with strip_prefix='module\.'\.\nloaded 0 of 2",
    ),
    "deeper in the model": (
        lambda m: load(mt.nn.Sequential(OrderedDict(back=m)), {"0.bias": mt.ones(2)}),
        ValueError,
        r"fit with rename=\{'': 'back\.'\}",
    ),
    "all skipped": (lambda m: load(m, m.state_dict(), skip="*"), ValueError, "nothing in the file fits"),
    "a misspelt prefix": (lambda m: load(m, STATE, strip_prefix="modul."), ValueError, "begins with 'modul.'"),
    "a misspelt name": (
        lambda m: load(m, STATE, strip_prefix="module.", rename={"layer.": "0."}),
        ValueError,
        "no name in the file begins with 'layer.'.*'module.0.weight'",
    ),
    "a pattern of nothing": (lambda m: load(m, m.state_dict(), skip=["fc"]), ValueError, "pattern 'fc'"),
    "two become one": (
        lambda m: load(m, {**STATE, "0.bias": mt.ones(2)}, strip_prefix="module."),
        ValueError,
        "both 'module.0.bias' and '0.bias' of the file become '0.bias'",
    ),
    "rename is no dict": (lambda m: load(m, STATE, rename=["a"]), TypeError, "a dict or a function, got list"),
    "rename gives no name": (lambda m: load(m, STATE, rename=lambda n: 3), TypeError, "a name or None"),
}


@pytest.mark.parametrize(("call", "error", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_leave_the_model_alone(call, error, message):
    model = mt.nn.Sequential(mt.nn.Linear(3, 2))
    before = arrays(model)
    with pytest.raises(error, match=f"(?s)load_matching: .*{message}"):
        call(model)
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


@given(st.data())
def test_it_loads_just_what_torch_would_load_of_the_same_names(data):
    """With what does not fit taken out by hand, torch's load_state_dict(strict=False) gives the same model."""
    theirs, ours = net(torch), net(mt)
    state: Any = OrderedDict()
    for name, tensor in trained(10).state_dict().items():
        fate = data.draw(st.sampled_from(["as it is", "as it is", "missing", "another shape", "another name"]))
        if fate == "another shape":
            tensor = torch.ones(*tensor.shape, 2)
        if fate != "missing":
            state[name + "_" * (fate == "another name")] = tensor
    own = theirs.state_dict()
    fits: Any = OrderedDict((n, t) for n, t in state.items() if n in own and t.shape == own[n].shape)
    state._metadata = fits._metadata = own._metadata
    if not fits:
        return
    incompatible = theirs.load_state_dict(fits, strict=False)
    report = load_matching(ours, from_file(state))
    assert report.loaded == [n for n in theirs.state_dict() if n in fits]
    assert sorted(report.missing + list(report.mismatched)) == sorted(incompatible.missing_keys)
    for name, tensor in theirs.state_dict().items():
        np.testing.assert_array_equal(arrays(ours)[name], tensor.numpy(), err_msg=name)


# Where the weights are in checkpoints of several trainers; the tests below hold them against the one that is meant.
def checkpoints():
    model = net(mt)
    state, other = model.state_dict(), net(mt, seed=1).state_dict()
    optimizer = mt.optim.Adam(model.parameters())
    for p in model.parameters():
        p.grad = mt.ones_like(p)
    optimizer.step()
    rest = {"epoch": 3, "optimizer": optimizer.state_dict(), "lr": 0.1, "args": {"lr": 0.1}}
    return {
        "itself": (state, state),
        "state_dict": ({**rest, "state_dict": state}, state),
        "model": ({**rest, "model": state, "rng": {"cpu": mt.ones(3)}}, state),
        "model_state_dict": ({"model_state_dict": state, "optimizer_state_dict": rest["optimizer"]}, state),
        "net": ({"net": state, "acc": 91.2}, state),
        "nested": ({"model": {"state_dict": state}, **rest}, state),
        "some other name": ({**rest, "backbone": state}, state),
        "a module": ({**rest, "model": model}, state),
        "a bare module": (model, state),
        "with extra state": ({"model": {**state, "head._extra_state": 3}}, None),
        "a moving average": ({**rest, "model": state, "ema": other}, r"\['model'\] \(8 entries\), .*\['ema'\]"),
        "two usual names": ({"model": state, "net": other}, "could be any of"),
        "two unusual names": ({"generator": state, "critic": other}, r"\['generator'\].*\['critic'\]"),
        "nothing": ({"epoch": 3, "loss": mt.ones(1)}, "nothing in the checkpoint maps.*'epoch', 'loss'"),
        "only an optimizer": ({"optimizer": rest["optimizer"]}, "nothing in the checkpoint"),
        "empty": ({}, "it has nothing"),
    }


@pytest.mark.parametrize("name", checkpoints())
def test_find_state_dict(name):
    checkpoint, expected = checkpoints()[name]
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=f"find_state_dict: .*{expected}"):
            find_state_dict(checkpoint)
        return
    found = find_state_dict(checkpoint)
    if expected is not None:
        assert list(found) == list(expected)
        assert all(found[key].tolist() == expected[key].tolist() for key in expected)
    load_matching(net(mt), found)


def test_find_state_dict_wants_a_checkpoint():
    for thing in (None, [1], mt.ones(1), "weights.pt"):
        with pytest.raises(TypeError, match="find_state_dict: expected a checkpoint"):
            find_state_dict(thing)


def test_an_empty_report_prints():
    assert str(LoadReport()) == "loaded 0 of 0 tensors, 0 of 0 numbers"
