"""What the entrypoint makes of the launcher's messages."""

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.kubeflow.entrypoint import (
    adapt_invocation,
    local_path,
    remote_uri,
    restore_uris,
)

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
SPEC = {"artifacts": {"model": {"artifactType": MODEL}, "baseline": {"artifactType": MODEL}}}


def artifact(uri, **metadata):
    return {"artifacts": [{"uri": uri, "type": {"instanceSchema": ""}, "metadata": metadata}]}


def invocation():
    return {
        "inputs": {
            "artifacts": {
                "model": artifact("minio://bucket/a/model", absent=0.0),
                "baseline": artifact("minio://bucket/a/baseline", absent=1.0),
            },
            "parameterValues": {"seed": 1},
        },
        "outputs": {
            "artifacts": {
                "blessing": {"artifacts": [{"uri": "s3://bucket/b", "type": MODEL}]},
                "executor-logs": {
                    "artifacts": [{"uri": "s3://l", "type": {"schemaTitle": "system.Artifact"}}]
                },
            },
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
        },
    }


def test_types_are_filled_in_absent_ones_left_out_and_uris_are_the_local_copies():
    adapted = adapt_invocation(invocation(), SPEC, "/")
    assert adapted["inputs"]["artifacts"] == {
        "model": {
            "artifacts": [
                {"uri": "/minio/bucket/a/model", "type": MODEL, "metadata": {"absent": 0}}
            ]
        },
        "baseline": {"artifacts": []},
    }
    assert adapted["outputs"] == {
        "artifacts": {"blessing": {"artifacts": [{"uri": "/s3/bucket/b", "type": MODEL}]}},
        "outputFile": "/tmp/kfp_outputs/output_metadata.json",
    }


def test_the_message_itself_is_not_changed():
    before = invocation()
    given = invocation()
    adapt_invocation(given, SPEC, "/")
    assert given == before


def test_what_a_blessing_says_of_models_is_named_as_before_too():
    given = invocation()
    given["inputs"]["artifacts"]["baseline"] = artifact("minio://bucket/a/baseline", absent=0.0)
    adapted = adapt_invocation(given, SPEC, "/")
    output = {
        "artifacts": {
            "blessing": {
                "artifacts": [
                    {
                        "uri": "/s3/bucket/b",
                        "metadata": {
                            "current_model": "/minio/bucket/a/model",
                            "baseline_model": "/minio/bucket/a/baseline/Format-Serving",
                            "blessed": 1,
                            "pushed_destination": "/mnt/models/emotion",
                            "near": "/minio/bucket/a/model2",
                        },
                        "customProperties": {"m": {"stringValue": "/minio/bucket/a/model/"}},
                    }
                ]
            }
        }
    }
    restore_uris(output, adapted, "/")
    (blessing,) = output["artifacts"]["blessing"]["artifacts"]
    assert blessing == {
        "uri": "s3://bucket/b",
        "metadata": {
            "current_model": "minio://bucket/a/model",
            "baseline_model": "minio://bucket/a/baseline/Format-Serving",
            "blessed": 1,
            "pushed_destination": "/mnt/models/emotion",
            "near": "/minio/bucket/a/model2",
        },
        "customProperties": {"m": {"stringValue": "minio://bucket/a/model/"}},
    }


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("minio://mlpipeline/v2/x", "/minio/mlpipeline/v2/x"),
        ("s3://bucket/x", "/s3/bucket/x"),
        ("gs://bucket/x", "/gcs/bucket/x"),
        ("/mnt/data/x", "/mnt/data/x"),
        ("hdfs://name/x", "hdfs://name/x"),
    ],
)
def test_local_path_and_back(uri, path):
    assert local_path(uri, "/") == path
    assert remote_uri(path, "/") == uri


@pytest.mark.slow
def test_a_step_that_the_image_does_not_know():
    import json

    from emotion_pipeline.kubeflow.config import kubeflow_defaults
    from emotion_pipeline.kubeflow.entrypoint import execution_properties
    from emotion_pipeline.settings import to_dict

    parameters = {"settings": json.dumps(to_dict(kubeflow_defaults()))}
    with pytest.raises(UserError, match="no such step in this image, which knows ImageIngest"):
        execution_properties("Nope", parameters)
