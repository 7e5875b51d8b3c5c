"""Measures single-image throughput and latency beside the in-process limit and other servers.

`python -m benchmarks.serving.load` writes a SavedModel of the specified network, untrained and in
float32 (or takes the one of `--saved-model`), then, in one run:
the in-process limit, this project's batcher called by threads without a socket, its server over
gRPC with 1, 8 and 32 clients and over REST with 8 and 32, the same of the server that SERVING_COMMAND
starts (`SERVING_COMMAND="tensorflow_model_server --enable_batching --grpc_max_threads=128
--batching_parameters_file=serving/deploy/batching.config"`), and each peer (each in a virtual
environment of its own with the same TensorFlow) over REST with 8 and 32. Every image is a JPEG sent
alone, and every answer from a server is compared with the graph's own.

What so many clients can have at most is told too: one or two threads that feed a session as many
images as there are clients, or half of them each. A client waits for its answer, so 8 clients make
no batches of 128.

The in-process limit is threads that feed a session of TensorFlow with full batches of the same
JPEGs (decoding, network and all outputs are in it; sockets, parsing and waiting are not), the best
of three batch sizes and of one, two and four threads: two batches that alternate pass one that has
the cores to itself. It has every core to itself, while a server shares them with its clients. So
each measurement also tells what the server did with each core-second that it got, beside what the
limit did with one of its own ("a core"), and the cores that the clients and everything else used.
"""

import argparse
import dataclasses
import datetime
import itertools
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
from collections.abc import Callable

import cv2
import numpy as np
import psutil

from benchmarks.serving.load_clients import PROTOCOLS, read_images
from benchmarks.serving.peer_servers import (
    PEERS,
    cpu_secs,
    machine_secs,
    make_venv,
    memory_mib,
    peer_command,
    started,
)
from tests.serving.conformance import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = 64
BATCHES = (32, 64, 128)
FEEDERS = (1, 2, 4)
THREADS = (1, 8, 32)


@dataclasses.dataclass(frozen=True)
class Load:
    """One measurement: images a second, milliseconds, cores busy, and the server's memory in MiB."""

    name: str
    clients: int
    throughput: float
    p50: float
    p99: float
    server_cores: float
    client_cores: float
    other_cores: float
    memory: float


@dataclasses.dataclass(frozen=True)
class Limit:
    """What TensorFlow does in a process of its own: images a second, and the cores that it kept busy.

    `at_once` is the images a second with so many images under way, for each number of clients.
    """

    throughput: float
    cores: float
    at_once: dict[int, float]


def write_images(directory: pathlib.Path) -> None:
    """Writes JPEGs of 48x48 gray noise, blurred so that they are about as large as real ones."""
    rng = np.random.default_rng(0)
    directory.mkdir()
    for index in range(IMAGES):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (48, 48), np.uint8), (5, 5), 0)
        cv2.imwrite(str(directory / f"{index:02}.jpg"), noise)


# In-process limit and model; these run in processes of their own, which import TensorFlow.


def write_model(version_dir: pathlib.Path) -> None:
    """Writes a SavedModel of the specified network with the pipeline's signatures."""
    from tests.serving import models

    version_dir.parent.mkdir(parents=True)
    models.write_emotion(version_dir, network=models.specified_network)


