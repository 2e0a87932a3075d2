"""Expressions whose dtype and value under autocast both libraries must agree on, and the tensors they name.

x, y (3, 4); z (3, 4) with positive values; s (4, 4); u, v (4); b (2, 3, 4); c (2, 4, 3); img (2, 3, 6, 6);
vol (2, 3, 4, 4, 4); seq (2, 3, 8); p (3, 4) of probabilities; w1 (4, 4), bias (4), k1 (5, 3, 3), k2 (5, 3, 3, 3),
k3 (4, 3, 2, 2, 2), t1 (3, 5, 3), t2 (3, 5, 3, 3), t3 (3, 4, 2, 2, 2), bil (2, 4, 4): weights; q (2, 2, 3, 4); cls (3)
and sgn (3, 4), one (3): targets; idx (3, 4), rows (2).
"""

import numpy as np

SHAPES = {
    "x": (3, 4),
    "y": (3, 4),
    "z": (3, 4),
    "s": (4, 4),
    "u": (4,),
    "v": (4,),
    "b": (2, 3, 4),
    "c": (2, 4, 3),
    "img": (2, 3, 6, 6),
    "seq": (2, 3, 8),
    "p": (3, 4),
    "w1": (4, 4),
    "bias": (4,),
    "k1": (5, 3, 3),
    "k2": (5, 3, 3, 3),
    "t1": (3, 5, 3),
    "t2": (3, 5, 3, 3),
    "bil": (2, 4, 4),
    "q": (2, 2, 3, 4),
    "chw": (3, 6, 6),
    "a1": (1,),
    "m3": (2, 3, 3),
    "n3": (3, 3),
    "o3": (3, 3),
    "y2": (2, 4),
    "wt": (4,),
    "sgn": (3, 4),
    "one": (3,),
    "vol": (2, 3, 4, 4, 4),
    "k3": (4, 3, 2, 2, 2),
    "t3": (3, 4, 2, 2, 2),
}
POSITIVE = ("z", "p", "wt")


def arrays():
    rng = np.random.default_rng(0)
    found = {name: rng.uniform(-1, 1, shape).astype("float32") for name, shape in SHAPES.items()}
    for name in POSITIVE:
        found[name] = np.abs(found[name]) * 0.9 + 0.05
    found["sgn"], found["one"] = np.sign(found["sgn"]), np.sign(found["one"])
    found |= {"cls": np.array([0, 3, 1]), "idx": np.array([[0, 1, 2, 0]] * 3), "rows": np.array([0, 2])}
    found["many"] = np.array([[0, 1, 2, 0, 1, 2, 0, 1]] * 2)
    return found


# The functions that one of the lists names.
LISTED = """
F.conv1d(seq, k1)
F.conv2d(img, k2)
F.conv2d(img, k2, padding='same')
F.conv2d(chw, k2)
F.conv3d(vol, k3, bias)
F.conv_transpose1d(seq, t1)
F.conv_transpose2d(img, t2)
F.conv_transpose3d(vol, t3, bias)
F.prelu(x, a1)
F.linear(x, w1)
F.linear(x, w1, bias)
F.linear(b, w1, bias)
F.linear(u, w1, bias)
torch.matmul(x, s)
torch.matmul(u, v)
torch.matmul(x, v)
torch.matmul(b, c)
x @ s
b.matmul(s)
torch.mm(x, s)
x.mm(s)
torch.bmm(b, c)
torch.mv(s, u)
torch.dot(u, v)
u.dot(v)
torch.vdot(u, v)
torch.addmm(x, y, s)
x.addmm(y, s, beta=0.5, alpha=2)
torch.addmv(u, s, v)
torch.addr(s, u, v)
torch.baddbmm(m3, b, c)
torch.addbmm(n3, b, c)
torch.einsum('ij,jk->ik', x, s)
torch.einsum('bij,bjk->bik', [b, c])
torch.chain_matmul(x, s, w1)
torch.linalg.multi_dot([x, s, w1])
torch.linalg.vecdot(x, y)
F.scaled_dot_product_attention(q, q, q)
F.scaled_dot_product_attention(q, q, q, is_causal=True)
F.scaled_dot_product_attention(q, q, q, attn_mask=n3 > 0)
F.scaled_dot_product_attention(q, q, q, attn_mask=n3)
torch.acos(p)
torch.asin(p)
torch.cosh(x)
torch.erfinv(p)
torch.exp(x)
x.exp()
torch.expm1(x)
torch.log(z)
torch.log10(z)
torch.log2(z)
torch.log1p(z)
torch.reciprocal(z)
torch.rsqrt(z)
torch.sinh(x)
torch.tan(x)
x**2
x.pow(3)
z**y
2**x
1 / z
torch.square(x)
F.softplus(x)
F.layer_norm(x, (4,))
F.layer_norm(x, (4,), u, bias)
F.rms_norm(x, (4,), u)
F.group_norm(img, 3)
torch.norm(x)
torch.norm(x, 1)
x.norm(dim=1)
torch.linalg.norm(x)
torch.linalg.vector_norm(x, 3)
torch.linalg.matrix_norm(x)
F.cosine_similarity(x, y)
F.poisson_nll_loss(x, z)
F.cosine_embedding_loss(x, y, one)
F.nll_loss(x, cls)
F.nll_loss(seq.log_softmax(1), many)
F.cross_entropy(x, cls)
F.cross_entropy(x, cls, label_smoothing=0.1)
F.cross_entropy(x, p)
F.cross_entropy(x, cls, weight=wt)
F.hinge_embedding_loss(x, sgn)
F.kl_div(x, p, reduction='batchmean')
F.l1_loss(x, y)
F.smooth_l1_loss(x, y)
F.huber_loss(x, y)
F.mse_loss(x, y)
F.mse_loss(x, y, reduction='none')
F.margin_ranking_loss(x, y, sgn)
F.multilabel_margin_loss(x, idx)
F.soft_margin_loss(x, sgn)
F.triplet_margin_loss(x, y, z)
F.multi_margin_loss(x, cls)
F.binary_cross_entropy_with_logits(x, p)
F.binary_cross_entropy(p, z)
torch.dist(x, y)
torch.cdist(x, y)
torch.renorm(x, 2, 0, 0.5)
torch.logsumexp(x, 1)
F.interpolate(img, scale_factor=2)
F.interpolate(img, size=(4, 5), mode='bilinear')
F.interpolate(img, size=(4, 5), mode='area')
F.interpolate(seq, size=5, mode='linear')
torch.prod(x)
x.prod(1)
torch.prod(x, 1, dtype=torch.float16)
torch.softmax(x, 1)
F.softmax(x, 1)
x.softmax(-1)
torch.softmax(x, 1, dtype=torch.float16)
torch.log_softmax(x, 1)
F.log_softmax(x, 1)
F.softmin(x, 1)
torch.cumprod(x, 0)
torch.cumsum(x, 0)
torch.cumsum(x, 0, dtype=torch.float16)
torch.sum(x)
x.sum(0)
x.sum(0, dtype=torch.float16)
torch.quantile(x, 0.3)
torch.nanquantile(x, 0.3, dim=1)
torch.trace(s)
F.max_unpool2d(*F.max_pool2d(img, 2, return_indices=True), 2)
F.max_pool3d(vol, 2)
F.max_pool3d(vol, 2, return_indices=True)[0]
F.max_unpool3d(*F.max_pool3d(vol, 2, return_indices=True), 2)
F.avg_pool3d(vol, 2)
F.adaptive_avg_pool3d(vol, 3)
F.adaptive_max_pool3d(vol, 3)
F.lp_pool3d(vol, 2, 2)
F.interpolate(vol, 3, mode='area')
F.pad(img, (1, 1, 1, 1), mode='reflect')
F.pad(img, (1, 1, 1, 1), mode='replicate')
F.pad(img, (1, 1, 1, 1))
F.pad(img, (1, 1, 1, 1), mode='circular')
torch.addcdiv(x, y, z)
torch.addcmul(x, y, z)
torch.atan2(x, y)
F.bilinear(x, y, bil)
torch.cross(n3, o3)
torch.linalg.cross(n3, o3)
torch.index_put(x, (rows,), y2)
torch.tensordot(x, y, dims=([1], [1]))
torch.scatter_add(x, 0, idx, y)
torch.stack([x, y])
torch.cat([x, y])
torch.cat((x, y), dim=1)
x.index_copy(0, rows, y2)
"""

