"""Records training steps that SAELens takes, for `pipeline sae verify-training` and the tests in sae/parity.

    pip install sae-lens
    python docs/record_sae_steps.py sae/parity/recorded

Small planted data, twelve steps of SAELens's own trainer step (forward, backward, clipping, Adam), latents that did not fire
for two steps dead. Each architecture gives a JSON and a safetensors file: `x` [step, row, width], `init.*`, `final.*`,
`loss.*`, and `latents`, those of x[0] under the final weights.

Temporal SAEs, which SAELens does not train, give a directory each, as SAELens saves it, and `expected.safetensors` in it: `x` [batch,
position, width], `latents` and `reconstruction`.
"""

import json
import sys
from pathlib import Path

import sae_lens
import torch
from safetensors.torch import save_file
from sae_lens.saes.abstopk_sae import AbsTopKTrainingSAE, AbsTopKTrainingSAEConfig
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.matching_pursuit_sae import MatchingPursuitTrainingSAE, MatchingPursuitTrainingSAEConfig
from sae_lens.saes.sae import TrainStepInput
from sae_lens.saes.temporal_sae import TemporalSAE, TemporalSAEConfig

WIDTH, LATENTS, ROWS, STEPS, DEAD_AFTER, CLIP = 6, 16, 24, 12, 2, 1.0


def planted(generator: torch.Generator) -> torch.Tensor:
    """Rows that are sums of three of twelve directions, of either sign, off the origin."""
    directions = torch.nn.functional.normalize(torch.randn(12, WIDTH, generator=generator), dim=1)
    sizes = torch.rand(STEPS, ROWS, 12, generator=generator) + 0.5
    signs = torch.sign(torch.randn(STEPS, ROWS, 12, generator=generator))
    chosen = torch.rand(STEPS, ROWS, 12, generator=generator).argsort(dim=-1) < 3
    offset = torch.randn(WIDTH, generator=generator) * 0.3
    return (sizes * signs * chosen) @ directions + offset


def record(name, sae, rate, folder: Path):
    x = planted(torch.Generator().manual_seed(7))
    before = {f"init.{key}": value.detach().clone() for key, value in sae.state_dict().items()}
    optimizer = torch.optim.Adam(sae.parameters(), lr=rate, betas=(0.9, 0.999), eps=1e-8)
    silent = torch.zeros(LATENTS)
    losses, dead = {}, []
    for step in range(STEPS):
        mask = silent > DEAD_AFTER
        dead.append(int(mask.sum()))
        output = sae.training_forward_pass(
            TrainStepInput(sae_in=x[step], coefficients={}, dead_neuron_mask=mask, n_training_steps=step,
                           is_logging_step=False)
        )
        fired = (output.feature_acts.to_dense() != 0).any(dim=0)
        silent = torch.where(fired, torch.zeros(LATENTS), silent + 1)
        for key, value in {"total": output.loss, **output.losses}.items():
            losses.setdefault(f"loss.{key}", []).append(float(value))
        output.loss.backward()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        latents = sae.encode_with_hidden_pre(x[0])[0].to_dense()
    tensors = {
        "x": x,
        **before,
        **{f"final.{key}": value.detach().clone() for key, value in sae.state_dict().items()},
        **{key: torch.tensor(values, dtype=torch.float64) for key, values in losses.items()},
        "latents": latents,
    }
    tensors = {key: value.contiguous() if value.dtype == torch.float64 else value.float().contiguous()
               for key, value in tensors.items()}
    description = {
        "library": "SAELens",
        "version": sae_lens.__version__,
        "architecture": name,
        "config": {key: value for key, value in sae.cfg.to_dict().items() if key != "metadata"},
        "optimizer": {"name": "Adam", "lr": rate, "betas": [0.9, 0.999], "eps": 1e-8, "clip_grad_norm": CLIP},
        "dead_after_steps": DEAD_AFTER,
        "dead_before_step": dead,
        "steps": STEPS,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / f"saelens-{name}.safetensors")
    (folder / f"saelens-{name}.json").write_text(json.dumps(description, indent=1) + "\n")
    print(name, "dead", dead, "last loss", losses["loss.total"][-1])


def temporal(name, config, folder: Path):
    sae = TemporalSAE(TemporalSAEConfig(d_in=WIDTH, d_sae=LATENTS, device="cpu", n_heads=2, bottleneck_factor=4, **config))
    with torch.no_grad():
        sae.b_dec.normal_(std=0.3)
        for layer in sae.attn_layers:
            for part in (layer.k_ctx, layer.q_target, layer.v_ctx):
                part.weight.mul_(40)
    sae.save_model(folder / name)
    x = 3 * torch.randn(3, 7, WIDTH)
    with torch.no_grad():
        values = {"x": x, "latents": sae.encode(x), "reconstruction": sae(x)}
    save_file({key: value.contiguous() for key, value in values.items()}, folder / name / "expected.safetensors")
    print(name, "L0", float((values["latents"] != 0).sum(-1).float().mean()))


def main():
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    sizes = {"d_in": WIDTH, "d_sae": LATENTS, "dtype": "float32", "device": "cpu"}
    for name, kind, config, rate in [
        ("abstopk", AbsTopKTrainingSAE, AbsTopKTrainingSAEConfig(k=2, **sizes), 0.01),
        ("batchtopk-fraction", BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig(k=2.5, **sizes), 0.01),
        ("matching_pursuit", MatchingPursuitTrainingSAE,
         MatchingPursuitTrainingSAEConfig(max_iterations=3, residual_threshold=0.3, decoder_init_norm=1.0, **sizes), 0.01),
    ]:
        torch.manual_seed(0)
        record(name, kind(config), rate, folder)
    for name, config in [
        ("temporal", {"kval_topk": 3, "n_attn_layers": 2}),
        ("temporal-untied", {"sae_diff_type": "relu", "tied_weights": False, "apply_b_dec_to_input": False,
                             "normalize_activations": "constant_scalar_rescale", "activation_normalization_factor": 0.5}),
    ]:
        torch.manual_seed(1)
        temporal(name, config, folder)


if __name__ == "__main__":
    main()
