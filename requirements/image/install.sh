#!/bin/sh
# Installs an image's packages into /opt/venv: install.sh STACK IMAGE, from the lock of both.
set -eu
here=$(dirname "$0")

python3 -m venv /opt/venv
/opt/venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r "$here/$2-$1.lock"
if [ "$2" = server ]; then
  /opt/venv/bin/python "$here/reachable.py" "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
fi
# What no program imports: tests, headers, and the names of functions that only a debugger reads.
find /opt/venv -depth -type d \( -name tests -o -path '*/tornado/test' -o -path '*/tensorflow/include' \) -exec rm -rf {} +
find /opt/venv/lib -path '*/tensorflow/*' -name '*.so*' -type f -exec strip --strip-unneeded {} +
# What a venv brings along; setuptools (Python 3.10) stays where the lock has it.
grep -q '^setuptools==' "$here/$2-$1.lock" || /opt/venv/bin/pip uninstall --yes --quiet setuptools
/opt/venv/bin/pip uninstall --yes --quiet pip
