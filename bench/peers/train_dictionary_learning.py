"""The training benchmark's step by dictionary_learning: TopK, width 768, 16,384 latents, k 32, 4096 rows, Adam."""

import turns
import torch
from dictionary_learning.trainers.top_k import TopKTrainer

WIDTH, LATENTS, K, ROWS = 768, 16384, 32, 4096


def main():
    device = turns.prepare()
    trainer = TopKTrainer(
        steps=10**6, activation_dim=WIDTH, dict_size=LATENTS, k=K, lr=1e-5, layer=0, lm_name="", device=device
    )
    rows = torch.randn(ROWS, WIDTH, device=device)
    # Step 0 begins with the median of the rows, which is no part of a step.
    trainer.update(0, rows)
    turns.take_turns("dictionary_learning", "dictionary-learning", device, lambda: trainer.update(1, rows))


main()
