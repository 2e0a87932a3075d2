"""gradcheck and gradgradcheck: derivatives against differences.

Central differences along every input coordinate: (f(x + eps e) - f(x - eps e)) / 2 eps, in float64.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..core.device import CPU, like, moved
from ..core.function import Function
from ..core.grad_mode import enable_grad
from ..core.variable import Variable
from .backward import grad


class GradcheckError(RuntimeError):
    """A derivative disagrees with the difference quotient."""


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
) -> bool:
    """Whether backward of func(*inputs) agrees with central differences; inputs in float64 (torch.autograd.gradcheck).

    Checks also that two backward passes agree within nondet_tol. Batched and forward-mode gradients do not exist here:
    asking for them raises. Every element is checked, by fast_mode too; nodes get zeros for gradients that are
    undefined unless they ask for None, which check_undefined_grad does not check; masked is of sparse tensors, which
    are not here.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad or check_forward_ad:
        raise NotImplementedError("minitorch2: gradcheck has no batched and no forward-mode gradients to check")
    inputs = (inputs,) if isinstance(inputs, Variable) else tuple(inputs)
    try:
        _gradcheck(func, inputs, eps, atol, rtol, nondet_tol, check_grad_dtypes)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _gradcheck(func, inputs, eps, atol, rtol, nondet_tol, check_dtypes) -> None:
    checked = [x for x in inputs if isinstance(x, Variable) and x.requires_grad]
    for i, x in enumerate(inputs):
        if not isinstance(x, Variable) or not x.requires_grad:
            continue
        if x._data.dtype != np.float64:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check "
                "will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if any(n > 1 and stride == 0 for n, stride in zip(x._data.shape, x._data.strides, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call .contiguous "
                "on the input before passing it to gradcheck."
            )
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them have "
            "requires_grad=True."
        )
    with enable_grad():
        outputs = _tuple(func(*inputs))
    for j, y in enumerate(outputs):
        if not y.requires_grad:
            continue
        analytic = _analytic_jacobian(y, checked, check_dtypes)
        again = _analytic_jacobian(y, checked, check_dtypes)
        for i, (x, a, b) in enumerate(zip(checked, analytic, again, strict=True)):
            if a.size and np.abs(a - b).max() > nondet_tol:
                raise GradcheckError(
                    f"Backward is not reentrant: two runs differ by {np.abs(a - b).max()} (output {j}, input {i})"
                )
            numeric = _numeric_jacobian(func, inputs, x, j, eps)
            if not np.allclose(a, numeric, rtol, atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {j} with respect to input "
                    f"{i},\nnumerical:{numeric}\nanalytical:{a}\n"
                )


def _tuple(result) -> tuple:
    return (result,) if isinstance(result, Variable) else tuple(r for r in result if isinstance(r, Variable))


def _analytic_jacobian(y, inputs, check_dtypes) -> list[np.ndarray]:
    """(input elements, output elements), a column per output element."""
    columns: list[list[np.ndarray]] = [[] for _ in inputs]
    for k in range(y._data.size):
        seed = np.zeros(y._data.size, y._data.dtype)
        seed[k] = 1
        seed = Function.as_tensor(like(seed.reshape(y._data.shape), y._data))
        grads = grad(y, inputs, seed, retain_graph=True, allow_unused=True)
        for column, x, g in zip(columns, inputs, grads, strict=True):
            if g is not None and check_dtypes and g._data.dtype != x._data.dtype:
                raise GradcheckError(f"Gradient has dtype {g.dtype}, expected {x.dtype}")
            column.append(np.zeros(x._data.size) if g is None else _numbers(g))
    return [np.stack(c, 1) if c else np.zeros((x._data.size, 0)) for c, x in zip(columns, inputs, strict=True)]


def _numbers(t) -> np.ndarray:
    """Its elements in a row, float64, on the CPU, in memory of their own."""
    return moved(t._data, CPU).astype(np.float64).reshape(-1)


def _numeric_jacobian(func, inputs, x, j, eps) -> np.ndarray:
    jacobian = np.zeros((x._data.size, _tuple(func(*inputs))[j]._data.size))
    for k, at in enumerate(np.ndindex(x._data.shape)):
        there = x._data[at].item()
        values = []
        for step in (eps, -eps):
            x._data[at] = there + step
            values.append(_numbers(_tuple(func(*inputs))[j]))
        x._data[at] = there
        jacobian[k] = (values[0] - values[1]) / (2 * eps)
    return jacobian


def _seed(rng, array, gaps) -> Variable:
    """Normal numbers of the array's shape and dtype, in its place; with gaps between those of a row, or without."""
    numbers = rng.standard_normal((*array.shape, 1 + gaps)).astype(array.dtype)
    return Function.as_tensor(like(numbers, array)[..., 0]).requires_grad_()


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=False,
) -> bool:
    """gradcheck of the gradient of func: its second derivatives against differences (torch.autograd.gradgradcheck).

    grad_outputs: what its outputs' gradients are; random ones unless told, with gaps in memory where
    gen_non_contig_grad_outputs. The other settings are gradcheck's."""
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    if check_fwd_over_rev:
        raise NotImplementedError("minitorch2: there is no forward mode to check")
    inputs = (inputs,) if isinstance(inputs, Variable) else tuple(inputs)
    if grad_outputs is None:
        rng = np.random.RandomState(0)
        grad_outputs = [
            _seed(rng, y._data, gen_non_contig_grad_outputs) for y in _tuple(func(*inputs)) if y.requires_grad
        ]
    else:
        grad_outputs = [grad_outputs] if isinstance(grad_outputs, Variable) else list(grad_outputs)
    n = len(grad_outputs)

    def first_derivative(*args):
        xs, gs = args[:-n] if n else args, args[-n:] if n else ()
        outputs = [y for y in _tuple(func(*xs)) if y.requires_grad]
        wanted = [x for x in xs if isinstance(x, Variable) and x.requires_grad]
        found = grad(outputs, wanted, list(gs), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        first_derivative,
        (*inputs, *grad_outputs),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
    )
