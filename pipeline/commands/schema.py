"""`emotion schema`: propose a schema, compare two."""

import argparse
import pathlib
import sys

from emotion_pipeline.commands.configure import (
    EVAL_FRACTION_HELP,
    add_settings_arguments,
    configure,
    filled,
    local_file,
)
from emotion_pipeline.commands.run import GROUP_BY_HELP
from emotion_pipeline.commands.terminal import (
    USAGE_STATUS,
    add_verbose,
    going_on,
    path_argument,
    quiet,
    tell,
    tell_error,
)
from emotion_pipeline.commands.validate import DEFAULT_ROOT, SOURCE_HELP
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.write_file import write_whole
from emotion_pipeline.configs import PipelineConfig

HELP = "Propose a schema from data, or compare two schemas."

_DIFFERENT_STATUS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion schema infer` and `emotion schema diff`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    text = "Propose a schema for a data set, to be reviewed."
    infer = actions.add_parser("infer", help=text, description=text)
    infer.add_argument("data", metavar="SOURCE", help=SOURCE_HELP)
    infer.add_argument(
        "--root", metavar="DIR", help=f"the statistics are written here ({DEFAULT_ROOT})"
    )
    infer.add_argument(
        "--out",
        metavar="FILE",
        type=local_file,
        help="where to write it; the terminal if not given",
    )
    infer.add_argument("--eval-fraction", type=float, help=EVAL_FRACTION_HELP)
    infer.add_argument("--group-by", metavar="REGEX", type=filled, help=GROUP_BY_HELP)
    add_settings_arguments(infer)
    infer.set_defaults(act=_infer)
    text = "Tell how two schemas differ: status 0 where they do not, 4 where they do."
    diff = actions.add_parser("diff", help=text, description=text)
    diff.add_argument("one", metavar="A", type=path_argument, help="a schema file")
    diff.add_argument("other", metavar="B", type=path_argument, help="another")
    diff.set_defaults(act=_diff)
    for action in (infer, diff):
        add_verbose(action, default=argparse.SUPPRESS)


def execute(options: argparse.Namespace) -> int:
    """Runs the action; returns the exit status."""
    return options.act(options)


def _infer(options: argparse.Namespace) -> int:
    try:
        flags = {
            key: getattr(options, key) for key in ("data", "root", "eval_fraction", "group_by")
        }
        config = configure(PipelineConfig(root=DEFAULT_ROOT), options, flags)
    except UserError as error:
        tell_error(error)
        return USAGE_STATUS
    log = pathlib.Path(config.root) / "logs" / "schema.log"
    # The schema is all that the standard output gets, so that it can be piped on.
    with going_on(), quiet(log, options.verbose, progress_to=sys.stderr) as terminal:
        from emotion_pipeline.validation.validate import infer_schema

        text = infer_schema(config)
        if options.out is None:
            print(text, end="", file=terminal)
        else:
            write_whole(options.out, text)
            print(f"{options.out}: written; review it before it is used", file=terminal)
    return 0


def _diff(options: argparse.Namespace) -> int:
    from emotion_pipeline.validation.schema_diff import diff_schemas
    from emotion_pipeline.validation.schemas import load_schema

    lines = diff_schemas(load_schema(str(options.one)), load_schema(str(options.other)))
    tell("\n".join(lines) if lines else "no difference")
    return _DIFFERENT_STATUS if lines else 0
