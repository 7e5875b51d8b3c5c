#!/bin/sh
# Installs one image's packages: install.sh STACK IMAGE, from the lock of both into /opt/venv and this project into
# /opt/emotion. The rest of its arguments are the folders of the project's distributions.
set -eu
cd "$(dirname "$0")/../.."
stack=$1 image=$2
shift 2

python3 -m venv /opt/venv
/opt/venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r "requirements/image/$image-$stack.lock"
# What no program imports: tests, headers, and the names of functions that only a debugger reads.
find /opt/venv -depth -type d \( -name tests -o -path '*/tornado/test' -o -path '*/tensorflow/include' \) -exec rm -rf {} +
find /opt/venv/lib -path '*/tensorflow/*' -name '*.so*' -type f -exec strip --strip-unneeded {} +

# The model that comes along is written with ONNX, which only one of the images needs when it runs.
python3 -m venv /tmp/build
/tmp/build/bin/pip install --no-cache-dir --require-hashes --no-deps -r "requirements/image/build-$stack.lock"
/tmp/build/bin/pip install --no-cache-dir --no-deps --no-build-isolation --target /opt/emotion "$@"
sed -i '1s|/tmp/build|/opt/venv|' /opt/emotion/bin/*
rm -rf /tmp/build
/opt/venv/bin/python -m compileall -q /opt/emotion
