#!/usr/bin/env bash
# The second stack (TFX 1.21) in Debian 13, on any machine with debootstrap and root.
#
#   benchmarks/scale/second_stack.sh            all of the steps below
#   benchmarks/scale/second_stack.sh make       a Debian 13 with a fresh clone of HEAD and `make setup` in it
#   benchmarks/scale/second_stack.sh test [PYTEST ARGUMENT...]
#   benchmarks/scale/second_stack.sh compare [SEED]  one run here and one in Debian 13, their outcomes beside each other
#   benchmarks/scale/second_stack.sh run CMD... a command in the clone
#   benchmarks/scale/second_stack.sh pull       what was committed here since, into the clone
#
# Settings, from the environment: SECOND_STACK_DIR (where the system goes, default
# /var/tmp/emotion-debian13), DEBIAN_MIRROR (default: the first that apt uses here), DEBIAN_RELEASE
# (trixie), RUN_FLAGS (of `emotion run` in `compare`), FER_ZIP (the real data, for the tests that want it). How this machine reaches its package
# index (PIP_*, UV_*, proxies, certificates, resolv.conf, hosts) is taken over as it is.
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
dir=${SECOND_STACK_DIR:-/var/tmp/emotion-debian13}
release=${DEBIAN_RELEASE:-trixie}
# The last line is for tests that fail or are skipped without them: a browser, curl and npm.
packages="ca-certificates git make g++ python3-dev python3-venv"
test_packages="chromium curl npm"
clone=/root/emotion/project

fail() {
    echo "second_stack: $1" >&2
    exit 1
}

apt_mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null |
        sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb \(\[[^]]*\] \)\?\(http[^ ]*\) .*/\2/p' | head -n 1
}

# Runs a command in the system's own mount namespace, so that no mount is left behind, whatever happens.
inside() {
    local settings=(HOME=/root LANG=C.UTF-8 TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin) line
    while IFS= read -r line; do
        settings+=("$line")
    done < <(env | grep -iE '^(pip_|uv_|(http|https|no|all)_proxy=|ssl_cert_(file|dir)=|requests_ca_bundle=|curl_ca_bundle=|git_ssl_cainfo=|fer_)' || true)
    cp /etc/resolv.conf /etc/hosts "$dir/etc/"
    for file in /etc/pip.conf /etc/uv/uv.toml /root/.config/pip/pip.conf /root/.pip/pip.conf; do
        if [ -f "$file" ]; then
            mkdir -p "$dir$(dirname "$file")"
            cp "$file" "$dir$file"
        fi
    done
    SECOND_STACK_DATA=${FER_ZIP:-} unshare --mount --propagation private bash -euc '
        root=$1
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --rbind /sys "$root/sys"
        if [ -n "$SECOND_STACK_DATA" ]; then
            mkdir -p "$root$(dirname "$SECOND_STACK_DATA")"
            mount --bind "$(dirname "$SECOND_STACK_DATA")" "$root$(dirname "$SECOND_STACK_DATA")"
        fi
        shift
        exec chroot "$root" env -i "$@"
    ' inside "$dir" "${settings[@]}" "${@}"
}

in_clone() {
    [ -d "$dir$clone" ] || fail "no clone in $dir; run '$0 make' first"
    inside sh -c "cd $clone && exec \"\$@\"" in_clone "$@"
}

step_make() {
    command -v debootstrap >/dev/null || fail "debootstrap is not here (apt install debootstrap)"
    [ "$(id -u)" = 0 ] || fail "only root can make and enter the system"
    if [ ! -x "$dir/usr/bin/git" ]; then
        local mirror=${DEBIAN_MIRROR:-$(apt_mirror)}
        [ -n "$mirror" ] || fail "found no Debian mirror in apt's sources; name one in DEBIAN_MIRROR"
        echo "second_stack: Debian $release into $dir"
        unshare --mount --propagation private debootstrap --variant=minbase "$release" "$dir" "$mirror" >"$dir.log" 2>&1 ||
            fail "debootstrap failed; see $dir.log"
        # The machine's certificates, under the path by which its settings name them.
        mkdir -p "$dir/etc/ssl/certs" && cp -L /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
        echo "second_stack: $packages $test_packages"
        inside sh -c "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages $test_packages" \
            >>"$dir.log" 2>&1 || fail "apt-get failed; see $dir.log"
        cp -L /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
    fi
    rm -rf "$dir$clone"
    git clone --quiet --no-hardlinks "$project" "$dir$clone"
    in_clone make setup
}

# Files that git ignores stay, so the environment needs no second installation.
step_pull() {
    git -C "$dir$clone" fetch --quiet "$project" HEAD
    git -C "$dir$clone" reset --quiet --hard FETCH_HEAD
}

step_test() {
    in_clone .venv/bin/python -m pytest "$@"
}

step_run() {
    in_clone "$@"
}

# Drawn data with a seed, on this machine's stack and on Debian 13's. They are drawn once: another OpenCV
# draws a few of the pictures otherwise. RUN_FLAGS goes to `emotion run`.
step_compare() {
    local flags
    read -r -a flags <<<"--seed ${1:-7} ${RUN_FLAGS:---recipe fast}"
    make -C "$project" --no-print-directory setup
    rm -rf "$dir/outcomes" "$dir$clone/runs/compared"
    mkdir -p "$dir/outcomes" "$dir$clone/runs/compared"
    (cd "$project" && .venv/bin/emotion sample-data "$dir/outcomes/data")
    cp -r "$dir/outcomes/data" "$dir$clone/runs/compared/data"
    # Not blessed is an outcome too; what went wrong otherwise shows where it is read.
    (cd "$project" && .venv/bin/emotion run --data "$dir/outcomes/data" --root "$dir/outcomes/run" "${flags[@]}" || true)
    (cd "$project" && .venv/bin/python -m benchmarks.run_outcome "$dir/outcomes/run") >"$dir/outcomes/here.json"
    in_clone .venv/bin/emotion run --data runs/compared/data --root runs/compared/run "${flags[@]}" || true
    in_clone .venv/bin/python -m benchmarks.run_outcome runs/compared/run >"$dir/outcomes/debian.json"
    (cd "$project" && .venv/bin/python -m benchmarks.run_outcome --compare "$dir/outcomes/here.json" "$dir/outcomes/debian.json")
}

step=${1:-all}
[ $# -eq 0 ] || shift
case "$step" in
    all)
        step_make
        step_test
        step_compare
        ;;
    make | pull | test | compare | run) "step_$step" "$@" ;;
    *) fail "'$step' is no step; the steps are make, pull, test, compare and run" ;;
esac