def in_process(version_dir: pathlib.Path, images_dir: pathlib.Path, secs: float) -> dict:
    """Returns feeders, batch size, images a second and cores busy of each way, and the right answers."""
    from emotion_faces.model_server import memory

    memory.choose_allocator()
    memory.keep_between_runs()  # as the server does
    import tensorflow as tf

    images = read_images(images_dir)
    rates = []
    ways = {*itertools.product(FEEDERS, BATCHES), *(way for n in THREADS for way in ways_of(n))}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version_dir))
        signature = loaded.signature_def["serving_default"]
        feed = signature.inputs["image_bytes"].name
        fetches = [tensor.name for tensor in signature.outputs.values()]
        run = session.make_callable(fetches, [feed])
        probabilities = session.run(signature.outputs["probabilities"].name, {feed: images})
        for feeders, size in sorted(ways):
            batch = (images * (size // IMAGES + 1))[:size]
            run(batch)
            rates.append((feeders, size, *measure_feeders(run, batch, feeders, secs)))
    return {"rates": rates, "probabilities": probabilities.tolist()}


def ways_of(clients: int) -> list[tuple[int, int]]:
    """Returns (feeders, batch size) of the ways in which so many images can be under way."""
    return [(1, clients), (2, clients // 2)] if clients > 1 else [(1, 1)]


def measure_feeders(run, batch, feeders: int, secs: float) -> tuple[float, float]:
    """Returns images a second and cores busy of threads that each run the batch over and over."""
    counts = [0] * feeders

    def feed(number: int) -> None:
        while time.perf_counter() < end:
            run(batch)
            counts[number] += len(batch)

    threads = [threading.Thread(target=feed, args=(number,)) for number in range(feeders)]
    started, cpu = time.perf_counter(), time.process_time()
    end = started + secs
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    return sum(counts) / elapsed, (time.process_time() - cpu) / elapsed


def call_batcher(version_dir: pathlib.Path, images_dir: pathlib.Path, secs: float) -> list[dict]:
    """Returns the fields of a Load for each number of threads that call a loaded version directly."""
    from emotion_faces.model_server import batching, memory, servable, server

    sys.setswitchinterval(server.SWITCH_INTERVAL_SECS)
    memory.keep_between_runs()
    model = servable.Servable(version_dir, "emotion", 1, batching.BatchingOptions())
    signature = model.signatures["serving_default"]
    feeds = [{"image_bytes": np.array([image], object)} for image in read_images(images_dir)]

    def call(number: int) -> None:
        model.run(signature, feeds[number], None)

    return [
        dataclasses.asdict(measure_threads("its batcher, no socket", call, clients, secs))
        for clients in THREADS
    ]


def measure_threads(name: str, call: Callable[[int], object], clients: int, secs: float) -> Load:
    """Measures threads that each make one call after the other, with their own number."""
    latencies: list[float] = []

    def work(number: int) -> None:
        while (started := time.perf_counter()) < end:
            call(number)
            latencies.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    end, cpu = time.perf_counter() + secs, time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cores = (time.process_time() - cpu) / secs
    p50, p99 = np.percentile(latencies, [50, 99]).tolist()
    return Load(
        name=name,
        clients=clients,
        throughput=len(latencies) / secs,
        p50=1000 * p50,
        p99=1000 * p99,
        server_cores=cores,
        client_cores=0.0,
        other_cores=0.0,
        memory=memory_mib(psutil.Process()),
    )


def measure(name, protocol, port, clients, process, directory, secs) -> Load:
    """Loads the server with `clients` concurrent callers for `secs` seconds."""
    workers = min(clients, 4)
    command = [sys.executable, "-m", "benchmarks.serving.load_clients"]
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
        family = [psutil.Process(caller.pid) for caller in callers]

        def used() -> np.ndarray:
            return np.array([cpu_secs(process), cpu_secs(*family), machine_secs()])

        before, begun = used(), time.perf_counter()
        for caller in callers:
            caller.stdin.write("go\n")
            caller.stdin.flush()
        time.sleep(secs)
        elapsed = time.perf_counter() - begun
        server_cores, client_cores, all_cores = (used() - before) / elapsed
        memory = memory_mib(process)
        answers = [json.loads(caller.communicate(timeout=120)[0]) for caller in callers]
    finally:
        for caller in callers:
            caller.kill()
    failures = [failure for answer in answers for failure in answer["failures"]]
    if failures:
        raise RuntimeError(f"{name} with {clients} clients: {failures[:3]}")
    latencies = 1000 * np.concatenate([answer["latencies"] for answer in answers])
    p50, p99 = np.percentile(latencies, [50, 99])
    load = Load(
        name,
        clients,
        len(latencies) / secs,
        p50,
        p99,
        server_cores,
        client_cores,
        max(0.0, all_cores - server_cores - client_cores),
        memory,
    )
    print(load, file=sys.stderr, flush=True)  # a long run that is cut short leaves what it found
    return load


def server_commands() -> dict[str, list[str]]:
    """Returns the commands of this project's server, and of SERVING_COMMAND's where it is set."""
    commands = {"this": [sys.executable, "-m", "emotion_faces.model_server"]}
    if "SERVING_COMMAND" in os.environ:
        commands[pathlib.Path(harness.launch_command()[0]).name] = harness.launch_command()
    return commands


def server_loads(name: str, launch: list[str], directory: pathlib.Path, secs: float):
    """Yields the measurements of a server that takes tensorflow_model_server's flags."""
    grpc_port, rest_port = harness.free_port(), harness.free_port()
    command = [*launch, f"--port={grpc_port}", f"--rest_api_port={rest_port}"]
    command += ["--model_name=emotion", f"--model_base_path={directory}/emotion"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    with started(command, environment, ROOT, grpc_port, directory / f"{name}.log") as process:
        for protocol, port, counts in (
            ("grpc", grpc_port, (1, 8, 32)),
            ("rest", rest_port, (8, 32)),
        ):
            for clients in counts:
                yield measure(
                    f"{name}, {protocol}", protocol, port, clients, process, directory, secs
                )


def peer_loads(name: str, venvs: pathlib.Path, directory: pathlib.Path, secs: float):
    """Yields the measurements of one peer over REST."""
    python, port, home = make_venv(venvs, name), harness.free_port(), directory / name
    home.mkdir()
    command, environment, cwd = peer_command(name, python, directory / "emotion" / "1", port, home)
    with started(command, environment, cwd, port, directory / f"{name}.log") as process:
        wait_for_answer(name, port, read_images(directory / "images")[0])
        for clients in (8, 32):
            yield measure(f"{name}, rest", name, port, clients, process, directory, secs)


def wait_for_answer(name: str, port: int, image: bytes, secs: float = 120) -> None:
    """Returns once a peer answers: some open the port before their workers have loaded the model."""
    protocol, end = PROTOCOLS[name], time.monotonic() + secs
    while True:
        try:
            protocol.connect(port)(protocol.encode(image))
            return
        except (AssertionError, OSError) as error:
            if time.monotonic() > end:
                raise RuntimeError(f"{name} gave no answer in {secs:.0f} s: {error}") from error
            time.sleep(0.5)


def in_own_process(action: str, *arguments) -> str:
    """Runs one of this program's actions that import TensorFlow; returns what it prints."""
    command = [sys.executable, "-m", "benchmarks.serving.load", f"--{action}"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_USE_LEGACY_KERAS": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def run_with_model(action: str, directory: pathlib.Path, secs: float):
    """Returns what an action on the model and the images gives, in a process of its own."""
    paths = (f"--model={directory}/emotion/1", f"--images={directory}/images")
    return json.loads(in_own_process(action, *paths, f"--secs={secs}").splitlines()[-1])


def limit_of(directory: pathlib.Path, secs: float) -> Limit:
    """Returns the in-process limit, and writes the right answers."""
    found = run_with_model("in_process", directory, secs)
    (directory / "expected.json").write_text(json.dumps(found["probabilities"]))
    limit = Limit(
        *max((rate, cores) for _, _, rate, cores in found["rates"]),
        at_once={
            clients: max(
                rate
                for feeders, size, rate, _ in found["rates"]
                if (feeders, size) in ways_of(clients)
            )
            for clients in THREADS
        },
    )
    print(limit, file=sys.stderr, flush=True)
    return limit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secs", type=float, default=8, help="length of each measurement")
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated; or ''")
    parser.add_argument("--saved-model", type=pathlib.Path, help="version folder to serve instead")
    parser.add_argument("--venvs", default=str(ROOT / ".venvs"), help="where peers are installed")
    for hidden in ("--in_process", "--call_batcher", "--write_model"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--images", "--model"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_model:
        write_model(pathlib.Path(options.model))
    elif options.in_process or options.call_batcher:
        action = in_process if options.in_process else call_batcher
        model, images = pathlib.Path(options.model), pathlib.Path(options.images)
        print(json.dumps(action(model, images, options.secs)))
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
        if options.saved_model:
            shutil.copytree(options.saved_model, directory / "emotion" / "1")
        else:
            in_own_process("write_model", f"--model={directory}/emotion/1")
        limits = [limit_of(directory, options.secs / 2)]
        batcher = run_with_model("call_batcher", directory, options.secs)
        loads += [Load(**fields) for fields in batcher]
        for name, launch in server_commands().items():
            loads += server_loads(name, launch, directory, options.secs)
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


def report(limits: list[Limit], loads: list[Load], missing: dict[str, str]) -> None:
    """Prints each measurement beside the in-process limit of the same run."""
    limit = sum(one.throughput for one in limits) / len(limits)
    at_once = {
        clients: sum(one.at_once[clients] for one in limits) / len(limits) for clients in THREADS
    }
    a_core = limit / (sum(one.cores for one in limits) / len(limits))
    model = pathlib.Path("/proc/cpuinfo").read_text().split("model name\t: ")[1].splitlines()[0]
    print(f"{datetime.date.today()}, {os.cpu_count()} cores ({model}), {platform.platform()}")
    each = ", ".join(f"{one.throughput:.0f}" for one in limits)
    print(
        f"in-process limit {limit:.0f} images/s (first, after this server, last: {each}), "
        f"{a_core:.0f} for each core-second; "
        + ", ".join(f"{rate:.0f} with {clients} at once" for clients, rate in at_once.items())
    )
    print(
        f"{'':22} clients images/s of limit at once  a core  p50 ms  p99 ms  cores: server clients others  MiB"
    )
    for load in loads:
        print(
            f"{load.name:22} {load.clients:7d} {load.throughput:8.0f} "
            f"{load.throughput / limit:8.0%} {load.throughput / at_once[load.clients]:7.0%} "
            f"{load.throughput / load.server_cores / a_core:7.0%} "
            f"{load.p50:7.1f} {load.p99:7.1f} {load.server_cores:14.2f} {load.client_cores:7.2f} "
            f"{load.other_cores:6.2f} {load.memory:4.0f}"
        )
    for name, reason in missing.items():
        print(f"{name}: not measured: {reason}")


if __name__ == "__main__":
    main()
