"""Runs AtomicPusher."""

import os
from typing import Any

from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

from emotion_pipeline.components.model_pusher.push import push_version


class Executor(tfx_executor.Executor):
    """Executor of AtomicPusher; blessing and properties are TFX's."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed, and records where to, or that it was not.

        Raises:
          NotImplementedError: The push destination is not a filesystem.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        if destination.WhichOneof("destination") != "filesystem":
            raise NotImplementedError(f"Invalid push destination {destination}")
        base_dir = destination.filesystem.base_directory
        model_dir = self.GetModelPath(input_dict)
        version = push_version(model_dir, base_dir)
        io_utils.copy_dir(model_dir, pushed.uri)
        self._MarkPushed(
            pushed,
            pushed_destination=os.path.join(base_dir, str(version)),
            pushed_version=str(version),
        )
