"""The table of ops leaves nothing out: every public function and method is in it, or is named here with its test."""

import ast
import re
from pathlib import Path

import pytest
import torch
from optable import SPECS

import minitorch2 as mt
import minitorch2.functions
import minitorch2.nn.functional

TESTS = Path(__file__).parent

# name -> the file that tests it
ELSEWHERE = {
    **dict.fromkeys(("bernoulli", "multinomial"), "test_random.py"),
    "poisson": "test_distributions_samples.py",
    **dict.fromkeys(("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"), "test_functional_pool_conv.py"),
    **dict.fromkeys(("conv3d", "conv_transpose3d"), "test_functional_3d.py"),
    "batch_norm": "test_functional_norm.py",
    **dict.fromkeys(("qr", "svd"), "test_linalg.py"),
    "index_put": "test_ops_indexing.py",
    **dict.fromkeys(("as_strided", "empty_strided"), "test_strided.py"),
    "from_file": "test_storages.py",
    **dict.fromkeys(("as_strided_scatter", "histogramdd", "is_storage"), "test_lesser_names.py"),
    **dict.fromkeys(("binomial", "segment_reduce"), "test_names_beside.py"),
}

METHODS_ELSEWHERE = {
    **dict.fromkeys(
        (
            "bernoulli",
            "bernoulli_",
            "cauchy_",
            "exponential_",
            "geometric_",
            "log_normal_",
            "multinomial",
            "normal_",
            "random_",
            "uniform_",
        ),
        "test_random.py",
    ),
    **dict.fromkeys(("index_put", "index_put_"), "test_ops_indexing.py"),
    **dict.fromkeys(("resize_", "resize_as_", "set_"), "test_strided.py"),
    "as_strided_": "test_lesser_names.py",
    **dict.fromkeys(
        ("backward", "retain_grad", "register_hook", "register_post_accumulate_grad_hook"), "test_autograd_grad.py"
    ),
    **dict.fromkeys(
        (
            "addbmm_",
            "apply_",
            "cumprod_",
            "cumsum_",
            "detach_",
            "fill_diagonal_",
            "index_fill_",
            "map_",
            "polygamma_",
            "requires_grad_",
            "share_memory_",
            "tril_",
            "triu_",
            "where",
        ),
        "test_tensor_methods.py",
    ),
}


def in_the_table() -> set[str]:
    return {spec.name for spec in SPECS} | {alias for spec in SPECS for alias in spec.aliases}


def test_every_function_has_a_row():
    missing = set(minitorch2.functions.__all__) - in_the_table() - set(ELSEWHERE)
    assert not missing, f"add rows to optable/, or say in ELSEWHERE which file tests {sorted(missing)}"


def test_nothing_is_excused_twice():
    assert not set(ELSEWHERE) & in_the_table()
    assert set(ELSEWHERE) <= set(minitorch2.functions.__all__)


def names_in(path) -> set[str]:
    """Every identifier and every word of a string constant in a test file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(re.findall(r"\w+", node.value))
    return names


def mentioned(name: str, names: set[str]) -> bool:
    """Also as the constant part of an f-string: conv1d as f"conv{dims}d"."""
    return name in names or re.sub(r"\d+d", "", name) in names


@pytest.mark.parametrize("file", sorted({*ELSEWHERE.values(), *METHODS_ELSEWHERE.values()}))
def test_the_file_named_mentions_it(file):
    excused = {name for table in (ELSEWHERE, METHODS_ELSEWHERE) for name, where in table.items() if where == file}
    names = names_in(TESTS / file)
    assert not [name for name in excused if not mentioned(name, names)]


def test_every_function_of_nn_functional_is_mentioned_in_a_test():
    """Their tests are by family (test_functional_*.py); a name that no test file has is one that nobody calls."""
    names = in_the_table().union(*(names_in(path) for path in TESTS.glob("test_*.py")))
    assert not [name for name in minitorch2.nn.functional.__all__ if not mentioned(name, names)]


def test_every_in_place_method_has_a_row():
    ours = {name for name in dir(mt.Tensor) if name.endswith("_") and not name.startswith("_")}
    rows = {spec.inplace_name for spec in SPECS} | {alias + "_" for spec in SPECS for alias in spec.aliases}
    rows |= {spec.name.removeprefix("Tensor.") for spec in SPECS}
    missing = (ours & set(dir(torch.Tensor))) - rows - set(METHODS_ELSEWHERE)
    assert not missing, f"no row compares these with torch: {sorted(missing)}"


def test_what_torch_does_not_have_is_not_public():
    """A public name that torch lacks would be a promise nobody can check, and a typo nobody finds."""
    assert not [name for name in minitorch2.functions.__all__ if not hasattr(torch, name)]
    extra = {name for name in dir(mt.Tensor) if not name.startswith("_") and not hasattr(torch.Tensor, name)}
    assert extra <= {"names"}  # which newer torch has dropped
