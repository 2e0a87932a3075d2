"""transformers' from_pretrained: models made without memory for their weights, which a file then gives them."""

import tempfile

import torch
import transformers
from common import report
from transformers import (
    AutoModel,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    LlamaConfig,
    ResNetConfig,
    SwinConfig,
    T5Config,
    ViTConfig,
    WhisperConfig,
)

transformers.logging.set_verbosity_error()
torch.manual_seed(0)
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
HEARING = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
WORDS = {"vocab_size": 40, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
ids, image = torch.arange(8)[None], torch.randn(1, 3, 16, 16)
both = {"input_ids": ids, "decoder_input_ids": ids}
sound = {"input_features": torch.randn(1, 8, 16), "decoder_input_ids": ids}
kinds = [
    (BertConfig(**SMALL, **WORDS), {"input_ids": ids}),
    (GPT2Config(n_embd=16, n_layer=2, n_head=2, **WORDS), {"input_ids": ids}),
    (LlamaConfig(num_key_value_heads=1, **SMALL, **WORDS), {"input_ids": ids}),
    (T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2), both),
    (ViTConfig(image_size=16, patch_size=4, **SMALL), {"pixel_values": image}),
    (SwinConfig(image_size=16, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4), None),
    (ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"), None),
    (WhisperConfig(d_model=16, encoder_layers=1, decoder_layers=1, num_mel_bins=8, max_source_positions=8,
                   max_target_positions=8, decoder_start_token_id=1, **HEARING, **WORDS), sound),
]  # fmt: skip
found = []
with tempfile.TemporaryDirectory() as folder, torch.no_grad():
    for config, inputs in kinds:
        made = AutoModel.from_config(config).eval()
        made.save_pretrained(folder)
        loaded = AutoModel.from_pretrained(folder).eval()
        inputs = inputs or {"pixel_values": image}
        outputs, again = (model(**inputs).last_hidden_state for model in (made, loaded))
        assert torch.equal(outputs, again) and not any(p.is_meta for p in loaded.parameters())
        found.append(again.abs().sum())
    AutoModel.from_config(kinds[0][0]).save_pretrained(folder)
    half = AutoModel.from_pretrained(folder, dtype=torch.bfloat16)
    headed = BertForSequenceClassification.from_pretrained(folder, num_labels=3).eval()
    assert half.dtype == torch.bfloat16 and headed.classifier.weight.std() > 0
    found.append(headed.bert(ids).last_hidden_state.abs().sum())
report(*found)
