"""The address of Kubeflow Pipelines' API: its client, and what to do where it does not answer."""

import contextlib
import json
import urllib.parse
import warnings
from collections.abc import Iterator
from typing import Any

import yaml

from emotion_pipeline.components.errors import UsageError, UserError

CALL_SECS = (15.0, 15.0)
"""How long one call may take to connect, and then be silent; a pair, since the client passes over a float alone."""

_HINTS = {
    401: "give a token with --token or KF_TOKEN that the server accepts",
    403: "the token's user may not do that in this namespace; see --namespace",
    404: "is this the address of Kubeflow Pipelines' API, version 2.0 or later?",
}


def connect(host: str, namespace: str | None, token: str | None):
    """Returns the kfp client, once the server has answered; a call waits for CALL_SECS at most.

    The client's own first call is tried five times, whatever the answer, and waits for ever.

    Raises:
      UsageError: The address is none of HTTP.
    """
    _check_address(host)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kfp.client
        import kfp_server_api

        configuration = kfp_server_api.Configuration(host=host.rstrip("/"))
        configuration.retries = False
        if token:
            configuration.api_key = {"authorization": token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        health = kfp_server_api.HealthzServiceApi(kfp_server_api.ApiClient(configuration))
        # The method is named for its service too in the client of newer versions: in 2.17.3, not in 2.0.5.
        ask = getattr(health, "healthz_service_get_healthz", None) or health.get_healthz
        answer = ask(_request_timeout=CALL_SECS, _preload_content=False)
        json.loads(answer.data)  # a page of some other server is no JSON
        client = kfp.client.Client(
            host=host, namespace=namespace or "kubeflow", existing_token=token
        )
    _limit(client._run_api.api_client)
    return client


def _limit(api: Any) -> None:
    """Gives each call of a client CALL_SECS: on a connection that is dead it would wait for ever."""
    call = api.call_api

    def limited(*args: Any, **options: Any) -> Any:
        return call(*args, **{**options, "_request_timeout": CALL_SECS})

    api.call_api = limited


def may_pass(error: Exception) -> bool:
    """Whether a failed call may well succeed the next time: the network, or the server's trouble."""
    import kfp_server_api
    import urllib3

    if isinstance(error, kfp_server_api.ApiException):
        return error.status >= 500 or error.status in (0, 408, 429)
    # A proxy before a server that is down answers with a page, which is no JSON.
    return isinstance(error, urllib3.exceptions.HTTPError | OSError | ValueError)


@contextlib.contextmanager
def explained(host: str) -> Iterator[None]:
    """Turns what the client raises into UserErrors that say what to do."""
    import kfp_server_api
    import urllib3

    try:
        yield
    except kfp_server_api.ApiException as error:
        hint = _HINTS.get(error.status, "see the log of the API server")
        raise UserError(
            f"--host {host}: answered {error.status} {error.reason}: {_message(error.body)}; {hint}"
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UserError(
            f"--host {host}: cannot be reached: {_cause(error)}. Where the API is inside a cluster, "
            "`kubectl port-forward -n kubeflow svc/ml-pipeline 8888` brings it to "
            "http://127.0.0.1:8888."
        ) from error
    except ValueError as error:
        raise UserError(f"--host {host}: gave an answer that makes no sense: {error}") from error


def _check_address(host: str) -> None:
    if not host.startswith(("http://", "https://")):
        raise UsageError(f"--host {host}: must begin with http:// or https://")
    try:
        parts = urllib.parse.urlsplit(host)
        holds = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        holds = False
    if not holds or not host.isprintable() or " " in host:
        raise UsageError(f"--host {host!r}: is no address; give one such as http://127.0.0.1:8888")


def _cause(error: BaseException) -> str:
    """Returns what the system said of a connection: urllib3 wraps it in its own objects' names."""
    import urllib3

    chain: list[BaseException] = []
    within: BaseException | None = error
    while within is not None and within not in chain:
        chain.append(within)
        reason = getattr(within, "reason", None)
        within = (
            reason if isinstance(reason, BaseException) else within.__cause__ or within.__context__
        )
    for one in chain:
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    # Its error of a connection that was refused is one of a timeout too.
    if any(isinstance(one, urllib3.exceptions.TimeoutError) for one in chain):
        return f"it does not answer within {CALL_SECS[1]:g} s"
    return " ".join(str(error).split())


def _message(body: Any) -> str:
    """Returns the message in an error's body, which is JSON from the API and HTML from proxies."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        answer = yaml.safe_load(text)
    except yaml.YAMLError:
        answer = None
    if isinstance(answer, dict):
        text = str(
            answer.get("error_message") or answer.get("message") or answer.get("error") or ""
        )
    return text.strip()[:500] or "no message"
