"""Optimizer updates of one parameter, in place, in the order of operations of torch's single-tensor loop.

Every function takes the parameter, its gradient and the optimizer's state as arrays of one shape and one
floating dtype (float32 or float64), then the hyperparameters; `step` counts from 1. The gradient is never
written to. All work element by element, so a caller may hand over any common slice of the arrays.

torch's vector code contracts `a + w * b` to one rounding and takes some square roots from a vector library;
NumPy rounds after each operation. That is the whole difference: an ulp here and there in each intermediate
result.

A hyperparameter is a Python number, or a NumPy float32/float64 scalar where torch would hold a 0-d tensor:
scalar formulas then round as torch's do. What reaches an array goes through `float` first, so that arrays
keep their dtype.
"""

import numpy as np

from ..dispatch import asarray, kernel, namespace
from .cast import cast


def _descent_direction(grad, param, weight_decay, maximize):
    """±grad + weight_decay * param. A new array only where there is something to compute."""
    if maximize:
        grad = -grad
    if weight_decay != 0:
        grad = grad + float(weight_decay) * param
    return grad


def _decay(param, lr, weight_decay):
    """Decoupled weight decay (https://arxiv.org/abs/1711.05101): param *= 1 - lr * weight_decay."""
    if weight_decay != 0:
        param *= float(1 - lr * weight_decay)


def _lerp(start, end, weight):
    """start += weight * (end - start), from whichever end is nearer (torch.lerp)."""
    weight = float(weight)
    if weight < 0.5:
        difference = end - start
        difference *= weight
        start += difference
    else:
        difference = end - start
        difference *= 1 - weight
        start[...] = end - difference


def _add_product(total, a, b, value=1.0):
    """total += value * a * b (torch.addcmul)."""
    product = a if value == 1 else float(value) * a
    total += product * b


def _add_quotient(total, a, b, value=1.0):
    """total += value * a / b (torch.addcdiv)."""
    product = a if value == 1 else float(value) * a
    total += product / b


def _moments(exp_avg, exp_avg_sq, grad, beta1, beta2):
    """Running averages of the gradient and of its square."""
    _lerp(exp_avg, grad, 1 - beta1)
    exp_avg_sq *= float(beta2)
    _add_product(exp_avg_sq, grad, grad, 1 - beta2)


@kernel
def sgd(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize, first_step):
    """Gradient descent; momentum_buffer is None where momentum is 0, and starts as the first gradient."""
    grad = _descent_direction(grad, param, weight_decay, maximize)
    if momentum_buffer is not None:
        if first_step:
            momentum_buffer[...] = grad
        else:
            momentum_buffer *= float(momentum)
            momentum_buffer += grad if dampening == 0 else float(1 - dampening) * grad
        grad = grad + float(momentum) * momentum_buffer if nesterov else momentum_buffer
    param += float(-lr) * grad


@kernel
def adam(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    max_exp_avg_sq,
    step,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled_weight_decay,
    maximize,
):
    """Adam (https://arxiv.org/abs/1412.6980) and AdamW; max_exp_avg_sq is None but under AMSGrad."""
    xp = namespace(param)
    if decoupled_weight_decay:
        _decay(param, lr, weight_decay)
        weight_decay = 0
    grad = _descent_direction(grad, param, weight_decay, maximize)
    _moments(exp_avg, exp_avg_sq, grad, beta1, beta2)
    bias_correction1 = 1 - beta1**step
    bias_correction2 = 1 - beta2**step
    second_moment = exp_avg_sq
    if max_exp_avg_sq is not None:
        xp.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        second_moment = max_exp_avg_sq
    denom = xp.sqrt(second_moment)
    denom /= float(bias_correction2**0.5)
    denom += float(eps)
    _add_quotient(param, exp_avg, denom, -(lr / bias_correction1))


@kernel
def sgd_many(params, grads, buffers, lr, *rest):
    """`sgd` of each in lists of arrays of one dtype; buffers is None where momentum is 0. lr may be an array of one
    element. float16 and bfloat16 are computed in float32 and rounded once."""
    lr = _on_host(lr)
    for i in range(len(params)):
        _in_float32(sgd, [None if arrays is None else arrays[i] for arrays in (params, grads, buffers)], lr, *rest)


