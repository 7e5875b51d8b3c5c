#!/bin/sh
# Makes the wheel and the source distribution in dist/, checks both, installs the wheel into an empty
# environment, and runs what `make run` runs there: the pipeline, the server and a prediction, in a folder that
# has a pipeline.py, components/ and serving/ of its own.
set -eu

cd "$(dirname "$0")/.."
uv=$PWD/.venv/bin/uv
lock=$PWD/requirements/py310.lock
.venv/bin/python -c 'import sys; sys.exit(sys.version_info >= (3, 11))' || lock=$PWD/requirements/py311-py313.lock

rm -rf dist build
[ -n "${PROJECT_URL:-}" ] || echo "dist: no PROJECT_URL is set, so links to files in README.md will not hold on a package index"
"$uv" build --quiet --no-build-isolation --python .venv/bin/python --out-dir dist
"$uv" tool run --quiet --from twine==6.2.0 twine check --strict dist/*
.venv/bin/python requirements/check_dist.py dist

empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
"$uv" venv --quiet --python .venv/bin/python --seed "$empty/venv"
"$uv" pip install --quiet --python "$empty/venv/bin/python" --constraint "$lock" dist/*.whl
mkdir -p "$empty/mine/components" "$empty/mine/serving"
for file in pipeline.py components/__init__.py serving/__init__.py; do
    echo 'raise SystemExit("a file of the user was imported")' >"$empty/mine/$file"
done
cd "$empty/mine"
"$empty/venv/bin/emotion" --version
"$empty/venv/bin/python" -m emotion_pipeline.demo --root "$empty/run"
echo "dist: $(cd "$OLDPWD" && ls dist | tr '\n' ' ')made, checked and tried"
