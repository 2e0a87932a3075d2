"""The models of torchvision, timm and transformers, from their own code, in minitorch2 and in PyTorch.

    make packages                                        installs them into build/packages, then compares all
    python tools/compare_packages.py timm resnet18       only these

Each framework runs in a process of its own, from the same seed, in evaluation mode: a model's initial weights, its
output on random input in float32, and output and the sum of its squared gradients in float64, where rounding cannot
put a unit on the other side of a kink. Nothing is copied from one to the other. For minitorch2 `import torch` is
minitorch2 (minitorch2.alias), in a process where PyTorch is never imported. The exit status is 1 if a model fails or
differs by more than FLOAT or DOUBLE.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
from frameworks import PACKAGES, become

# Of the largest output and of the gradients, through up to a hundred layers. In float64, too, there is rounding of
# float32: timm draws weights by erfinv_, one in a hundred of which differs in its last bit, and language models compute
# norms and angles so.
FLOAT, DOUBLE = 1e-5, 1e-6
FLOAT32_ONLY = ("mixtral",)  # PyTorch has no product of its experts in float64

TORCHVISION = """
alexnet vgg11_bn resnet18 resnet50 densenet121 squeezenet1_1 googlenet inception_v3 mobilenet_v2 mobilenet_v3_small
mnasnet0_5 shufflenet_v2_x0_5 efficientnet_b0 efficientnet_v2_s regnet_y_400mf convnext_tiny vit_b_16 swin_t swin_v2_t
maxvit_t
"""

TIMM = """
resnet18 resnet26d resnext50_32x4d seresnet18 efficientnet_lite0 efficientnet_b0 tf_efficientnetv2_b0
mobilenetv3_small_050 mobilenetv4_conv_small mobileone_s0 vit_tiny_patch16_224 deit_tiny_distilled_patch16_224
convnext_atto convnextv2_atto swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 maxvit_rmlp_pico_rw_256
coatnet_pico_rw_224 mixer_s32_224 resmlp_12_224 poolformer_s12 regnetx_002 regnety_002 densenet121 dla34 dpn48b
ghostnet_050 hrnet_w18_small levit_128s mobilevit_xxs mobilevitv2_050 nfnet_f0 pit_ti_224 repvgg_a0 res2net50_14w_8s
selecsls42 skresnet18 tinynet_e twins_svt_small visformer_tiny volo_d1_224 xcit_nano_12_p16_224 edgenext_xx_small
efficientformer_l1 eva02_tiny_patch14_224 fastvit_t8 gcvit_xxtiny hardcorenas_a inception_v4 lcnet_050 mnasnet_small
pvt_v2_b0 rexnet_100 semnasnet_075 sequencer2d_s spnasnet_100 tresnet_m vgg11 xception41 beit_base_patch16_224
cait_xxs24_224 crossvit_tiny_240 davit_tiny focalnet_tiny_srf hiera_tiny_224 starnet_s1 tiny_vit_5m_224
"""

WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = WIDE | {"vocab_size": 99, "max_position_embeddings": 64}
GROUPED = TEXT | {"num_key_value_heads": 2}
SPECIAL = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0, "vocab_size": 99}
CODED = SPECIAL | {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
CODED |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
# name: (class, configuration, its arguments)
TRANSFORMERS = {
    "bert": ("BertForSequenceClassification", "BertConfig", TEXT),
    "distilbert": (
        "DistilBertForSequenceClassification",
        "DistilBertConfig",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "vocab_size": 99},
    ),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", TEXT),
    "electra": ("ElectraForSequenceClassification", "ElectraConfig", TEXT | {"embedding_size": 32}),
    "albert": ("AlbertForSequenceClassification", "AlbertConfig", TEXT | {"embedding_size": 16}),
    "deberta_v2": ("DebertaV2ForSequenceClassification", "DebertaV2Config", TEXT),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99}),
    "gpt_neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", TEXT),
    "llama": ("LlamaForCausalLM", "LlamaConfig", GROUPED),
    "mistral": ("MistralForCausalLM", "MistralConfig", GROUPED),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", GROUPED | {"num_local_experts": 4}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", GROUPED),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", GROUPED | {"head_dim": 8}),
    "opt": (
        "OPTForCausalLM",
        "OPTConfig",
        TEXT | {"ffn_dim": 64, "word_embed_proj_dim": 32},
    ),
    "bloom": ("BloomForCausalLM", "BloomConfig", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99}),
    "t5": (
        "T5ForConditionalGeneration",
        "T5Config",
        {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4} | SPECIAL,
    ),
    "bart": ("BartForConditionalGeneration", "BartConfig", CODED | {"max_position_embeddings": 64}),
    "whisper": (
        "WhisperForConditionalGeneration",
        "WhisperConfig",
        CODED | {"num_mel_bins": 8, "max_source_positions": 16, "max_target_positions": 32},
    ),
    "clip_text": ("CLIPTextModel", "CLIPTextConfig", TEXT),
    "vit": ("ViTForImageClassification", "ViTConfig", WIDE | {"image_size": 32, "patch_size": 8}),
    "swin": (
        "SwinForImageClassification",
        "SwinConfig",
        {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    ),
    "resnet": (
        "ResNetForImageClassification",
        "ResNetConfig",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
    ),
    "wav2vec2": (
        "Wav2Vec2ForSequenceClassification",
        "Wav2Vec2Config",
        WIDE
        | {"conv_dim": [16, 16], "conv_stride": [4, 4], "conv_kernel": [8, 8], "num_feat_extract_layers": 2}
        | {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "vocab_size": 99},
    ),
}
IMAGES, SOUND = ("vit", "swin", "resnet"), ("wav2vec2",)
MODELS = {"torchvision": TORCHVISION.split(), "timm": TIMM.split(), "transformers": list(TRANSFORMERS)}


def model_of(torch, package: str, name: str):
    """A model as its package makes it, and the arguments of a call: (model, positional, by keyword)."""
    library = importlib.import_module(package)
    if package == "transformers":
        kind, configuration, arguments = TRANSFORMERS[name]
        model = getattr(library, kind)(getattr(library, configuration)(**arguments))
        if name in IMAGES:
            return model, (), {"pixel_values": torch.randn(2, 3, 32, 32)}
        if name in SOUND:
            return model, (torch.randn(2, 800),), {}
        ids = torch.randint(3, 99, (2, 12))
        if name == "whisper":
            return model, (torch.randn(2, 8, 32),), {"decoder_input_ids": ids}
        more = {"labels": ids} if name in ("t5", "bart") else {"attention_mask": (ids > 3).long()}
        return model, (), {"input_ids": ids} | more
    if package == "timm":
        model = library.create_model(name, num_classes=10, pretrained=False)
        size = model.default_cfg["input_size"][-1]
    else:
        more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}  # scipy draws those
        model = library.models.get_model(name, num_classes=10, **more)
        size = {"inception_v3": 299, "alexnet": 96, "vgg11_bn": 96, "densenet121": 96}.get(name, 224)
    return model, (torch.randn(2, 3, size, size),), {}


def measure(torch, package: str, name: str) -> dict:
    """{"float": output, "double": output, "gradient": sum of squares, "tensors": in the state dict}, or
    {"error": text}."""

    def output(*args, **kwargs):
        y = model(*args, **kwargs)
        return (y.logits if hasattr(y, "logits") else y.last_hidden_state) if package == "transformers" else y

    def converted(x):
        return x.to(dtype) if x.is_floating_point() else x

    dtype = torch.float32 if name in FLOAT32_ONLY else torch.float64

    try:
        torch.manual_seed(0)
        model, args, kwargs = model_of(torch, package, name)
        model.eval()
        with torch.no_grad():
            single = output(*args, **kwargs)
        model.to(dtype)
        y = output(*map(converted, args), **{key: converted(x) for key, x in kwargs.items()})
        (y + 1).square().sum().backward()  # some heads begin with zeros
        squares = [p.grad.square().sum().item() for p in model.parameters() if p.grad is not None]
        outputs = {"float": single.flatten().tolist(), "double": y.flatten().tolist()}
        return outputs | {"gradient": sum(squares), "tensors": len(model.state_dict())}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return {"error": f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"}


def child(framework: str, package: str, names: list[str]) -> None:
    """Prints a line of JSON for each model."""
    torch = become(framework)
    for name in names:
        print(json.dumps([name, measure(torch, package, name)]), flush=True)


def run(framework: str, package: str, names: list[str]) -> dict[str, dict]:
    """What `child` measured, in a process of its own."""
    command = [sys.executable, __file__, "--child", framework, package, *names]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        found = dict(json.loads(line) for line in process.stdout if line.startswith("["))
    return {name: found.get(name, {"error": f"the process ended with {process.returncode}"}) for name in names}


def relative(ours: list[float], theirs: list[float]) -> float:
    """The largest difference, in units of the largest number."""
    return float(np.abs(np.subtract(ours, theirs)).max() / (np.abs(theirs).max() or 1.0))  # NaN where there is one


def verdict(ours: dict, theirs: dict) -> tuple[bool, str]:
    """(whether the two agree, a line that says so)."""
    if "error" in ours or "error" in theirs:
        where = " and ".join(side for side, r in (("minitorch2", ours), ("PyTorch", theirs)) if "error" in r)
        return False, f"fails in {where}: {ours.get('error', theirs.get('error'))}"
    errors = {key: relative(ours[key], theirs[key]) for key in ("float", "double")}
    errors["gradient"] = abs(ours["gradient"] / theirs["gradient"] - 1)
    same = errors["float"] <= FLOAT and errors["double"] <= DOUBLE and errors["gradient"] <= DOUBLE
    line = "  ".join(f"{key} {error:.1e}" for key, error in errors.items())
    return same and ours["tensors"] == theirs["tensors"], line


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", nargs="?", choices=MODELS, help="all of them without one")
    parser.add_argument("model", nargs="*", help="all of the package's without one")
    parser.add_argument("--child", metavar="FRAMEWORK", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.package, args.model)
        return 0
    if not PACKAGES.is_dir():
        parser.error("install the packages first: make packages, or pip as the Makefile calls it")
    agreed = total = 0
    for package in [args.package] if args.package else MODELS:
        names = args.model or MODELS[package]
        ours, theirs = (run(framework, package, names) for framework in ("minitorch2", "torch"))
        for name in names:
            same, line = verdict(ours[name], theirs[name])
            agreed, total = agreed + same, total + 1
            print(f"{package:12} {name:32} {'' if same else 'DIFFERS  '}{line}", flush=True)
    print(f"{agreed} of {total} models do the same in both, to {FLOAT:g} in float32 and {DOUBLE:g} in float64")
    return int(agreed < total)


if __name__ == "__main__":
    sys.exit(main())
