#!/bin/sh
# Training and capture on a machine with an NVIDIA GPU, beside Hugging Face transformers and sparsify on the same GPU:
#
#   sh bench/gpu.sh [PYTHON]
#
# PYTHON has torch with CUDA, transformers and eai-sparsify; without it there are no peers. Needs Linux on x64, Node, g++,
# Python 3 with pip, the driver (525 or newer), and 9 GB of disk for TensorFlow's CUDA build, which is installed first.
set -eu
cd "$(dirname "$0")/.."
peers=${1:+--peers $1}

command -v nvidia-smi >/dev/null || { echo "gpu.sh: there is no nvidia-smi: this machine shows no NVIDIA GPU." >&2; exit 1; }
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader

[ -d node_modules ] || npm ci
npm run -s pipeline -- doctor --install --engine tensorflow-gpu
npm run -s pipeline -- doctor --engine tensorflow-gpu

# shellcheck disable=SC2086
npm run -s bench -- capture --engine tensorflow-gpu --precisions float32 $peers ${peers:+--peerNames transformers}
# shellcheck disable=SC2086
npm run -s bench -- train --engine tensorflow-gpu --architectures topk --precisions float32 $peers ${peers:+--peerNames sparsify}
