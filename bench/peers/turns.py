"""What every peer does: tells its name and versions on a line of JSON, then does its work once for each line that it reads
and tells the seconds that took, by the clock and of processors.
"""

import importlib.metadata
import json
import os
import resource
import sys
import time

import torch


def prepare():
    """The device that is asked for, with the threads that are asked for and a fixed seed."""
    threads, device = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    return device


def take_turns(name, package, device, work):
    """Runs `work` whenever a line comes, until there are no more."""
    versions = f"{package} {importlib.metadata.version(package)}, torch {torch.__version__}, {device}"
    facts = {"name": name, "versions": versions, "instructions": torch.backends.cpu.get_cpu_capability()}
    tell(facts)
    for _ in sys.stdin:
        used, start = processor_seconds(), time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        tell({"seconds": seconds, "processorSeconds": processor_seconds() - used})


def tell(what):
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# What a library prints must not stand among the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
