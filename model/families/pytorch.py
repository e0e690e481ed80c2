#!/usr/bin/env python3
"""Writes the logits of pytorch.json: what transformers makes of configs that are easy to read in another way.

    python3 -m pip install torch transformers safetensors
    python3 model/families/pytorch.py

Weights follow from their names by a rule that pytorch.test.ts repeats, so that no weights need to be stored. `head`: the
file holds a head apart although the config says tied.
"""
import json
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

TOKENS = [[1, 5, 3, 9, 0, 7, 10, 2], [2, 2, 7, 10, 4, 1, 1, 6]]
SMALL = dict(
    hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=32,
    vocab_size=11,
)
LLAMA = dict(model_type="llama", **SMALL)
NEOX = {**SMALL, "model_type": "gpt_neox", "tie_word_embeddings": True}
NEOX.pop("num_key_value_heads")
GEMMA = dict(head_dim=4, query_pre_attn_scalar=5, sliding_window=3, **SMALL)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)

CASES = {
    "rope_theta beside rope_parameters without one": dict(
        LLAMA, rope_theta=500.0, rope_parameters=dict(rope_type="default")
    ),
    "rope_theta within rope_scaling": dict(LLAMA, rope_scaling=dict(rope_type="linear", factor=2.0, rope_theta=500.0)),
    "rope_scaling and rope_parameters": dict(
        LLAMA,
        rope_theta=500.0,
        rope_scaling=dict(rope_type="linear", factor=4.0),
        rope_parameters=dict(rope_type="default", rope_theta=50.0),
    ),
    "an empty rope_scaling and rope_parameters": dict(
        LLAMA, rope_scaling={}, rope_parameters=dict(rope_type="default", rope_theta=50.0)
    ),
    "llama3 with original_max_position_embeddings at the top": dict(
        LLAMA, rope_theta=500.0, original_max_position_embeddings=16, rope_scaling=LLAMA3
    ),
    "llama3 with both original_max_position_embeddings": dict(
        LLAMA,
        rope_theta=500.0,
        original_max_position_embeddings=4,
        rope_scaling=dict(LLAMA3, original_max_position_embeddings=16),
    ),
    "llama3 with no original_max_position_embeddings": dict(LLAMA, rope_theta=500.0, rope_scaling=LLAMA3),
    "tied, with another head in the file": dict(LLAMA, tie_word_embeddings=True),
    "tied, with another head in the file (gpt2)": dict(
        model_type="gpt2", n_embd=8, n_head=2, n_layer=2, n_positions=32, vocab_size=11
    ),
    "heads of 20 of which a quarter rotates": dict(NEOX, hidden_size=40, rotary_pct=0.25),
    "rotary_emb_base beside rope_scaling": dict(
        NEOX, rotary_pct=1.0, rotary_emb_base=50, rope_scaling=dict(type="linear", factor=2.0)
    ),
    "no sliding_window in a sliding family": dict(LLAMA, model_type="mistral", head_dim=4),
    "a cap of scores that gemma3 does not apply": dict(
        GEMMA, model_type="gemma3_text", sliding_window_pattern=2, attn_logit_softcapping=0.5
    ),
    "rope_scaling of the full layers of gemma3": dict(
        GEMMA,
        model_type="gemma3_text",
        sliding_window_pattern=2,
        rope_scaling=dict(rope_type="linear", factor=8.0),
        rope_local_base_freq=50.0,
    ),
    "the text of gemma3": dict(
        model_type="gemma3",
        mm_tokens_per_image=4,
        text_config=dict(GEMMA, rope_scaling=dict(rope_type="linear", factor=8.0)),
        vision_config=dict(
            hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4
        ),
    ),
}


def weight(name, shape):
    """Values by the generator of Park and Miller from a seed made of the name; gains near 1, or 0 where 1 is added."""
    state = 1
    for character in name:
        state = (state * 31 + ord(character)) % 65521
    values = []
    count = 1
    for size in shape:
        count *= size
    for _ in range(count + 8):
        state = state * 48271 % 2147483647 or 1
        values.append(2 * state / 2147483647 - 1)
    tensor = torch.tensor(values[8:], dtype=torch.float64).reshape(shape)
    gain = len(shape) == 1 and name.endswith(".weight")
    return (1 + tensor / 4 if gain else tensor).float()


def main():
    transformers.utils.logging.set_verbosity_error()
    results = []
    for name, config in CASES.items():
        auto = transformers.AutoModelForCausalLM
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.json").write_text(json.dumps(config))
            shapes = auto.from_config(transformers.AutoConfig.from_pretrained(folder)).state_dict()
            head = "another head" in name
            tied = head or config.get("tie_word_embeddings") or "gemma" in config["model_type"]
            kept = {key: value.shape for key, value in shapes.items() if head or not (tied and key == "lm_head.weight")}
            save_file(
                {key: weight(key.replace("language_model.", ""), shape) for key, shape in kept.items()},
                Path(folder) / "model.safetensors",
            )
            model, loaded = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        assert not loaded["missing_keys"] and not loaded["unexpected_keys"], (name, loaded)
        with torch.no_grad():
            logits = model.eval()(torch.tensor(TOKENS), use_cache=False).logits[:, -1]
        results.append(dict(name=name, config=config, head=head, logits=[[round(x, 6) for x in row] for row in logits.tolist()]))
    about = f"Made by pytorch.py with torch {torch.__version__}, transformers {transformers.__version__}; logits at the last position."
    path = Path(__file__).with_suffix(".json")
    lines = ",\n".join(json.dumps(result) for result in results)
    path.write_text('{"about": %s, "tokens": %s, "cases": [\n%s\n]}\n' % (json.dumps(about), json.dumps(TOKENS), lines))


if __name__ == "__main__":
    main()
