"""Builds an image, and says what is in it.

    python -m benchmarks.scale.container_image                       # on the Dockerfile's own base
    python -m benchmarks.scale.container_image --image server --stack py311-py313 --make-base
    python -m benchmarks.scale.container_image --no-build --model-dir runs/sample/pushed/emotion --picture F

--make-base, as root, makes a base where no image can be pulled: from Debian's packages with debootstrap, and for
py310 from this machine's Python 3.10.
--build-ca gives the building stage a certificate bundle that the network asks for; the image does not
get it. Without a running engine, and as root, `dockerd` is started for the time of the program.

It ends with status 1 unless the image runs as another user than root, has nothing in its layers or
their history that looks like a secret, nor a file of this project's tests or of the folders given with
--not-in-image, and, with --model-dir, serves that model from a read-only root file system.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]

MIRROR = "http://deb.debian.org/debian"
# The public bases, and what stands in their place: Debian's release, and its packages.
OTHER_BASES = {"py311-py313": "python:3.13.7-slim-trixie"}  # than the Dockerfile's own
SUITES = {"py310": "bookworm", "py311-py313": "trixie"}
PACKAGES = {
    # What CPython's own extension modules link to.
    "py310": "ca-certificates,libbz2-1.0,libexpat1,libffi8,libgdbm6,liblzma5,libncursesw6,libnsl2,libreadline8,"
    "libsqlite3-0,libssl3,libtirpc3,libuuid1,zlib1g",
    "py311-py313": "ca-certificates,python3,python3-venv",
}

SECRET_NAMES = re.compile(
    r"(^|/)(kaggle\.json|\.netrc|\.pypirc|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519)|\.aws/credentials|"
    r"\.docker/config\.json|\.kube/config|\.git/config)$"
)
SECRET_TEXTS = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{200,}-----END|"
    rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[baprs]-[0-9A-Za-z-]{20,}|"
    rb"\bAIza[0-9A-Za-z_-]{35}\b|KAGGLE_KEY\s*[=:]\s*[\"']?[0-9a-f]{32}"
)
SECRET_HISTORY = re.compile(r"(?i)(password|token|secret|_key|://[^/\s:]+:[^@\s]+@)\S*=?\S+")
# The keys of the library's self-tests, which are published in its source.
KNOWN_KEYS = re.compile(r"/libgnutls[-\w]*\.so\.[\d.]+$")
LARGEST_TEXT_BYTES = 4 << 20


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docker", default="docker", help="the client's command")
    parser.add_argument("--image", choices=("pipeline", "page", "server"), default="pipeline")
    parser.add_argument("--stack", choices=sorted(SUITES), default="py310")
    parser.add_argument("--tag", help="by default as in the Dockerfile")
    parser.add_argument("--make-base", action="store_true")
    parser.add_argument("--build-ca", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--no-build", action="store_true", help="look at the image as it is")
    parser.add_argument("--not-in-image", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--model-dir", type=pathlib.Path)
    parser.add_argument("--picture", type=pathlib.Path, help="asked of the served model")
    args = parser.parse_args()
    args.tag = args.tag or f"emotion-{args.image}:0.1.0"
    with engine(shlex.split(args.docker)) as docker:
        if not args.no_build:
            build(docker, args)
        problems = look(docker, args.tag)
        problems += scan(docker, args.tag, [ROOT / "tests", *args.not_in_image])
        if args.model_dir:
            problems += serve(docker, args.tag, args.model_dir.resolve(), args.picture)
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print("no problems" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


@contextlib.contextmanager
def engine(docker: list[str]) -> Iterator[list[str]]:
    """Yields a client's command to an engine that runs, started here if need be."""
    if subprocess.run([*docker, "info"], capture_output=True, check=False).returncode == 0:
        yield docker
        return
    if shutil.which("dockerd") is None:
        sys.exit("no Docker Engine runs here, and no dockerd is installed (Debian: docker.io)")
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix://{folder}/docker.sock"
        with open(f"{folder}/log", "wb") as log:
            daemon = subprocess.Popen(
                [
                    *("dockerd", "--host", address, "--data-root", f"{folder}/data"),
                    *("--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
                    *("--bridge", "none", "--iptables=false"),
                ],
                stdout=log,
                stderr=log,
            )
        client = [*docker, "-H", address]
        try:
            for _ in range(60):
                done = subprocess.run([*client, "info"], capture_output=True, check=False)
                if done.returncode == 0:
                    break
                time.sleep(0.5)
            else:
                sys.exit(f"dockerd does not come up: {pathlib.Path(folder, 'log').read_text()}")
            yield client
        finally:
            daemon.terminate()
            daemon.wait()
            # The engine leaves its host's network mounted there.
            subprocess.run(["umount", f"{folder}/exec/netns/default"], capture_output=True)


def build(docker: list[str], args: argparse.Namespace) -> None:
    start = time.monotonic()
    given = [f"STACK={args.stack}"]
    if args.stack in OTHER_BASES:
        given.append(f"BASE={OTHER_BASES[args.stack]}")
    if args.make_base:
        base, build_base = make_base(docker, args.stack, args.build_ca)
        given = [f"STACK={args.stack}", f"BASE={base}", f"BUILD_BASE={build_base}"]
        print(f"base: {time.monotonic() - start:.0f} s")
        start = time.monotonic()
    command = [*docker, "build", "--network", "host", "--tag", args.tag]
    for argument in given:
        command += ["--build-arg", argument]
    if args.image != "pipeline":
        command += ["--target", args.image]
    subprocess.run([*command, str(ROOT)], check=True)
    print(f"build: {time.monotonic() - start:.0f} s")


def make_base(docker: list[str], stack: str, build_ca: pathlib.Path | None) -> tuple[str, str]:
    """Imports Debian with a Python as BASE, and makes BUILD_BASE of it; returns both tags."""
    suite = SUITES[stack]
    base, build_base = f"emotion-base:{suite}", f"emotion-build-base:{suite}"
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder, "base")
        include = f"--include={PACKAGES[stack]}"
        subprocess.run(
            ["debootstrap", "--variant=minbase", include, suite, str(tree), MIRROR], check=True
        )
        if stack == "py310":
            add_python(tree)
        slim(tree)
        archive = subprocess.Popen(["tar", "-C", str(tree), "-c", "."], stdout=subprocess.PIPE)
        subprocess.run([*docker, "import", "-", base], stdin=archive.stdout, check=True)
        if archive.wait():
            sys.exit("tar failed")
        context = pathlib.Path(folder, "build-base")
        context.mkdir()
        lines = [f"FROM {base}"]
        if build_ca:
            shutil.copyfile(build_ca, context / "ca.crt")
            lines += ["COPY ca.crt /etc/ssl/certs/ca-certificates.crt",
                      "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"]  # fmt: skip
        if stack != "py310":
            lines += ["RUN apt-get update && apt-get install -y python3-dev"]
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        subprocess.run(
            [*docker, "build", "--network", "host", "--tag", build_base, str(context)], check=True
        )
    return base, build_base


