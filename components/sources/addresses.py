"""What a source of pictures may be, and which sources and destinations are addresses."""

import re

_KAGGLE = re.compile(r"(opendatasets:)?https?://(www\.)?kaggle\.com/")

SAMPLE = "sample"
"""The source that is drawn; a folder of that name is given as ./sample."""

KINDS = (
    "Give a folder of pictures, a .zip or .tar.gz (.tar, .tar.bz2, .tar.xz) of one, a table of pixels "
    "such as fer2013.csv, kaggle:OWNER/NAME[/versions/N], the URL of a Kaggle data set "
    "(https://www.kaggle.com/datasets/OWNER/NAME), or sample. The folder or file may lie at gs://, "
    "s3:// or hdfs://."
)
"""What may be given as a source, in words."""

SCHEMES = ("gs", "s3", "hdfs")
"""Of the addresses that Beam's filesystems open."""


def is_stored(path: str) -> bool:
    """Returns whether this is an address in an object store, and not a local path; `s3://` alone is none."""
    return re.match(rf"({'|'.join(SCHEMES)})://(?!/*$)", path) is not None


def is_kaggle(source: str) -> bool:
    """Returns whether this is an address of Kaggle's; `kaggle:OWNER/NAME` is none."""
    return _KAGGLE.match(source) is not None


def is_local(source: str) -> bool:
    """Returns whether a source is a path of this machine: no address, data set of Kaggle's, or `sample`."""
    return source != SAMPLE and re.match(r"(opendatasets:)?kaggle:|.*://", source) is None
