"""Where servers are looked for; a module of its own, so that asking does not import gRPC."""

DEFAULT_SERVER = "127.0.0.1:8500"
"""HOST:PORT of gRPC of a model server that nobody named."""

DEFAULT_MODEL_NAME = "emotion"
"""What a server calls the model."""

DEFAULT_TIMEOUT_SECS = 30.0
"""Deadline of each call, retries included."""