def slim(tree: pathlib.Path) -> None:
    """Removes what the public slim bases are without: packages, documents and translations, but no licence."""
    for path in (
        *tree.glob("var/cache/apt/archives/*.deb"),
        *tree.glob("var/lib/apt/lists/*_*"),
        *(
            path
            for name in ("doc", "info", "lintian", "locale", "man")
            for path in (tree / "usr/share" / name).rglob("*")
            if path.name not in ("copyright", "locale.alias")
        ),
    ):
        if path.is_symlink() or path.is_file():
            path.unlink()


def add_python(tree: pathlib.Path) -> None:
    """Copies this machine's Python to /usr/local, as python:3.10-slim has it."""
    if sys.version_info[:2] != (3, 10):
        sys.exit(f"runs on Python {sys.version.split()[0]}, and the base needs 3.10: use .venv")
    prefix = pathlib.Path(sys.base_prefix)
    left_out = ("test", "idlelib", "tkinter", "turtledemo", "config-*", "__pycache__", "share")
    shutil.copytree(
        prefix,
        tree / "usr/local",
        symlinks=True,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(*left_out),
    )
    packages = tree / "usr/local/lib/python3.10/site-packages"
    for path in packages.iterdir():
        # Pip and what it builds with; whatever else this machine has is no part of a base.
        if not re.match(
            r"(pip|setuptools|pkg_resources|_distutils_hack|distutils-prec)", path.name
        ):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (tree / "usr/local").rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < LARGEST_TEXT_BYTES:
            content = path.read_bytes()
            if b"\0" not in content and bytes(prefix) in content:
                path.write_bytes(content.replace(bytes(prefix), b"/usr/local"))
    subprocess.run(["chroot", str(tree), "ldconfig"], check=True)


