"""`emotion sample-data`."""

import argparse

from emotion_pipeline.commands.terminal import path_argument

HELP = "Draw the sample data set."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `emotion sample-data`."""
    parser.add_argument(
        "dir", metavar="DIR", type=path_argument, help="a new folder, or an empty one"
    )
    parser.add_argument("--images", type=int, default=1100, help="pictures in all (1100)")
    parser.add_argument("--seed", type=int, default=0, help="another gives other faces")


def execute(options: argparse.Namespace) -> int:
    """Draws the pictures; returns the exit status."""
    from emotion_pipeline.components.sources.sample_data import draw_sample

    draw_sample(options.dir, images=options.images, seed=options.seed)
    print(f"{options.dir}: drawn")
    return 0
