#!/bin/sh
# Makes .venv from the lock of the stack that fits this machine: TFX 1.21 where the C library is new
# enough and a Python 3.11 to 3.13 is there, else TFX 1.16 on Python 3.10. STACK=1.16 or STACK=1.21
# chooses. A Python that is missing is installed by uv.
set -eu

cd "$(dirname "$0")/.."
venv=.venv
lock_1_16=requirements/py310.lock
lock_1_21=requirements/py311-py313.lock
# The glibc that TFX 1.21's TFDV and ML Metadata wheels are built for (manylinux_2_39).
newer_glibc=2.39
stamp=$venv/.installed

fail() {
    echo "setup: $1" >&2
    exit 1
}

wanted="$(cat "$lock_1_16" "$lock_1_21" setup.py emotion-faces/setup.py | cksum) ${STACK:-}"
if [ -x "$venv/bin/emotion" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

# A shim on PATH can bear the name and refuse to run, so each candidate is run before it is believed.
python_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# find_python VERSION...: what the system calls python3 if it is one of these, else the first that is here.
find_python() {
    pyenv_root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || echo "$HOME/.pyenv")}
    for version in "$@"; do
        if [ "$(python_version python3)" = "$version" ]; then
            command -v python3
            return
        fi
    done
    for version in "$@"; do
        for candidate in "python$version" python "$pyenv_root/versions/$version".*/bin/python \
            "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python/cpython-$version".*"/bin/python$version"; do
            if [ "$(python_version "$candidate")" = "$version" ]; then
                command -v "$candidate"
                return
            fi
        done
    done
    return 1
}

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) ;;
    *) fail "found $(uname -s) on $(uname -m); the locked TFX is published for Linux on x86-64 only. Use such a machine or container." ;;
esac

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) ||
    fail "found no glibc (musl?); TensorFlow is published for glibc only. Use Debian, Ubuntu or the like."
glibc=${glibc#glibc }
has_newer_glibc() {
    [ "$(printf '%s\n' "$newer_glibc" "$glibc" | sort -V | head -n 1)" = "$newer_glibc" ]
}

stack=${STACK:-1.16}
case "$stack" in
    1.16) ;;
    1.21)
        has_newer_glibc ||
            fail "STACK=1.21 needs glibc $newer_glibc or later (Debian 13, Ubuntu 24.04); found $glibc. Leave STACK away, or use such a machine."
        ;;
    *) fail "STACK is '$stack'; it is 1.16 or 1.21, TFX's version." ;;
esac
# A Python that is here decides before one that would have to be fetched.
if [ -z "${STACK:-}" ] && has_newer_glibc; then
    find_python 3.12 3.13 3.11 >/dev/null || ! find_python 3.10 >/dev/null && stack=1.21
fi
if [ "$stack" = 1.21 ]; then
    lock=$lock_1_21
    versions="3.12 3.13 3.11"
else
    lock=$lock_1_16
    versions=3.10
fi
preferred=${versions%% *}

# uv reads the lock in seconds; it comes from PATH or into a small environment of its own.
bootstrap=.cache/bootstrap
if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    uv=uv
else
    uv=$bootstrap/bin/uv
    if [ ! -x "$uv" ]; then
        # shellcheck disable=SC2086
        any_python=$(find_python $versions || command -v python3) ||
            fail "found no Python at all. Install one (Debian and Ubuntu: apt install python3 python3-venv), then try again."
        echo "setup: fetching uv"
        "$any_python" -m venv "$bootstrap" ||
            fail "$any_python cannot make a virtual environment. Install its venv module (apt install python3-venv), then try again."
        pinned=$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' "$lock")
        "$bootstrap/bin/python" -m pip install --quiet --disable-pip-version-check "$pinned" ||
            fail "could not install $pinned with pip; see the message above."
    fi
fi

# shellcheck disable=SC2086
if ! python=$(find_python $versions); then
    echo "setup: no Python $preferred here, asking uv to install one"
    "$uv" python install "$preferred" && python=$("$uv" python find --managed-python "$preferred") ||
        fail "found no Python $preferred, and uv could not install one. Install it (pyenv install $preferred, or your system's python$preferred and python$preferred-venv), then try again."
fi

echo "setup: TFX $stack, for glibc $glibc and Python $(python_version "$python") ($python)"
rm -f "$stamp"
"$uv" venv --quiet --clear --python "$python" "$venv"
echo "setup: installing from $lock"
"$uv" pip sync --quiet --require-hashes --python "$venv/bin/python" "$lock" ||
    fail "could not install from $lock; see the message above. What is compiled here needs a C++ compiler and Python's headers (Debian and Ubuntu: apt install g++ python3-dev)."
"$uv" pip install --quiet --no-deps --no-build-isolation --python "$venv/bin/python" -e . -e ./emotion-faces ||
    fail "could not install the project into $venv; see the message above."
echo "$wanted" >"$stamp"
echo "setup: done, $venv/bin/emotion is there"
