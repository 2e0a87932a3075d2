"""diffusers: a U-Net with attention learns to take noise away, then makes a picture of noise."""

import torch
from common import report
from diffusers import DDPMScheduler, UNet2DModel

torch.manual_seed(0)
net = UNet2DModel(
    sample_size=16,
    in_channels=1,
    out_channels=1,
    layers_per_block=1,
    block_out_channels=(8, 16),
    norm_num_groups=4,
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
)
schedule, optimizer = DDPMScheduler(num_train_timesteps=100), torch.optim.AdamW(net.parameters(), 1e-3)
x, losses = torch.randn(4, 1, 16, 16), []
for _ in range(4):
    noise, steps = torch.randn_like(x), torch.randint(0, 100, (4,))
    loss = torch.nn.functional.mse_loss(net(schedule.add_noise(x, noise, steps), steps).sample, noise)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss)
picture = torch.randn(1, 1, 16, 16)
schedule.set_timesteps(5)
with torch.no_grad():
    for step in schedule.timesteps:
        picture = schedule.step(net(picture, step).sample, step, picture).prev_sample
report(*losses, picture.square().mean())
