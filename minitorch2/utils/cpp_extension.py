"""torch.utils.cpp_extension, as far as packages name it when they are imported; no C++ is compiled here."""

from ..core.absent import absent

CUDA_HOME = CUDNN_HOME = ROCM_HOME = None  # no compiler was found

globals().update(
    absent(
        "utils.cpp_extension",
        "C++ and CUDA extensions use PyTorch's own library; numba and CuPy compile kernels written in Python",
        (
            "CUDAExtension",
            "CppExtension",
            "SyclExtension",
            "check_compiler_abi_compatibility",
            "get_default_build_root",
            "include_paths",
            "is_ninja_available",
            "library_paths",
            "load",
            "load_inline",
            "verify_ninja_availability",
        ),
        ("BuildExtension",),
    )
)
