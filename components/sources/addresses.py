"""Which sources and destinations are addresses in an object store."""

import re

_KAGGLE = re.compile(r"(opendatasets:)?https?://(www\.)?kaggle\.com/")

SCHEMES = ("gs", "s3", "hdfs")
"""Of the addresses that Beam's filesystems open."""


def is_stored(path: str) -> bool:
    """Returns whether this is an address in an object store, and not a local path; `s3://` alone is none."""
    return re.match(rf"({'|'.join(SCHEMES)})://(?!/*$)", path) is not None


def is_kaggle(source: str) -> bool:
    """Returns whether this is an address of Kaggle's; `kaggle:OWNER/NAME` is none."""
    return _KAGGLE.match(source) is not None
