"""A hash of source code, for the cache keys of components."""

import hashlib
import importlib.util
import pathlib


def code_fingerprint(*names: str) -> str:
    """Hashes the source of modules and of packages with all below them.

    TFX's cache looks at inputs and execution properties and never at an executor's code. A component
    that carries this hash as a property runs again when its code was edited.

    Args:
      *names: Dotted names, such as `emotion_pipeline.components.class_balancer`; none of them is imported.

    Returns:
      16 hex digits, the same on every machine with the same sources.

    Raises:
      ModuleNotFoundError: A name is not importable.
    """
    digest = hashlib.sha256()
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"no module named {name!r} with a source file")
        origin = pathlib.Path(spec.origin)
        is_package = spec.submodule_search_locations is not None
        for path in sorted(origin.parent.rglob("*.py")) if is_package else [origin]:
            digest.update(f"{name}/{path.relative_to(origin.parent).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
