#!/usr/bin/env bash
# Measure on a graphics card for at most ten minutes: benchmarks/gpu.sh DATA [SECONDS]
# DATA is the folder of set5, set14 and set3c. Rows go to benchmarks/results as they are
# done; the next run goes on from there. Needs torch with CUDA, scikit-image, safetensors and click.
set -euo pipefail
data=$(realpath "${1:?give the folder of set5, set14 and set3c}")
cd "$(dirname "$0")/.."
export PYTHONPATH=src
timeout --signal=INT "${2:-570}" "${PYTHON:-python3}" -m benchmarks.gpu "$data" || [ $? -eq 124 ]
