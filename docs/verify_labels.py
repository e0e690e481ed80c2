"""Reads what `pipeline export labels` wrote by the code of the tools that it is for.

    pip install neuronpedia pydantic pandas plotly scikit-learn orjson torch datasets
    pip install --no-deps sae-dashboard sae-bench eai-delphi
    python docs/verify_labels.py neuronpedia FOLDER
    python docs/verify_labels.py saedashboard FOLDER
    python docs/verify_labels.py delphi FOLDER
    python docs/verify_labels.py saebench FOLDER
    python docs/verify_labels.py huggingface FOLDER

Only the modules that read are loaded, from their files, so that the rest of those packages need not be installed. Prints
what was read, and ends with an error where a tool's own reader refuses it or gives other numbers.
"""

import gzip
import importlib.util
import json
import sys
import types
from pathlib import Path


def module(package: str, path: str, name: str):
    """A module of an installed package, loaded from its file without the package's own imports."""
    found = importlib.util.find_spec(package)
    assert found and found.submodule_search_locations, f"{package} is not installed"
    file = Path(found.submodule_search_locations[0]) / path
    spec = importlib.util.spec_from_file_location(name, file)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def packed(path: Path) -> list:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def neuronpedia(folder: Path) -> str:
    """The records of the client `neuronpedia`, and the columns that its database's export names."""
    explanation = module("neuronpedia", "np_explanation.py", "np_explanation").Explanation
    activation = module("neuronpedia", "np_activation.py", "np_activation").Activation
    [base] = [path.parent for path in folder.rglob("source.jsonl")]
    for name in ["release", "model", "sourceset", "source"]:
        [line] = (base / f"{name}.jsonl").read_text().splitlines()
        json.loads(line)
    features = [row for path in sorted((base / "features").iterdir()) for row in packed(path)]
    columns = """modelId layer index maxActApprox creatorId frac_nonzero freq_hist_data_bar_heights
        freq_hist_data_bar_values logits_hist_data_bar_heights logits_hist_data_bar_values neuron_alignment_indices
        neuron_alignment_l1 neuron_alignment_values correlated_neurons_indices correlated_neurons_l1
        correlated_neurons_pearson decoder_weights_dist neg_str neg_values pos_str pos_values sourceSetName
        topkCosSimIndices topkCosSimValues vector vectorLabel hookName vectorDefaultSteerStrength hasVector""".split()
    for row in features:
        assert list(row) == columns, set(row) ^ set(columns)
    source = json.loads((base / "source.jsonl").read_text())
    explanations = [row for path in sorted((base / "explanations").iterdir()) for row in packed(path)]
    read = [explanation.from_np_db_json({**row, "source": row["layer"]}) for row in explanations]
    activations = [row for path in sorted((base / "activations").iterdir()) for row in packed(path)]
    for row in activations:
        # The client holds the share of a band to [0, 1]; the strongest have -1 in the database.
        share = None if row["binContains"] == -1 else row["binContains"]
        shown = activation.from_np_db_json({**row, "source": row["layer"], "binContains": share})
        assert max(shown.values) == row["maxValue"] == row["values"][row["maxValueTokenIndex"]]
        assert row["layer"] == source["id"]
    return f"{len(features)} features, {len(read)} explanations, {len(activations)} activations"


def saedashboard(folder: Path) -> str:
    """SAEDashboard's own batch: read, written by it, and compared by it."""
    dashboard = module("sae_dashboard", "neuronpedia/neuronpedia_dashboard.py", "neuronpedia_dashboard")
    features = activations = 0
    for path in sorted(folder.glob("batch-*.json")):
        value = json.loads(path.read_text())
        batch = dashboard.NeuronpediaDashboardBatch(**value)
        assert batch.to_dict() == value, f"{path} comes back otherwise"
        features += len(batch.features)
        activations += sum(len(feature.activations) for feature in batch.features)
    assert features > 0
    return f"{features} features, {activations} activations"


def delphi(folder: Path) -> str:
    """delphi's `load_data` and its confusion of every kind of score."""
    config = json.loads((folder / "run_config.json").read_text())
    explanations = {path.stem: json.loads(path.read_bytes()) for path in (folder / "explanations").iterdir()}
    assert all(isinstance(text, str) for text in explanations.values())
    told = f"{len(explanations)} explanations"
    if not (folder / "scores").exists():
        return f"{told}, no scores"
    analysis = module("delphi", "log/result_analysis.py", "result_analysis")
    frame, _ = analysis.load_data(folder / "scores", config["hookpoints"])
    for kind, part in frame.groupby("score_type"):
        metrics = analysis.compute_classification_metrics(analysis.compute_confusion(part))
        told += f", {kind}: {len(part)} examples with balanced accuracy {metrics['accuracy']:.3f}"
    return told


def saebench(folder: Path) -> str:
    """SAEBench's dataclass of the eval, which checks every field."""
    from pydantic import TypeAdapter

    for name in ["sae_bench", "sae_bench.evals", "sae_bench.evals.autointerp"]:
        sys.modules.setdefault(name, types.ModuleType(name))
    root = Path(next(path for path in sys.path if (Path(path) / "sae_bench").is_dir())) / "sae_bench"
    for name in ["evals.base_eval_output", "evals.autointerp.eval_config", "evals.autointerp.eval_output"]:
        spec = importlib.util.spec_from_file_location(f"sae_bench.{name}", root / f"{name.replace('.', '/')}.py")
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[f"sae_bench.{name}"] = loaded
        spec.loader.exec_module(loaded)
    output = sys.modules["sae_bench.evals.autointerp.eval_output"].AutoInterpEvalOutput
    [path] = folder.glob("*_eval_results.json")
    result = TypeAdapter(output).validate_python(json.loads(path.read_text()))
    metrics = result.eval_result_metrics.autointerp
    scores = [one["score"] for one in result.eval_result_unstructured.values()]
    assert abs(sum(scores) / len(scores) - metrics.autointerp_score) < 1e-12
    return f"{len(scores)} latents, score {metrics.autointerp_score:.3f}, deviation {metrics.autointerp_std_dev:.3f}"


def huggingface(folder: Path) -> str:
    """`datasets.load_dataset` by the card's two tables."""
    from datasets import load_dataset

    features = load_dataset(str(folder), "features", split="train")
    examples = load_dataset(str(folder), "examples", split="train")
    assert set(examples["latent"]) <= set(features["latent"])
    row = examples[0]
    assert len(row["tokens"]) == len(row["activations"])
    return f"{features.num_rows} features, {examples.num_rows} examples"


if __name__ == "__main__":
    forms = {form.__name__: form for form in [neuronpedia, saedashboard, delphi, saebench, huggingface]}
    if len(sys.argv) != 3 or sys.argv[1] not in forms:
        sys.exit(__doc__)
    print(f"{sys.argv[1]}: {forms[sys.argv[1]](Path(sys.argv[2]))}")
