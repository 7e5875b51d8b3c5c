"""Which files a command line names, and where each one's marked copy goes."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

from emotion_faces.errors import UserError

PICTURE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FILM_SUFFIXES = frozenset(
    {".avi", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"}
)
"""What folders are searched for; a file that is named outright and has none of either's suffixes
is taken for a film."""

_KEPT_SUFFIXES = frozenset({".jpeg", ".jpg", ".png"})


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A picture or film, and the paths of its marked copy and, for a film, its plot."""

    path: pathlib.Path
    target: pathlib.Path
    is_film: bool

    @property
    def plot(self) -> pathlib.Path:
        """Where the plot of a film's emotions goes."""
        return self.target.with_name(f"{self.target.stem}.emotions.png")


def collect(paths: Sequence[pathlib.Path], out_dir: pathlib.Path) -> tuple[list[InputFile], int]:
    """Finds the files; folders are searched deep, without `out_dir`, and keep their inner layout.

    Returns:
      The files, sorted within each folder; and how many files in folders were passed over for
      being neither picture nor film.

    Raises:
      UserError: a path does not exist, or there is no picture or film at all.
    """
    files: list[InputFile] = []
    ignored = 0
    for path in paths:
        if path.is_dir():
            for child in _walk(path, out_dir.resolve()):
                suffix = child.suffix.lower()
                if suffix in PICTURE_SUFFIXES or suffix in FILM_SUFFIXES:
                    inner = pathlib.Path(path.resolve().name) / child.relative_to(path)
                    files.append(_input_file(child, out_dir / inner))
                else:
                    ignored += 1
        elif path.exists():
            files.append(_input_file(path, out_dir / path.name))
        else:
            raise UserError(f"there is no file or folder {path}")
    if not files:
        names = ", ".join(map(str, paths)) or "nothing"
        raise UserError(f"there is no picture or film to annotate: {names} was searched")
    return files, ignored


def check_outputs(files: Sequence[InputFile], table_path: pathlib.Path) -> None:
    """Makes sure before any work that nothing will be written over.

    Raises:
      UserError: an output exists, or two inputs would have the same one.
    """
    sources: dict[pathlib.Path, pathlib.Path] = {table_path: table_path}
    for file in files:
        for target in (file.target, file.plot) if file.is_film else (file.target,):
            if target in sources:
                raise UserError(
                    f"{sources[target]} and {file.path} would both be written to {target}: "
                    "annotate them with an --out of their own each"
                )
            sources[target] = file.path
    for target in sources:
        if target.exists() or target.is_symlink():
            raise UserError(
                f"{target} exists already: remove it, or choose another place with --out "
                "(or --csv for the table)"
            )


def _walk(folder: pathlib.Path, out_dir: pathlib.Path) -> Iterator[pathlib.Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and out_dir not in path.resolve().parents:
            yield path


def _input_file(path: pathlib.Path, target: pathlib.Path) -> InputFile:
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        if suffix not in _KEPT_SUFFIXES:
            target = target.with_name(f"{target.name}.png")
        return InputFile(path, target, is_film=False)
    if suffix != ".mp4":
        target = target.with_name(f"{target.name}.mp4")
    return InputFile(path, target, is_film=True)
