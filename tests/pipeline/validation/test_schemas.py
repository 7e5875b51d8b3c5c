import subprocess
import sys

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.validation.schema_diff import diff_schemas
from emotion_pipeline.validation.schema_proposal import format_proposal, propose_schema
from emotion_pipeline.validation.schemas import check_classes, load_schema
from tests.components.drift_validator.numbers import statistics_of


@pytest.fixture(scope="module")
def curated():
    return load_schema(PipelineConfig().schema_path)


def parse(text):
    return text_format.Parse(text, schema_pb2.Schema())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            None,
            r"schema .*schema\.pbtxt: cannot be read \(No such file or directory\)\. Start from",
        ),
        (b"feature {", r"schema .*schema\.pbtxt: no schema of TFDV: 1:"),
        (b"features: 3", r"no schema of TFDV: 1:1 : .*no field named \"features\""),
        (b"\xff\xfe", r"no schema of TFDV"),
        (b"\xef\xbb\xbf", r"schema .*: begins with a byte-order mark"),
        (b"", r"describes no features, but not image and label\. Start from"),
        (
            b'feature { name: "age" } feature { name: "image" }',
            "describes age, image, but not label",
        ),
    ],
)
def test_names_what_is_wrong_with_a_schema(tmp_path, content, message):
    file = tmp_path / "schema.pbtxt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_schema(str(file))


def test_a_class_that_the_model_lacks_is_told_before_the_training(curated):
    labels = PipelineConfig().labels
    check_classes(curated, labels, "s.pbtxt")
    check_classes(curated, (*labels, "contempt"), "s.pbtxt")
    check_classes(parse('feature { name: "label" }'), ("a", "b"), "s.pbtxt")
    with pytest.raises(
        UserError,
        match=r"^labels: happy, suprise; but the schema s\.pbtxt has angry, .*surprise too",
    ):
        check_classes(curated, ("happy", "suprise"), "s.pbtxt")


def test_two_schemas_are_compared_without_tensorflow():
    code = (
        "import sys\n"
        "import emotion_pipeline.validation.schema_diff, emotion_pipeline.validation.schemas\n"
        "print([name for name in ('tensorflow', 'tfx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_proposes_what_was_seen_in_both_splits(curated):
    train = statistics_of(60, width=np.full(60, 64), path=[f"{n}.jpg" for n in range(60)])
    evaluation = statistics_of(2, width=np.array([64, 72]), path=["a", "b"], label=["sad", "bored"])
    statistics = {"train": train, "eval": evaluation}
    schema = propose_schema(statistics, curated)
    features = {feature.name: feature for feature in schema.feature}
    assert set(features) == {"label", "brightness", "width", "path"}
    assert [list(one.value) for one in schema.string_domain] == [["bored", "fear", "happy", "sad"]]
    assert features["label"].domain == "label"
    assert features["label"].unique_constraints.max == 4
    assert (features["width"].int_domain.min, features["width"].int_domain.max) == (64, 72)
    assert features["path"].WhichOneof("domain_info") is None
    assert features["brightness"].float_domain.max == 1.0
    assert features["brightness"].skew_comparator.jensen_shannon_divergence.threshold == 0.01
    text = format_proposal(schema, statistics, "faces")
    assert text.startswith(
        "# Proposed by `emotion schema infer` from faces, of 60 train images and 2 eval images.\n"
    )
    assert "# train width: 64 to 64, mean 64\n" in text
    assert parse(text) == schema


def test_a_schema_does_not_differ_from_itself_in_another_order(curated):
    other = schema_pb2.Schema()
    other.CopyFrom(curated)
    other.feature.sort(key=lambda feature: feature.name)
    label = next(feature for feature in other.feature if feature.name == "label")
    values = list(other.string_domain[0].value)
    del other.string_domain[:]
    label.string_domain.value.extend(reversed(values))
    assert diff_schemas(curated, other) == []


def test_tells_each_difference():
    one = parse(
        'feature { name: "width" type: INT int_domain { max: 48 } shape { } }'
        'feature { name: "label" domain: "d" } string_domain { name: "d" value: "a" value: "b" }'
    )
    other = parse(
        'feature { name: "width" type: INT int_domain { min: 1 max: 64 } shape { } }'
        'feature { name: "label" domain: "d" } string_domain { name: "d" value: "b" value: "c" }'
        'feature { name: "age" type: FLOAT } dataset_constraints { min_examples_count: 2 }'
    )
    assert diff_schemas(one, other) == [
        "(data set).datasetConstraints.minExamplesCount: nothing -> 2",
        "age: nothing -> described",
        "age.type: nothing -> FLOAT",
        "label.values: - a",
        "label.values: + c",
        "width.intDomain.max: 48 -> 64",
        "width.intDomain.min: nothing -> 1",
    ]
