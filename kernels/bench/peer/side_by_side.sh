#!/usr/bin/env bash
# Alternates one run of `bench step --backend cpu` with one of hf_step_cpu.py on the same checkpoint, so that whatever else the
# machine does meets both, and prints their JSON lines.
#   side_by_side.sh CHECKPOINT ROWSxTOKENS ROUNDS    environment: PYTHON (with torch, transformers, peft), THREADS, STEPS
set -euo pipefail
checkpoint=$1 batch=$2 rounds=$3
here=$(dirname "$(readlink -f "$0")")
rows=${batch%x*} length=${batch#*x}
export SLUICE_CPU_THREADS=${THREADS:-2}
for ((round = 0; round < rounds; round++)); do
  "${JAVA_HOME:?}/bin/java" --add-modules jdk.incubator.vector -jar "$here"/../target/sluice-bench-*.jar step --json --backend cpu \
    --model "$checkpoint" --contexts $((rows * length)) --documents "$rows" --rank 16 --warmup 10 --steps "${STEPS:-10}" 2>/dev/null
  for experts in grouped_mm eager; do
    "${PYTHON:-python3}" "$here"/hf_step_cpu.py --model "$checkpoint" --batch "$batch" --threads "$SLUICE_CPU_THREADS" \
      --steps "${STEPS:-10}" --experts "$experts" 2>/dev/null
  done
done
