"""Fetches a data set from Kaggle with the user's key and without ever asking a question."""

import contextlib
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping

import requests
import urllib3

from emotion_faces.import_path import python_command
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.archive import MAX_INFLATED_BYTES, unpack

_REFERENCE = re.compile(
    r"(?:kaggle:|(?:https?://)?(?:www\.)?kaggle\.com/(?:datasets/)?)"
    r"(?P<owner>[A-Za-z0-9][\w.-]*)/(?P<name>[A-Za-z0-9][\w.-]*)"
    r"(?:/versions/(?P<version>[1-9]\d{0,8}))?/?(?:\?.*)?",
    re.ASCII,
)

_ENDPOINT = "https://www.kaggle.com"
_MAY_HAVE_THE_KEY = ("https://", "http://127.0.0.1:", "http://localhost:")
_VERSION = "currentVersionNumber"
_TIMEOUT_SECS = 60
_CHUNK_BYTES = 2**20
_MAX_ANSWER_BYTES = 2**20

HOW_TO_GET_A_KEY = (
    "To get a key: sign in at https://www.kaggle.com, open Settings, under API choose 'Create New "
    "Token', and put the kaggle.json that it gives you into ~/.kaggle/ (or set KAGGLE_USERNAME and "
    "KAGGLE_KEY). Or download the data set's zip in the browser and give its path instead."
)


@dataclasses.dataclass(frozen=True)
class Credentials:
    """A Kaggle user name and key, and where they were found."""

    username: str
    key: str = dataclasses.field(repr=False)
    found_in: str


def parse_reference(source: str) -> str | None:
    """Returns 'OWNER/NAME' of `kaggle:OWNER/NAME` or a data set's URL; None for anything else."""
    match = _REFERENCE.fullmatch(source)
    return f"{match['owner']}/{match['name']}" if match else None


def parse_version(source: str) -> int | None:
    """Returns N of `kaggle:OWNER/NAME/versions/N` or such a URL; None where none is asked for."""
    match = _REFERENCE.fullmatch(source)
    return int(match["version"]) if match and match["version"] else None


def find_credentials(environ: Mapping[str, str], working_dir: pathlib.Path) -> Credentials:
    """Returns the key from the environment or from the first kaggle.json found.

    Looks for the file in KAGGLE_CONFIG_DIR, the working folder, ~/.kaggle and ~/.config/kaggle.

    Raises:
      UserError: There is no key, or the file is no JSON object with `username` and `key`.
    """
    if environ.get("KAGGLE_USERNAME") and environ.get("KAGGLE_KEY"):
        return Credentials(
            environ["KAGGLE_USERNAME"], environ["KAGGLE_KEY"], "KAGGLE_USERNAME and KAGGLE_KEY"
        )
    folders = [working_dir]
    with contextlib.suppress(RuntimeError):  # a user without a home
        home = pathlib.Path(environ.get("HOME") or pathlib.Path.home())
        folders += [home / ".kaggle", home / ".config" / "kaggle"]
    if environ.get("KAGGLE_CONFIG_DIR"):
        folders.insert(0, pathlib.Path(environ["KAGGLE_CONFIG_DIR"]))
    for folder in folders:
        file = folder / "kaggle.json"
        if file.is_file():
            return _read_credentials(file)
    searched = ", ".join(str(folder) for folder in folders)
    raise UserError(
        "No Kaggle key found: KAGGLE_USERNAME and KAGGLE_KEY are not set, and there is no "
        f"kaggle.json in {searched}. {HOW_TO_GET_A_KEY}"
    )


def current_version(reference: str, credentials: Credentials, environ: Mapping[str, str]) -> int:
    """Returns the number of the newest version of the data set 'OWNER/NAME'.

    Raises:
      UserError: Kaggle refused or does not answer.
    """
    with _ask(f"datasets/view/{reference}", {}, reference, credentials, environ) as response:
        try:
            return int(
                json.loads(response.raw.read(_MAX_ANSWER_BYTES, decode_content=True))[_VERSION]
            )
        except (ValueError, KeyError, TypeError, OSError, urllib3.exceptions.HTTPError) as error:
            told = f"an answer without {_VERSION}: {type(error).__name__}"
            raise UserError(_explain(reference, credentials, 0, told)) from error