# Functions that no list names: made of listed ones, or following the dtypes of their arguments.
OTHERS = """
x + y
x * y
x - 1
x / z
torch.sqrt(z)
torch.sigmoid(x)
torch.tanh(x)
torch.relu(x)
x.abs()
x.mean()
x.mean(0)
x.var(0)
x.std()
x.max()
x.amax(1)
torch.where(x > 0, x, y)
torch.maximum(x, y)
torch.lerp(x, y, 0.5)
torch.hypot(x, y)
torch.logaddexp(x, y)
torch.xlogy(z, p)
torch.exp2(x)
torch.erf(x)
torch.sin(x)
torch.atan(x)
torch.logcumsumexp(x, 0)
torch.inner(x, y)
torch.outer(u, v)
torch.kron(x, y)
torch.matrix_power(s, 2)
torch.linalg.matrix_power(s, 3)
torch.hstack([x, y])
torch.vstack([x, y])
torch.nansum(x)
torch.median(x)
torch.cov(x)
torch.corrcoef(x)
torch.trapezoid(x)
torch.cumulative_trapezoid(x)
torch.std_mean(x)[0]
torch.gather(x, 0, idx)
torch.index_select(x, 0, rows)
torch.index_add(x, 0, rows, y2)
torch.scatter(x, 0, idx, y)
torch.clamp(x, -0.5, 0.5)
torch.masked_fill(x, x > 0, 0.0)
torch.float_power(z, 2)
torch.logit(p)
torch.tril(x)
x.t() @ y
F.relu(x)
F.gelu(x)
F.silu(x)
F.elu(x)
F.mish(x)
F.logsigmoid(x)
F.hardtanh(x)
F.leaky_relu(x)
F.glu(x, 1)
F.softsign(x)
F.tanhshrink(x)
F.batch_norm(img, None, None, training=True)
F.instance_norm(img)
F.local_response_norm(img, 2)
F.normalize(x)
F.pairwise_distance(x, y)
F.max_pool2d(img, 2)
F.avg_pool2d(img, 2)
F.adaptive_avg_pool2d(img, 2)
F.dropout(x, 0.0)
F.embedding(cls, w1)
F.gaussian_nll_loss(x, y, z)
F.multilabel_soft_margin_loss(x, p)
F.unfold(img, 2)
x.clone().addmm_(y, s)
x.clone().exp_()
x.clone().mul_(y)
x.clone().scatter_add_(0, idx, y)
x.clone().pow_(2)
"""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


# Halves are computed in float32 and rounded in both, but intermediate results at other places: a few units of the lower
# dtype, relative to values around 1.
TOLERANCE = {"bfloat16": 3e-2, "float16": 4e-3}


def dtype_name(t):
    return str(t.dtype).removeprefix("torch.")


def as_array(t):
    return t.detach().float().cpu().numpy()
