"""How two schemas differ."""

from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import schema_pb2


def diff_schemas(one: schema_pb2.Schema, other: schema_pb2.Schema) -> list[str]:
    """Returns a line for each difference, sorted; empty where both say the same.

    `width.intDomain.max: 48 -> 64` for a changed value, `label.values: + bored` and `- bored` for
    what one of two lists alone has, `- nothing` standing for what is absent. The order of features
    and of values does not count.

    Example:
      >>> from google.protobuf import text_format
      >>> schema = "feature { name: 'width' int_domain { min: 48 max: %d } }"
      >>> one = text_format.Parse(schema % 48, schema_pb2.Schema())
      >>> other = text_format.Parse(schema % 64, schema_pb2.Schema())
      >>> diff_schemas(one, other)
      ['width.intDomain.max: 48 -> 64']
    """
    before, after = _flatten(one), _flatten(other)
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, frozenset) and isinstance(new, frozenset):
            lines += [f"{key}: - {value}" for value in sorted(old - new)]
            lines += [f"{key}: + {value}" for value in sorted(new - old)]
        else:
            lines.append(f"{key}: {_show(old)} -> {_show(new)}")
    return lines


def _flatten(schema: schema_pb2.Schema) -> dict[str, Any]:
    """Returns dotted key -> value; lists are frozen sets of texts."""
    domains = {domain.name: domain for domain in schema.string_domain}
    flat: dict[str, Any] = {}
    for feature in schema.feature:
        content = json_format.MessageToDict(feature)
        content.pop("name")
        # Whether a domain is written within the feature or beside it makes no difference.
        domain = domains.get(content.pop("domain", ""))
        inline = content.pop("stringDomain", {}).get("value")
        values = list(domain.value) if domain is not None else inline
        if values is not None:
            content["values"] = values
        flat[feature.name] = "described"
        flat.update(_leaves(feature.name, content))
    rest = json_format.MessageToDict(schema)
    for field in ("feature", "stringDomain"):
        rest.pop(field, None)
    for field, content in rest.items():
        flat.update(_leaves(f"(data set).{field}", content))
    return flat


def _leaves(prefix: str, content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from _leaves(f"{prefix}.{key}", value)
    elif isinstance(content, list):
        yield prefix, frozenset(str(value) for value in content)
    else:
        yield prefix, "set" if content == {} else content


def _show(value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return "nothing" if value is None else str(value)
