"""The capture benchmark's forward pass by TransformerLens: GPT-2-small shapes with random weights, seven blocks."""

import turns
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

BATCH, POSITIONS, VOCABULARY = 16, 128, 50257


def main():
    device = turns.prepare()
    config = HookedTransformerConfig(
        n_layers=7,
        d_model=768,
        n_ctx=1024,
        d_head=64,
        n_heads=12,
        d_vocab=VOCABULARY,
        act_fn="gelu_new",
        normalization_type="LN",
        device=device,
    )
    model = HookedTransformer(config).eval()
    tokens = (torch.arange(BATCH * POSITIONS) * 7919 % VOCABULARY).reshape(BATCH, POSITIONS).to(device)
    with torch.inference_mode():
        turns.take_turns("TransformerLens", "transformer-lens", device, lambda: model(tokens, stop_at_layer=7))


main()
