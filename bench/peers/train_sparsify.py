"""The training benchmark's step by sparsify: TopK, width 768, 16,384 latents, k 32, 4096 rows, Adam, unit-norm decoder."""

import os
import sys

import turns
import torch

# Its decoder for GPUs is taken wherever Triton is installed, GPU or not.
if sys.argv[2] == "cpu":
    os.environ["SPARSIFY_DISABLE_TRITON"] = "1"

from sparsify import SparseCoder, SparseCoderConfig

WIDTH, LATENTS, K, ROWS = 768, 16384, 32, 4096


def main():
    device = turns.prepare()
    sae = SparseCoder(WIDTH, SparseCoderConfig(num_latents=LATENTS, k=K), device=device)
    optimiser = torch.optim.Adam(sae.parameters(), lr=1e-5)
    rows = torch.randn(ROWS, WIDTH, device=device)

    def step():
        sae.set_decoder_norm_to_unit_norm()
        sae(rows).fvu.backward()
        sae.remove_gradient_parallel_to_decoder_directions()
        optimiser.step()
        optimiser.zero_grad()

    turns.take_turns("sparsify", "eai-sparsify", device, step)


main()
