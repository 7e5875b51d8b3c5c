"""Fetches one Kaggle data set with `opendatasets`; a program of its own, run by `kaggle`.

    python -m emotion_pipeline.components.sources.kaggle_client URL FOLDER RESULT

Reads the key from kaggle.json in the working folder and writes RESULT, a JSON object with `status`
(an HTTP status, or 0) and `error` ('' when all went well).
"""

import functools
import json
import pathlib
import sys
import zipfile

import opendatasets
import requests

from emotion_pipeline.components.sources.archive import unpack

_TIMEOUT_SECS = 60


def main(url: str, folder: str, result: str) -> None:
    """Fetches `url` into a folder below `folder` and writes how it went into the file `result`."""
    # The Kaggle client sets no time limit of its own and would wait for a silent server for ever.
    requests.Session.send = functools.partialmethod(  # type: ignore[method-assign,assignment]
        requests.Session.send, timeout=_TIMEOUT_SECS
    )
    # It would unpack whatever came, unchecked.
    zipfile.ZipFile.extractall = _unpack_checked  # type: ignore[method-assign]
    status, error = 0, ""
    try:
        opendatasets.download(url, data_dir=folder)
    except requests.HTTPError as failure:
        status = failure.response.status_code if failure.response is not None else 0
        error = str(failure)
    except Exception as failure:
        # Whatever the libraries raise is for the parent to tell in plain words.
        error = f"{type(failure).__name__}: {failure}"
    pathlib.Path(result).write_text(json.dumps({"status": status, "error": error}), "utf-8")


def _unpack_checked(self: zipfile.ZipFile, path=None, members=None, pwd=None) -> None:
    if self.filename is None or members is not None or pwd is not None:
        raise ValueError("only a whole archive on disk can be checked")
    target = pathlib.Path(path or ".")
    target.mkdir(parents=True, exist_ok=True)
    unpack(pathlib.Path(self.filename), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
