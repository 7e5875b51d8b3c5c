"""The `emotion` command.

TensorFlow and TFX are imported only inside the commands that need them, so that `--help` answers at
once.
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from components.errors import UserError
from pipeline.configs import RECIPES, PipelineConfig
from pipeline.settings import load_file, parse_assignment, with_overrides
from serving.errors import UserError as ServingUserError

USAGE_STATUS = 2
FAILED_STATUS = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (UserError, ServingUserError) as error:
        if options.verbose:
            traceback.print_exc()
        print(f"emotion: {error}", file=sys.stderr)
        return FAILED_STATUS
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; nothing is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED_STATUS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="emotion", description="Facial-emotion recognition.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--verbose", action="store_true", help="show logs and tracebacks on the terminal"
    )

    def add(name: str, command, help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=help_text, description=help_text)
        sub.set_defaults(command=command)
        return sub

    _add_run(add("run", _run, "Run the pipeline: from folders of images to a pushed model."))
    _add_serve(add("serve", _serve, "Serve what was pushed, over gRPC and REST."))
    _add_predict(add("predict", _predict, "Ask a model server about image files and folders."))
    _add_annotate(
        add("annotate", _annotate, "Mark the faces of pictures and films with their emotions.")
    )
    web = add("web", _web, "Serve a page that marks faces, for this computer's browser.")
    web.add_argument("--server", metavar="HOST:PORT", help="a model server that runs already")
    web.add_argument("--model-dir", metavar="DIR", type=pathlib.Path, help="serve this model")
    web.add_argument("--host", default="127.0.0.1")
    web.add_argument("--port", type=int, default=8600)
    sample = add("sample-data", _sample_data, "Draw the sample data set.")
    sample.add_argument(
        "dir", metavar="DIR", type=pathlib.Path, help="a folder that is not there yet"
    )
    sample.add_argument("--images", type=int, default=1100, help="pictures in all (1100)")
    sample.add_argument("--seed", type=int, default=0)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        help="a folder, a .zip, kaggle:OWNER/NAME or its URL, or sample",
    )
    parser.add_argument("--root", metavar="DIR", help="everything that the run writes goes here")
    parser.add_argument("--recipe", choices=list(RECIPES), default="original", help="how to train")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--balance", choices=["translate", "none"])
    parser.add_argument("--max-shift-px", type=int)
    parser.add_argument("--eval-fraction", type=float)
    parser.add_argument("--push-dir", metavar="DIR", help="folder of version folders")
    parser.add_argument("--config", metavar="FILE", help="settings in YAML")
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one setting, such as thresholds.accuracy=0.5; may be repeated",
    )
    parser.add_argument("--summary", metavar="FILE.json", type=pathlib.Path)
    parser.add_argument("--no-cache", action="store_true", help="repeat finished components")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", metavar="DIR", type=pathlib.Path, required=True)
    parser.add_argument("--port", type=int, default=8500, help="of gRPC (8500)")
    parser.add_argument("--rest-port", type=int, default=8501, help="of REST (8501); 0 for none")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--model-name", default="emotion")
    parser.add_argument("--engine", choices=["auto", "tfserving", "embedded"], default="auto")
    parser.add_argument(
        "flags",
        nargs="*",
        metavar="-- --FLAG=VALUE",
        help="further flags of tensorflow_model_server, after --",
    )


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", type=pathlib.Path)
    parser.add_argument("--server", default="127.0.0.1:8500", metavar="HOST:PORT")
    parser.add_argument("--model-name", default="emotion")
    parser.add_argument("--timeout-secs", type=float, default=30.0)
    parser.add_argument("--json", action="store_true", help="print a list, an object per image")


def _add_annotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="INPUT", type=pathlib.Path)
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path, default=pathlib.Path("marked"))
    parser.add_argument("--csv", metavar="FILE", type=pathlib.Path, help=".csv or .parquet")
    parser.add_argument("--every", type=int, default=1, help="analyse every Nth frame of a film")
    parser.add_argument("--raw", action="store_true", help="do not smooth a film's probabilities")
    parser.add_argument("--min-face-px", type=int, help="leave smaller faces out")
    parser.add_argument("--server", metavar="HOST:PORT", help="a model server that runs already")
    parser.add_argument("--model-dir", metavar="DIR", type=pathlib.Path, help="serve this model")
    parser.add_argument("--camera", type=int, metavar="N", help="a camera instead of files")


def make_config(options: argparse.Namespace) -> PipelineConfig:
    """Puts together defaults, recipe, file, `--set` and flags; the later wins.

    Raises:
      UserError: A setting is unknown, has the wrong type or is out of its range.
    """
    config = PipelineConfig(train=RECIPES[options.recipe])
    if options.config:
        config = with_overrides(config, load_file(options.config))
    for assignment in options.assignments:
        config = with_overrides(config, parse_assignment(assignment))
    flags: dict[str, Any] = {
        key: getattr(options, key)
        for key in (
            "data", "root", "seed", "balance", "max_shift_px", "eval_fraction", "push_dir"
        )
        if getattr(options, key) is not None
    }  # fmt: skip
    train = {
        key: getattr(options, key)
        for key in ("epochs", "batch_size")
        if getattr(options, key) is not None
    }
    if train:
        flags["train"] = train
    if options.no_cache:
        flags["cache"] = False
    config = with_overrides(config, flags)
    paths = {"root": str(pathlib.Path(config.root).resolve())}
    if config.push_dir:
        paths["push_dir"] = str(pathlib.Path(config.push_dir).resolve())
    config = with_overrides(config, paths)
    source = pathlib.Path(config.data).resolve()
    if (
        config.data != "sample"
        and source.is_dir()
        and pathlib.Path(config.root).is_relative_to(source)
    ):
        raise UserError(
            f"--root {config.root}: lies inside the data {source}; give a folder outside it"
        )
    return config


def _run(options: argparse.Namespace) -> int:
    try:
        config = make_config(options)
    except UserError as error:
        print(f"emotion: {error}", file=sys.stderr)
        return USAGE_STATUS
    log = pathlib.Path(config.root) / "logs" / "run.log"
    with _quiet(log, options.verbose) as terminal:
        from pipeline.local_runner import run
        from pipeline.summary import format_summary

        summary = run(config)
        text = summary.to_json()
        target = options.summary or pathlib.Path(config.root) / "summary.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(format_summary(summary), file=terminal)
        print(f"summary: {target}\nlog: {log}", file=terminal)
    return summary.status.exit_status


def _serve(options: argparse.Namespace) -> int:
    from serving.serve import ServeSettings, serve

    settings = ServeSettings(
        model_dir=options.model_dir,
        model_name=options.model_name,
        port=options.port,
        rest_port=options.rest_port,
        host=options.host,
        flags=tuple(options.flags),
    )
    return serve(settings, options.engine)


def _predict(options: argparse.Namespace) -> int:
    from serving.predict import format_table, predict_paths

    answers = predict_paths(options.paths, options.server, options.model_name, options.timeout_secs)
    print(json.dumps(answers, indent=1) if options.json else format_table(answers))
    return FAILED_STATUS if any("error" in answer for answer in answers) else 0


def _annotate(options: argparse.Namespace) -> int:
    from serving.annotate.camera import annotate_camera
    from serving.annotate.run import DEFAULT_SETTINGS, annotate

    if bool(options.paths) == (options.camera is not None):
        print("emotion annotate: give either files and folders, or --camera N", file=sys.stderr)
        return USAGE_STATUS
    changes: dict[str, Any] = {"every": options.every, "smooth": not options.raw}
    if options.min_face_px is not None:
        changes["min_face_px"] = options.min_face_px
    settings = dataclasses.replace(DEFAULT_SETTINGS, **changes)
    if options.camera is not None:
        annotate_camera(options.camera, options.csv, options.server, options.model_dir, settings)
        return 0
    done = annotate(
        options.paths, options.out, options.csv, options.server, options.model_dir, settings
    )
    print(done)
    return done.exit_status


def _web(options: argparse.Namespace) -> int:
    from serving.web.app import serve

    serve(options.server, options.model_dir, options.host, options.port)
    return 0


def _sample_data(options: argparse.Namespace) -> int:
    from components.sample_data import draw_sample

    draw_sample(options.dir, images=options.images, seed=options.seed)
    print(f"{options.dir}: drawn")
    return 0


@contextlib.contextmanager
def _quiet(log: pathlib.Path, verbose: bool) -> Iterator[TextIO]:
    """Sends what libraries write, from C++ too, to a log file; yields the user's terminal.

    Progress reports go to both. With `verbose` everything stays on the terminal.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    progress = logging.getLogger("emotion")
    progress.setLevel(logging.INFO)
    logging.basicConfig(level=logging.INFO)
    if verbose:
        yield sys.stdout
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {stream: os.dup(stream.fileno()) for stream in (sys.stdout, sys.stderr)}
    terminal = os.fdopen(os.dup(saved[sys.stdout]), "w", buffering=1)
    handler = logging.StreamHandler(terminal)
    progress.addHandler(handler)
    with open(log, "ab") as file:
        for stream in saved:
            os.dup2(file.fileno(), stream.fileno())
    try:
        yield terminal
    finally:
        for stream, descriptor in saved.items():
            stream.flush()
            os.dup2(descriptor, stream.fileno())
        progress.removeHandler(handler)
        terminal.close()


if __name__ == "__main__":
    sys.exit(main())
