"""The capture benchmark's forward pass by Hugging Face transformers: GPT-2-small shapes with random weights, seven blocks.

Tells versions on a line of JSON, then makes a pass for each line that it reads and tells its seconds.
"""

import json
import resource
import sys
import time

import torch
import transformers

BATCH, POSITIONS, VOCABULARY = 16, 128, 50257


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    threads, device = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(threads)
    config = transformers.GPT2Config(n_embd=768, n_head=12, n_layer=7, vocab_size=VOCABULARY)
    model = transformers.GPT2Model(config).eval().to(device)
    # The residual stream after block 6 is wanted: no norm after it.
    model.ln_f = torch.nn.Identity()
    tokens = (torch.arange(BATCH * POSITIONS) * 7919 % VOCABULARY).reshape(BATCH, POSITIONS).to(device)
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}, {device}"
    facts = {"name": "Hugging Face", "versions": versions, "instructions": torch.backends.cpu.get_cpu_capability()}
    print(json.dumps(facts), flush=True)
    with torch.inference_mode():
        for _ in sys.stdin:
            used, start = processor_seconds(), time.perf_counter()
            model(input_ids=tokens, use_cache=False)
            if device == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - start
            print(json.dumps({"seconds": seconds, "processorSeconds": processor_seconds() - used}), flush=True)


main()
