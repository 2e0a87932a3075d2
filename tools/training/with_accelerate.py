"""Accelerate: prepared objects, accumulation, clipping, a state saved and loaded."""

import tempfile

import torch
from accelerate import Accelerator
from common import classifier, data, report
from torch.utils.data import DataLoader, TensorDataset

x, y = data()
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
net = classifier()
optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5)
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
net, optimizer, loader, schedule = accelerator.prepare(net, optimizer, loader, schedule)
losses = []
for _ in range(3):
    for inputs, targets in loader:
        with accelerator.accumulate(net):
            loss = torch.nn.functional.cross_entropy(net(inputs), targets)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    losses.append(loss)
with tempfile.TemporaryDirectory() as folder:
    accelerator.save_state(folder)
    accelerator.load_state(folder)
report(*losses, accelerator.unwrap_model(net)(x).sum())
