"""Pyro: a regression by variational inference and by NUTS, a mixture whose classes are summed over, a spline flow."""

import pyro
import pyro.distributions as dist
import torch
from common import report
from pyro import poutine
from pyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, TraceEnum_ELBO, config_enumerate
from pyro.infer.autoguide import AutoDelta, AutoMultivariateNormal, AutoNormal

torch.manual_seed(0)
x = torch.randn(40, 3)
y = x @ torch.tensor([1.0, -2.0, 0.5]) + 0.1 * torch.randn(40)
found = []


def regression(x, y=None):
    weight = pyro.sample("weight", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
    scale = pyro.sample("scale", dist.HalfCauchy(1.0))
    with pyro.plate("data", len(x)):
        return pyro.sample("y", dist.Normal(x @ weight, scale), obs=y)


@config_enumerate
def mixture(points):
    shares = pyro.sample("shares", dist.Dirichlet(torch.ones(2) / 2))
    with pyro.plate("classes", 2):
        center = pyro.sample("center", dist.Normal(0.0, 10.0))
    with pyro.plate("points", len(points)):
        one = pyro.sample("class", dist.Categorical(shares))
        pyro.sample("point", dist.Normal(center[one], 1.0), obs=points)


for kind in (AutoNormal, AutoMultivariateNormal):
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    guide = kind(regression)
    inference = SVI(regression, guide, pyro.optim.Adam({"lr": 0.05}), Trace_ELBO())
    found += [inference.step(x, y) for _ in range(5)]
    found.append(Predictive(regression, guide=guide, num_samples=4)(x)["y"].sum())

pyro.clear_param_store()
guide = AutoDelta(poutine.block(mixture, expose=["shares", "center"]))
inference = SVI(mixture, guide, pyro.optim.ClippedAdam({"lr": 0.1}), TraceEnum_ELBO(max_plate_nesting=1))
found += [inference.step(3 * x[:, 0]) for _ in range(4)]

pyro.set_rng_seed(0)
sampler = MCMC(NUTS(regression, jit_compile=False), num_samples=4, warmup_steps=4, disable_progbar=True)
sampler.run(x, y)
found.append(sampler.get_samples()["weight"].mean())

pyro.set_rng_seed(0)
flow = dist.transforms.spline_coupling(3, count_bins=4)
density = dist.TransformedDistribution(dist.Normal(torch.zeros(3), torch.ones(3)), [flow])
optimizer = torch.optim.Adam(flow.parameters(), 0.01)
for _ in range(3):
    optimizer.zero_grad()
    loss = -density.log_prob(x).mean()
    loss.backward()
    optimizer.step()
    density.clear_cache()
    found.append(loss)
report(*found)
