#!/usr/bin/env python3
"""Writes reference.json: what transformers computes, site by site, for small random models of the families.

    python3 -m pip install torch transformers safetensors
    python3 model/families/reference.py

Weights follow from their names by the rule of pytorch.py, so that no weights need to be stored. Of each site the values at
the last position of the second row are kept.
"""
import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

HERE = Path(__file__).parent
sys.path.append(str(HERE))
sys.path.append(str(HERE.parent.parent / "docs"))
from make_reference import attention_of, record  # noqa: E402
from pytorch import TOKENS, weight  # noqa: E402

SIZES = dict(
    hidden_size=12,
    intermediate_size=10,
    num_hidden_layers=2,
    num_attention_heads=3,
    num_key_value_heads=1,
    max_position_embeddings=16,
    vocab_size=11,
)
EVEN = dict(SIZES, hidden_size=16, num_attention_heads=4, num_key_value_heads=2)
GPTJ = dict(n_embd=16, n_head=2, n_layer=2, n_positions=16, rotary_dim=4, vocab_size=11)
FALCON = dict(
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    ffn_hidden_size=10,
    max_position_embeddings=16,
    vocab_size=11,
    multi_query=True,
)
OPT = dict(
    hidden_size=12, num_hidden_layers=2, num_attention_heads=3, ffn_dim=10, max_position_embeddings=16, vocab_size=11
)
NEO = dict(
    hidden_size=12,
    num_layers=2,
    num_heads=3,
    max_position_embeddings=16,
    vocab_size=11,
    attention_types=[[["global", "local"], 1]],
    window_size=3,
)
BLOOM = dict(hidden_size=12, n_head=3, n_layer=2, vocab_size=11)
MOE = dict(
    EVEN,
    moe_intermediate_size=6,
    shared_expert_intermediate_size=10,
    num_experts=5,
    num_experts_per_tok=2,
    decoder_sparse_step=2,
)
LONGROPE = dict(
    rope_type="longrope", short_factor=[1.0, 1.5], long_factor=[2.0, 5.0], original_max_position_embeddings=4
)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=4)

CASES = {
    "bloom": BLOOM,
    "bloom, heads that are a power of two": dict(BLOOM, n_head=4),
    "cohere": dict(EVEN, tie_word_embeddings=True),
    "cohere, norms of heads": dict(EVEN, use_qk_norm=True, attention_bias=True, logit_scale=0.5),
    "falcon": FALCON,
    "falcon, grouped": dict(FALCON, hidden_size=16, num_attention_heads=4, num_kv_heads=2, new_decoder_architecture=True),
    "falcon, grouped with one norm": dict(
        FALCON,
        hidden_size=16,
        num_attention_heads=4,
        num_kv_heads=2,
        new_decoder_architecture=True,
        num_ln_in_parallel_attn=1,
        bias=True,
    ),
    "falcon, alibi, one after the other": dict(FALCON, alibi=True, multi_query=False, parallel_attn=False, bias=True),
    "gemma": dict(SIZES, head_dim=6),
    "gemma, gelu": dict(SIZES, head_dim=6, hidden_act="gelu"),
    "gpt_neo": NEO,
    "gpt_oss": dict(EVEN, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=3),
    "gpt_oss, yarn cut off": dict(
        EVEN,
        head_dim=8,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=3,
        swiglu_limit=0.5,
        rope_scaling=dict(YARN, truncate=True),
    ),
    "gptj": GPTJ,
    "granite": dict(
        SIZES,
        embedding_multiplier=3.0,
        attention_multiplier=0.7,
        residual_multiplier=0.4,
        logits_scaling=2.5,
        mlp_bias=True,
    ),
    "llama, dynamic": dict(SIZES, max_position_embeddings=6, rope_scaling=dict(rope_type="dynamic", factor=4.0)),
    "llama, yarn": dict(SIZES, rope_scaling=YARN),
    "llama, yarn with scales": dict(
        SIZES, rope_scaling=dict(YARN, beta_fast=2.0, beta_slow=0.5, mscale=0.7, mscale_all_dim=0.3)
    ),
    "llama, longrope": dict(SIZES, rope_scaling=LONGROPE),
    "mixtral": dict(EVEN, num_local_experts=4, num_experts_per_tok=2, sliding_window=4),
    "mixtral, one expert": dict(EVEN, num_local_experts=1, num_experts_per_tok=1),
    "olmo": dict(SIZES, clip_qkv=0.5),
    "olmo2": EVEN,
    "opt": OPT,
    "opt, no biases": dict(OPT, enable_bias=False, layer_norm_elementwise_affine=False, activation_function="gelu"),
    "phi": EVEN,
    "phi, norms of heads": dict(EVEN, qk_layernorm=True, partial_rotary_factor=1.0),
    "phi3": dict(EVEN, sliding_window=4),
    "phi3, longrope": dict(
        EVEN, max_position_embeddings=16, original_max_position_embeddings=4, rope_scaling=dict(LONGROPE)
    ),
    "qwen2_moe": MOE,
    "qwen2_moe, all mixed, renormalised": dict(
        MOE, decoder_sparse_step=1, norm_topk_prob=True, qkv_bias=False, use_sliding_window=True, sliding_window=3
    ),
    "smollm3": dict(SIZES, no_rope_layers=[1, 0]),
    "smollm3, sliding": dict(SIZES, no_rope_layer_interval=2, use_sliding_window=True, sliding_window=3),
    "stablelm": dict(EVEN, partial_rotary_factor=0.5),
    "stablelm, side by side, norms of heads": dict(
        EVEN, use_parallel_residual=True, qk_layernorm=True, use_qkv_bias=True, partial_rotary_factor=0.5
    ),
}
for name in ("phi3, longrope",):
    CASES[name]["rope_scaling"].pop("original_max_position_embeddings")


def made(config):
    """The model whose weights follow from the names in its file."""
    auto = transformers.AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        model = auto.from_config(transformers.AutoConfig.from_pretrained(folder))
        model.save_pretrained(folder)
        (Path(folder) / "config.json").write_text(json.dumps(config))
        with safe_open(Path(folder) / "model.safetensors", "pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}
        save_file({name: weight(name, shape) for name, shape in shapes.items()}, Path(folder) / "model.safetensors")
        model, loaded = auto.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation=attention_of(model.config),
            experts_implementation="eager",
            output_loading_info=True,
        )
    assert not loaded["missing_keys"] and not loaded["unexpected_keys"], loaded
    return model.eval()


def main():
    transformers.utils.logging.set_verbosity_error()
    results = []
    for name, sizes in CASES.items():
        config = dict(model_type=name.split(",")[0], pad_token_id=0, **sizes)
        tensors = record(made(config), torch.tensor(TOKENS))
        kept = {}
        for tensor, value in tensors.items():
            value = value[1, ..., -1, :] if tensor.startswith("pattern") else value[1, -1]
            kept[tensor] = [round(x, 6) for x in value.flatten().tolist()]
        results.append(dict(name=name, config=config, values=kept))
    about = f"Made by reference.py with torch {torch.__version__}, transformers {transformers.__version__}."
    lines = ",\n".join(json.dumps(result) for result in results)
    (HERE / "reference.json").write_text('{"about": %s, "cases": [\n%s\n]}\n' % (json.dumps(about), lines))


if __name__ == "__main__":
    main()
