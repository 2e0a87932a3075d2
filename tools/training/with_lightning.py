"""PyTorch Lightning: logs, accumulation, clipping, a schedule, checkpoints, resuming, predictions, averaged weights."""

import tempfile

import pytorch_lightning as pl
import torch
from common import classifier, data, report
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, StochasticWeightAveraging
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import Accuracy


class Classifier(pl.LightningModule):
    def __init__(self, lr=1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.net = classifier()
        self.accuracy = Accuracy(task="multiclass", num_classes=2)

    def training_step(self, batch, _):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        y = self.net(batch[0])
        self.accuracy(y, batch[1])
        self.log("val_loss", torch.nn.functional.cross_entropy(y, batch[1]))
        self.log("val_acc", self.accuracy)

    def predict_step(self, batch, _):
        return self.net(batch[0]).argmax(1)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), self.hparams.lr)
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10),
        }


def trainer(**options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return pl.Trainer(**quiet, default_root_dir=folder, **options)


x, y = data()
train = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
test = DataLoader(TensorDataset(x, y), batch_size=16)
with tempfile.TemporaryDirectory() as folder:
    pl.seed_everything(1)
    keep = ModelCheckpoint(dirpath=folder, monitor="val_loss", save_last=True)
    first = trainer(
        max_epochs=3,
        logger=CSVLogger(folder),
        callbacks=[keep, EarlyStopping("val_loss"), LearningRateMonitor()],
        gradient_clip_val=0.5,
        accumulate_grad_batches=2,
    )
    first.fit(Classifier(), train, test)
    resumed, net = trainer(max_epochs=5, logger=False), Classifier()
    resumed.fit(net, train, test, ckpt_path=f"{folder}/last.ckpt")
    metrics = [first.callback_metrics, dict(resumed.callback_metrics)]
    predicted = torch.cat(resumed.predict(net, test)).sum()
    averaged = trainer(max_epochs=2, logger=False, callbacks=[StochasticWeightAveraging(1e-2, swa_epoch_start=1)])
    averaged.fit(Classifier.load_from_checkpoint(f"{folder}/last.ckpt"), train, test)
    metrics.append(averaged.callback_metrics)
    losses = [found[name] for found in metrics for name in ("train_loss", "val_loss")]
    report(*losses, metrics[0]["lr-Adam"], metrics[1]["val_acc"], predicted)
