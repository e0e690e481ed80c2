"""The training benchmark's step by SAELens' trainer: TopK, width 768, 16,384 latents, k 32, 4096 rows, Adam."""

import itertools

import turns
import torch
from sae_lens import SAETrainer, TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.config import SAETrainerConfig

WIDTH, LATENTS, K, ROWS = 768, 16384, 32, 4096


def main():
    device = turns.prepare()
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=WIDTH, d_sae=LATENTS, k=K, device=device))
    rows = torch.randn(ROWS, WIDTH, device=device)
    config = SAETrainerConfig(
        total_training_samples=10**6 * ROWS, train_batch_size_samples=ROWS, lr=1e-5, lr_end=1e-6, device=device
    )
    trainer = SAETrainer(config, sae, itertools.repeat(rows))

    def step():
        trainer.step(rows)
        trainer.n_training_steps += 1

    turns.take_turns("SAELens", "sae-lens", device, step)


main()
