"""torchdiffeq: a neural differential equation, differentiated through the solver and by its adjoint."""

import torch
from common import report
from torchdiffeq import odeint, odeint_adjoint


class Field(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)

    def forward(self, _, y):
        return torch.tanh(self.linear(y))


torch.manual_seed(0)
field, found = Field().double(), []
for solve in (odeint, odeint_adjoint):
    field.zero_grad()
    y = solve(field, torch.ones(3, 2, dtype=torch.float64), torch.linspace(0, 1, 5, dtype=torch.float64))
    y.square().mean().backward()
    found += [y.sum(), field.linear.weight.grad.sum()]
report(*found)
