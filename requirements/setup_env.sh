#!/bin/sh
# Makes .venv from the lock: finds a Python 3.10 that runs, or has uv install one.
set -eu

cd "$(dirname "$0")/.."
venv=.venv
lock=requirements/py310.lock
stamp=$venv/.installed

fail() {
    echo "setup: $1" >&2
    exit 1
}

wanted=$(cat "$lock" setup.py | cksum)
if [ -x "$venv/bin/emotion" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

# A shim on PATH can bear the name and refuse to run, so each candidate is run before it is believed.
is_python310() {
    [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = 3.10 ]
}

find_python310() {
    pyenv_root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || echo "$HOME/.pyenv")}
    for candidate in python3.10 python3 python "$pyenv_root"/versions/3.10.*/bin/python \
        /opt/python3.10/bin/python3.10 /usr/local/bin/python3.10 \
        "${XDG_DATA_HOME:-$HOME/.local/share}"/uv/python/cpython-3.10.*/bin/python3.10; do
        if is_python310 "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) ;;
    *) fail "found $(uname -s) on $(uname -m); the locked TFX 1.16 is published for Linux on x86-64 only. Use such a machine or container." ;;
esac

# uv reads the lock in seconds; it comes from PATH or into a small environment of its own.
bootstrap=.cache/bootstrap
if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    uv=uv
else
    uv=$bootstrap/bin/uv
    if [ ! -x "$uv" ]; then
        any_python=$(find_python310 || command -v python3) ||
            fail "found no Python at all. Install Python 3.10 (Debian and Ubuntu: apt install python3 python3-venv), then try again."
        echo "setup: fetching uv"
        "$any_python" -m venv "$bootstrap" ||
            fail "$any_python cannot make a virtual environment. Install its venv module (apt install python3-venv), then try again."
        pinned=$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' "$lock")
        "$bootstrap/bin/python" -m pip install --quiet --disable-pip-version-check "$pinned" ||
            fail "could not install $pinned with pip; see the message above."
    fi
fi

if ! python=$(find_python310); then
    echo "setup: no Python 3.10 here, asking uv to install one"
    "$uv" python install 3.10 && python=$("$uv" python find --managed-python 3.10) ||
        fail "found no Python 3.10, and uv could not install one. Install it (pyenv install 3.10, or your system's python3.10 and python3.10-venv), then try again."
fi

echo "setup: $python"
rm -f "$stamp"
"$uv" venv --quiet --clear --python "$python" "$venv"
echo "setup: installing from $lock"
"$uv" pip sync --quiet --require-hashes --python "$venv/bin/python" "$lock" ||
    fail "could not install from $lock; see the message above."
"$uv" pip install --quiet --no-deps --no-build-isolation --python "$venv/bin/python" -e . ||
    fail "could not install the project into $venv; see the message above."
echo "$wanted" >"$stamp"
echo "setup: done, $venv/bin/emotion is there"
