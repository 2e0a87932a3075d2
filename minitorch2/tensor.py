"""class Tensor: the ops' method tables put together, and what a tensor knows about itself."""

from __future__ import annotations

import copy
import warnings
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy import ndarray

from minitorch2_kernels.dispatch import on_device

from .autograd.backward import backward as _backward
from .autograd.backward import check_assigned
from .core import dtypes
from .core.device import CPU, device_of
from .core.function import Function
from .core.grad_mode import state
from .core.layout import strided
from .core.memory_order import address_of, copy_with_memory, memory_of
from .core.meta import MetaArray
from .core.size import row_major_strides
from .core.transforming import refuse_method
from .core.variable import Variable
from .core.warned import warn_once
from .ops._arguments import with_named_arguments
from .ops._common import wrap_dim
from .ops._data import TO_SCALAR, counter_of, legacy_array
from .ops.activation import ActivationMethods
from .ops.arithmetic import ArithmeticMethods
from .ops.comparison import ComparisonMethods
from .ops.conversion import ConversionMethods
from .ops.floats import FloatMethods
from .ops.gathering import GatheringMethods
from .ops.host import HostMethods
from .ops.indexing import IndexingMethods
from .ops.inquiry import InquiryMethods
from .ops.integers import IntegerMethods
from .ops.joining import JoiningMethods
from .ops.like import LikeMethods
from .ops.linalg import LinalgMethods
from .ops.masking import MaskingMethods
from .ops.matrix_methods import MatrixMethods
from .ops.mixing import MixingMethods
from .ops.nans import NanMethods
from .ops.powers import PowerMethods
from .ops.products import ProductMethods
from .ops.random import RandomMethods
from .ops.rearranging import RearrangingMethods
from .ops.reduce import ReduceMethods
from .ops.rounding import RoundingMethods
from .ops.scan import ScanMethods
from .ops.scattering import ScatteringMethods
from .ops.searching import SearchingMethods
from .ops.sorting import SortingMethods
from .ops.special import SpecialMethods
from .ops.splitting import SplittingMethods
from .ops.statistics import StatisticsMethods
from .ops.strided import StridedMethods
from .ops.trigonometry import TrigonometryMethods
from .ops.truth import TruthMethods
from .ops.unary import UnaryMethods
from .printing import tensor_repr
from .utils.hooks import RemovableHandle

_new = object.__new__


