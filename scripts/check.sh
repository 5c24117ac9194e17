#!/usr/bin/env bash
# Every static check, one line each with its time; all of them run, so that one failure does not hide another.
set -u
export NO_MKDOCS_2_WARNING=1 # an advertisement in the build log, see docs/decisions/mkdocs-material.md
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=()

step() {
  local name=$1 start=$EPOCHREALTIME log status
  shift
  log=$("$@" 2>&1)
  status=$?
  awk -v n="$name" -v a="$start" -v b="$EPOCHREALTIME" -v s="$status" \
    'BEGIN { printf "%-14s %5.1f s  %s\n", n, b - a, s == 0 ? "ok" : "FAILED" }'
  if [ "$status" -ne 0 ]; then
    printf '%s\n' "$log"
    failed+=("$name")
  fi
}

step format "$bin/ruff" format --check .
step lint "$bin/ruff" check .
step types "$bin/mypy"
step layers "$bin/lint-imports"
step dependencies "$bin/deptry" src
step docstrings "$bin/interrogate" --quiet src
step manifest "$bin/python" scripts/manifest.py --check
step pages "$bin/python" scripts/gen_docs.py --check
step docs "$bin/mkdocs" build --strict --quiet --site-dir "$(mktemp -d)/site"

if [ "${#failed[@]}" -gt 0 ]; then
  echo "check failed: ${failed[*]}"
  exit 1
fi
echo "check passed"
