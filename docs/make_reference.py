#!/usr/bin/env python3
"""Writes reference values of a Hugging Face model, computed by PyTorch in float32, for `pipeline model verify`.

    python3 -m pip install torch transformers safetensors
    python3 make_reference.py MODEL_DIRECTORY reference.safetensors
    pipeline model verify --model MODEL_DIRECTORY --reference reference.safetensors

Besides reference.safetensors it writes reference.json with the token ids (`input_ids`), and with texts and the ids that
the model's tokenizer.json gives for each (`tokenized`). docs/model.md says what the tensors are.
"""
import argparse
import json
import sys
from pathlib import Path

import tokenizers
import torch
import transformers
from safetensors.torch import save_file

TEXTS = [
    "When Mary and John went to the store, John gave a drink to Mary. She thanked him and they walked home.",
    "The capital of France is Paris, and in 1889 the Eiffel Tower was opened there; it is 330 metres high.",
]

# Besides the texts the model runs on: what tokenizers split, normalise and fall back on in ways of their own.
TOKENIZER_TEXTS = [
    "",
    " ",
    "  two spaces,\ttab\nand line \r\n breaks \n\n",
    "It's they'RE we'd I'll, 'quoted' \"words\" (and) [brackets] {here}: a/b-c_d; e=f+1.",
    "0 1 12 123 1234 12345 3.14159 1,000,000 0x1F 2024-05-17",
    "UPPER lower CamelCase snake_case SCREAMING_CASE iPhone",
    "naïve café Ångström coöperate; cafe\u0301 with a combining accent; \ufb01 \u2163 \u00bd",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň. Größe, Straße, İstanbul.",
    "Съешь же ещё этих мягких французских булок. Ο ΟΔΥΣΣΕΥΣ, ὀδός.",
    "这是一个句子。これは文です、カタカナも。 한국어 문장입니다.",
    "هذه جملة عربية. זה משפט בעברית. यह एक हिन्दी वाक्य है। นี่คือประโยคภาษาไทย",
    "👍🏽 👨‍👩‍👧 🇫🇷 ☃ \U00020000",
    "\u00a0no-break\u00a0spaces\u2003and\u3000wide ones\u200b zero\ufeffwidth",
    "def f(x):\n    return x ** 2  # square\n\n<html>&amp;</html>",
    "<s> </s> <unk> <pad> <bos> <eos> <|endoftext|> [CLS] [MASK]",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ....... ------- !!!",
]

# Where the parts are: layers; in a layer the module whose output attention adds, attention's output projection, the module
# that the MLP's input goes into, the one whose output it adds, its last product (None where there are several); final norm.
LLAMA = ("model.layers", "self_attn", "self_attn.o_proj", "mlp", "mlp", "mlp.down_proj", "model.norm")
# What attention and MLP add is normed first.
POST_NORMS = (
    "model.layers",
    "post_attention_layernorm",
    "self_attn.o_proj",
    "mlp",
    "post_feedforward_layernorm",
    "mlp.down_proj",
    "model.norm",
)
EXPERTS = ("model.layers", "self_attn", "self_attn.o_proj", "mlp", "mlp", None, "model.norm")
GPT = "transformer.h"
PLACES = {
    "bloom": (GPT, "self_attention.dense", "self_attention.dense", "mlp", *["mlp.dense_4h_to_h"] * 2, "transformer.ln_f"),
    "cohere": LLAMA,
    "falcon": (GPT, "self_attention", "self_attention.dense", "mlp", "mlp", "mlp.dense_4h_to_h", "transformer.ln_f"),
    "gemma": LLAMA,
    "gemma2": POST_NORMS,
    "gemma3": tuple(name.replace("model.", "model.language_model.") for name in POST_NORMS),
    "gemma3_text": POST_NORMS,
    "gpt2": (GPT, "attn", "attn.c_proj", "mlp", "mlp", "mlp.c_proj", "transformer.ln_f"),
    "gpt_neo": (GPT, "attn", "attn.attention.out_proj", "mlp", "mlp", "mlp.c_proj", "transformer.ln_f"),
    "gpt_neox": (
        "gpt_neox.layers",
        "attention",
        "attention.dense",
        "mlp",
        "mlp",
        "mlp.dense_4h_to_h",
        "gpt_neox.final_layer_norm",
    ),
    "gpt_oss": EXPERTS,
    "gptj": (GPT, "attn", "attn.out_proj", "mlp", "mlp", "mlp.fc_out", "transformer.ln_f"),
    "granite": LLAMA,
    "llama": LLAMA,
    "mistral": LLAMA,
    "mixtral": EXPERTS,
    "olmo": LLAMA,
    "olmo2": POST_NORMS,
    "opt": (
        "model.decoder.layers",
        "self_attn",
        "self_attn.out_proj",
        "fc1",
        "fc2",
        "fc2",
        "model.decoder.final_layer_norm",
    ),
    "phi": ("model.layers", "self_attn", "self_attn.dense", "mlp", "mlp", "mlp.fc2", "model.final_layernorm"),
    "phi3": LLAMA,
    "qwen2": LLAMA,
    "qwen2_moe": EXPERTS,
    "qwen3": LLAMA,
    "smollm3": LLAMA,
    "stablelm": LLAMA,
}


def first(value):
    """The tensor of a module's output or positional input, which may be a tuple."""
    return value[0] if isinstance(value, tuple) else value


def attention_of(config):
    """The way of attention that gives patterns. Falcon's adds ALiBi twice, in the mask and again; the other one does not."""
    return "sdpa" if config.model_type == "falcon" and config.alibi else "eager"


