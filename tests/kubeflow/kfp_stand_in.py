"""Runs a compiled package task by task on this machine, as Kubeflow Pipelines' driver and launcher do.

What each part does was read in their sources (backend/src/v2: driver/driver.go, component/launcher_v2.go,
metadata/converter.go) and is kept to: parameters and artifacts are resolved from the spec alone; every
artifact of an input is copied from the object store to the pod before the command starts, and every
output back after it, files only, since an object store knows no empty folder; placeholders are
replaced; the output file is merged into what the driver provided, names of outputs unknown to it
ignored; metadata passes through ML Metadata's values, in which whole numbers come back as floats.

Three ways. `TYPED`: inputs carry their types and URIs are paths that TFX opens by itself. `OPEN_SOURCE`:
inputs have an empty type, `executor-logs` is among the outputs, URIs are `minio://`, and only the pod's
copies can be opened. `VERTEX`: inputs carry their types, and URIs are `gs://`, which the pod has under
`/gcs`; whoever copies or mounts them there.
"""

import concurrent.futures
import dataclasses
import itertools
import pathlib
import shutil
import time
import uuid
from collections.abc import Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.kubeflow.pods import Pod, Starter

LOGS_OUTPUT = "executor-logs"


@dataclasses.dataclass(frozen=True)
class Ways:
    """What an installation of Kubeflow Pipelines does.

    is_typed: inputs carry their types. publishes_logs: `executor-logs` is among the outputs.
    has_object_store: URIs are of an object store, and pods get copies.
    """

    is_typed: bool
    publishes_logs: bool
    has_object_store: bool


TYPED = Ways(is_typed=True, publishes_logs=False, has_object_store=False)
VERTEX = Ways(is_typed=True, publishes_logs=False, has_object_store=True)
OPEN_SOURCE = Ways(is_typed=False, publishes_logs=True, has_object_store=True)


class RunError(Exception):
    """The package or what was submitted with it is refused, or a task failed."""


@dataclasses.dataclass
class Task:
    """One task's run.

    inputs: the ExecutorInput that its command got, as JSON has it. outputs: RuntimeArtifacts by key,
    with the store's URIs. log: all that the command wrote.
    """

    name: str
    inputs: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    seconds: float
    status: int
    log: str


