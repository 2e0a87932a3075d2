"""exp, tanh, the logistic function, what is made with it, and their gradients."""

from __future__ import annotations

from ..dispatch import kernel, namespace


@kernel
def exp(x):
    """e^x, element by element. x: any shape, floating."""
    return namespace(x).exp(x)


@kernel
def expm1(x):
    """e^x - 1, exact near 0, element by element. x: any shape, floating."""
    return namespace(x).expm1(x)


@kernel
def tanh(x):
    """tanh(x), element by element. x: any shape, floating."""
    return namespace(x).tanh(x)


@kernel
def sigmoid(x):
    """1 / (1 + exp(-x)), element by element. x: any shape, floating."""
    return 1 / (1 + namespace(x).exp(-x))


@kernel
def sigmoid_grad(g, y):
    """g y (1 - y), y what sigmoid gave. g and y are of one shape and dtype."""
    return g * (y * (1 - y))


@kernel
def tanh_grad(g, y):
    """g (1 - y^2), y what tanh gave. g and y are of one shape and dtype."""
    return g * (1 - y * y)


@kernel
def elu(x, alpha, scale, input_scale):
    """scale x where x > 0, else scale alpha (exp(input_scale x) - 1), element by element. x: any shape, floating."""
    xp = namespace(x)
    return xp.where(x <= 0, xp.expm1(x * input_scale) * (alpha * scale), x * scale)


@kernel
def elu_grad(g, x, alpha, scale, input_scale):
    """g scale where x > 0, else g scale alpha input_scale exp(input_scale x). g and x are of one shape and dtype."""
    xp = namespace(x)
    falling = xp.exp(xp.minimum(x, 0) * input_scale) * (alpha * scale * input_scale)
    return xp.where(x <= 0, g * falling, g * scale)


@kernel
def silu(x):
    """x / (1 + exp(-x)), element by element. x: any shape, floating."""
    return x / (1 + namespace(x).exp(-x))


@kernel
def silu_grad(g, x):
    """g s (1 + x (1 - s)) with s = sigmoid(x). g and x are of one shape and dtype."""
    s = sigmoid.reference(x)
    return g * (s * (1 + x * (1 - s)))


@kernel
def softplus(x, beta, threshold):
    """log(1 + exp(beta x)) / beta, x itself where beta x > threshold, element by element. x: any shape, floating."""
    z = x * beta
    return namespace(x).where(z > threshold, x, -log_sigmoid.reference(-z) / beta)


@kernel
def softplus_grad(g, x, beta, threshold):
    """g / (1 + exp(-beta x)), and g itself where beta x > threshold. g and x are of one shape and dtype."""
    z = x * beta
    return namespace(x).where(z > threshold, g, g * sigmoid.reference(z))


@kernel
def log_sigmoid(x):
    """min(x, 0) - log(1 + exp(-|x|)), element by element. x: any shape, floating."""
    xp = namespace(x)
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x)))


@kernel
def log_sigmoid_grad(g, x):
    """g / (1 + exp(x)). g and x are of one shape and dtype."""
    return g * sigmoid.reference(-x)
