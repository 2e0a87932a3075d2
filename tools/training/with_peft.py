"""PEFT: BERT with LoRA, saved, loaded, merged."""

import tempfile

import torch
from common import report
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import BertConfig, BertForSequenceClassification


def bert():
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return BertForSequenceClassification(BertConfig(**size, vocab_size=99, max_position_embeddings=64))


torch.manual_seed(0)
base = bert()
weights = {name: value.clone() for name, value in base.state_dict().items()}
model = get_peft_model(base, LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, lora_dropout=0.1))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
ids = torch.randint(3, 99, (16, 12))
labels, losses = (ids[:, 0] > 50).long(), []
for _ in range(6):
    optimizer.zero_grad()
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    optimizer.step()
    losses.append(loss)
model.eval()
with tempfile.TemporaryDirectory() as folder, torch.no_grad():
    model.save_pretrained(folder)
    again = bert()
    again.load_state_dict(weights)
    again = PeftModel.from_pretrained(again, folder).eval()
    outputs = [m(input_ids=ids).logits.square().sum() for m in (model, again, model.merge_and_unload())]
report(*losses, *outputs)
