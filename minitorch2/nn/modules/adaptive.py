"""AdaptiveLogSoftmaxWithLoss: a softmax over very many classes, most of them rare."""

from __future__ import annotations

import itertools
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from ...functions import cat
from ...tensor import Tensor
from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])  # torch's name for it


class AdaptiveLogSoftmaxWithLoss(Module):
    """log_softmax over ``n_classes`` classes, sorted from frequent to rare, and its loss.

    The head chooses among the first ``cutoffs[0]`` classes and one cluster for each further range of ``cutoffs``; the
    classes of cluster i = 1, 2, ... share a projection to in_features / div_value^i features, computed only for the
    samples that belong there.

    A call with input (N, in_features) and target (N,), or (in_features,) and (), returns ``(output, loss)``: the
    log-probability of each target, and the mean of their negatives. Errors: ValueError for cutoffs that do not ascend
    from 1 to n_classes - 1, RuntimeError for shapes that do not fit and targets that are no classes.
    Source: Grave et al., "Efficient softmax approximation for GPUs" (2017).
    """

    head: Linear
    tail: ModuleList

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        ascending = all(a < b for a, b in itertools.pairwise([0, *cutoffs, n_classes]))
        if not ascending or any(int(c) != c for c in cutoffs):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (start, stop) in enumerate(itertools.pairwise(self.cutoffs)):
            narrow = int(in_features // div_value ** (i + 1))
            down = Linear(in_features, narrow, False, device, dtype)
            self.tail.append(Sequential(down, Linear(narrow, stop - start, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for layer in (self.head, *itertools.chain.from_iterable(self.tail)):  # type: ignore[arg-type]
            layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> Any:
        self._check(input_, target_)
        unbatched = target_.dim() == 0
        input, target = (input_.unsqueeze(0), target_.unsqueeze(0)) if unbatched else (input_, target_)
        cluster: Any = sum((target >= cutoff).long() for cutoff in self.cutoffs[:-1])  # 0: on the head's own list
        in_head = target.where(cluster == 0, cluster + (self.shortlist_size - 1)).long()
        output = F.log_softmax(self.head(input), dim=1).gather(1, in_head.unsqueeze(1)).squeeze(1)
        for i, layer in enumerate(self.tail):
            rows = (cluster == i + 1).nonzero().squeeze(1)
            if rows.numel():
                within = F.log_softmax(layer(input[rows]), dim=1)
                place = (target[rows] - self.cutoffs[i]).long().unsqueeze(1)
                output = output.index_add(0, rows, within.gather(1, place).squeeze(1))
        loss = (-output).mean()
        return _ASMoutput(output.squeeze(0) if unbatched else output, loss)

    def _check(self, input: Tensor, target: Tensor) -> None:
        dims = target.dim()
        if dims > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if dims == 1 and input.size(0) != target.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input.dim() != dims + 1:
            raise RuntimeError(
                f"{dims}D target tensor expects {dims + 1}D input tensors, but found inputs with size {input.size()}"
            )
        low, high = (int(target.min()), int(target.max())) if target.numel() else (0, 0)
        if low < 0 or high >= self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{low}, {high}] were "
                "found. "
            )

    def _all(self, input: Tensor, head_output: Tensor) -> Tensor:
        """The log-probabilities of all classes, (N, n_classes): a cluster's times those within it."""
        head = F.log_softmax(head_output, dim=1)
        n = self.shortlist_size
        parts = [F.log_softmax(layer(input), dim=1) + head[:, n + i : n + i + 1] for i, layer in enumerate(self.tail)]
        return cat([head[:, :n], *parts], dim=1)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: (N, in_features) -> (N, n_classes)."""
        return self._all(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each sample: (N, in_features) -> (N,), int64.

        Samples for which the head prefers a class on its own list need no cluster, as in torch.
        """
        scores = self.head(input)
        best = scores.argmax(dim=1)
        rows = (best >= self.shortlist_size).nonzero().squeeze(1)
        if not rows.numel():
            return best
        return best.index_copy(0, rows, self._all(input[rows], scores[rows]).argmax(dim=1))
