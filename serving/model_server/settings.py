"""What the flags mean: the configuration, batching, credentials and session that they name."""

from __future__ import annotations

import ipaddress
from typing import Any

import grpc

from emotion_faces.errors import UserError
from emotion_faces.model_server import batching, config_files, flags, model_config, runtime
from emotion_faces.protos import model_server_config_pb2


def server_config(options: flags.Options) -> Any:
    """The ModelServerConfig that the options name: a file, or one model.

    Raises:
      UserError: Neither is given, or the file can't be read.
    """
    if options.model_config_file:
        return config_files.read_model_config(options.model_config_file)
    if not options.model_base_path:
        raise UserError("name a model: --model_base_path=DIR or --model_config_file=FILE")
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=options.model_name,
        base_path=options.model_base_path,
        model_platform=model_config.PLATFORM,
    )
    return config


def batching_options(options: flags.Options) -> batching.BatchingOptions:
    """How requests share runs: as the batching parameters say, or greedily.

    Raises:
      UserError: Parameters without --enable_batching, or wrong ones.
    """
    if options.enable_batching:
        return config_files.read_batching_options(options.batching_parameters_file)
    if options.batching_parameters_file:
        raise UserError(
            "--batching_parameters_file is set without setting --enable_batching to true."
        )
    return batching.BatchingOptions(share=options.greedy_batching)


def server_credentials(ssl_config_file: str) -> grpc.ServerCredentials | None:
    """TLS for the gRPC port; None where no file is given.

    Raises:
      UserError: The file can't be read, or has no key and certificate.
    """
    if not ssl_config_file:
        return None
    config = config_files.read_ssl_config(ssl_config_file)
    if not config.server_key or not config.server_cert:
        raise UserError(f"{ssl_config_file}: server_key and server_cert are needed, as PEM text")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def may_reload(options: flags.Options) -> bool:
    """Whether a call may change the served models."""
    if options.allow_reload_config == "auto":
        return bool(options.model_config_file)
    return options.allow_reload_config == "true"


def rest_hosts(options: flags.Options) -> frozenset[str] | None:
    """The host names that REST is called by on loopback; None: any, on another address."""
    try:
        loopback = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        loopback = options.host.lower() == "localhost"
    if not loopback:
        return None
    more = filter(None, options.rest_api_allowed_hosts.lower().split(","))
    return frozenset({"localhost", "127.0.0.1", "::1", options.host.lower(), *more})


def session_config(options: flags.Options) -> Any:
    """The ConfigProto of each version's session.

    Raises:
      UserError: All three of its flags are set.
    """
    both = options.tensorflow_session_parallelism
    within, between = (
        options.tensorflow_intra_op_parallelism,
        options.tensorflow_inter_op_parallelism,
    )
    if both > 0 and within > 0 and between > 0:
        raise UserError(
            "set --tensorflow_session_parallelism, or --tensorflow_intra_op_parallelism and "
            "--tensorflow_inter_op_parallelism, and not all three"
        )
    if not (within or between):
        within = between = both
    return runtime.config_pb2.ConfigProto(
        intra_op_parallelism_threads=within, inter_op_parallelism_threads=between
    )


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """Reads gRPC's arguments of --grpc_channel_arguments.

    Raises:
      UserError: An item is no key=value.
    """
    arguments: list[tuple[str, int | str]] = []
    for item in filter(None, text.split(",")):
        key, has_value, value = item.partition("=")
        if not has_value:
            raise UserError(f"--grpcchannel_arguments takes key=value; found {item!r}")
        arguments.append((key, int(value) if value.lstrip("-").isdigit() else value))
    return arguments
