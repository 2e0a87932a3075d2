"""GPyTorch: a Gaussian process, its likelihood maximised, its predictions."""

import math

import gpytorch
import torch
from common import report

torch.manual_seed(0)
x = torch.linspace(0, 1, 30)
y = torch.sin(x * 2 * math.pi) + torch.randn(30) * 0.1


class Process(gpytorch.models.ExactGP):
    def __init__(self, likelihood):
        super().__init__(x, y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

    def forward(self, inputs):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(inputs), self.covar_module(inputs))


likelihood = gpytorch.likelihoods.GaussianLikelihood()
process, losses = Process(likelihood), []
optimizer = torch.optim.Adam(process.parameters(), 0.1)
objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, process)
for _ in range(5):
    optimizer.zero_grad()
    loss = -objective(process(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss)
process.eval()
likelihood.eval()
with torch.no_grad():
    predicted = likelihood(process(torch.linspace(0, 1, 5)))
report(*losses, predicted.mean.square().sum(), predicted.variance.sum())