class Tensor(
    ArithmeticMethods,
    MixingMethods,
    PowerMethods,
    UnaryMethods,
    RoundingMethods,
    TrigonometryMethods,
    ComparisonMethods,
    ReduceMethods,
    TruthMethods,
    StridedMethods,
    JoiningMethods,
    IndexingMethods,
    GatheringMethods,
    ScatteringMethods,
    MaskingMethods,
    RearrangingMethods,
    SearchingMethods,
    SortingMethods,
    ScanMethods,
    IntegerMethods,
    NanMethods,
    SpecialMethods,
    FloatMethods,
    LinalgMethods,
    ProductMethods,
    MatrixMethods,
    SplittingMethods,
    StatisticsMethods,
    ActivationMethods,
    ConversionMethods,
    RandomMethods,
    LikeMethods,
    InquiryMethods,
    HostMethods,
    Variable,
):
    """An n-dimensional array that remembers how it was computed.

    Make one with torch.tensor, zeros, rand, from_numpy ...; `Tensor(2, 3)` and `Tensor([1., 2.])` work as torch's
    legacy constructor (default dtype, uninitialised for sizes).
    """

    __array_priority__ = 1000  # ndarray * tensor is the tensor's business

    __hash__ = object.__hash__  # type: ignore[assignment]  # by identity: __eq__ compares elements

    def __init__(self, *args):
        super().__init__(legacy_array(args, dtypes.get_default_dtype()))
        self._counter = counter_of(args)

    @staticmethod
    def _wrap(array) -> Tensor:
        """A plain tensor that shares an array's memory; lean, since every op calls it. NumPy scalars become 0-d."""
        tensor = _new(Tensor)
        tensor._data = array if type(array) is ndarray or not isinstance(array, np.generic) else np.asarray(array)
        tensor._counter = [0]
        if state.inference:
            tensor._inference = True
        return tensor

    @property
    def device(self):
        return CPU if type(self._data) is np.ndarray else device_of(self._data)

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def itemsize(self) -> int:
        return self._data.itemsize

    @property
    def nbytes(self) -> int:
        return self._data.nbytes

    is_sparse = is_quantized = is_mkldnn = is_mps = is_xla = is_xpu = is_nested = False
    is_cpu = property(lambda self: self.device == CPU)
    is_cuda = property(lambda self: on_device(self._data))
    is_meta = property(lambda self: type(self._data) is MetaArray)
    layout = strided
    names = property(lambda self: (None,) * self.ndim)

    def size(self, dim: int | None = None):
        """The shape, or the size of one dim."""
        if dim is None:
            return self.shape
        if not self._data.ndim:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        return self._data.shape[wrap_dim(dim, self._data.ndim)]

    def dim(self) -> int:
        """The number of dimensions."""
        return self._data.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self._data.size

    nelement = numel

    def element_size(self) -> int:
        """The bytes of one element."""
        return self._data.itemsize

    def stride(self, dim: int | None = None):
        """How many elements lie between neighbours along each dim (or one)."""
        strides = tuple(s // self._data.itemsize for s in self._data.strides)
        if not self._data.size:  # NumPy gives an empty array strides of 0
            strides = row_major_strides(self._data.shape)
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """How many elements of its memory lie before this tensor's first."""
        if not self._data.size:
            return 0
        start = memory_of(self._data if self._base is None else self._base._data)
        return (address_of(self._data) - address_of(start)) // self._data.itemsize

    def data_ptr(self) -> int:
        """The address of the first element; 0 on the meta device."""
        return 0 if self.is_meta else address_of(self._data)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        return False

    def is_signed(self) -> bool:
        return self.dtype.is_signed

    def is_inference(self) -> bool:
        return self._inference

    def is_set_to(self, tensor) -> bool:
        """Whether both look at the same memory with the same shape and strides."""
        return self.data_ptr() == tensor.data_ptr() and self.shape == tensor.shape and self.stride() == tensor.stride()

    def get_device(self) -> int:
        """The number of the GPU it is on; -1 for the CPU."""
        return -1 if (index := self.device.index) is None else index

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self._data.shape[0]

    def __reversed__(self):
        return self.flip(0) if self._data.ndim else self

    def __iter__(self):
        if not self._data.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __contains__(self, element) -> bool:
        if isinstance(element, Variable | int | float | bool):
            return bool(self.eq(element).any())
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")

    def __bool__(self) -> bool:
        if self._data.size != 1:
            if not self._data.size:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self._one_number(warns=True))

    def __int__(self) -> int:
        return int(self._one_number())

    def __complex__(self) -> complex:
        return complex(self._one_number(warns=True))

    def _one_number(self, warns=False):
        if warns and self.requires_grad and state.grad:
            warn_once(TO_SCALAR, 2)
        if self._data.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def __index__(self) -> int:
        if self._data.dtype.kind not in "biu" or self._data.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __delitem__(self, index):
        raise TypeError("Tensor does not support deleting items")

    def __repr__(self) -> str:
        return tensor_repr(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not (self._data.ndim or self.is_meta) else object.__format__(self, spec)

    def __dir__(self):
        return sorted(set(object.__dir__(self)))

    @property
    def grad(self) -> Any:
        """The gradient that backward() left here; None before."""
        if self._grad is None and self._grad_fn is not None and self._keeper is None:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute "
                "won't be populated during autograd.backward(). If you indeed want the .grad field to be populated for "
                "a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by "
                "mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for "
                "more information.",
                stacklevel=2,
            )
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None:
            check_assigned(self, value)
        self._grad = value

    @grad.deleter
    def grad(self):
        self._grad = None

    @property
    def data(self) -> Tensor:
        """The same memory, unknown to autograd: writes through it are not noticed."""
        result = Tensor._wrap(self._data.view())
        result._inference = self._inference
        return result

    @data.setter
    def data(self, value):
        if not isinstance(value, Variable):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._requires_grad and value._data.dtype.kind not in "fV":
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        self._data = value._data.view()

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Adds d(self)/d(leaf) to every leaf's `.grad` (torch.Tensor.backward)."""
        _backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets requires_grad and returns the tensor."""
        if state.transforms:
            refuse_method("requires_grad_", "(or perhaps using torch.autograd.functional.* APIs) ")
        return self._requiring(requires_grad)

    @property
    def retains_grad(self) -> bool:
        return self._keeper is not None

    def retain_grad(self) -> None:
        """Asks backward to leave the gradient here although this is no leaf."""
        if state.transforms:
            refuse_method("retain_grad")
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self.is_leaf or self._keeper is not None:
            return
        this = weakref.ref(self)

        def keep(g):
            tensor = this()
            if tensor is not None:
                if g is not None and tensor._grad is not None:
                    g = tensor._grad + g
                tensor._grad = g if g is None or g._requires_grad else g.clone()

        self.grad_fn.hooks_of(self._output_nr).append(keep)
        self._keeper = keep

    def register_hook(self, hook):
        """Calls hook(grad) when the gradient of this tensor is computed; what it returns (if not None) replaces it."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.grad_fn is None:
            if self._hooks is None:
                self._hooks = OrderedDict()
            handle = RemovableHandle(self._hooks)
            self._hooks[handle.id] = hook
            return handle
        hooks = self.grad_fn.hooks_of(self._output_nr)
        kept = self._keeper is not None  # which keeps what the hooks have made of the gradient
        hooks.insert(len(hooks) - kept, hook)
        return _ListHandle(hooks, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Calls hook(tensor) each time backward has added to this leaf's `.grad`."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.grad_fn is not None:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        if self._after_accumulate is None:
            self._after_accumulate = OrderedDict()
        handle = RemovableHandle(self._after_accumulate)
        self._after_accumulate[handle.id] = hook
        return handle

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment.  If you were attempting to deepcopy a module, this may be because of a "
                "torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001"
            )
        if id(self) in memo:
            return memo[id(self)]
        twin = Tensor._wrap(copy_with_memory(self._data, memo.setdefault("memories", {})))
        twin.__class__ = type(self)
        memo[id(self)] = twin
        twin._requires_grad = self.requires_grad
        if self._grad is not None:
            twin._grad = copy.deepcopy(self._grad, memo)
        for name, value in vars(self).items():
            if not name.startswith("_"):
                setattr(twin, name, copy.deepcopy(value, memo))
        return twin

    def __reduce__(self):
        extra = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return _rebuild, (type(self), self._data, self.requires_grad, extra)

    def type(self, dtype=None, non_blocking=False) -> Any:
        """The name of the tensor type ('torch.FloatTensor'), or the tensor converted to a dtype."""
        if dtype is None:
            return f"torch.{'cuda.' if self.is_cuda else ''}{self.dtype.torch_type}Tensor"
        if isinstance(dtype, str):
            names = {f"torch.{where}{d.torch_type}Tensor": d for where in ("", "cuda.") for d in dtypes.ALL}
            if dtype not in names:
                raise ValueError(f"invalid type: '{dtype}'")
            return self.to("cuda" if dtype.startswith("torch.cuda.") else "cpu", names[dtype])
        return self.to(getattr(dtype, "dtype", dtype))  # torch.FloatTensor and its like name a dtype, too


class _ListHandle:
    def __init__(self, hooks, hook):
        self.hooks, self.hook = hooks, hook

    def remove(self) -> None:
        if self.hook in self.hooks:
            self.hooks.remove(self.hook)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def _rebuild(kind, array, requires_grad, extra):
    tensor = Tensor._wrap(array)
    tensor.__class__ = kind
    tensor._requires_grad = requires_grad
    vars(tensor).update(extra)
    return tensor


for _mixin in set(Tensor.__bases__) - {ArithmeticMethods, Variable}:  # the former look at their operands anyway
    for _name, _method in with_named_arguments(_mixin).items():
        setattr(Tensor, _name, _method)

Function.as_tensor = Tensor._wrap
