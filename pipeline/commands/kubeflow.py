"""`emotion kubeflow`: the pipeline on Kubeflow Pipelines v2."""

import argparse
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from emotion_pipeline.commands.configure import read_settings
from emotion_pipeline.commands.run import add_run_settings, run_settings
from emotion_pipeline.commands.terminal import (
    USAGE_STATUS,
    add_verbose,
    quiet,
    tell,
    tell_error,
)
from emotion_pipeline.components.errors import UserError

HELP = "Compile the pipeline for Kubeflow Pipelines, and submit it."

TOKEN_VARIABLE = "KF_TOKEN"

LOST_STATUS = 5
"""The status of a run that could no longer be looked at, which is none of a run that failed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion kubeflow`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    compiling = actions.add_parser(
        "compile",
        help="write the package",
        description="Write the pipeline as a package for Kubeflow Pipelines: settings as of `emotion run`.",
    )
    _add_compile_arguments(compiling)
    compiling.set_defaults(act=_compile)
    submitting = actions.add_parser(
        "submit",
        help="upload a package and start a run",
        description="Upload a package to Kubeflow Pipelines and start a run of it.",
    )
    _add_submit_arguments(submitting)
    submitting.set_defaults(act=_submit)
    waiting = actions.add_parser(
        "wait",
        help="follow a run to its end",
        description="Follow a run that was started before to its end; the status is that of `submit --wait`.",
    )
    waiting.add_argument("run", metavar="RUN", help="its id, as `submit` and `runs` tell it")
    _add_server(waiting)
    _add_patience(waiting)
    waiting.set_defaults(act=_wait)
    listing = actions.add_parser(
        "runs",
        help="list the last runs",
        description="List the last runs that the server knows, the newest first: id, state, start (UTC), name.",
    )
    _add_server(listing)
    listing.add_argument(
        "--limit", metavar="N", type=_count, default=20, help="how many (%(default)s)"
    )
    listing.set_defaults(act=_runs)
    for action in (compiling, submitting, waiting, listing):
        add_verbose(action, default=argparse.SUPPRESS)


def execute(options: argparse.Namespace) -> int:
    """Compiles, submits, waits or lists; returns the exit status."""
    return options.act(options)


def _add_compile_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_settings(parser)
    parser.add_argument(
        "--out", metavar="FILE.yaml", type=pathlib.Path, required=True, help="the package"
    )
    parser.add_argument(
        "--vertex", action="store_true", help="for Vertex AI: a PipelineJob, to FILE.json"
    )
    parser.add_argument("--image", help="the image of every step, as the Dockerfile builds it")
    parser.add_argument(
        "--pipeline-root", metavar="URI", help="where artifacts go: minio://, s3:// or gs://"
    )
    parser.add_argument("--data-claim", metavar="CLAIM", help="volume at /mnt/data; '' for none")
    parser.add_argument(
        "--models-claim", metavar="CLAIM", help="volume at /mnt/models; '' for none"
    )
    parser.add_argument(
        "--kaggle-secret", metavar="SECRET", help="secret with the keys username and key"
    )
    parser.add_argument(
        "--restricted",
        action="store_true",
        help="for a namespace that enforces Pod Security's restricted (Kubeflow Pipelines 2.17)",
    )
    parser.add_argument(
        "--resources",
        metavar="[STEP=]cpus:N,memory:GB[,gpus:N]",
        action="append",
        default=[],
        help="what a step asks for; without STEP, of every step not named; may be repeated",
    )
    parser.add_argument("--gpu-type", metavar="NAME", help="nvidia.com/gpu, or Vertex AI's name")
    parser.add_argument(
        "--parameter",
        dest="parameters",
        metavar="SETTING",
        action="append",
        default=[],
        help="a setting that may be changed at submission as well; may be repeated",
    )


def _add_submit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package", metavar="FILE.yaml", type=pathlib.Path, help="as compiled")
    _add_server(parser)
    parser.add_argument(
        "--param",
        dest="assignments",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a runtime parameter, such as train_epochs=20; may be repeated",
    )
    parser.add_argument("--experiment", default="emotion", help="made where it is not there")
    parser.add_argument("--pipeline-root", metavar="URI", help="in place of the compiled one")
    parser.add_argument("--wait", action="store_true", help="follow the run to its end")
    _add_patience(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", required=True, help="such as http://127.0.0.1:8888")
    parser.add_argument("--namespace", help="of a multi-user installation")
    parser.add_argument("--token", help=f"bearer token; else {TOKEN_VARIABLE} of the environment")


def _add_patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patience",
        metavar="SECS",
        type=_secs,
        default=600.0,
        help="how long the server may be silent while a run is followed (600)",
    )


def _secs(text: str) -> float:
    try:
        secs = float(text)
    except ValueError:
        secs = -1.0
    if not 0 <= secs < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected a number of seconds, 0 or more")
    return secs


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= count <= 200:  # the most that the API gives at once
        raise argparse.ArgumentTypeError(f"{text}: expected 1 to 200")
    return count


def _compile(options: argparse.Namespace) -> int:
    """Writes the pipeline as a package for Kubeflow Pipelines: settings as of `emotion run`."""
    from emotion_pipeline.kubeflow.config import check_paths, kubeflow_defaults

    try:
        config = run_settings(options, kubeflow_defaults(), read_settings)
        kubeflow = _kubeflow_config(options)
        check_paths(config, kubeflow)
    except UserError as error:
        tell_error(error)
        return USAGE_STATUS
    with quiet(pathlib.Path(os.devnull), options.verbose) as terminal:
        from emotion_pipeline.kubeflow.compile import compile_pipeline, write_package

        documents = compile_pipeline(config, kubeflow)
        write_package(documents, options.out)
        spec = documents[0].get("pipelineSpec", documents[0])
        print(f"wrote {options.out}: {len(spec['root']['dag']['tasks'])} steps of "
              f"{kubeflow.image}", file=terminal)  # fmt: skip
    return 0


def _kubeflow_config(options: argparse.Namespace):
    from emotion_pipeline.kubeflow.config import KubeflowConfig, parse_resources

    names = ("image", "pipeline_root", "data_claim", "models_claim", "kaggle_secret", "gpu_type")
    given: dict[str, Any] = {"data_claim": "", "models_claim": ""} if options.vertex else {}
    given |= {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    steps = dict(KubeflowConfig().step_resources)
    for text in options.resources:
        step, resources = parse_resources(text)
        if step:
            steps[step] = resources
        else:
            given["resources"] = resources
    return KubeflowConfig(
        **given,
        step_resources=steps,
        parameters=tuple(options.parameters),
        restricted=options.restricted,
        vertex=options.vertex,
    )


def _submit(options: argparse.Namespace) -> int:
    """Uploads a package to Kubeflow Pipelines and starts a run of it."""
    from emotion_pipeline.kubeflow.submit import submit

    parameters = {}
    for assignment in options.assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            print(f"emotion: --param {assignment}: expected NAME=VALUE", file=sys.stderr)
            return USAGE_STATUS
        parameters[name] = value
    return _told_apart(
        lambda: submit(
            options.package,
            options.host,
            parameters=parameters,
            experiment=options.experiment,
            pipeline_root=options.pipeline_root,
            wait=options.wait,
            patience_secs=options.patience,
            report=_say,
            **_server(options),
        )
    )


def _wait(options: argparse.Namespace) -> int:
    """Follows a run that was started before to its end; the status is that of `submit --wait`."""
    from emotion_pipeline.kubeflow.follow import wait

    return _told_apart(
        lambda: wait(
            options.host,
            options.run,
            patience_secs=options.patience,
            report=_say,
            **_server(options),
        )
    )


def _runs(options: argparse.Namespace) -> int:
    """Lists the last runs that the server knows, the newest first: id, state, start (UTC), name."""
    from emotion_pipeline.kubeflow.follow import list_runs

    for run in list_runs(options.host, limit=options.limit, **_server(options)):
        tell(f"{run.run_id}  {run.state or '-':<10} {run.created:<19} {run.name}")
    return 0


def _told_apart(act: Callable[[], object]) -> int:
    """Follows a run; returns the exit status, that of a run out of sight apart from a failed one's."""
    from emotion_pipeline.kubeflow.follow import RunLostError

    try:
        act()
    except RunLostError as error:
        tell_error(error)
        return LOST_STATUS
    return 0


def _server(options: argparse.Namespace) -> dict[str, Any]:
    token = options.token or os.environ.get(TOKEN_VARIABLE)
    return {"namespace": options.namespace, "token": token}


def _say(line: str) -> None:
    tell(line)
