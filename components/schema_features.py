"""What a schema says of a feature; without TensorFlow, which compares no schemas."""

from tensorflow_metadata.proto.v0 import schema_pb2


def feature_of(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature | None:
    """Returns the feature of a name; None where the schema does not have it."""
    return next((one for one in schema.feature if one.name == name), None)


def string_domain(schema: schema_pb2.Schema, name: str) -> schema_pb2.StringDomain | None:
    """Returns the strings that a feature may have; None where they are not listed."""
    spec = feature_of(schema, name)
    if spec is not None and spec.HasField("domain"):
        return next(one for one in schema.string_domain if one.name == spec.domain)
    if spec is not None and spec.HasField("string_domain"):
        return spec.string_domain
    return None
