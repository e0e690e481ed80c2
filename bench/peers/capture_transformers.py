"""The capture benchmark's forward pass by Hugging Face transformers: GPT-2-small shapes with random weights, seven blocks."""

import turns
import torch
import transformers

BATCH, POSITIONS, VOCABULARY = 16, 128, 50257


def main():
    device = turns.prepare()
    config = transformers.GPT2Config(n_embd=768, n_head=12, n_layer=7, vocab_size=VOCABULARY)
    model = transformers.GPT2Model(config).eval().to(device)
    # The residual stream after block 6 is wanted: no norm after it.
    model.ln_f = torch.nn.Identity()
    tokens = (torch.arange(BATCH * POSITIONS) * 7919 % VOCABULARY).reshape(BATCH, POSITIONS).to(device)
    with torch.inference_mode():
        turns.take_turns("Hugging Face", "transformers", device, lambda: model(input_ids=tokens, use_cache=False))


main()
