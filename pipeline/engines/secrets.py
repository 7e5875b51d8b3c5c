"""Arguments of Beam's that must stand nowhere: which those are, and how they are given instead.

An argument's value reaches ML Metadata, logs, the page and, compiled, a YAML file that is handed
around. So a secret is named and not given: `--s3_secret_access_key=env:NAME` has the value of the
environment variable NAME, which is read where Beam starts.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from emotion_pipeline.components.errors import UsageError, UserError

HIDDEN = "(hidden)"

_REFERENCE = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)")

_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|pwd|token|credential|private|signature|cookie|session|bearer|"
    r"connection_?string|(account|access|api|auth|shared|sas|ssh|encryption|signing)_?key|"
    r"(^|_)(sas|auth|key|pat|pin)(_|$)"
)

_SECRET_VALUE = re.compile(
    # A user's password in an address, a key within a longer text, a PEM, and what providers' keys
    # begin with: AWS, Google, GitHub, Slack, a JSON web token.
    r"://[^/\s:@]*:[^/\s@]+@|(?i:secret|password|accountkey|token|api_?key)[\"']?\s*[=:]|-----BEGIN |"
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bgh[pousr]_\w{20,}|\bxox[abprs]-|\beyJ[\w-]{10,}\."
)

_PLAIN = frozenset(
    [
        "runner", "streaming", "job_name", "project", "region", "zone", "worker_zone",
        "worker_region", "machine_type", "worker_machine_type", "worker_disk_type", "disk_size_gb",
        "num_workers", "max_num_workers", "autoscaling_algorithm", "network", "subnetwork",
        "no_use_public_ips", "use_public_ips", "temp_location", "staging_location",
        "template_location", "dataflow_service_options", "labels", "update", "experiments",
        "experiment", "sdk_container_image", "sdk_location", "sdk_worker_parallelism",
        "environment_type", "environment_config", "environment_cache_millis", "environment_options",
        "state_cache_size", "max_cache_memory_usage_mb", "job_endpoint", "artifact_endpoint",
        "job_server_timeout", "job_server_java_launcher", "parallelism", "max_parallelism",
        "flink_master", "flink_version", "flink_submit_uber_jar", "spark_master_url",
        "spark_version", "spark_submit_uber_jar", "direct_num_workers", "direct_running_mode",
        "direct_runner_use_stacked_bundle", "checkpointing_interval", "max_bundle_size",
        "max_bundle_time_mills", "object_reuse", "enable_spark_metric_sinks", "files_to_stage",
        "output_executable_path", "setup_file", "requirements_file", "requirements_cache",
        "extra_package", "extra_packages", "save_main_session", "pickle_library", "s3_endpoint_url",
        "s3_region_name", "s3_api_version", "s3_disable_ssl", "s3_verify", "hdfs_host", "hdfs_port",
        "hdfs_user", "hdfs_full_urls", "profile_cpu", "profile_memory", "profile_location",
        "default_sdk_harness_log_level", "sdk_harness_log_level_overrides",
        "number_of_worker_harness_threads", "save_heap_dumps_to_gcs_path", "type_check_strictness",
        "runtime_type_check", "allow_unsafe_triggers", "service_account_email",
    ]
)  # fmt: skip
"""Arguments whose values may be shown, unless they look like a secret."""


def check_form(argument: str) -> None:
    """Raises UserError unless an argument is `--key` or `--key=value`, and tells no value.

    In `--key value`, as two or as one, no check that follows would find the value.
    """
    key = argument.partition("=")[0]
    if not argument.startswith("--") or len(key.split()) != 1:
        told = f"{key.split()[0]} {HIDDEN}" if argument.startswith("--") and key.split() else HIDDEN
        raise UserError(f"beam.args: must be arguments such as --key=value, got {told!r}")


def check_no_secret(argument: str) -> None:
    """Raises UserError where an argument holds a secret by its name or its value."""
    key, value = _split(argument)
    if value is None or _REFERENCE.fullmatch(value):
        return
    if (_SECRET_NAME.search(key) and key not in _PLAIN) or _SECRET_VALUE.search(value):
        raise UserError(
            f"beam.args: --{key}={HIDDEN} looks like a secret, which would stand in ML Metadata, logs, "
            f"the report and a compiled pipeline. Put it into an environment variable and name that: "
            f"--beam-arg=--{key}=env:NAME"
        )


def check_may_be_written(arguments: Iterable[str]) -> None:
    """Raises UsageError for an argument that a file for others must not hold.

    That is one which is not known to be harmless and does not name an environment variable.
    """
    for argument in arguments:
        key, value = _split(argument)
        if value is not None and _hides(argument):
            raise UsageError(
                f"beam.args: --{key}={HIDDEN} would stand in the compiled pipeline, and it is not known "
                "to be no secret. Put it into an environment variable of the containers and name that: "
                f"--beam-arg=--{key}=env:NAME"
            )


def shown(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings, nested, with the values of Beam's arguments hidden that may be secrets."""
    beam = dict(settings["beam"])
    beam["args"] = [hidden(argument) for argument in beam["args"]]
    return {**settings, "beam": beam}


def hidden(argument: str) -> str:
    """Returns an argument as it may be shown: `--s3_access_key_id=(hidden)`."""
    key, value = _split(argument)
    return f"--{key}={HIDDEN}" if value is not None and _hides(argument) else argument


def resolve(arguments: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Returns the arguments with the values of the environment variables that they name.

    From here on logs hide those values.

    Raises:
      UserError: A variable is not set.
    """
    resolved, secrets = [], []
    for argument in arguments:
        key, value = _split(argument)
        reference = _REFERENCE.fullmatch(value) if value is not None else None
        if reference is not None:
            found = environ.get(reference["name"])
            if not found:
                raise UserError(
                    f"beam.args: --{key}={value}: the environment variable {reference['name']} is not "
                    "set here"
                )
            secrets.append(found)
            argument = f"--{key}={found}"
        elif value is not None and _hides(argument):
            secrets.append(value)
        resolved.append(argument)
    hide_in_logs(secrets)
    return resolved


def hide_in_logs(secrets: Iterable[str]) -> None:
    """Lets no log record of this process tell one of these texts; Beam tells what it does not know."""
    texts = {text for text in secrets if text}
    if not texts:
        return
    make = logging.getLogRecordFactory()

    def make_hiding(*args, **kwargs) -> logging.LogRecord:
        record = make(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            return record
        if any(text in message for text in texts):
            for text in texts:
                message = message.replace(text, HIDDEN)
            record.msg, record.args = message, None
        return record

    logging.setLogRecordFactory(make_hiding)


def _split(argument: str) -> tuple[str, str | None]:
    """Returns an argument's name, as Beam spells it, and its value; None where it has none."""
    key, equals, value = argument.removeprefix("--").partition("=")
    return key.strip().lower().replace("-", "_"), value if equals else None


def _hides(argument: str) -> bool:
    key, value = _split(argument)
    if value is None or _REFERENCE.fullmatch(value):
        return False
    return key not in _PLAIN or _SECRET_VALUE.search(value) is not None
