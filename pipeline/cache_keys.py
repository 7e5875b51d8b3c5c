"""What the keys of TFX's cache must know, for the components that are TFX's own."""

import hashlib
import pathlib

from tfx.dsl.components.base.base_node import BaseNode

from emotion_pipeline.components.fingerprint import step_fingerprint


def key_by(node: BaseNode, *modules: str, **files: str) -> None:
    """Lets a component run again when code, libraries or files change that its key would not see.

    TFX's key holds inputs and execution properties, so it gets properties that no executor reads:
    `code_fingerprint`, which has the versions of the libraries in it, and `<name>_digest` of a file's
    content, since a property that names a file does not change with the file.

    Args:
      node: A component whose class has no property for it.
      *modules: Dotted names of the project's modules that its executor comes to.
      **files: Paths by name.

    Raises:
      OSError: A file cannot be read.
    """
    node.exec_properties["code_fingerprint"] = step_fingerprint(*modules)
    for name, path in files.items():
        content = pathlib.Path(path).read_bytes()
        node.exec_properties[f"{name}_digest"] = hashlib.sha256(content).hexdigest()[:16]
