"""Measures single-image throughput and latency beside the in-process limit and other servers.

`python -m benchmarks.serving_load` writes a SavedModel of the specified network, then, in one run:
the in-process limit (a DirectSession fed full batches), this project's server over gRPC with 1, 8
and 32 clients and over REST with 8 and 32, and each peer (LitServe, BentoML, KServe's Python
server; each in a virtual environment of its own with the same TensorFlow) over REST with 8 and 32.
Clients run in processes of their own and share the cores with the server; every image is a JPEG
sent alone, and every answer is compared with the graph's own.
"""

import argparse
import base64
import contextlib
import dataclasses
import datetime
import http.client
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import cv2
import numpy as np
import psutil

ROOT = pathlib.Path(__file__).resolve().parents[1]
APPS = ROOT / "benchmarks" / "serving_peers"
MIB = 1 << 20
IMAGES = 64
BATCHES = (32, 64, 128)
# MLServer 1.7 needs protobuf 5 and TensorFlow 2.16 needs 4: they do not share an environment.
PEERS = ("litserve", "bentoml", "kserve")


@dataclasses.dataclass(frozen=True)
class Load:
    """One measurement; latencies in milliseconds, cpu in cores, memory in MiB (peak)."""

    name: str
    clients: int
    throughput: float
    p50: float
    p99: float
    cpu: float
    memory: float


def write_images(directory: pathlib.Path) -> None:
    """Writes JPEGs of 48x48 gray noise, blurred so that they are about as large as real ones."""
    rng = np.random.default_rng(0)
    directory.mkdir()
    for index in range(IMAGES):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (48, 48), np.uint8), (5, 5), 0)
        cv2.imwrite(str(directory / f"{index:02}.jpg"), noise)


def read_images(directory: pathlib.Path) -> list[bytes]:
    """Returns the JPEGs in their order."""
    return [path.read_bytes() for path in sorted(directory.glob("*.jpg"))]


# In-process limit and model; these run in processes of their own, which import TensorFlow.


def write_model(version_dir: pathlib.Path) -> None:
    """Writes a SavedModel of the specified network with the pipeline's signatures."""
    from tests.serving import models

    version_dir.parent.mkdir(parents=True)
    models.write_emotion(version_dir, network=models.specified_network)