class Run:
    """A run of a package."""

    def __init__(
        self,
        package: pathlib.Path,
        work_dir: pathlib.Path,
        starter: Starter,
        *,
        ways: Ways = OPEN_SOURCE,
        parameters: Mapping[str, Any] | None = None,
    ):
        """Reads the package and resolves the parameters.

        Raises:
          RunError: A parameter is unknown, missing or of the wrong type.
          json_format.ParseError: The package has a field that its messages do not know.
        """
        with open(package, encoding="utf-8") as file:
            documents = list(yaml.safe_load_all(file))
        if "pipelineSpec" in documents[0]:
            json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineJob())
        self.spec = documents[0].get("pipelineSpec", documents[0])
        json_format.ParseDict(self.spec, pipeline_spec_pb2.PipelineSpec())
        platform = documents[1]["platforms"]["kubernetes"] if len(documents) > 1 else {}
        self.platform_executors = platform.get("deploymentSpec", {}).get("executors", {})
        self.ways = ways
        self.tasks: dict[str, Task] = {}
        self.store = work_dir / "store"
        self._pods = work_dir / "pods"
        self._starter = starter
        self._parameters = resolve_parameters(self.spec, parameters or {})
        self._ids = itertools.count(1)
        self.id = str(uuid.uuid4())
        # As resolve.go of the driver has them since 2.4; the others of its list are not used.
        self._placeholders = {
            "{{$.pipeline_job_uuid}}": self.id,
            "{{$.pipeline_job_name}}": "emotion as submitted",
        }
        root = self.spec["defaultPipelineRoot"] if ways.has_object_store else str(self.store)
        self.root = f"{root.rstrip('/')}/{self.spec['pipelineInfo']['name']}/{self.id}"

    def run(self, until: str | None = None, workers: int = 2) -> dict[str, Task]:
        """Runs the tasks, each when all that it depends on has run.

        Args:
          until: A task that is run with all that it depends on, and nothing else; None for all.
          workers: How many tasks may run at the same time.

        Raises:
          RunError: A task failed; the message has the end of its log.
        """
        wanted = self._wanted(until)
        running: dict[concurrent.futures.Future, str] = {}
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            while len(self.tasks) < len(wanted):
                for name in sorted(wanted):
                    is_new = name not in self.tasks and name not in running.values()
                    if is_new and self._needs(name) <= set(self.tasks):
                        running[pool.submit(self._run_task, name)] = name
                done, _ = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    del running[future]
                    task = future.result()
                    _check(task)
                    self.tasks[task.name] = task
        return self.tasks

    def repeat(self, name: str, starter: Starter | None = None) -> Task:
        """Runs a task again, on the outputs of the others as they are.

        Args:
          name: The task.
          starter: How it is started this time; None for as the run starts its tasks.

        Raises:
          RunError: It failed.
        """
        shutil.rmtree(self._pods / name)
        task = self._run_task(name, starter)
        _check(task)
        self.tasks[name] = task
        return task

    def folder(self, task: str, output: str) -> pathlib.Path:
        """Returns where an output lies in the store."""
        return self.stored(self.tasks[task].outputs[output]["uri"])

    def _wanted(self, until: str | None) -> set[str]:
        tasks = self.spec["root"]["dag"]["tasks"]
        if until is None:
            return set(tasks)
        wanted, waiting = set(), [until]
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted.add(name)
                waiting += self._needs(name)
        return wanted

    def _needs(self, name: str) -> set[str]:
        task = self.spec["root"]["dag"]["tasks"][name]
        producers = {
            one["taskOutputArtifact"]["producerTask"]
            for one in task.get("inputs", {}).get("artifacts", {}).values()
        }
        return producers | set(task.get("dependentTasks", []))

    def _run_task(self, name: str, starter: Starter | None = None) -> Task:
        starter = starter or self._starter
        task = self.spec["root"]["dag"]["tasks"][name]
        component = self.spec["components"][task["componentRef"]["name"]]
        label = component["executorLabel"]
        pod = Pod(self._pods / name, self.platform_executors.get(label, {}))
        executor_input = self._drive(task, component, starter.output_file(pod))
        container = self.spec["deploymentSpec"]["executors"][label]["container"]
        command = [
            replace_placeholders(text, executor_input)
            for text in [*container["command"], *container.get("args", [])]
        ]
        if self.ways.has_object_store:
            self._download(executor_input, pod)
        start = time.monotonic()
        status = starter.start(pod, container, command)
        seconds = time.monotonic() - start
        # One that is killed at once has written none.
        log = pod.log.read_text("utf-8", errors="replace") if pod.log.exists() else ""
        outputs = self._finish(executor_input, pod) if status == 0 else {}
        return Task(name, executor_input, outputs, seconds, status, log)

    def _drive(
        self, task: dict[str, Any], component: dict[str, Any], output_file: str
    ) -> dict[str, Any]:
        """What the driver does: the ExecutorInput of a task."""
        inputs: dict[str, Any] = {"parameterValues": {}, "artifacts": {}}
        for key, value in task.get("inputs", {}).get("parameters", {}).items():
            if "componentInputParameter" in value:
                resolved = self._parameters[value["componentInputParameter"]]
            else:
                constant = value["runtimeValue"]["constant"]
                resolved = self._placeholders.get(constant, constant)
            inputs["parameterValues"][key] = resolved
        for key, value in task.get("inputs", {}).get("artifacts", {}).items():
            source = value["taskOutputArtifact"]
            artifact = self.tasks[source["producerTask"]].outputs[source["outputArtifactKey"]]
            kind = component["inputDefinitions"]["artifacts"][key]["artifactType"]
            kind = kind if self.ways.is_typed else {"instanceSchema": ""}
            artifact = {**artifact, "type": kind}
            inputs["artifacts"][key] = {"artifacts": [artifact]}
        specs = dict(component.get("outputDefinitions", {}).get("artifacts", {}))
        if self.ways.publishes_logs:
            specs[LOGS_OUTPUT] = {"artifactType": {"schemaTitle": "system.Artifact"}}
        salt = str(uuid.uuid4())
        outputs = {
            key: {
                "artifacts": [
                    {
                        "uri": f"{self.root}/{task['taskInfo']['name']}/{salt}/{key}",
                        "type": spec["artifactType"],
                        **({"metadata": spec["metadata"]} if "metadata" in spec else {}),
                    }
                ]
            }
            for key, spec in specs.items()
        }
        message = json_format.ParseDict(
            {"inputs": inputs, "outputs": {"artifacts": outputs, "outputFile": output_file}},
            pipeline_spec_pb2.ExecutorInput(),
        )
        return json_format.MessageToDict(message)

    def _download(self, executor_input: dict[str, Any], pod: Pod) -> None:
        """What the launcher does before the command: copies of inputs, parents of outputs."""
        for value in executor_input["inputs"].get("artifacts", {}).values():
            (artifact,) = value["artifacts"]
            _copy_files(self.stored(artifact["uri"]), pod.local(artifact["uri"]))
        for value in executor_input["outputs"].get("artifacts", {}).values():
            (artifact,) = value["artifacts"]
            pod.local(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)

    def _finish(self, executor_input: dict[str, Any], pod: Pod) -> dict[str, dict[str, Any]]:
        """What the launcher does after the command: merge, upload, record."""
        written: dict[str, Any] = {}
        if pod.output_file.exists():
            output = json_format.Parse(
                pod.output_file.read_text(encoding="utf-8"), pipeline_spec_pb2.ExecutorOutput()
            )
            written = json_format.MessageToDict(output).get("artifacts", {})
        outputs = {}
        for key, value in executor_input["outputs"].get("artifacts", {}).items():
            artifact = dict(value["artifacts"][0])
            if key in written:
                (own,) = written[key]["artifacts"]
                artifact["uri"] = own.get("uri") or artifact["uri"]
                artifact["metadata"] = {**artifact.get("metadata", {}), **own.get("metadata", {})}
            if self.ways.has_object_store:
                if key == LOGS_OUTPUT:
                    shutil.copyfile(pod.log, pod.local(artifact["uri"]))
                _copy_files(pod.local(artifact["uri"]), self.stored(artifact["uri"]))
            outputs[key] = {
                "name": str(next(self._ids)),
                "uri": artifact["uri"],
                "metadata": {k: _recorded(v) for k, v in artifact.get("metadata", {}).items()},
            }
        return outputs

    def stored(self, uri: str) -> pathlib.Path:
        """Returns where an object lies; a URI that is no object's is an error of the entrypoint's."""
        if not self.ways.has_object_store:
            return pathlib.Path(uri)
        if not uri.startswith(self.root + "/"):
            raise RunError(f"{uri}: lies outside the pipeline root {self.root}")
        return self.store / uri.split("://", 1)[1]


