#!/usr/bin/env python3
"""Opens an exported SAE in the library it is for, and compares what it computes with values written by this project.

    pipeline export sae --run RUN --to dictionary_learning --output exported
    pipeline sae reference --sae RUN --output expected.safetensors

    python3 -m pip install torch safetensors numpy                    # gemma-scope needs no more
    python3 -m pip install sae-lens | dictionary-learning | eai-sparsify
    python3 verify_export.py exported expected.safetensors

The format is known by its files. Latents and reconstructions are compared as absolute differences; the exit code is 0
where the largest is within --tolerance, else 2. docs/formats.md says with which versions this was done.
"""
import argparse
import json
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file


def saelens(directory: Path, x: torch.Tensor):
    """SAELens 6: what `SAE.load_from_disk` opens."""
    from sae_lens import SAE

    sae = SAE.load_from_disk(str(directory))
    # Skip transcoders add what passes by the latents in `forward` only.
    return sae.encode(x), sae(x), f"SAELens, {type(sae).__name__}"


def dictionary_learning(directory: Path, x: torch.Tensor):
    """dictionary_learning: what `load_dictionary` opens; it reads ae.pt by `torch.load`."""
    from dictionary_learning.dictionary import AutoEncoder
    from dictionary_learning.utils import load_dictionary

    torch.load(directory / "ae.pt", weights_only=True)
    kind = json.loads((directory / "config.json").read_text())["trainer"]["dict_class"]
    if kind == "AutoEncoder":
        # `load_dictionary` would bring decoder columns to norm 1, and so change the latents.
        dictionary = AutoEncoder.from_pretrained(directory / "ae.pt", normalize_decoder=False)
    else:
        dictionary, _ = load_dictionary(str(directory), device="cpu")
    latents = dictionary.encode(x)
    return latents, dictionary.decode(latents), f"dictionary_learning, {kind}"


def sparsify(directory: Path, x: torch.Tensor):
    """sparsify: what `SparseCoder.load_from_disk` opens; its latents are values and indices."""
    # Its own decoder is a GPU kernel; on a processor it has to be told.
    os.environ.setdefault("SPARSIFY_DISABLE_TRITON", "0" if torch.cuda.is_available() else "1")
    from sparsify import SparseCoder

    coder = SparseCoder.load_from_disk(directory)
    values, indices, _ = coder.encode(x)
    latents = torch.zeros(len(x), coder.num_latents).scatter_(1, indices, values)
    reconstruction = coder.decode(values, indices)
    if coder.W_skip is not None:
        reconstruction = reconstruction + x @ coder.W_skip.mT
    return latents, reconstruction, "sparsify, SparseCoder"


def gemma_scope(directory: Path, x: torch.Tensor):
    """Gemma Scope: the equations of its tutorial, on what NumPy reads."""
    import numpy as np

    p = {name: torch.from_numpy(array) for name, array in np.load(directory / "params.npz").items()}
    pre = x @ p["W_enc"] + p["b_enc"]
    latents = torch.relu(pre) * (pre > p["threshold"])
    return latents, latents @ p["W_dec"] + p["b_dec"], "Gemma Scope, JumpReLU"


MARKS = {
    "sae_weights.safetensors": saelens,
    "ae.pt": dictionary_learning,
    "sae.safetensors": sparsify,
    "params.npz": gemma_scope,
}


def find(directory: Path):
    """The folder that holds an SAE, itself or below, and how to open it."""
    found = [(path.parent, MARKS[path.name]) for path in sorted(directory.rglob("*")) if path.name in MARKS]
    if len(found) != 1:
        sys.exit(f"{directory} holds {len(found)} SAEs; name the folder of one.")
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="what `pipeline export sae` wrote")
    parser.add_argument("reference", type=Path, help="what `pipeline sae reference` wrote")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args()
    expected = load_file(options.reference)
    directory, open_in = find(options.directory)
    with torch.no_grad():
        latents, reconstruction, name = open_in(directory, expected["x"])
    apart = {
        "latents": (latents - expected["latents"]).abs().max().item(),
        "reconstruction": (reconstruction - expected["reconstruction"]).abs().max().item(),
    }
    largest = max(apart.values())
    within = largest <= options.tolerance  # also false where it is no number
    print(f"{name}: {len(expected['x'])} rows")
    for part, value in apart.items():
        print(f"  {part:<15}{value:.2e}")
    print(f"{'Within' if within else 'Beyond'} the tolerance of {options.tolerance:.0e}.")
    sys.exit(0 if within else 2)


if __name__ == "__main__":
    main()
