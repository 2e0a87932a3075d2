"""Fast CPU overrides. Importing this package registers them."""

from . import (
    attention,
    choosing,
    conv,
    depthwise,
    depthwise_shifts,
    gelu,
    indexing,
    jit,
    layer_norm,
    matmul,
    norm,
    optim,
    picking,
    pointwise,
    pooling,
    rectifiers,
    rnn,
    shifted,
    whole_windows,
)

if jit.available:
    from . import (
        compiled_arithmetic,
        compiled_attention,
        compiled_bags,
        compiled_bias,
        compiled_casts,
        compiled_class_loss,
        compiled_copying,
        compiled_dense,
        compiled_distances,
        compiled_extremes,
        compiled_formulas,
        compiled_indexing,
        compiled_norm,
        compiled_optim,
        compiled_patches,
        compiled_places,
        compiled_pooling,
        compiled_products,
        compiled_rnn,
        compiled_rows,
        compiled_sampling,
        compiled_sorting,
        compiled_special,
        compiled_sums,
        gathered,
    )

    gathered.register()
    # The newest override is asked first: compiled_places' convolutions before compiled_dense's.
    for module in (
        compiled_pooling,
        compiled_dense,
        compiled_places,
        compiled_norm,
        compiled_optim,
        compiled_arithmetic,
        compiled_attention,
        compiled_products,
        compiled_patches,
        compiled_bags,
        compiled_bias,
        compiled_casts,
        compiled_class_loss,
        compiled_copying,
        compiled_distances,
        compiled_extremes,
        compiled_formulas,
        compiled_indexing,
        compiled_rnn,
        compiled_rows,
        compiled_sampling,
        compiled_sorting,
        compiled_special,
        compiled_sums,
    ):
        module.register()

whole_windows.register()
