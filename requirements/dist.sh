#!/bin/sh
# Makes the wheels and the source distributions of emotion-faces and emotion-pipeline in dist/, checks them, and
# tries both in empty environments: the light one alone and without a lock, from wheel and source; the whole added to
# it, and what is left when the whole goes; and in the whole alone what `make run` runs, the pipeline, the server and a
# prediction. All of it in a folder that has a pipeline.py, components/ and serving/ of its own.
set -eu

cd "$(dirname "$0")/.."
tree=$PWD
uv=$tree/.venv/bin/uv
lock=$tree/requirements/py310.lock
.venv/bin/python -c 'import sys; sys.exit(sys.version_info >= (3, 11))' || lock=$tree/requirements/py311-py313.lock

rm -rf dist build emotion-faces/build
[ -n "${PROJECT_URL:-}" ] || echo "dist: no PROJECT_URL is set, so links to files in README.md will not hold on a package index"
for folder in . emotion-faces; do
    RELEASE=1 "$uv" build --quiet --no-build-isolation --python .venv/bin/python --out-dir dist "$folder"
done
"$uv" tool run --quiet --from twine==6.2.0 twine check --strict dist/*
.venv/bin/python requirements/check_dist.py dist
light=$(echo "$tree"/dist/emotion_faces-*.whl)
whole=$(echo "$tree"/dist/emotion_pipeline-*.whl)

empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
mkdir -p "$empty/mine/components" "$empty/mine/serving"
for file in pipeline.py components/__init__.py serving/__init__.py; do
    echo 'raise SystemExit("a file of the user was imported")' >"$empty/mine/$file"
done
.venv/bin/python requirements/draw_face.py "$empty/mine/face.png"
cd "$empty/mine"

# environment NAME WHAT...: an empty environment, and what is installed into it. Both wheels are named by their
# paths: what uv finds by --find-links it takes from its cache, which may be of an earlier build of the version.
environment() {
    name=$1
    shift
    "$uv" venv --quiet --clear --python "$tree/.venv/bin/python" "$empty/$name"
    "$uv" pip install --quiet --python "$empty/$name/bin/python" "$@"
}

for made in "$light" "$tree"/dist/emotion_faces-*.tar.gz; do
    began=$(date +%s)
    environment light "$made"
    "$empty/light/bin/emotion" predict face.png
    # Into a cache that is empty nothing may be fetched: the release has all that the page needs.
    XDG_CACHE_HOME=$empty/cache PATH=/nowhere "$empty/light/bin/emotion" web --static "$empty/page"
    if ls "$empty"/cache/*/onnxruntime-web-* >/dev/null 2>&1; then exit 1; fi
    echo "dist: $(basename "$made"): $(($(date +%s) - began)) s from nothing to the first answer, \
$(du -sm "$empty/light" | cut -f 1) MiB"
done
if "$empty/light/bin/emotion" run --data sample 2>told; then exit 1; fi
grep -q "is in the distribution emotion-pipeline" told

"$uv" pip install --quiet --python "$empty/light/bin/python" --constraint "$lock" "$whole" "$light" pip
"$empty/light/bin/emotion" validate sample --root "$empty/root" >/dev/null
"$uv" pip uninstall --quiet --python "$empty/light/bin/python" emotion-pipeline
"$empty/light/bin/emotion" predict face.png

environment venv --constraint "$lock" "$whole" "$light" pip
"$empty/venv/bin/emotion" --version
"$empty/venv/bin/python" -m emotion_pipeline.demo --root "$empty/run"
echo "dist: $(cd "$tree" && ls dist | tr '\n' ' ')made, checked and tried"
