"""autograd.Function in both its forms, and gradcheck, which must believe the right and catch the wrong."""

import pytest
from autograd_cases import leaf, same_error
from side_by_side import BOTH, same


def functions(lib):
    """One class for each thing a Function may do."""

    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x)
            ctx.factor = factor
            return factor * x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * ctx.factor * 3 * x**2, None

    class NewForm(lib.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x * y, x + y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g, h):
            x, y = ctx.saved_tensors
            return g * y + h, g * x + h

    class SavesOutput(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    class InPlace(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class InPlaceSaved(lib.autograd.Function):
        """Saves what it changes: before, after, and as its result."""

        @staticmethod
        def forward(ctx, x, when):
            ctx.mark_dirty(x)
            if when == "before":
                ctx.save_for_backward(x)
            y = x.clamp_(min=0)
            if when != "before":
                ctx.save_for_backward(x if when == "after" else y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y * (y > 0), None

    class WithIndices(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            index = x.argsort()
            ctx.mark_non_differentiable(index)
            ctx.save_for_backward(index)
            return x[index], index

        @staticmethod
        def backward(ctx, g, _):
            (index,) = ctx.saved_tensors
            result = g * 0
            result[index] = g
            return result

    class KeepsNone(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, g, h):
            return lib.tensor([float(g is None), float(h is None), 0.0], dtype=lib.float64)

    class Materializes(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, g, h):
            return g + 2 * h

    class Once(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @lib.autograd.function.once_differentiable
        def backward(ctx, g):
            return g * 2

    class Needs(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, z):
            ctx.needs = ctx.needs_input_grad
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g * sum(ctx.needs), None, None

    return Cube, NewForm, SavesOutput, InPlace, WithIndices, KeepsNone, Materializes, Once, Needs, InPlaceSaved


def use(index, after):
    return lambda lib: after(lib, functions(lib)[index])


def second(lib, y, x):
    (g,) = lib.autograd.grad(y, x, create_graph=True)
    (gg,) = lib.autograd.grad(g.sum(), x)
    return y, g, gg


def pair_gradients(lib, f):
    x, y = leaf(lib), leaf(lib, 4.0, 5.0, 6.0)
    p, s = f.apply(x, y)
    (p * 2 + s).sum().backward()
    return p, s, x.grad, y.grad


def in_place(lib, f):
    x = leaf(lib)
    a = x * 1
    b = f.apply(a)
    (b * x).sum().backward()
    return b is a, a, x.grad


def in_place_saved(lib, f):
    """The first derivative and the second, for each moment of saving."""
    results = []
    for when in ("before", "after", "result"):
        x = leaf(lib, -1.0, 2.0, 3.0)
        (g,) = lib.autograd.grad(f.apply(x * 2, when).sum(), x, create_graph=True)
        results += [g, *lib.autograd.grad((g * g).sum(), x)]
    return results


def sorted_gradients(lib, f):
    x = leaf(lib, 3.0, 1.0, 2.0)
    y, index = f.apply(x)
    (y * y.detach()).sum().backward()
    return y, index, index.requires_grad, x.grad


def only_first(lib, f):
    x = leaf(lib)
    f.apply(x)[0].sum().backward()
    return x.grad


def twice_once(lib, f):
    x = leaf(lib)
    (g,) = lib.autograd.grad(f.apply(x).sum(), x, create_graph=True)
    return lib.autograd.grad((g * x).sum(), x), lib.autograd.grad(g.sum(), x)


def needed(lib, f):
    x = leaf(lib)
    f.apply(x, lib.ones(3, dtype=lib.float64), "text").sum().backward()
    return x.grad


FUNCTION_CASES = {
    "saved input, a number": use(0, lambda lib, f: second(lib, f.apply(x := leaf(lib), 2.0).sum(), x)),
    "setup_context, two outputs": use(1, pair_gradients),
    "saved output": use(2, lambda lib, f: second(lib, f.apply(x := leaf(lib)).sum(), x)),
    "mark_dirty": use(3, in_place),
    "mark_dirty of what is saved": use(9, in_place_saved),
    "mark_non_differentiable": use(4, sorted_gradients),
    "gradients that stay None": use(5, only_first),
    "materialized gradients": use(6, only_first),
    "needs_input_grad, arguments that are no tensors": use(8, needed),
}


@pytest.mark.parametrize("case", FUNCTION_CASES)
def test_functions(case):
    same(FUNCTION_CASES[case])


def test_a_function_may_not_write_a_leaf():
    assert same_error(use(3, lambda lib, f: f.apply(leaf(lib))), "a leaf Variable that requires grad") == "RuntimeError"


def test_once_differentiable_refuses_a_second_time():
    assert same_error(use(7, twice_once)) == "RuntimeError"


@pytest.mark.parametrize("result", ["too many", "too few", "wrong shape", "a number"])
def test_a_backward_that_returns_nonsense(result):
    def run(lib):
        class Wrong(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x, y):
                return x * y

            @staticmethod
            def backward(ctx, g):
                return {"too many": (g, g, g), "too few": (g,), "wrong shape": (g[:2], g), "a number": (1.0, g)}[result]

        x, y = leaf(lib), leaf(lib)
        Wrong.apply(x, y).sum().backward()

    same_error(run)


def wrong_by(lib, factor, second=1.0):
    """x**2 with a backward that is off by a factor, or whose own derivative is."""

    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            slope = 2 * x
            if second != 1.0:
                slope = slope.detach() + (slope - slope.detach()) * second
            return g * slope * factor

    return Square.apply


@pytest.mark.parametrize("lib", BOTH)
def test_gradcheck_believes_the_right_and_catches_the_wrong(lib):
    x = leaf(lib, 0.5, -1.5)
    assert lib.autograd.gradcheck(wrong_by(lib, 1.0), x)
    assert not lib.autograd.gradcheck(wrong_by(lib, 1.01), x, raise_exception=False)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        lib.autograd.gradcheck(wrong_by(lib, 1.01), x)
    assert lib.autograd.gradgradcheck(wrong_by(lib, 1.0), x)
    assert lib.autograd.gradcheck(wrong_by(lib, 1.0, second=0.0), x), "the first derivative is right"
    assert not lib.autograd.gradgradcheck(wrong_by(lib, 1.0, second=0.0), x, raise_exception=False)


NAMES = [
    "edges",
    "hooks",
    "run",
    "recompute",
    "release",
    "saved",
    "constants",
    "n_outputs",
    "holds",
    "created",
    "keeper",
]


@pytest.mark.parametrize("name", [*NAMES, "create_graph", "is_view", "broadcasts", "composed", "into", "input_shapes"])
def test_names_of_ones_own(name):
    """On ctx and on the class: none of them is the library's."""

    def run(lib):
        def forward(ctx, x):
            setattr(ctx, name, 3.0)
            return x * getattr(Triple, "_" + name + "_of")(getattr(ctx, name))

        def backward(ctx, g):
            return g * getattr(ctx, name)

        own = {"forward": staticmethod(forward), "backward": staticmethod(backward), name: staticmethod(lambda n: n)}
        Triple = type("Triple", (lib.autograd.Function,), own | {f"_{name}_of": staticmethod(lambda n: n)})
        x = leaf(lib)
        y = Triple.apply(x)
        y.sum().backward()
        return y, x.grad

    same(run)


def test_vjp_in_place_of_backward():
    def run(lib, both=False):
        class Square(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def vjp(ctx, g):
                return 2 * g * ctx.saved_tensors[0]

        if both:
            Square.backward = Square.vjp
        x = leaf(lib)
        Square.apply(x).sum().backward()
        return x.grad

    same(run)
    assert same_error(lambda lib: run(lib, both=True), "Implementing both 'backward' and 'vjp'") == "RuntimeError"


def test_the_node_shows_what_ctx_holds():
    def run(lib):
        class Keeps(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                ctx.answer = 42
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g * 2

        node = Keeps.apply(leaf(lib)).grad_fn
        return node.saved_tensors, node.answer, node.needs_input_grad, node.name(), type(node).__name__

    same(run)


@pytest.mark.parametrize("forward", ["x", "x.view_as(x)", "x.detach()", "x * 1", "(x, x)"])
@pytest.mark.parametrize("write", ["y.mul_(2)", "y[0:1].mul_(3)", "y.data.mul_(2)", "y.add(0)"])
def test_writes_to_what_a_function_hands_back(forward, write):
    """A write to a view of its input would take the place of the function's own backward."""

    def action(lib):
        class Double(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return eval(forward, {"x": x})

            @staticmethod
            def backward(ctx, *grads):
                return sum(grads) * 2

        leaf = lib.ones(3, requires_grad=True)
        x = leaf * 1
        y = Double.apply(x)
        y = y[0] if isinstance(y, tuple) else y
        eval(write, {"y": y})
        y.sum().backward()
        return leaf.grad, y, x

    same(action)
