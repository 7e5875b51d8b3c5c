"""The address of Kubeflow Pipelines' API: its client, and what to do where it does not answer."""

import contextlib
import json
import os
import re
import ssl
import types
import urllib.parse
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from emotion_faces.names import printable_text
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
        # Python's own variable; the client by itself knows public authorities alone.
        configuration.ssl_ca_cert = os.environ.get("SSL_CERT_FILE") or None
        health = kfp_server_api.HealthzServiceApi(kfp_server_api.ApiClient(configuration))
        _hold(health.api_client)
        # The method is named for its service too in the client of newer versions: in 2.17.3, not in 2.0.5.
        ask = getattr(health, "healthz_service_get_healthz", None) or health.get_healthz
        ask()
        client = kfp.client.Client(
            host=host,
            namespace=namespace or "kubeflow",
            existing_token=token,
            ssl_ca_cert=configuration.ssl_ca_cert,
        )
    _hold(client._run_api.api_client)
    return client


def _hold(api: Any) -> None:
    """Gives each call of a client CALL_SECS, and lets it take nothing but answers of the API.

    By itself it waits for ever on a connection that is dead, takes a login page or a list for a message without
    fields, and fails in many ways at one that has others than it knows, or none.
    """
    import kfp_server_api

    call, deserialize = api.call_api, api.deserialize

    def limited(*args: Any, **options: Any) -> Any:
        try:
            return call(*args, **{**options, "_request_timeout": CALL_SECS})
        except AttributeError as error:
            # It wants to read the body of an error that has none, as one of TLS.
            if isinstance(error.__context__, kfp_server_api.ApiException):
                raise error.__context__ from error.__context__.__context__
            raise

    def strict(response: Any, response_type: Any) -> Any:
        answer = json.dumps(_without_nulls(_json_object(response.data)))
        try:
            return deserialize(types.SimpleNamespace(data=answer), response_type)
        except (AttributeError, TypeError, kfp_server_api.ApiException) as error:
            raise ValueError(f"{_beginning(answer)} is no {response_type}") from error

    api.call_api, api.deserialize = limited, strict


def _json_object(data: bytes | str) -> dict[str, Any]:
    """Returns the message in an answer's body.

    Raises:
      ValueError: It holds none: a page of a proxy or of some other server, or nothing.
    """
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        raise ValueError(
            f"{_beginning(text)} is no message of the API; is this its address, and does no proxy want a login "
            "(--token)?"
        )
    return answer


def _without_nulls(value: Any) -> Any:
    """Returns JSON without its nulls, which say in Protocol Buffers' JSON what absence does."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value if one is not None]
    return value


def _beginning(text: str) -> str:
    return repr(text[:80] + ("..." if len(text) > 80 else ""))


def may_pass(error: Exception) -> bool:
    """Whether a failed call may well succeed the next time: the network, or the server's trouble."""
    import kfp_server_api
    import urllib3

    if isinstance(error, kfp_server_api.ApiException):
        return error.status >= 500 or error.status in (0, 408, 429)
    # A proxy before a server that is down answers with a page, which is no JSON.
    return isinstance(error, urllib3.exceptions.HTTPError | OSError | ValueError)


def may_be_done(error: BaseException | None) -> bool:
    """Whether what a failed call asked for may be done all the same, its answer being lost on the way."""
    import kfp_server_api

    if isinstance(error, kfp_server_api.ApiException):
        # An answer that the client cannot read, and two of proxies.
        return error.status in (0, 502, 504)
    return isinstance(error, Exception) and may_pass(error)


def id_of(message: Any, field: str) -> str:
    """Returns the id of what a call has made or found.

    Raises:
      ValueError: The answer has none.
    """
    found = getattr(message, field)
    if not isinstance(found, str) or not found:
        raise ValueError(f"it has no {field}")
    return found


def shown(text: str) -> list[str]:
    """Returns the lines of what a server told, without what a terminal acts on."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return [printable_text(line) for line in whole.splitlines()]


@contextlib.contextmanager
def explained(host: str) -> Iterator[None]:
    """Turns what the client raises into UserErrors that say what to do."""
    import kfp_server_api
    import urllib3

    try:
        yield
    except kfp_server_api.ApiException as error:
        if not error.status:
            raise UserError(_unanswered(host, error)) from error
        hint = _HINTS.get(error.status, "see the log of the API server")
        raise UserError(
            f"--host {host}: answered {error.status} {error.reason}: {_message(error.body)}; {hint}"
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UserError(_unanswered(host, error)) from error
    except ValueError as error:
        raise UserError(f"--host {host}: gave an answer that makes no sense: {error}") from error


def _unanswered(host: str, error: BaseException) -> str:
    causes = _causes(error)
    if any(isinstance(one, ssl.SSLError) for one in causes):
        hint = (
            "Where its certificate is of an authority of your own, SSL_CERT_FILE=FILE names that one's; an "
            "API without TLS has an address with http://"
        )
    else:
        hint = (
            "Where the API is inside a cluster, `kubectl port-forward -n kubeflow svc/ml-pipeline 8888` "
            "brings it to http://127.0.0.1:8888"
        )
    return f"--host {host}: cannot be reached: {_told(causes)}. {hint}."


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


def _causes(error: BaseException) -> list[BaseException]:
    """Returns an exception and what is within it: urllib3 wraps what the system said in its own."""
    causes: list[BaseException] = []
    within: BaseException | None = error
    while within is not None and within not in causes:
        causes.append(within)
        parts = (
            getattr(within, "reason", None),
            within.__cause__,
            within.__context__,
            *within.args,
        )
        within = next((one for one in parts if isinstance(one, BaseException)), None)
    return causes


def _told(causes: Sequence[BaseException]) -> str:
    import urllib3

    for one in causes:
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    # Its error of a connection that was refused is one of a timeout too.
    if any(isinstance(one, urllib3.exceptions.TimeoutError) for one in causes):
        return f"it does not answer within {CALL_SECS[1]:g} s"
    return " ".join(str(causes[-1]).split()) or type(causes[-1]).__name__


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
    elif text.lstrip().startswith("<"):
        text = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    return "\n".join(shown(text.strip()[:500])) or "no message"
