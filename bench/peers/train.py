"""The training benchmark's step by sparsify: TopK, width 768, 16,384 latents, k 32, 4096 rows, Adam, unit-norm decoder.

Tells versions on a line of JSON, then takes a step for each line that it reads and tells its seconds.
"""

import importlib.metadata
import json
import resource
import sys
import time

import torch
from sparsify import SparseCoder, SparseCoderConfig

WIDTH, LATENTS, K, ROWS = 768, 16384, 32, 4096


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    threads, device = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    sae = SparseCoder(WIDTH, SparseCoderConfig(num_latents=LATENTS, k=K), device=device)
    optimiser = torch.optim.Adam(sae.parameters(), lr=1e-5)
    rows = torch.randn(ROWS, WIDTH, device=device)
    versions = f"sparsify {importlib.metadata.version('eai-sparsify')}, torch {torch.__version__}, {device}"
    facts = {"name": "sparsify", "versions": versions, "instructions": torch.backends.cpu.get_cpu_capability()}
    print(json.dumps(facts), flush=True)
    for _ in sys.stdin:
        used, start = processor_seconds(), time.perf_counter()
        sae.set_decoder_norm_to_unit_norm()
        sae(rows).fvu.backward()
        sae.remove_gradient_parallel_to_decoder_directions()
        optimiser.step()
        optimiser.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "processorSeconds": processor_seconds() - used}), flush=True)


main()
