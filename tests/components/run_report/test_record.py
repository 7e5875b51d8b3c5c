import dataclasses

from emotion_pipeline.components.run_report.record import (
    RunRecord,
    read_records,
    run_folder,
    run_numbers,
    write_record,
)

ONE = RunRecord(
    number=2,
    started="2026-11-30T05:20:00+00:00",
    seconds=12.5,
    status="not_blessed",
    outcome="not blessed, nothing pushed: accuracy 0.154 is below 0.5",
    notes=["in the data: 1 picture of one gray"],
    recipe="fast",
    settings={"train.epochs": 2},
    code="0.1.0 (code 0123456789abcdef)",
    data={"train": {"pictures": 3, "classes": {"sad": 3}, "digest": "a"}},
    metrics={
        "split": "eval", "accuracy": 0.154, "accuracy_interval": [0.1, 0.2], "macro_f1": 0.057
    },
    history=[{"val_accuracy": 0.125}, {"val_accuracy": 0.154}],
    pushed_version=None,
    has_page=True,
)  # fmt: skip


def test_records_are_read_in_the_order_of_their_numbers(tmp_path):
    assert read_records(tmp_path) == []
    records = [dataclasses.replace(ONE, number=number) for number in (10, 2, 9)]
    for record in records:
        write_record(record, tmp_path)
    assert read_records(tmp_path) == [records[1], records[2], records[0]]


def test_what_is_no_record_is_passed_over(tmp_path):
    write_record(ONE, tmp_path)
    for name, text in (("3", "{"), ("4", '{"number": 4}')):
        (tmp_path / "reports" / name).mkdir()
        (tmp_path / "reports" / name / "run.json").write_text(text)
    (tmp_path / "reports" / "5").mkdir()
    (tmp_path / "reports" / "mine").mkdir()
    assert read_records(tmp_path) == [ONE]
    # Their numbers are taken all the same.
    assert run_numbers(tmp_path) == [2, 3, 4, 5]
    assert run_folder(tmp_path, 2) == tmp_path / "reports" / "2"
