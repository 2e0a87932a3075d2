"""nn.utils.prune: the same masks, names and errors as torch's. All of it is exact: nothing is summed but norms."""

import pytest
import torch
import torch.nn.utils.prune
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import BOTH, outcome, same

import minitorch2 as mt
import minitorch2.nn.utils.prune as prune

amounts = st.one_of(st.sampled_from([0, 1, 5, 12, 0.0, 0.25, 0.5, 0.9, 1.0]), st.floats(0, 1))


def layer(lib, seed=0):
    lib.manual_seed(seed)
    return lib.nn.Conv2d(2, 3, 2)


def described(module):
    """State, hooks and computed weight."""
    state = dict(module.state_dict())
    return [state, module.weight, [type(h).__name__ for h in module._forward_pre_hooks.values()]]


steps = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["l1_unstructured", "random_unstructured"]), st.fixed_dictionaries({"amount": amounts})
        ),
        st.tuples(st.just("random_structured"), st.fixed_dictionaries({"amount": amounts, "dim": st.integers(-4, 4)})),
        st.tuples(
            st.just("ln_structured"),
            st.fixed_dictionaries(
                {
                    "amount": amounts,
                    "n": st.sampled_from([1, 2, 3, float("inf"), float("-inf")]),
                    "dim": st.integers(-4, 4),
                }
            ),
        ),
        st.tuples(st.just("identity"), st.just({})),
    ),
    min_size=1,
    max_size=3,
)


@given(steps=steps, seed=st.integers(0, 20))
def test_one_after_another(steps, seed):
    def action(lib):
        module = layer(lib, seed)
        report = []
        for name, options in steps:
            function = getattr(lib.nn.utils.prune, name)
            result = outcome(lambda _, f=function, o=options: described(f(module, "weight", **o)), lib)
            report.append(result)
            if len(result) == 2:  # an error: torch may have lost its hook by then
                return report
        return [*report, lib.rand(2)]

    same(action)


def test_training_goes_on_with_the_mask():
    def action(lib):
        prune = lib.nn.utils.prune
        lib.manual_seed(0)
        module = lib.nn.Linear(8, 3).double()
        optimizer = lib.optim.SGD(module.parameters(), lr=0.5)  # made before: the parameter stays the same object
        prune.l1_unstructured(module, "weight", 0.5)
        prune.random_unstructured(module, "bias", 1)
        for _ in range(2):
            optimizer.zero_grad()
            (module(lib.ones(1, 8, dtype=lib.float64)) * 2).sum().backward()
            optimizer.step()
        zeros = (module.weight == 0).sum(), (module.weight_orig.grad == 0).sum()
        kept = module.weight_orig
        before = prune.is_pruned(lib.nn.Sequential(module))
        prune.remove(module, "weight")
        assert module.weight is kept
        prune.remove(module, "bias")
        return zeros, before, prune.is_pruned(module), list(module.state_dict()), module.weight.shape

    same(action)


def test_masks_scores_and_methods():
    def action(lib):
        prune = lib.nn.utils.prune
        first, second = layer(lib), layer(lib, 1)
        scores = lib.arange(24.0).reshape(3, 2, 2, 2)
        prune.l1_unstructured(first, "weight", 5, importance_scores=scores)
        prune.ln_structured(second, "weight", 1, 1, 0, importance_scores=scores)
        report = [described(first), described(second)]
        prune.custom_from_mask(first, "weight", (scores < 20).float())
        report += [described(first), len(next(iter(first._forward_pre_hooks.values())))]
        method = prune.L1Unstructured(3)
        report += [method.prune(scores), method.prune(scores, importance_scores=-scores, default_mask=scores > 2)]
        report += [outcome(lambda _: method.prune(scores, importance_scores=scores[0]), lib)]
        report += [outcome(lambda _: prune.custom_from_mask(layer(lib), "weight", scores[0]), lib)[0]]
        report += [outcome(lambda _: prune.l1_unstructured(layer(lib), "bias", 1, importance_scores=scores), lib)]
        return report

    same(action)


def test_globally():
    def action(lib):
        prune = lib.nn.utils.prune
        net = lib.nn.Sequential(layer(lib), layer(lib, 1))
        pairs = [(net[0], "weight"), (net[1], "weight"), (net[1], "bias")]
        prune.random_unstructured(net[0], "weight", 3)
        prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.4)
        report = [described(module) for module in net]
        prune.global_unstructured(pairs, prune.RandomUnstructured, amount=7)
        prune.global_unstructured(pairs, prune.L1Unstructured, {pairs[2]: lib.full((3,), 9.0)}, amount=3)
        report += [described(module) for module in net]
        report += [outcome(lambda _: prune.global_unstructured(3, prune.L1Unstructured, amount=1), lib)]
        report += [outcome(lambda _: prune.global_unstructured(pairs, prune.L1Unstructured, [], amount=1), lib)]
        report += [outcome(lambda _: prune.global_unstructured(pairs, prune.LnStructured, amount=1, n=1), lib)[0]]
        return report

    same(action)


def test_methods_of_the_users():
    def action(lib):
        prune = lib.nn.utils.prune

        class EveryOther(prune.BasePruningMethod):
            PRUNING_TYPE = "unstructured"

            def compute_mask(self, t, *, default_mask):  # which is given by name
                mask = default_mask.clone()
                mask.view(-1)[::2] = 0
                return mask

        class Failing(EveryOther):
            PRUNING_TYPE = "none of them"

            def compute_mask(self, t, default_mask):
                raise KeyError("mine")

        module = layer(lib)
        weight = module.weight
        error = outcome(lambda _: Failing.apply(module, "weight"), lib)
        assert module.weight is weight and "weight_orig" not in module.state_dict()
        EveryOther.apply(module, "weight")
        EveryOther.apply(module, "weight")
        report = [error, described(module), outcome(lambda _: Failing.apply(module, "weight"), lib)]
        container = prune.PruningContainer()
        report += [outcome(lambda _: container.add_pruning_method(3), lib)]
        one, other = prune.Identity(), prune.Identity()
        one._tensor_name, other._tensor_name = "weight", "bias"
        report += [outcome(lambda _: prune.PruningContainer(one).add_pruning_method(other), lib)[0]]
        return report

    same(action)


@pytest.mark.parametrize("amount", [-1, -0.5, 1.5, 25, "1", None])
def test_wrong_amounts(amount):
    assert same(lambda lib: lib.nn.utils.prune.l1_unstructured(layer(lib), "weight", amount))[0].endswith("Error")


def test_errors():
    assert same(lambda lib: lib.nn.utils.prune.remove(layer(lib), "weight"))[0] == "ValueError"
    assert same(lambda lib: lib.nn.utils.prune.ln_structured(layer(lib), "bias", 1, 2, 0))[0] == "ValueError"
    assert same(lambda lib: lib.nn.utils.prune.random_structured(layer(lib), "weight", 1, 7))[0] == "IndexError"


def test_checkpoints_are_exchanged():
    theirs, ours = layer(torch), layer(mt, 1)
    torch.nn.utils.prune.l1_unstructured(theirs, "weight", 0.5)
    prune.identity(ours, "weight")
    state = {key: mt.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    ours(mt.ones(1, 2, 3, 3))
    assert ours.weight.tolist() == theirs.weight.tolist()


@pytest.mark.parametrize("lib", BOTH)
def test_public_names(lib):
    names = {name for name in dir(torch.nn.utils.prune) if not name.startswith("_")} - {"ABC", "abstractmethod"}
    names -= {"Iterable", "numbers", "torch"}
    assert not [name for name in names if not hasattr(lib.nn.utils.prune, name)]
