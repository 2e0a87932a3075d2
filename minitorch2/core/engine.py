"""Reverse-mode differentiation: walk the graph from the outputs, each node once, children before parents.

The shape is HIPS autograd's: count how many gradients every node will receive, run a node when the last one has come,
hand its results on. Of those that can be run, the one made last is, as in torch: sums are taken in the same order, and
hooks are called in it. Iterative (a chain of a million ops is as good as one of ten), linear in the edges, and every
gradient is dropped as soon as it was used.
"""

from __future__ import annotations

import sys
from heapq import heappop, heappush
from typing import Any

from minitorch2_kernels.dispatch import is_array
from minitorch2_kernels.reference.cast import BFLOAT16

from . import anomaly
from .accumulation import accumulate_into, plus
from .function import Function
from .grad_mode import state
from .gradient_hooks import call_hooks, call_post_hooks, call_pre_hooks
from .node import AccumulateGrad
from .quiet import IGNORE, restore, silence


class Task:
    """One backward pass, for the hooks that it calls: which nodes it comes to, as the keys of a dict."""

    def __init__(self, nodes: dict) -> None:
        self.nodes = nodes


def run_backward(roots, grads, retain_graph, create_graph, wanted=None, accumulate=True, stop_at_wanted=False) -> Any:
    """Carries `grads`, one per edge of `roots`, through the graph.

    roots: edges (node, output number). wanted: edges whose gradients are asked for; None means every leaf reached.
    Leaves get theirs added to `.grad` if `accumulate`; otherwise the wanted gradients are returned in order (arrays, or
    tensors under create_graph; None for an edge that was not reached).
    """
    wanted = None if wanted is None else {edge: None for edge in wanted}
    waiting = _count_edges([node for node, _ in roots], wanted, stop_at_wanted)
    received: dict = {}  # node -> the gradient of each of its outputs, summed so far
    summed: set = set()  # (node, output number) whose sum is a buffer of our own: the next one is added in place

    def deliver(node, nr, g):
        slots = received.get(node)
        if slots is None:
            slots = received[node] = [None] * node.n_outputs
        have = slots[nr]
        if have is None:
            slots[nr] = g
        elif create_graph or (node, nr) not in summed:
            slots[nr] = plus(have, g)
            if is_array(slots[nr]) and slots[nr].dtype != BFLOAT16:
                summed.add((node, nr))
        else:
            have += g

    def at_once(leaf):  # its only gradient, and no hook to see it or when it comes: it is added to .grad as it comes
        seen = leaf.variable._hooks or leaf.variable._after_accumulate or leaf.pre_hooks or leaf.post_hooks
        return leaf not in received and not seen

    ready: list = []  # a heap of (-number, node)
    for (node, nr), g in zip(roots, grads, strict=True):
        deliver(node, nr, g)
        if not waiting[node] and (-node.number, node) not in ready:
            heappush(ready, (-node.number, node))

    grad_was, state.grad = state.grad, create_graph
    selective_was, state.selective = state.selective, wanted is not None
    task_was, state.task = state.task, Task(waiting)
    state.backward += 1
    token, watched = silence(IGNORE), anomaly.on
    try:
        while ready:
            _, node = heappop(ready)
            slots = received.pop(node, None)
            cut = slots is None  # every path to this node was: a backward returned None
            slots = [None] * node.n_outputs if cut else slots
            if node.hooks:
                call_hooks(node.hooks, slots)
            if wanted is not None:
                for nr, g in enumerate(slots):
                    if (node, nr) in wanted:
                        wanted[node, nr] = g
            if type(node) is AccumulateGrad:
                if accumulate and (wanted is None or (node, 0) in wanted):
                    if node.pre_hooks:
                        call_pre_hooks(node, slots)
                    g = slots.pop()
                    if g is not None:
                        nobody_else = sys.getrefcount(g) == 2  # g and getrefcount's argument: not within another call
                        accumulate_into(node.variable, g, nobody_else, create_graph)
                    if node.post_hooks:
                        call_post_hooks(node, (), [g], waiting)
                continue
            if wanted is not None and not any(edge is not None and edge[0] in waiting for edge in node.edges):
                continue
            if node.pre_hooks:
                call_pre_hooks(node, slots)
                cut = all(g is None for g in slots)
            if cut:
                results = (None,) * len(node.edges)
            else:
                if node.recompute is not None:
                    node.recompute()
                results = anomaly.run(node, slots, create_graph) if watched else node.run(slots, create_graph)
            if node.post_hooks:
                results = call_post_hooks(node, results, slots, waiting)
            slots = None
            if not retain_graph:
                node.release()
            results = list(results)
            for i, edge in enumerate(node.edges):
                if edge is None or edge[0] not in waiting:
                    continue
                child, nr = edge
                g, results[i] = results[i], None
                if g is not None:
                    if node.broadcasts and g.shape != node.input_shapes[i]:
                        g = Function.sum_to(g, node.input_shapes[i])
                    if type(child) is AccumulateGrad and wanted is None and waiting[child] == 1 and at_once(child):
                        nobody_else = sys.getrefcount(g) == 2
                        accumulate_into(child.variable, g, nobody_else, create_graph)
                        g, waiting[child] = None, 0
                        continue
                    deliver(child, nr, g)
                    g = None
                waiting[child] -= 1
                if not waiting[child]:
                    heappush(ready, (-child.number, child))
    finally:
        restore(token)
        state.backward -= 1
        state.task = task_was
        state.selective = selective_was
        state.grad = grad_was
    return None if wanted is None else list(wanted.values())


def _count_edges(roots, wanted, stop_at_wanted):
    """node -> how many gradients it waits for. With `wanted`, only nodes on a way to one of them are counted."""
    waiting, order, stack = dict.fromkeys(roots, 0), [], list(dict.fromkeys(roots))
    targets = None if wanted is None else {node for node, _ in wanted}
    while stack:
        node = stack.pop()
        order.append(node)
        if stop_at_wanted and node in targets:
            continue
        for edge in node.edges:
            if edge is not None:
                child = edge[0]
                if child in waiting:
                    waiting[child] += 1
                else:
                    waiting[child] = 1
                    stack.append(child)
    if targets is None:
        return waiting
    return _keep_ways_to(targets, roots, waiting, order, stop_at_wanted)


def _keep_ways_to(targets, roots, waiting, order, stop_at_wanted):
    parents: dict = {node: [] for node in order}
    for node in order:
        if not (stop_at_wanted and node in targets):
            for edge in node.edges:
                if edge is not None:
                    parents[edge[0]].append(node)
    kept, stack = set(), [node for node in targets if node in waiting]
    while stack:
        node = stack.pop()
        if node not in kept:
            kept.add(node)
            stack.extend(parents[node])
    return dict.fromkeys(roots, 0) | {
        node: sum(parent in kept for parent in parents[node]) for node in order if node in kept
    }
