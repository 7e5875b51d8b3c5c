"""`emotion kubeflow`: the pipeline on Kubeflow Pipelines v2."""

import argparse
import os
import pathlib
import sys
from typing import Any

from emotion_pipeline.commands.configure import read_settings
from emotion_pipeline.commands.run import add_run_settings, run_settings
from emotion_pipeline.commands.terminal import USAGE_STATUS, add_verbose, quiet
from emotion_pipeline.components.errors import UserError

HELP = "Compile the pipeline for Kubeflow Pipelines, and submit it."

TOKEN_VARIABLE = "KF_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion kubeflow`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    compiling = actions.add_parser(
        "compile", help="write the package", description=_compile.__doc__
    )
    _add_compile_arguments(compiling)
    compiling.set_defaults(act=_compile)
    submitting = actions.add_parser(
        "submit", help="upload a package and start a run", description=_submit.__doc__
    )
    _add_submit_arguments(submitting)
    submitting.set_defaults(act=_submit)
    for action in (compiling, submitting):
        add_verbose(action, default=argparse.SUPPRESS)


def execute(options: argparse.Namespace) -> int:
    """Compiles or submits; returns the exit status."""
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
    parser.add_argument("--host", required=True, help="such as http://127.0.0.1:8888")
    parser.add_argument(
        "--param",
        dest="assignments",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a runtime parameter, such as train_epochs=20; may be repeated",
    )
    parser.add_argument("--experiment", default="emotion", help="made where it is not there")
    parser.add_argument("--namespace", help="of a multi-user installation")
    parser.add_argument("--token", help=f"bearer token; else {TOKEN_VARIABLE} of the environment")
    parser.add_argument("--pipeline-root", metavar="URI", help="in place of the compiled one")
    parser.add_argument("--wait", action="store_true", help="follow the run to its end")


def _compile(options: argparse.Namespace) -> int:
    """Write the pipeline as a package for Kubeflow Pipelines: settings as of `emotion run`."""
    from emotion_pipeline.kubeflow.config import check_paths, kubeflow_defaults

    try:
        config = run_settings(options, kubeflow_defaults(), read_settings)
        kubeflow = _kubeflow_config(options)
        check_paths(config, kubeflow)
    except UserError as error:
        print(f"emotion: {error}", file=sys.stderr)
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
        vertex=options.vertex,
    )


def _submit(options: argparse.Namespace) -> int:
    """Upload a package to Kubeflow Pipelines and start a run of it."""
    from emotion_pipeline.kubeflow.submit import submit

    parameters = {}
    for assignment in options.assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            print(f"emotion: --param {assignment}: expected NAME=VALUE", file=sys.stderr)
            return USAGE_STATUS
        parameters[name] = value
    submit(
        options.package,
        options.host,
        parameters=parameters,
        experiment=options.experiment,
        namespace=options.namespace,
        token=options.token or os.environ.get(TOKEN_VARIABLE),
        pipeline_root=options.pipeline_root,
        wait=options.wait,
        report=lambda line: print(line, flush=True),
    )
    return 0
