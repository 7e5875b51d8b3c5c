"""The interface of AtomicPusher."""

from tfx.components import Pusher
from tfx.dsl.components.base import executor_spec

from emotion_pipeline.components.model_pusher import executor


class AtomicPusher(Pusher):
    """TFX's Pusher, which writes a version aside and then renames it.

    TFX's own copies file by file into the version's folder, where a server that polls finds a
    version that is not whole, and where it stays if the copying is cut off.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
