"""kornia: filters, colours, geometry, augmentation and a loss of images."""

import kornia
import torch
from common import report

torch.manual_seed(0)
x = torch.rand(2, 3, 16, 16, requires_grad=True)
augment = torch.nn.Sequential(kornia.augmentation.RandomHorizontalFlip(), kornia.augmentation.RandomAffine(20.0))
made = [
    kornia.filters.gaussian_blur2d(x, (3, 3), (1.0, 1.0)),
    kornia.filters.sobel(x),
    kornia.color.rgb_to_hsv(x),
    kornia.geometry.rotate(x, torch.tensor([10.0, 20.0])),
    kornia.geometry.resize(x, (11, 13)),
    augment(x),
]
loss = kornia.losses.ssim_loss(x, x.detach() * 0.9, 5)
(loss + sum(y.square().mean() for y in made)).backward()
report(*(y.sum() for y in made), loss, x.grad.abs().sum())
