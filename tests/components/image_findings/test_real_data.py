"""The counts on FER2013, whole, confirmed by a script that shares no code with the project."""

import functools

import pytest

from benchmarks.data.count_copies import count_copies
from emotion_pipeline.components.image_findings.findings import audit
from emotion_pipeline.components.image_findings.near_copies import load_pixels
from emotion_pipeline.components.image_ingest.ingest import ingest
from emotion_pipeline.components.image_ingest.manifest import counts_by_split
from emotion_pipeline.components.sources.resolve import resolve_source

pytestmark = pytest.mark.slow


def test_finds_what_the_independent_script_finds(fer2013_zip, tmp_path):
    source = resolve_source(str(fer2013_zip), tmp_path)
    table = ingest(source.root)
    audited, findings = audit(table, functools.partial(load_pixels, source.root))
    found = {finding.kind: (len(finding.groups), finding.images) for finding in findings}
    independent = count_copies(str(source.root))
    assert independent == {kind: found[kind] for kind in independent}
    assert found == {
        "cross_split_copies": (270, 631),
        "cross_split_near_copies": (209, 694),
        "conflicting_labels": (48, 133),
        "conflicting_near_labels": (118, 424),
        "exact_copies": (1271, 2801),
        "near_copies": (778, 2109),
        "uninformative": (1, 12),
    }
    counts = counts_by_split(audited)
    assert counts["train"] == {
        "found": 28709,
        "kept": 27963,
        "pruned": 746,
        "pruned_by_reason": {"cross_split_copy": 351, "cross_split_near_copy": 395},
    }
    assert counts["eval"]["kept"] == 3589
