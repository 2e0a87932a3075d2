"""What a printed result says of its history, `grad_fn=<MseLossBackward0>`: torch's name of the node."""

import warnings

import pytest
import torch

import minitorch2 as mt

EXPRESSIONS = """
x.sum()
x.sum(0)
x.mean()
x.mean(0)
x.max()
x.max(1)[0]
x.min(1)[0]
x.clamp(0)
x.clamp(min=0,max=1)
1-x
x-1
x+1
x*2
x/2
2/x
x**2
-x
x.abs()
x.exp()
x.relu()
F.relu(x)
F.gelu(x)
F.softmax(x,1)
F.log_softmax(x,1)
F.mse_loss(x,x*0)
F.l1_loss(x,x*0)
F.smooth_l1_loss(x,x*0)
F.huber_loss(x,x*0)
F.binary_cross_entropy_with_logits(x,x.detach()*0)
F.binary_cross_entropy(x.sigmoid(),x.detach()*0)
F.cross_entropy(x,t)
F.nll_loss(F.log_softmax(x,1),t)
F.kl_div(x,x.detach()*0)
x.roll(1)
F.pdist(x)
F.pdist(x,1.0)
x.logsumexp(1)
x[0]
x[:,0]
x[t]
x[x>0]
x.t()
x.T
x.view(-1)
x.reshape(-1)
x.flatten()
x.permute(1,0)
x.unsqueeze(0)
x.squeeze()
x.expand(2,2,3)
torch.cat([x,x])
torch.stack([x,x])
x@x.T
torch.mm(x,x.T)
torch.addmm(x@x.T,x,x.T)
F.linear(x,w,b)
x.norm()
x.std()
x.var()
x.prod()
x.cumsum(0)
x.sort(1)[0]
x.topk(1)[0]
x.gather(1,t[:,None])
x.masked_fill(x>0,0)
torch.where(x>0,x,x*2)
x.sigmoid()
x.tanh()
F.layer_norm(x,(3,))
F.batch_norm(x,None,None,training=True)
nn.Conv2d(1,1,1)(x[None,None])
nn.Conv1d(2,1,1)(x[None])
nn.MaxPool2d(2)(x[None,None])
nn.AvgPool2d(2)(x[None,None])
nn.AdaptiveAvgPool2d(1)(x[None,None])
nn.Embedding(3,2)(t)
nn.Linear(3,2)(x)
nn.Sequential(nn.Linear(3,2),nn.ReLU())(x)
x.clone()
x.double()
x.repeat(2,1)
x.tril()
x.diagonal()
x.unbind(0)[0]
x.split(1)[0]
x.chunk(2)[1]
x.sqrt()
x.log()
x.sin()
x.floor()
torch.maximum(x,x*0)
torch.outer(x[0],x[0])
torch.dot(x[0],x[0])
x.pow(3)
x.rsqrt()
x.square()
F.leaky_relu(x)
F.elu(x)
F.silu(x)
F.softplus(x)
F.pad(x,(1,1))
F.cosine_similarity(x,x)
F.normalize(x)
x.addcmul(x,x)
nn.MultiheadAttention(3,1)(x[:,None],x[:,None],x[:,None])[0]
F.triplet_margin_loss(x,x*2,x*3)
x.transpose(0,1).contiguous()
x.type_as(x.double())
(x*1).mul_(2)
(x*1).add_(1)
x.flip(0)
torch.det(x[:, :2])
torch.inverse(x[:, :2]+torch.eye(2))
x.amax(1)
x.median()
x.nan_to_num()
x.logaddexp(x)
x.erf()
x.atan2(x*2)
F.embedding_bag(torch.tensor([[0,1],[1,1]]),x)
F.embedding_bag(torch.tensor([0,1,1]),x,torch.tensor([0,1]),mode="max")
"""
# Made of other ops here than there: 2 ** x, index_select, a linear layer without bias, einsum, recurrent layers,
# bernoulli, scatter of a number, nearest interpolation, lerp, zero_.


def name(lib, expression):
    lib.manual_seed(0)
    x = lib.tensor([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]], requires_grad=True)
    names = {"torch": lib, "F": lib.nn.functional, "nn": lib.nn, "x": x, "t": lib.tensor([0, 1])}
    names |= {"w": lib.ones(2, 3), "b": lib.ones(2)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(expression, names).grad_fn.name()


@pytest.mark.parametrize("expression", EXPRESSIONS.split("\n")[1:-1])
def test_names(expression):
    assert name(mt, expression) == name(torch, expression)
