import dataclasses

import numpy as np

from emotion_pipeline.components.records.answers_record import Answers, write_answers
from emotion_pipeline.components.run_report.history import (
    describe_changes,
    describe_data,
    read_changes,
)
from emotion_pipeline.components.run_report.record import (
    RunFacts,
    digest_named_files,
    run_folder,
    write_record,
)
from tests.components.run_report.contents import make_manifest, make_model
from tests.components.run_report.test_record import ONE

LABELS = ["angry", "happy"]


def facts(root, number):
    return RunFacts(number, "2026-11-30T06:00:00+00:00", str(root))


def keep(root, **changes):
    """Leaves a run behind, with the answers of its model."""
    record = dataclasses.replace(ONE, **changes)
    write_record(record, root)
    if record.metrics:
        answers = Answers(make_model(LABELS).predictions)
        write_answers(answers, str(run_folder(root, record.number)))


def changes(root, number, baseline="", of_baseline=None):
    predictions = make_model(LABELS).predictions
    answers = Answers(predictions, of_baseline)
    settings = {"train.epochs": 8}
    return read_changes(facts(root, number), settings, ONE.data, answers, baseline)


def test_a_first_run_has_nothing_to_compare_with(tmp_path):
    assert changes(tmp_path, 1) is None
    assert describe_changes(None) == []


def test_the_latest_run_that_has_a_model_is_the_one_before(tmp_path):
    keep(tmp_path, number=1)
    keep(tmp_path, number=2, settings={"train.epochs": 3})
    keep(tmp_path, number=3, metrics={}, status="failed")
    found = changes(tmp_path, 4)
    (model,) = found.models
    assert model.against == "run 2"
    assert (model.total.gained, model.total.lost) == (0, 0)
    told = describe_changes(found)
    assert told[1] == "settings since run 2 of 30 Nov 2026, 05:20 UTC: train.epochs 3 to 8"
    assert told[2] == "pictures since then: the same"


def test_another_content_of_a_file_is_a_change(tmp_path):
    schema = tmp_path / "mine.pbtxt"
    schema.write_text("max: 1.0")
    settings = {"schema": str(schema), "votes": ""}
    keep(tmp_path, number=1, settings=settings, files=digest_named_files(settings))
    answers = Answers(make_model(LABELS).predictions)

    def told():
        found = read_changes(facts(tmp_path, 2), settings, ONE.data, answers, "")
        return describe_changes(found)[1].partition(": ")[2]

    assert told() == "the same"
    schema.write_text("max: 0.2")
    assert told().startswith("what is in schema ")
    # Of a run before there was such a record nothing is known.
    keep(tmp_path, number=1, settings=settings)
    assert told() == "the same"


def test_answers_that_are_gone_or_damaged_are_none_to_compare_with(tmp_path):
    keep(tmp_path, number=1)
    path = run_folder(tmp_path, 1) / "answers.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert changes(tmp_path, 2).models == []
    path.unlink()
    found = changes(tmp_path, 2)
    assert (found.models, found.since) == ([], "run 1 of 30 Nov 2026, 05:20 UTC")


def test_the_model_to_beat_is_not_compared_twice(tmp_path):
    keep(tmp_path, number=1, pushed_version=7)
    wrong = np.eye(2, dtype=np.float32)[1 - make_model(LABELS).predictions.labels]
    found = changes(tmp_path, 2, baseline="7", of_baseline=wrong)
    (model,) = found.models
    assert model.against == "version 7, the model to beat, of run 1"
    assert model.total.before == 0.0
    # Another's is compared beside it.
    found = changes(tmp_path, 2, baseline="6", of_baseline=wrong)
    assert [one.against for one in found.models] == ["version 6, the model to beat", "run 1"]


def test_without_numbers_the_model_to_beat_is_left(tmp_path):
    predictions = make_model(LABELS).predictions
    answers = Answers(predictions, predictions.probabilities)
    found = read_changes(None, {}, {}, answers, "7")
    assert [one.against for one in found.models] == ["version 7, the model to beat"]
    assert not found.since


def test_data_are_the_same_for_the_same_contents(tmp_path):
    manifest = make_manifest(tmp_path, LABELS, 2)
    described = describe_data(manifest.table)
    assert described["train"]["pictures"] == 4
    assert described["train"]["classes"] == {"angry": 2, "happy": 2}
    shuffled = manifest.table.sample(frac=1.0, random_state=1)
    assert describe_data(shuffled) == described
    manifest.table.loc[0, "content_hash"] = "other"
    again = describe_data(manifest.table)
    assert [again[split]["digest"] == described[split]["digest"] for split in again] == [
        True,
        False,
    ]