def fetch_dataset(
    reference: str,
    version: int,
    folder: pathlib.Path,
    credentials: Credentials,
    environ: Mapping[str, str],
) -> None:
    """Fetches a version of the data set 'OWNER/NAME' by Kaggle's REST API and unpacks it into `folder`.

    Raises:
      UserError: Kaggle refused (with its status and the remedy), the download broke off, or the zip
        is not to be trusted.
    """
    query = {"datasetVersionNumber": str(version)}
    with (
        tempfile.TemporaryDirectory(dir=folder.parent) as aside,
        _ask(f"datasets/download/{reference}", query, reference, credentials, environ) as response,
    ):
        archive = pathlib.Path(aside, "archive.zip")
        try:
            with open(archive, "wb") as file:
                for chunk in response.iter_content(_CHUNK_BYTES):
                    file.write(chunk)
                    if file.tell() > MAX_INFLATED_BYTES:
                        raise UserError(f"{reference}: more than {MAX_INFLATED_BYTES} bytes came.")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise UserError(_explain(reference, credentials, 0, _brief(error))) from error
        if not zipfile.is_zipfile(archive):
            raise UserError(_explain(reference, credentials, 0, "what came is no whole zip"))
        unpack(archive, folder)


@contextlib.contextmanager
def _ask(
    path: str,
    query: Mapping[str, str],
    reference: str,
    credentials: Credentials,
    environ: Mapping[str, str],
) -> Iterator[requests.Response]:
    """Yields Kaggle's answer, whose content has not been read yet.

    KAGGLE_API_ENDPOINT is the address, as for Kaggle's own `kagglehub`. A redirect to the store loses
    the key, as `requests` does for another host.
    """
    endpoint = environ.get("KAGGLE_API_ENDPOINT") or _ENDPOINT
    if not endpoint.startswith(_MAY_HAVE_THE_KEY):
        raise UserError(
            f"KAGGLE_API_ENDPOINT {endpoint}: must be https://, or the key could be read"
        )
    try:
        response = requests.get(
            f"{endpoint.rstrip('/')}/api/v1/{path}",
            params=query,
            auth=(credentials.username, credentials.key),
            stream=True,
            timeout=_TIMEOUT_SECS,
        )
    except requests.RequestException as error:
        raise UserError(_explain(reference, credentials, 0, _brief(error))) from error
    with response:
        if response.status_code != 200:
            told = f"{response.status_code} {response.reason}"
            raise UserError(_explain(reference, credentials, response.status_code, told))
        yield response


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def fetch_with_opendatasets(
    reference: str, folder: pathlib.Path, credentials: Credentials, environ: Mapping[str, str]
) -> None:
    """Fetches and unpacks the data set 'OWNER/NAME' into `folder` with `opendatasets`.

    It knows no versions, and drives a client of Kaggle's that is no longer maintained. It asks for the
    key on the terminal unless kaggle.json lies in the working folder, so it runs as a process of its own
    in a private one. `environ` is that process's environment: proxies and the like are taken from it,
    which is also where the tests put their server.

    Raises:
      UserError: Kaggle refused (with its status and the remedy), or the download broke off.
    """
    url = f"https://www.kaggle.com/datasets/{reference}"
    with tempfile.TemporaryDirectory() as private:
        key_file = pathlib.Path(private, "kaggle.json")
        key_file.touch(mode=0o600)
        key_file.write_text(
            json.dumps({"username": credentials.username, "key": credentials.key}), "utf-8"
        )
        result_file = pathlib.Path(private, "result.json")
        module = "emotion_pipeline.components.sources.kaggle_client"
        finished = subprocess.run(
            python_command(module, url, str(folder.resolve()), str(result_file)),
            cwd=private,
            env={**environ, "KAGGLE_CONFIG_DIR": private},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if sys.stderr.isatty() else subprocess.DEVNULL,
            check=False,
        )
        if result_file.is_file():
            result = json.loads(result_file.read_text("utf-8"))
        else:
            result = {"status": 0, "error": f"the download ended with {finished.returncode}"}
    if result["error"]:
        raise UserError(_explain(reference, credentials, result["status"], result["error"]))


def _read_credentials(file: pathlib.Path) -> Credentials:
    try:
        content = json.loads(file.read_text("utf-8"))
        return Credentials(str(content["username"]), str(content["key"]), str(file))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}). Make it readable.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file}: not a Kaggle key, which is a JSON object with 'username' and 'key'. "
            f"{HOW_TO_GET_A_KEY}"
        ) from error


def _explain(reference: str, credentials: Credentials, status: int, error: str) -> str:
    page = f"https://www.kaggle.com/datasets/{reference}"
    if status == 401:
        return (
            f"Kaggle does not accept the key of {credentials.username!r} (from "
            f"{credentials.found_in}; status 401). {HOW_TO_GET_A_KEY}"
        )
    if status == 403:
        return (
            f"Kaggle does not let {credentials.username!r} have {reference} (status 403). Open "
            f"{page} in the browser and accept its terms, or ask its owner for access. If the page "
            f"opens without either, the key may be void. {HOW_TO_GET_A_KEY}"
        )
    if status == 404:
        return f"Kaggle has no data set {reference} (status 404). Check owner and name in {page}."
    return (
        f"The download of {reference} from Kaggle broke off or could not begin ({error}). Nothing "
        f"of it was kept. Run the same command again, or download the zip from {page} in the "
        "browser and give its path instead."
    )
