"""Node: a vertex of the graph. AccumulateGrad: the node at a leaf."""

from __future__ import annotations

import functools
import itertools
import weakref
from collections import OrderedDict
from typing import Any, NamedTuple

from ..utils.hooks import RemovableHandle
from .saved_values import SAVED_NAMES, saved_value

next_number = itertools.count(1).__next__  # of a node that is made
_LEAF = 1 << 62  # the number of a leaf's node: greater than any other


class Node:
    """A vertex of the graph: what to do with the gradients of its outputs, and where the results go."""

    number = 0  # of the nodes that are ready, the one made last is run first, as in torch
    edges: Any = ()  # one (node, output number) per input, None where no gradient is wanted
    hooks: Any = None  # {output number: [function(gradient) -> gradient | None]}
    pre_hooks: Any = None  # {id: function(gradients of the outputs) -> the same | None}
    post_hooks: Any = None  # {id: function(gradients of the inputs, of the outputs) -> the former | None}
    n_outputs = 1
    holds: tuple = ()  # the attributes that keep values for backward
    made_by: Any = None  # the lines of the program that made it, while anomalies are looked for
    induced_by: Any = None  # and the node whose backward they are part of, for a derivative's own graph
    recompute: Any = None  # brings those values back, where a checkpoint (utils.checkpoint) dropped them

    def name(self) -> str:
        return type(self).__name__

    @property
    def next_functions(self) -> tuple:
        return tuple(edge or (None, 0) for edge in self.edges)

    def hooks_of(self, output_nr: int) -> list:
        """The hooks on this output, in a list that may be changed."""
        if self.hooks is None:
            self.hooks = {}
        return self.hooks.setdefault(output_nr, [])

    @property
    def metadata(self) -> dict:
        """A dict for the program's own notes."""
        return self.__dict__.setdefault("_metadata", {})

    @property
    def requires_grad(self) -> bool:
        return True

    def _sequence_nr(self) -> int:
        return self.number

    def register_hook(self, fn) -> RemovableHandle:
        """Calls fn(grad_inputs, grad_outputs) after this node's backward; a tuple it returns replaces grad_inputs.

        Both are tuples of tensors and None. The inputs are those of the op here, which may have others than torch's,
        or the same in another order, up to the last one that needs a gradient.
        """
        if self.post_hooks is None:
            self.post_hooks = OrderedDict()
        return _added(fn, self.post_hooks)

    def register_prehook(self, fn) -> RemovableHandle:
        """Calls fn(grad_outputs) before this node's backward; a tuple it returns is what the node gets instead.

        The hooks of the node's outputs come first, and torch.autograd.grad gives the gradients as those leave them.
        """
        if self.pre_hooks is None:
            self.pre_hooks = OrderedDict()
        return _added(fn, self.pre_hooks)

    def run(self, grads: list, create_graph: bool) -> tuple:
        """The gradients of the inputs, one per edge, from those of the outputs (None where there is none)."""
        raise AssertionError("a node says what it does")

    def keeper(self) -> Any:
        """The object whose attributes `holds` names."""
        return self

    def held(self) -> dict:
        """The values kept for backward, by the attribute that keeps them."""
        kept = vars(self.keeper())
        return {name: value for name in self.holds if (value := kept.get(name))}

    def hold(self, held: dict) -> None:
        """Takes up what another run of the same op held."""
        self.keeper().__dict__.update(held)

    def drop(self, held: dict) -> None:
        """Lets go of what `held` gave."""
        for name in held:
            delattr(self.keeper(), name)

    def release(self) -> None:
        """Lets go of the saved values; a second backward through them is an error."""

    def __repr__(self) -> str:
        return f"<{self.name().rpartition(':')[2]} object at {id(self):#x}>"


for _name in SAVED_NAMES:  # each a property: a __getattr__ would make every attribute of a node slower
    setattr(Node, f"_saved_{_name}", property(functools.partial(saved_value, name=_name)))


def _added(fn, hooks: OrderedDict) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = fn
    return handle


class GradientEdge(NamedTuple):
    """Where a gradient goes: a node, and the number of its output that the gradient belongs to."""

    node: Node
    output_nr: int


class AccumulateGrad(Node):
    """The end of the line: adds what arrives to its leaf's `.grad` (the engine does it)."""

    number = _LEAF
    broadcasts = False

    def __init__(self, variable):
        self.variable = variable

    def __lt__(self, other) -> bool:
        """No leaf comes before another: a heap of equals yields them in the order in which torch's does."""
        return False

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    @property
    def hooks(self):
        functions = self.variable._hooks
        return {0: functions.values()} if functions else None


def accumulator(leaf) -> AccumulateGrad:
    """The leaf's AccumulateGrad. The leaf refers to it weakly: the graph owns it, and no reference cycle keeps a dead
    graph's memory until the garbage collector comes by."""
    node = leaf._accumulator and leaf._accumulator()
    if node is None:
        node = AccumulateGrad(leaf)
        leaf._accumulator = weakref.ref(node)
    return node
