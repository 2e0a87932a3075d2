"""PyTorch-Ignite: a trainer, an evaluator with metrics, checkpoints."""

import tempfile

import torch
from common import classifier, data, report
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import ModelCheckpoint
from ignite.metrics import Accuracy, Loss
from torch.utils.data import DataLoader, TensorDataset

x, y = data()
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
net, criterion, seen = classifier(), torch.nn.CrossEntropyLoss(), []
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
trainer = create_supervised_trainer(net, optimizer, criterion)
evaluator = create_supervised_evaluator(net, metrics={"accuracy": Accuracy(), "loss": Loss(criterion)})


@trainer.on(Events.EPOCH_COMPLETED)
def evaluate(_):
    evaluator.run(loader)
    seen.extend([evaluator.state.metrics["loss"], evaluator.state.metrics["accuracy"]])


with tempfile.TemporaryDirectory() as folder:
    checkpoint = ModelCheckpoint(folder, "net", n_saved=1)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, checkpoint, {"net": net, "optimizer": optimizer})
    trainer.run(loader, max_epochs=4)
    saved = torch.load(checkpoint.last_checkpoint)
    report(*seen, saved["net"]["0.weight"].sum())
