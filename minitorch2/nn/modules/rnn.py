"""RNN, LSTM, GRU: recurrent layers over whole sequences. (Single steps: rnn_cells.)"""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from ...core import autocast
from ...creation import empty, zeros
from ...tensor import Tensor
from .. import init
from ..functional.rnn import recurrent_stack
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


class RNNBase(Module):
    """What RNN, LSTM and GRU have in common: their parameters, and their way through layers and directions.

    Input: (L, N, input_size), with batch_first (N, L, input_size), without a batch (L, input_size), or a
    PackedSequence; and a first state, zeros unless given, of (num_layers * D, N, P): layer by layer, each one's reverse
    direction behind its forward one. D is 2 if bidirectional, else 1; P the size of the output. Returns the output of
    the last layer, (L, N, D * P) or in the input's own form, and the last state.

    Args:
        dropout: probability of dropping what goes from one layer to the next, in training mode.

    Parameters are named weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0, for layer 1 ..._l1, for the
    reverse direction ..._l0_reverse, and drawn from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
    """

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_arguments(dropout)
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self._directions]:
                self._all_weights.append(self._add_parameters(layer, suffix, device, dtype))
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self.reset_parameters()

    def _check_arguments(self, dropout: Any) -> None:
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= self.dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        kinds = {"bias": bool, "batch_first": bool, "input_size": int, "hidden_size": int}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
            if kind is int and value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _add_parameters(self, layer: int, suffix: str, device: Any, dtype: Any) -> list[str]:
        gates, width = _GATES[self.mode] * self.hidden_size, self._output_size
        shapes = {"weight_ih": (gates, self.input_size if layer == 0 else width * self._directions)}
        shapes["weight_hh"] = (gates, width)
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = {f"{kind}_l{layer}{suffix}": shape for kind, shape in shapes.items()}
        for name, shape in names.items():
            self.register_parameter(name, Parameter(empty(shape, device=device, dtype=dtype)))
        return list(names)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters: a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: it arranges memory for cuDNN in torch, and nothing on the CPU."""

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in _PRINTED.items():
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raises where the (batched or packed) input does not fit the layer."""
        weight = self._flat_weights[0]
        if input.dtype != weight.dtype and not autocast.regions:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). Convert input: "
                f"input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def _expected_size(self, input: Tensor, batch_sizes: Tensor | None, width: int) -> tuple[int, int, int]:
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.shape[0 if self.batch_first else 1]
        return self.num_layers * self._directions, batch, width

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape hx must have for this input."""
        return self._expected_size(input, batch_sizes, self._output_size)

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """RuntimeError where hx does not have that shape."""
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raises where input or state do not fit the layer."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The state with its sequences in another order."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # The state as a tuple of tensors: of one, unless LSTM says otherwise.

    def _state_widths(self) -> tuple[int, ...]:
        return (self._output_size,)

    def _as_tuple(self, hx: Any) -> tuple[Tensor, ...]:
        return (hx,)

    def _from_tuple(self, state: tuple[Tensor, ...]) -> Any:
        return state[0]

    def _check_state_dims(self, hx: Any, batched: bool) -> None:
        wanted = 3 if batched else 2
        if hx.dim() != wanted:
            raise RuntimeError(
                f"For {'batched' if batched else 'unbatched'} {wanted}-D input, hx should also be {wanted}-D but got "
                f"{hx.dim()}-D tensor"
            )

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            kind = " tensor" if self.mode.startswith("RNN") else ""
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D{kind} instead")
        batched, batch_dim = input.dim() == 3, 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
        if hx is not None:
            self._check_state_dims(hx, batched)
            hx = hx if batched else self._from_tuple(tuple(s.unsqueeze(1) for s in self._as_tuple(hx)))
        hx = self._first_state(input, hx, None)
        if self.batch_first:
            input = input.transpose(0, 1)
        length, batch, _ = input.shape
        if length == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        y, state = self._run(input.reshape(length * batch, self.input_size), (batch,) * length, hx)
        y = y.reshape(length, batch, -1) if batch else y.reshape(length, 0, self._directions * self._output_size)
        y = y.transpose(0, 1) if self.batch_first else y
        if batched:
            return y, self._from_tuple(state)
        return y.squeeze(batch_dim), self._from_tuple(tuple(s.squeeze(1) for s in state))

    def _forward_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, batch_sizes, sorted_indices, unsorted_indices = input
        if hx is not None:
            hx = self.permute_hidden(hx, sorted_indices)
        hx = self._first_state(data, hx, batch_sizes)
        y, state = self._run(data, tuple(batch_sizes.tolist()), hx)
        packed = PackedSequence(y, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self.permute_hidden(self._from_tuple(state), unsorted_indices)

    def _first_state(self, input: Tensor, hx: Any, batch_sizes: Tensor | None) -> tuple[Tensor, ...]:
        """hx, or zeros, checked, as a tuple."""
        if hx is None:
            shapes = [self._expected_size(input, batch_sizes, width) for width in self._state_widths()]
            hx = self._from_tuple(tuple(zeros(shape, dtype=input.dtype, device=input.device) for shape in shapes))
        self.check_forward_args(input, hx, batch_sizes)
        return self._as_tuple(hx)

    def _run(self, rows: Tensor, sizes: tuple[int, ...], state: tuple[Tensor, ...]) -> Any:
        missing = [None, None] if not self.bias else []
        end: list[Any] = [] if self.proj_size else [None]
        each = [[*w[:2], *missing, *w[2:], *end] for w in self.all_weights]
        layers = [each[i : i + self._directions] for i in range(0, len(each), self._directions)]
        return recurrent_stack(self.mode, rows, sizes, state, layers, self.dropout, self.training)


_PRINTED = {
    "proj_size": 0,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0,
    "bidirectional": False,
}


class RNN(RNNBase):
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`` step by step, or relu: see RNNBase for shapes and arguments.

    ``RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, device=None, dtype=None)``. Elman, "Finding Structure in Time" (1990).
    """

    nonlinearity: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.__dict__["nonlinearity"] = nonlinearity
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory: see RNNBase for shapes and arguments.

    ``LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
    proj_size=0, device=None, dtype=None)``. With i, f, g, o the four parts of ``W_ih x + b_ih + W_hh h + b_hh``::

        c' = sigmoid(f) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(c'),  times W_hr where proj_size is not 0

    The state is a tuple (h, c), the second of size hidden_size. Hochreiter and Schmidhuber (1997); Sak et al. (2014)
    for the projection.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape the second part of hx must have for this input."""
        return self._expected_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        sizes = self.get_expected_hidden_size(input, batch_sizes), self.get_expected_cell_size(input, batch_sizes)
        for i, size in enumerate(sizes):
            self.check_hidden_size(hidden[i], size, f"Expected hidden[{i}] size {{}}, got {{}}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        return hx if permutation is None else tuple(s.index_select(1, permutation) for s in (hx[0], hx[1]))

    def _state_widths(self) -> tuple[int, ...]:
        return self._output_size, self.hidden_size

    def _as_tuple(self, hx: Any) -> tuple[Tensor, ...]:
        return hx[0], hx[1]

    def _from_tuple(self, state: tuple[Tensor, ...]) -> Any:
        return state

    def _check_state_dims(self, hx: Any, batched: bool) -> None:
        wanted, dims = 3 if batched else 2, (hx[0].dim(), hx[1].dim())
        if dims != (wanted, wanted):
            raise RuntimeError(
                f"For {'batched' if batched else 'unbatched'} {wanted}-D input, hx and cx should also be {wanted}-D "
                f"but got ({dims[0]}-D, {dims[1]}-D) tensors"
            )


class GRU(RNNBase):
    """Gated recurrent unit: see RNNBase for shapes and arguments.

    ``GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
    device=None, dtype=None)``. The reset gate is applied to the product with W_hn, as in cuDNN::

        r, z = sigmoid(W_ir x + b_ir + W_hr h + b_hr), sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r (W_hn h + b_hn))
        h' = (1 - z) n + z h

    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


def _refuse_projection(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
