"""Which files a command line names, and where each one's marked copy goes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence

from emotion_faces.annotate.film_stream import FilmStream, open_stream
from emotion_faces.errors import UsageError, UserError
from emotion_faces.file_kind import FileKind, files_below, kind_of_file
from emotion_faces.names import printable
from emotion_faces.picture_bytes import picture_format
from emotion_faces.regular_file import open_regular
from emotion_faces.urls import UrlPolicy, file_name, shown

_PNG_SUFFIX = ".png"
_JPEG_SUFFIXES = frozenset({".jpeg", ".jpg"})


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A picture or film, and the paths of its marked copy and, for a film, its plot.

    `shown` is what tables and messages call it, such as the URL that was fetched to `path`; "" for the path.
    `stream`, where it has no end, is what is read in place of the path.
    """

    path: pathlib.Path
    target: pathlib.Path
    is_film: bool
    shown: str = ""
    stream: FilmStream | None = None

    @property
    def name(self) -> str:
        """What tables and messages call it."""
        return self.shown or printable(self.path)

    @property
    def plot(self) -> pathlib.Path:
        """Where the plot of a film's emotions goes."""
        return self.target.with_name(f"{self.target.stem}.emotions.png")


def collect(paths: Sequence[pathlib.Path], out_dir: pathlib.Path) -> tuple[list[InputFile], int]:
    """Finds the files; folders are searched deep, and keep their inner layout.

    What lies in `out_dir` within a searched folder is taken for what an earlier run wrote there, and left out; how
    many files that are is told on stderr.

    Returns:
      The files, sorted within each folder; and how many files in folders were passed over for
      being neither picture nor film.

    Raises:
      UsageError: A folder lies in `out_dir` itself.
      UserError: A path does not exist, or there is no picture or film at all.
    """
    files: list[InputFile] = []
    ignored = left_out = 0
    written = out_dir.resolve()
    for path in paths:
        if path.is_dir():
            if path.resolve().is_relative_to(written):
                raise UsageError(
                    f"the folder {printable(path)} lies in --out {printable(out_dir)}, and what is there is "
                    "taken for an earlier run's: choose another --out"
                )
            for child in files_below(path):
                if pathlib.Path(os.path.realpath(child)).is_relative_to(written):
                    left_out += 1
                    continue
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
    if left_out:
        files_are = "1 file is" if left_out == 1 else f"{left_out} files are"
        told = f"{files_are} left out: what lies there is taken for an earlier run's"
        print(f"--out {printable(out_dir)}: {told}", file=sys.stderr)
    if not files:
        names = ", ".join(map(printable, paths)) or "nothing"
        raise UserError(f"there is no picture or film: {names} was searched")
    return files, ignored


def collect_urls(
    urls: Sequence[str],
    out_dir: pathlib.Path,
    policy: UrlPolicy,
    fetched_dir: pathlib.Path,
    stack: contextlib.ExitStack,
) -> list[InputFile]:
    """Fetches the files that URLs name, and opens the streams.

    Args:
      urls: Of http, https or rtsp.
      out_dir: Where marked copies go.
      policy: What may be opened.
      fetched_dir: Where files are fetched to.
      stack: Closes the streams.

    Raises:
      UserError: One can't be opened, or may not be.
    """
    files = []
    for number, url in enumerate(urls):
        path = fetched_dir / str(number) / file_name(url)
        path.parent.mkdir()
        stream = open_stream(url, path, policy, stack)
        kind = FileKind.FILM if stream else kind_of_file(path)
        target = out_dir / path.name
        if stream:
            file = InputFile(path, target.with_name(f"{path.name}.mp4"), is_film=True)
        else:
            file = _input_file(path, kind, target)
        files.append(dataclasses.replace(file, shown=shown(url), stream=stream))
    return files


def check_outputs(files: Sequence[InputFile], table_path: pathlib.Path | None) -> None:
    """Makes sure before any work that nothing will be written over, a table neither, if there is one.

    Raises:
      UserError: An output exists, or two inputs would have the same one.
    """
    sources = {table_path: printable(table_path)} if table_path else {}
    for file in files:
        for target in (file.target, file.plot) if file.is_film else (file.target,):
            if target in sources:
                raise UserError(
                    f"{sources[target]} and {file.name} would both be written to "
                    f"{printable(target)}: give each an --out of its own"
                )
            sources[target] = file.name
    for target in sources:
        if target.exists() or target.is_symlink():
            other = "--out (or --csv for the table)" if table_path else "--out"
            raise UserError(
                f"{printable(target)} exists already: remove it, or choose another place with {other}"
            )


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
    with contextlib.suppress(OSError), open_regular(path) as file:
        return picture_format(file.read(32)) == "JPEG"
    return False
