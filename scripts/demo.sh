#!/usr/bin/env bash
# The main job on two networks of one shape: the first is expected to fail the gate, the second to pass it.
set -euo pipefail
cd "$(dirname "$0")/../examples/digits"
bin=../../.venv/bin
"$bin/python" train.py

main_job() {
  local folder=$1 expected=$2 start=$SECONDS status=0
  printf '\n$ cd examples/digits/%s && redan check\n' "$folder"
  (cd "$folder" && "../$bin/redan" check) || status=$?
  echo "exit code $status after $((SECONDS - start)) s; expected $expected"
  test "$status" -eq "$expected"
}

main_job weak 1
main_job hardened 0