@kernel
def adam_many(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, *rest):
    """`adam` of each in lists of arrays of one dtype; max_exp_avg_sqs is None but under AMSGrad.

    steps is the number that all have come to. Or it is a list of arrays of one element (float32 or float64): they
    are advanced by one first. lr may be an array of one element. float16 and bfloat16 as in `sgd_many`.
    """
    lr = _on_host(lr)
    lists = (params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    for i in range(len(params)):
        step = steps
        if isinstance(steps, list):
            steps[i] += 1
            step = float(steps[i])
        _in_float32(adam, [None if arrays is None else arrays[i] for arrays in lists], step, lr, *rest)


def _on_host(lr):
    """An array of one element as a number."""
    return lr if isinstance(lr, int | float | np.number) else lr.item()


def _in_float32(update, arrays, *rest):
    """`update(*arrays, *rest)`; two-byte floats are widened for it and all but the gradient rounded afterwards."""
    if arrays[0].itemsize > 2:
        return update(*arrays, *rest)
    wide = [None if a is None else asarray(cast(a, np.dtype(np.float32))) for a in arrays]
    update(*wide, *rest)
    for i, a in enumerate(arrays):
        if a is not None and i != 1:
            a[...] = cast(wide[i], a.dtype)


@kernel
def rmsprop(param, grad, square_avg, grad_avg, momentum_buffer, lr, alpha, eps, weight_decay, momentum, maximize):
    """RMSprop; grad_avg is None unless centered (https://arxiv.org/abs/1308.0850)."""
    xp = namespace(param)
    grad = _descent_direction(grad, param, weight_decay, maximize)
    square_avg *= float(alpha)
    _add_product(square_avg, grad, grad, 1 - alpha)
    if grad_avg is None:
        avg = xp.sqrt(square_avg)
    else:
        _lerp(grad_avg, grad, 1 - alpha)
        avg = xp.sqrt(square_avg - grad_avg * grad_avg)
    avg += float(eps)
    if momentum_buffer is None:
        _add_quotient(param, grad, avg, -lr)
    else:
        momentum_buffer *= float(momentum)
        _add_quotient(momentum_buffer, grad, avg)
        param += float(-lr) * momentum_buffer


@kernel
def adagrad(param, grad, sum_of_squares, step, lr, lr_decay, eps, weight_decay, maximize):
    """Adagrad (https://jmlr.org/papers/v12/duchi11a.html)."""
    xp = namespace(param)
    grad = _descent_direction(grad, param, weight_decay, maximize)
    decayed_lr = lr / (1 + (step - 1) * lr_decay)
    _add_product(sum_of_squares, grad, grad)
    std = xp.sqrt(sum_of_squares)
    std += float(eps)
    _add_quotient(param, grad, std, -decayed_lr)


@kernel
def adadelta(param, grad, square_avg, acc_delta, lr, rho, eps, weight_decay, maximize):
    """Adadelta (https://arxiv.org/abs/1212.5701): a step in the units of the parameter."""
    xp = namespace(param)
    grad = _descent_direction(grad, param, weight_decay, maximize)
    square_avg *= float(rho)
    _add_product(square_avg, grad, grad, 1 - rho)
    delta = xp.sqrt(acc_delta + float(eps))
    delta /= xp.sqrt(square_avg + float(eps))
    delta *= grad
    acc_delta *= float(rho)
    _add_product(acc_delta, delta, delta, 1 - rho)
    param += float(-lr) * delta


@kernel
def adamax(param, grad, exp_avg, exp_inf, step, lr, beta1, beta2, eps, weight_decay, maximize):
    """Adamax (https://arxiv.org/abs/1412.6980, section 7.1): Adam under the infinity norm."""
    xp = namespace(param)
    grad = _descent_direction(grad, param, weight_decay, maximize)
    _lerp(exp_avg, grad, 1 - beta1)
    exp_inf *= float(beta2)
    xp.maximum(exp_inf, xp.abs(grad) + float(eps), out=exp_inf)
    _add_quotient(param, exp_avg, exp_inf, -(lr / (1 - beta1**step)))


@kernel
def nadam(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    step,
    mu,
    mu_next,
    mu_product,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled_weight_decay,
    maximize,
):
    """Adam with Nesterov momentum (https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ).

    mu and mu_next are the momenta of this step and the next, mu_product the product of all up to this one.
    """
    xp = namespace(param)
    if decoupled_weight_decay:
        _decay(param, lr, weight_decay)
        weight_decay = 0
    grad = _descent_direction(grad, param, weight_decay, maximize)
    _moments(exp_avg, exp_avg_sq, grad, beta1, beta2)
    denom = xp.sqrt(exp_avg_sq / float(1 - beta2**step))
    denom += float(eps)
    _add_quotient(param, grad, denom, -lr * (1.0 - mu) / (1.0 - mu_product))
    _add_quotient(param, exp_avg, denom, (-lr * mu_next) / (1.0 - mu_product * mu_next))


@kernel
def radam(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    step,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled_weight_decay,
    maximize,
):
    """Rectified Adam (https://arxiv.org/abs/1908.03265): plain momentum until the variance can be trusted."""
    xp = namespace(param)
    if decoupled_weight_decay:
        _decay(param, lr, weight_decay)
        weight_decay = 0
    grad = _descent_direction(grad, param, weight_decay, maximize)
    _moments(exp_avg, exp_avg_sq, grad, beta1, beta2)
    bias_correction2 = 1 - beta2**step
    rho_inf = 2 / (1 - beta2) - 1  # length of the simple moving average that beta2 stands for
    rho = rho_inf - 2 * step * beta2**step / bias_correction2  # and what it has come to at this step
    update = exp_avg / float(1 - beta1**step)
    update *= float(lr)
    if rho > 5.0:
        adaptive = xp.sqrt(exp_avg_sq)
        adaptive += float(eps)
        update *= float(bias_correction2**0.5) / adaptive
        rectification = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        update *= float(rectification**0.5)
    param -= update


@kernel
def rprop(param, grad, prev, step_size, eta_minus, eta_plus, least, most, maximize):
    """Resilient propagation (Riedmiller and Braun, 1993); prev is the last gradient, 0 where its sign turned."""
    xp, number = namespace(param), param.dtype.type
    grad = -grad if maximize else grad
    kept = grad * prev
    turned = kept < 0
    step_size *= xp.where(kept > 0, number(eta_plus), xp.where(turned, number(eta_minus), number(1)))
    xp.clip(step_size, float(least), float(most), out=step_size)
    grad = xp.where(turned, number(0), grad)
    param -= xp.sign(grad) * step_size
    prev[...] = grad


@kernel
def asgd(param, grad, average, eta, mu, lambd, weight_decay, maximize):
    """Gradient descent with averaging (Polyak and Juditsky, 1992); eta and mu are this step's rate and weight."""
    grad = _descent_direction(grad, param, weight_decay, maximize)
    param *= float(1 - lambd * eta)
    param += float(-eta) * grad
    if mu == 1:
        average[...] = param
    else:
        average += (param - average) * float(mu)