def record(model, input_ids):
    """Runs the model once and returns every reference tensor."""
    kind = model.config.model_type
    if kind not in PLACES:
        sys.exit(f"model_type {kind} is not known; known are {', '.join(PLACES)}.")
    layers_at, attention_at, output_at, mlp_at, added_at, down_at, norm_at = PLACES[kind]
    # Granite adds a share of what attention and MLP give.
    share = getattr(model.config, "residual_multiplier", 1.0)
    tensors = {}
    handles = []

    def keep(name, value):
        # Some modules are given all tokens as rows.
        whole = value.reshape(*input_ids.shape, -1) if value.shape[0] == input_ids.numel() else value
        tensors[name] = whole.detach().float().clone().contiguous()

    def on_input(module, name):
        def hook(_, args, kwargs):
            keep(name, args[0] if args else next(iter(kwargs.values())))

        handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def on_output(module, name, factor=1.0):
        handles.append(module.register_forward_hook(lambda _, __, output: keep(name, first(output) * factor)))

    for index, layer in enumerate(model.get_submodule(layers_at)):
        on_input(layer, f"resid_pre.{index}")
        on_output(layer, f"resid_post.{index}")
        on_output(layer.get_submodule(attention_at), f"attn_out.{index}", share)
        on_output(layer.get_submodule(added_at), f"mlp_out.{index}", share)
        on_input(layer.get_submodule(mlp_at), f"blocks.{index}.mlp.hook_in")
        on_output(layer.get_submodule("mlp.down_proj" if added_at.startswith("post_") else added_at), f"blocks.{index}.mlp.hook_out")
        on_input(layer.get_submodule(output_at), f"z.{index}")
        if down_at:
            on_input(layer.get_submodule(down_at), f"mlp_act.{index}")
    on_output(model.get_submodule(norm_at), "final_norm")

    patterns = model.config._attn_implementation == "eager"
    with torch.no_grad():
        output = model(input_ids, output_attentions=patterns, use_cache=False)
    for handle in handles:
        handle.remove()
    for index, pattern in enumerate(output.attentions if patterns else ()):
        keep(f"pattern.{index}", pattern)
    keep("logits", output.logits)
    log_probabilities = output.logits[:, :-1].double().log_softmax(-1)
    keep("token_loss", -log_probabilities.gather(-1, input_ids[:, 1:, None])[..., 0])
    return tensors


def tokens_of(arguments, config, tokenizer):
    """Token ids [batch, position]: of the texts, cut to the shortest, or random ones where there is no tokenizer."""
    if arguments.random is not None:
        generator = torch.Generator().manual_seed(arguments.random)
        return torch.randint(config.get_text_config().vocab_size, (2, arguments.length), generator=generator)
    rows = [tokenizer(text)["input_ids"] for text in arguments.text or TEXTS]
    length = min(arguments.length, *(len(row) for row in rows), sys.maxsize)
    return torch.tensor([row[:length] for row in rows])


def tokenized(directory, tokenizer, texts):
    """The ids of each text without special tokens around it, as tokenizer.json says. transformers builds some tokenizers
    anew from other settings; where that gives other ids, it is said."""
    if not texts:
        return []
    file = Path(directory, "tokenizer.json")
    own = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    if not file.exists():
        return own
    library = tokenizers.Tokenizer.from_file(str(file))
    ids = [library.encode(text, add_special_tokens=False).ids for text in texts]
    differing = sum(a != b for a, b in zip(own, ids))
    if differing:
        print(f"note: {type(tokenizer).__name__} of transformers gives other ids than tokenizer.json for {differing} texts")
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="Hugging Face model directory")
    parser.add_argument("reference", type=Path, help="file to write, NAME.safetensors")
    parser.add_argument("--text", action="append", help="text to run on; may be given several times")
    parser.add_argument("--random", type=int, metavar="SEED", help="random tokens, for a model without a tokenizer")
    parser.add_argument("--length", type=int, default=32, help="positions at most (32)")
    arguments = parser.parse_args()
    if arguments.reference.suffix != ".safetensors":
        parser.error("the reference must be named NAME.safetensors")

    # Eager attention: only it returns the patterns, and it alone never leaves a soft cap out.
    attention = attention_of(transformers.AutoConfig.from_pretrained(arguments.model))
    model = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.model, dtype=torch.float32, attn_implementation=attention, experts_implementation="eager"
    ).eval()
    tokenizer = None if arguments.random is not None else transformers.AutoTokenizer.from_pretrained(arguments.model)
    input_ids = tokens_of(arguments, model.config, tokenizer)
    texts = [*(arguments.text or TEXTS), *TOKENIZER_TEXTS] if tokenizer else []
    tensors = record(model, input_ids)
    save_file(tensors, arguments.reference)
    about = {
        "model": Path(arguments.model).name,
        "input_ids": input_ids.tolist(),
        "tokenized": [dict(text=text, ids=ids) for text, ids in zip(texts, tokenized(arguments.model, tokenizer, texts))],
        "tensors": {name: list(tensor.shape) for name, tensor in tensors.items()},
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__, "dtype": "float32"},
    }
    arguments.reference.with_suffix(".json").write_text(json.dumps(about) + "\n")
    print(
        f"{len(tensors)} tensors over {input_ids.shape[0]} x {input_ids.shape[1]} tokens and the token ids of "
        f"{len(texts)} texts in {arguments.reference}"
    )


if __name__ == "__main__":
    main()
