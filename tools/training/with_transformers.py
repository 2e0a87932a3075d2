"""transformers.Trainer: BERT fine-tuned, evaluated, checkpointed, resumed."""

import tempfile

import torch
from common import report
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments


class Sentences(Dataset):
    def __init__(self, n):
        generator = torch.Generator().manual_seed(1)
        self.ids = torch.randint(3, 99, (n, 12), generator=generator)

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        ids = self.ids[i]
        return {"input_ids": ids, "labels": (ids[0] > 50).long(), "attention_mask": torch.ones(12, dtype=torch.long)}


def trained(epochs, **options):
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    model = BertForSequenceClassification(BertConfig(**size, vocab_size=99, max_position_embeddings=64))
    settings = TrainingArguments(
        output_dir=folder,
        num_train_epochs=epochs,
        per_device_train_batch_size=16,
        learning_rate=1e-3,
        save_strategy="epoch",
        eval_strategy="epoch",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=settings, train_dataset=Sentences(128), eval_dataset=Sentences(64))
    result = trainer.train(**options)
    return result.training_loss, trainer.evaluate()["eval_loss"]


with tempfile.TemporaryDirectory() as folder:
    first = trained(2)
    report(*first, *trained(3, resume_from_checkpoint=True))
