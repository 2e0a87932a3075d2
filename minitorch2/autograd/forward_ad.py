"""torch.autograd.forward_ad: not here; torch.func.jvp computes such products."""

from ..core.absent import absent

globals().update(
    absent(
        "autograd.forward_ad",
        "no dual numbers go through a program here; torch.func.jvp is the derivative in a direction",
        ("enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"),
        ("UnpackedDualTensor", "dual_level"),
    )
)
