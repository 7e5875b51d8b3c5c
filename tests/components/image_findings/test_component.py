import pytest
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local import local_dag_runner
from tfx.types import channel, standard_artifacts

from emotion_pipeline.components import artifacts
from emotion_pipeline.components.image_findings.component import ImageAudit
from emotion_pipeline.components.image_findings.findings import read_findings
from emotion_pipeline.components.image_ingest.component import ImageIngest
from emotion_pipeline.components.image_ingest.manifest import read_manifest
from tests.components.image_findings.planted import plant

pytestmark = pytest.mark.slow


def run(source, folder, policies):
    ingest = ImageIngest(str(source), str(folder / "cache"), max_pruned_fraction=0.1)
    audit = ImageAudit(ingest.outputs["manifest"], policies=policies)
    store = metadata.sqlite_metadata_connection_config(str(folder / "metadata.db"))
    local_dag_runner.LocalDagRunner().run(
        pipeline.Pipeline(
            "audit",
            str(folder / "root"),
            components=[ingest, audit],
            enable_cache=True,
            metadata_connection_config=store,
        )
    )


def test_audits_a_manifest_under_the_local_runner(tmp_path):
    planted = plant(tmp_path / "corpus")
    run(tmp_path / "corpus", tmp_path, {"uninformative": "drop"})
    outputs = tmp_path / "root/ImageAudit"
    [findings_uri] = (outputs / "findings").iterdir()
    [manifest_uri] = (outputs / "audited_manifest").iterdir()
    found = {finding.kind: finding for finding in read_findings(findings_uri)}
    assert {kind: (len(f.groups), f.images) for kind, f in found.items()} == planted.findings
    manifest = read_manifest(manifest_uri)
    assert manifest.root == tmp_path / "corpus"
    dropped = (manifest.table["reason"] == "uninformative").sum()
    assert dropped == found["uninformative"].dropped == planted.findings["uninformative"][1]


def test_refuses_bad_wiring():
    manifest = channel.Channel(type=artifacts.ImageManifest)
    with pytest.raises(ValueError, match="no policy 'erase'"):
        ImageAudit(manifest, policies={"exact_copies": "erase"})
    with pytest.raises(TypeError, match="manifest"):
        ImageAudit(channel.Channel(type=standard_artifacts.Examples))
