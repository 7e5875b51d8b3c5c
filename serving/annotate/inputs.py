"""Which files a command line names, and where each one's marked copy goes."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

from emotion_faces.errors import UserError
from emotion_faces.file_kind import FileKind, kind_of_file
from emotion_faces.names import printable
from emotion_faces.picture_bytes import picture_format

_PNG_SUFFIX = ".png"
_JPEG_SUFFIXES = frozenset({".jpeg", ".jpg"})


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A picture or film, and the paths of its marked copy and, for a film, its plot.

    `shown` is what tables call it; "" for its path.
    """

    path: pathlib.Path
    target: pathlib.Path
    is_film: bool
    shown: str = ""

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
                kind = kind_of_file(child)
                if kind is not FileKind.OTHER:
                    inner = pathlib.Path(path.resolve().name) / child.relative_to(path)
                    files.append(_input_file(child, kind, out_dir / inner))
                else:
                    ignored += 1
        elif path.exists():
            files.append(_input_file(path, kind_of_file(path), out_dir / path.name))
        else:
            raise UserError(f"there is no file or folder {printable(path)}")
    if not files:
        names = ", ".join(map(printable, paths)) or "nothing"
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
                    f"{printable(sources[target])} and {printable(file.path)} would both be written to "
                    f"{printable(target)}: annotate them with an --out of their own each"
                )
            sources[target] = file.path
    for target in sources:
        if target.exists() or target.is_symlink():
            raise UserError(
                f"{printable(target)} exists already: remove it, or choose another place with --out "
                "(or --csv for the table)"
            )


def _walk(folder: pathlib.Path, out_dir: pathlib.Path) -> Iterator[pathlib.Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and out_dir not in path.resolve().parents:
            yield path


def _input_file(path: pathlib.Path, kind: FileKind, target: pathlib.Path) -> InputFile:
    suffix = path.suffix.lower()
    if kind is FileKind.PICTURE:
        if suffix != _PNG_SUFFIX and suffix not in _JPEG_SUFFIXES:
            target = target.with_name(target.name + (".jpg" if _is_jpeg(path) else _PNG_SUFFIX))
        return InputFile(path, target, is_film=False)
    # What is neither, and was named outright, is tried as a film: libav knows hundreds of formats.
    if suffix != ".mp4":
        target = target.with_name(f"{target.name}.mp4")
    return InputFile(path, target, is_film=True)


def _is_jpeg(path: pathlib.Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return picture_format(file.read(32)) == "JPEG"
    return False
