import json

from emotion_pipeline.components.records.training_record import read_training, write_training

TRAINING = {"epochs": 1, "history": [{"loss": 1.5}], "resumed_at": []}


def test_reads_what_it_wrote(tmp_path):
    folder = tmp_path / "new" / "model_run"
    write_training(str(folder), TRAINING)
    assert json.loads((folder / "training.json").read_text()) == TRAINING
    assert read_training(str(folder)) == TRAINING
