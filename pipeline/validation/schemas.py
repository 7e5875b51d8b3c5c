"""Reads, proposes and compares schemas."""

import pathlib
from collections.abc import Collection

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from emotion_pipeline.components import features
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.schema_features import string_domain

_CURATED = "Start from pipeline/schema/schema.pbtxt, or from what `emotion schema infer` proposes."


def load_schema(path: str) -> schema_pb2.Schema:
    """Reads a schema in protobuf's text format.

    Raises:
      UserError: The file cannot be read, is no schema, or does not know the image and its label.
    """
    schema = schema_pb2.Schema()
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        if text.startswith("\ufeff"):
            raise UserError(
                f"schema {path}: begins with a byte-order mark, which TFX does not read: save it as UTF-8 "
                "without one"
            )
        text_format.Parse(text, schema)
    except OSError as error:
        raise UserError(f"schema {path}: cannot be read ({error.strerror}). {_CURATED}") from error
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise UserError(f"schema {path}: no schema of TFDV: {error}. {_CURATED}") from error
    known = {feature.name for feature in schema.feature}
    missing = [name for name in (features.IMAGE_KEY, features.LABEL_KEY) if name not in known]
    if missing:
        raise UserError(
            f"schema {path}: describes {', '.join(sorted(known)) or 'no features'}, but not "
            f"{' and '.join(missing)}. {_CURATED}"
        )
    return schema


def check_classes(schema: schema_pb2.Schema, labels: Collection[str], path: str) -> None:
    """Checks that a model of these classes can learn whatever the schema lets through.

    Args:
      schema: Of the file at `path`.
      labels: The model's class names.
      path: What messages call the schema.

    Raises:
      UserError: The schema has a class that the model lacks.
    """
    domain = string_domain(schema, features.LABEL_KEY)
    lacking = [] if domain is None else [name for name in domain.value if name not in labels]
    if lacking:
        raise UserError(
            f"labels: {', '.join(labels)}; but the schema {path} has {', '.join(lacking)} too. Name the "
            "classes of the data in both: --set labels=[...], and --set schema=FILE as `emotion schema "
            "infer SOURCE --out FILE` proposes it"
        )
