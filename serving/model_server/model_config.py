"""What a ModelServerConfig must fulfil before its models are served."""

from __future__ import annotations

import os
from typing import Any

from emotion_faces.model_server import status
from emotion_faces.protos import model_server_config_pb2

PLATFORM = "tensorflow"


def platform(config: Any) -> str:
    """A ModelConfig's platform, its deprecated form included."""
    if config.model_type == model_server_config_pb2.TENSORFLOW:
        return PLATFORM
    if config.model_type == model_server_config_pb2.OTHER:
        return "other"
    return config.model_platform


def check_config(config: model_server_config_pb2.ModelServerConfig) -> None:
    """Refuses a configuration that can't be served.

    Raises:
      StatusError: INVALID_ARGUMENT, as TensorFlow Serving words it.
    """
    seen = set()
    if config.WhichOneof("config") != "model_config_list":
        raise status.invalid_argument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    for model in config.model_config_list.config:
        if model.name in seen:
            raise status.invalid_argument(
                f"Illegal to list model {model.name} multiple times in config list"
            )
        seen.add(model.name)
        if model.model_type and model.model_platform:
            raise status.invalid_argument(
                "Illegal setting both model_type(deprecated) and model_platform."
            )
        if not platform(model):
            raise status.invalid_argument(
                "Illegal setting neither model_type(deprecated) nor model_platform."
            )
        if not os.path.isabs(model.base_path):
            raise status.invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )


def check_served(config: model_server_config_pb2.ModelServerConfig) -> None:
    """Refuses models of a platform that this server does not serve.

    Raises:
      StatusError: INVALID_ARGUMENT.
    """
    for model in config.model_config_list.config:
        if platform(model) != PLATFORM:
            raise status.invalid_argument(
                f"model {model.name} has the platform {platform(model)!r}; "
                f"this server serves {PLATFORM!r} only"
            )