def look(docker: list[str], tag: str) -> list[str]:
    """Prints size, layers and user; returns what is wrong with them."""
    (image,) = json.loads(output([*docker, "image", "inspect", tag]))
    history = output(
        [*docker, "history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", tag]
    )
    print(f"{tag}: {image['Size'] / 1e9:.2f} GB, {len(image['RootFS']['Layers'])} layers")
    for line in history.splitlines():
        size, _, command = line.partition("\t")
        if not size.startswith("0"):
            print(f"  {size:>8}  {command[:90]}")
    problems = []
    user = image["Config"]["User"]
    ran_as = output([*run_arguments(docker), "--entrypoint", "id", tag, "-u"]).strip()
    print(f"user: {user}, runs as uid {ran_as}")
    if ran_as == "0" or user.split(":")[0] in ("", "0", "root"):
        problems.append(f"it runs as root (user {user!r}, uid {ran_as})")
    texts = [line.partition("\t")[2] for line in history.splitlines()] + image["Config"]["Env"]
    problems += [f"in the history: {text}" for text in texts if SECRET_HISTORY.search(text)]
    return problems


def scan(docker: list[str], tag: str, unwanted: Iterable[pathlib.Path]) -> list[str]:
    """Looks at every file of every layer, also those that a later layer hides."""
    hashes = {
        hashlib.sha256(path.read_bytes()).digest(): path
        for folder in unwanted
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size
    }
    problems, files, total = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        saved = pathlib.Path(folder, "image.tar")
        subprocess.run([*docker, "save", "--output", str(saved), tag], check=True)
        with tarfile.open(saved) as image:
            (manifest,) = json.load(image.extractfile("manifest.json"))
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=image.extractfile(layer)) as archive:
                    for member in archive:
                        if not member.isfile():
                            continue
                        files += 1
                        total += member.size
                        content = archive.extractfile(member).read()
                        if SECRET_NAMES.search(member.name):
                            problems.append(f"{member.name}: has the name of a file of secrets")
                        is_text = len(content) <= LARGEST_TEXT_BYTES and not KNOWN_KEYS.search(
                            member.name
                        )
                        if is_text and SECRET_TEXTS.search(content):
                            problems.append(f"{member.name}: holds what looks like a secret")
                        if same := hashes.get(hashlib.sha256(content).digest()):
                            problems.append(f"{member.name}: is {same}")
    print(f"scanned {files} files, {total / 1e9:.2f} GB, against {len(hashes)} files of ours")
    return problems


def serve(
    docker: list[str], tag: str, model_dir: pathlib.Path, picture: pathlib.Path | None
) -> list[str]:
    """Serves a model from a read-only root file system and asks it."""
    from emotion_faces.client import EmotionClient

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server = subprocess.Popen(
        [
            *run_arguments(docker),
            *("--network", "host", "--volume", f"{model_dir}:/models/emotion:ro", tag, "serve"),
            *("--model-dir", "/models/emotion", "--engine", "embedded", "--port", str(port)),
            *("--rest-port", "0"),
        ]
    )
    try:
        start = time.monotonic()
        with EmotionClient(f"127.0.0.1:{port}") as client:
            client.wait_until_ready(120)
            print(
                f"serves from a read-only root file system after {time.monotonic() - start:.1f} s"
            )
            if picture:
                (answer,) = client.predict([picture.read_bytes()])
                print(f"{picture.name}: {answer.label} {answer.probabilities[answer.label]:.3f}")
    except Exception as error:
        return [f"does not serve from a read-only root file system: {error}"]
    finally:
        server.terminate()
        server.wait()
    return []


def run_arguments(docker: list[str]) -> list[str]:
    return [*docker, "run", "--rm", "--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop", "ALL"]


def output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