def in_process(version_dir: pathlib.Path, images_dir: pathlib.Path, secs: float) -> dict:
    """Returns images a second of a DirectSession for each batch size, and the right answers."""
    import tensorflow as tf

    images = read_images(images_dir)
    rates = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version_dir))
        signature = loaded.signature_def["serving_default"]
        feed = signature.inputs["image_bytes"].name
        fetches = [tensor.name for tensor in signature.outputs.values()]
        run = session.make_callable(fetches, [feed])
        probabilities = session.run(signature.outputs["probabilities"].name, {feed: images})
        for size in BATCHES:
            batch = (images * (size // IMAGES + 1))[:size]
            run(batch)
            count, started = 0, time.perf_counter()
            while time.perf_counter() - started < secs:
                run(batch)
                count += size
            rates[size] = count / (time.perf_counter() - started)
    return {"rates": rates, "probabilities": probabilities.tolist()}


# Clients: one process each, several threads, started together by a line on stdin.


def client_main(options) -> None:
    """Calls from `options.threads` threads for `options.secs`; prints latencies as JSON."""
    images = read_images(pathlib.Path(options.images))
    expected = json.loads(pathlib.Path(options.expected).read_text())
    calls = [CALLS[options.protocol](options.port) for _ in range(options.threads)]
    for call in calls:  # connects, and lets a server that compiles or batches settle
        for index in range(3):
            answer = np.float64(call(images[index]))
            np.testing.assert_allclose(answer, expected[index], atol=2e-3)
    print("ready", flush=True)
    sys.stdin.readline()
    latencies: list[float] = []
    end = time.perf_counter() + options.secs

    def work(call, offset):
        own, index = [], offset
        while (started := time.perf_counter()) < end:
            answer = call(images[index % IMAGES])
            own.append(time.perf_counter() - started)
            if len(answer) != 7 or abs(answer[0] - expected[index % IMAGES][0]) > 2e-3:
                raise AssertionError(f"wrong answer {answer} for image {index % IMAGES}")
            index += 1
        latencies.extend(own)

    failures = []

    def guarded(call, offset):
        try:
            work(call, offset)
        except BaseException as error:
            failures.append(repr(error))

    threads = [
        threading.Thread(target=guarded, args=(call, options.offset + 7 * i))
        for i, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({"latencies": latencies, "failures": failures}, sys.stdout)


def grpc_call(port: int):
    """A Predict call over gRPC on a channel of its own."""
    import grpc

    from serving import protos

    channel = grpc.insecure_channel(
        f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]
    )
    stub = protos.prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def call(image):
        request = protos.predict_pb2.PredictRequest()
        request.model_spec.name = "emotion"
        tensor = request.inputs["image_bytes"]
        tensor.dtype = protos.types_pb2.DT_STRING
        tensor.tensor_shape.dim.add().size = 1
        tensor.string_val.append(image)
        return stub.Predict(request, timeout=60).outputs["probabilities"].float_val

    return call


def http_call(path: str, wrap, unwrap):
    """Returns a maker of calls that POST wrap(base64 image) as JSON on one kept connection."""

    def make(port: int):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Content-Type": "application/json"}

        def call(image):
            body = json.dumps(wrap(base64.b64encode(image).decode()))
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            data = response.read()
            if response.status != 200:
                raise AssertionError(f"{response.status}: {data[:300]!r}")
            return unwrap(json.loads(data))

        return call

    return make


CALLS = {
    "grpc": grpc_call,
    "rest": http_call(
        "/v1/models/emotion:predict",
        lambda image: {"instances": [{"b64": image}]},
        lambda answer: answer["predictions"][0]["probabilities"],
    ),
    "litserve": http_call(
        "/predict", lambda image: {"b64": image}, lambda answer: answer["probabilities"]
    ),
    "bentoml": http_call(
        "/predict", lambda image: {"images": [image]}, lambda answer: answer[0]["probabilities"]
    ),
    "kserve": http_call(
        "/v1/models/emotion:predict",
        lambda image: {"instances": [{"b64": image}]},
        lambda answer: answer["predictions"][0]["probabilities"],
    ),
}


# Servers.


def make_venv(directory: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the Python of a virtual environment with the peer and this TensorFlow's version."""
    python = directory / name / "bin" / "python"
    if not python.exists():
        version = importlib.metadata.version("tensorflow")
        packages = [name, f"tensorflow-cpu=={version}"]
        uv = pathlib.Path(sys.executable).with_name("uv")
        command = str(uv) if uv.exists() else "uv"
        subprocess.run([command, "venv", "-q", "-p", sys.executable, python.parents[1]], check=True)
        subprocess.run([command, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


def peer_command(name: str, python: pathlib.Path, model: pathlib.Path, port: int, home):
    """Returns (command, environment, working directory) that serve the model on the port."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": str(APPS)}
    if name == "bentoml":
        environment |= {"MODEL_DIR": str(model), "BENTOML_HOME": str(home)}
        environment |= {"BENTOML_DO_NOT_TRACK": "True"}
        serve = [python.with_name("bentoml"), "serve", "bentoml_app:Emotion"]
        return [*serve, "--host", "127.0.0.1", "--port", str(port)], environment, APPS
    return [python, APPS / f"{name}_app.py", str(model), str(port)], environment, home


@contextlib.contextmanager
def started(command, environment, directory, port: int, log: pathlib.Path, secs: float = 90):
    """Runs a server in a session of its own until the block ends; waits for its port."""
    from tests.serving.conformance.harness import is_open

    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + secs
        while not is_open(port):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{command[0]} does not serve on {port}: {tail}")
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        family = [psutil.Process(process.pid)] if process.poll() is None else []
        family += family[0].children(recursive=True) if family else []
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for member in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()


def usage(process: psutil.Process) -> tuple[float, float]:
    """Returns (CPU seconds, proportional memory in MiB) of a process and its children."""
    cpu = memory = 0.0
    for member in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            cpu += times.user + times.system
            memory += member.memory_full_info().pss / MIB
    return cpu, memory


def measure(name, protocol, port, clients, process, directory, secs) -> Load:
    """Loads the server with `clients` concurrent callers for `secs` seconds."""
    workers = min(clients, 4)
    command = [sys.executable, "-m", "benchmarks.serving_load", "--client"]
    command += [f"--protocol={protocol}", f"--port={port}", f"--secs={secs}"]
    command += [f"--images={directory}/images", f"--expected={directory}/expected.json"]
    callers = [
        subprocess.Popen(
            [*command, f"--threads={clients // workers}", f"--offset={13 * i}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(workers)
    ]
    try:
        for caller in callers:
            if caller.stdout.readline().strip() != "ready":
                raise RuntimeError(f"a client of {name} ended with {caller.wait()}")
        cpu_before, _ = usage(process)
        begun = time.perf_counter()
        for caller in callers:
            caller.stdin.write("go\n")
            caller.stdin.flush()
        time.sleep(secs)
        elapsed = time.perf_counter() - begun
        cpu_after, memory = usage(process)
        answers = [json.loads(caller.communicate(timeout=120)[0]) for caller in callers]
    finally:
        for caller in callers:
            caller.kill()
    failures = [failure for answer in answers for failure in answer["failures"]]
    if failures:
        raise RuntimeError(f"{name} with {clients} clients: {failures[:3]}")
    latencies = 1000 * np.concatenate([answer["latencies"] for answer in answers])
    p50, p99 = np.percentile(latencies, [50, 99])
    rate = len(latencies) / secs
    return Load(name, clients, rate, p50, p99, (cpu_after - cpu_before) / elapsed, memory)


def own_loads(directory: pathlib.Path, secs: float):
    """Yields the measurements of this project's server (or of SERVING_COMMAND)."""
    from tests.serving.conformance.harness import free_port, launch_command

    grpc_port, rest_port = free_port(), free_port()
    command = [*launch_command(), f"--port={grpc_port}", f"--rest_api_port={rest_port}"]
    command += ["--model_name=emotion", f"--model_base_path={directory}/emotion"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    with started(command, environment, ROOT, grpc_port, directory / "own.log") as process:
        for protocol, port, counts in (
            ("grpc", grpc_port, (1, 8, 32)),
            ("rest", rest_port, (8, 32)),
        ):
            for clients in counts:
                name = f"this server, {protocol}"
                yield measure(name, protocol, port, clients, process, directory, secs)


def peer_loads(name: str, venvs: pathlib.Path, directory: pathlib.Path, secs: float):
    """Yields the measurements of one peer over REST."""
    from tests.serving.conformance.harness import free_port

    python, port, home = make_venv(venvs, name), free_port(), directory / name
    home.mkdir()
    command, environment, cwd = peer_command(name, python, directory / "emotion" / "1", port, home)
    with started(command, environment, cwd, port, directory / f"{name}.log") as process:
        time.sleep(10)  # some open the port before their workers have loaded the model
        for clients in (8, 32):
            yield measure(f"{name}, rest", name, port, clients, process, directory, secs)


def in_own_process(action: str, *arguments) -> str:
    """Runs one of this program's actions that import TensorFlow; returns what it prints."""
    command = [sys.executable, "-m", "benchmarks.serving_load", f"--{action}"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_USE_LEGACY_KERAS": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def limit_of(directory: pathlib.Path, secs: float) -> float:
    """Returns the in-process limit in images a second, and writes the right answers."""
    found = json.loads(
        in_own_process(
            "in_process", f"--model={directory}/emotion/1", f"--images={directory}/images",
            f"--secs={secs}",
        ).splitlines()[-1]
    )  # fmt: skip
    (directory / "expected.json").write_text(json.dumps(found["probabilities"]))
    return max(found["rates"].values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secs", type=float, default=8, help="length of each measurement")
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated; or ''")
    parser.add_argument("--venvs", default=str(ROOT / ".venvs"), help="where peers are installed")
    for hidden in ("--client", "--in_process", "--write_model"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--protocol", "--images", "--expected", "--model"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    for hidden in ("--port", "--threads", "--offset"):
        parser.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        client_main(options)
    elif options.write_model:
        write_model(pathlib.Path(options.model))
    elif options.in_process:
        model, images = pathlib.Path(options.model), pathlib.Path(options.images)
        print(json.dumps(in_process(model, images, options.secs)))
    else:
        compare(options)


def compare(options) -> None:
    """Runs every measurement and prints the table."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="serving-load-"))
    venvs = pathlib.Path(options.venvs).resolve()
    peers = [name for name in options.peers.split(",") if name]
    loads, missing = [], {}
    try:
        write_images(directory / "images")
        in_own_process("write_model", f"--model={directory}/emotion/1")
        limits = [limit_of(directory, options.secs / 2)]
        loads += own_loads(directory, options.secs)
        limits.append(limit_of(directory, options.secs / 2))
        for name in peers:
            try:
                loads += peer_loads(name, venvs, directory, options.secs)
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                missing[name] = str(error)
        limits.append(limit_of(directory, options.secs / 2))
    finally:
        shutil.rmtree(directory)
    report(limits, loads, missing)


def report(limits: list[float], loads: list[Load], missing: dict[str, str]) -> None:
    """Prints each measurement beside the in-process limit of the same run."""
    limit = sum(limits) / len(limits)
    model = pathlib.Path("/proc/cpuinfo").read_text().split("model name\t: ")[1].splitlines()[0]
    print(f"{datetime.date.today()}, {os.cpu_count()} cores ({model}), {platform.platform()}")
    print("clients and server share the cores; one JPEG a request")
    each = ", ".join(f"{one:.0f}" for one in limits)
    print(f"in-process limit {limit:.0f} images/s (first, after this server, last: {each})")
    print(f"{'':24} clients images/s of limit  p50 ms  p99 ms  CPU cores  MiB")
    for load in loads:
        print(
            f"{load.name:24} {load.clients:7d} {load.throughput:8.0f} "
            f"{load.throughput / limit:8.0%} {load.p50:7.1f} {load.p99:7.1f} "
            f"{load.cpu:10.2f} {load.memory:4.0f}"
        )
    for name, reason in missing.items():
        print(f"{name}: not measured: {reason}")


if __name__ == "__main__":
    main()
