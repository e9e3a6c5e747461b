#!/usr/bin/env bash
# Make the environment $1 with the pinned packages: by uv when present, else by pip.
# Bytecode is compiled at once; without it every process would compile everything again.
set -euo pipefail
venv="${1:?usage: install.sh VENV}"
python="${PYTHON:-python3}"
torch="torch==2.13.0"

"$python" - <<'CHECK' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
CHECK

# mosaicml-streaming, which a test reads an export with, asks for older libraries than the pinned ones
# and works beside them. So it lies in a folder of its own, which only that test imports from.
echo "Installing into $venv (about 3 GB; a few minutes the first time)"
gpu=no
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then gpu=yes; fi

# The whole answer is read before it is searched: `… | grep -q` would close the pipe on the
# installer, whose complaint then reads as "no CPU build here".
offers_cpu_build() { [[ "$("$@" install --dry-run --no-deps "$torch" 2>&1)" == *+cpu* ]]; }

if command -v uv >/dev/null 2>&1; then
  export UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}" UV_COMPILE_BYTECODE=1
  [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"
  export VIRTUAL_ENV="$PWD/$venv"
  uv pip install --quiet --require-hashes -r requirements.lock
  if [ "$gpu" = yes ]; then uv pip install --quiet "$torch"
  elif offers_cpu_build uv pip; then uv pip install --quiet "$torch"
  else UV_TORCH_BACKEND=cpu uv pip install --quiet "$torch"; fi
  uv pip install --quiet --no-deps --editable .
  uv pip install --quiet --no-deps --require-hashes --target "$venv/mosaicml" \
    -r deploy/mosaicml.lock
else
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  # The lock is complete; pip cannot match a hash to a requirement with an extra (gql[requests]).
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps \
    -r requirements.lock
  if [ "$gpu" = yes ] || offers_cpu_build "$venv/bin/pip"; then
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$torch"
  else # pip does not know where the CPU build lies, uv does
    "$venv/bin/pip" install --quiet --disable-pip-version-check uv
    VIRTUAL_ENV="$PWD/$venv" UV_TORCH_BACKEND=cpu "$venv/bin/uv" pip install --quiet "$torch"
  fi
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --editable .
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade \
    --target "$venv/mosaicml" -r deploy/mosaicml.lock
  "$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" || true
fi
"$venv/bin/python" -c 'import torch; print("torch", torch.__version__)'
"$venv/bin/dbt" parse --quiet --project-dir dbt_project --profiles-dir dbt_project
