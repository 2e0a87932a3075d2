"""Captum: what each input has to do with a classifier's answer."""

import numpy as np
import torch
from captum.attr import DeepLift, GradientShap, IntegratedGradients, LayerGradCam, Occlusion, Saliency
from common import report

torch.manual_seed(0)
np.random.seed(0)  # GradientShap draws baselines by it
net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
x, images = torch.randn(5, 4), torch.randn(2, 1, 6, 6)
of_images = torch.nn.Sequential(
    torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3 * 16, 3)
)
found = [method(net).attribute(x, target=1) for method in (IntegratedGradients, Saliency, DeepLift)]
found.append(Occlusion(net).attribute(x, target=1, sliding_window_shapes=(1,)))
found.append(GradientShap(net).attribute(x, baselines=torch.zeros(3, 4), target=1))
found.append(LayerGradCam(of_images, of_images[0]).attribute(images, target=1))
report(*(parts.abs().sum() for parts in found))