def _check(task: Task) -> None:
    if task.status:
        raise RunError(f"task {task.name} ended with status {task.status}:\n{task.log[-4000:]}")


def resolve_parameters(spec: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a run's parameters, as the API server takes them.

    Raises:
      RunError: A parameter is unknown, missing or of the wrong type.
    """
    specs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    kinds: dict[str, type | tuple[type, ...]] = {
        "STRING": str,
        "NUMBER_INTEGER": (int, float),
        "NUMBER_DOUBLE": (int, float),
        "BOOLEAN": bool,
    }
    if unknown := set(given) - set(specs):
        raise RunError(f"unknown parameters: {sorted(unknown)}")
    values = {}
    for name, one in specs.items():
        if name not in given and "defaultValue" not in one:
            raise RunError(f"parameter {name} has no default and no value")
        value = given.get(name, one.get("defaultValue"))
        if not isinstance(value, kinds[one["parameterType"]]):
            raise RunError(f"parameter {name} requires {one['parameterType']}, got {value!r}")
        values[name] = value
    return values


def replace_placeholders(text: str, executor_input: dict[str, Any]) -> str:
    """Replaces the launcher's placeholder; the others have no place in what TFX compiles."""
    text = text.replace("{{$}}", json_format.MessageToJson(_message(executor_input), indent=None))
    if "{{$" in text:
        raise RunError(f"a placeholder that is not replaced: {text[:200]}")
    return text


def _message(executor_input: dict[str, Any]) -> pipeline_spec_pb2.ExecutorInput:
    return json_format.ParseDict(executor_input, pipeline_spec_pb2.ExecutorInput())


def _recorded(value: Any) -> Any:
    """What ML Metadata gives back for a value of metadata."""
    return float(value) if isinstance(value, bool | int) else value


def _copy_files(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a file or the files of a folder; nothing where there is nothing."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for path in source.rglob("*") if source.is_dir() else ():
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
