import numpy as np

from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.records.answers_record import Answers, read_answers, write_answers


def test_what_is_written_is_read(tmp_path):
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    one = Predictions(
        class_names=("böse", "froh"),
        labels=np.array([1, 0]),
        probabilities=probabilities,
        votes=np.zeros((2, 3), np.float32),
        paths=np.array(["a/1.jpg", "b/é.jpg"]),
    )
    assert read_answers(str(tmp_path)) is None
    write_answers(Answers(one), str(tmp_path))
    assert read_answers(str(tmp_path)).baseline is None
    write_answers(Answers(one, baseline=probabilities[::-1]), str(tmp_path))
    found = read_answers(str(tmp_path))
    assert found.predictions.class_names == ("böse", "froh")
    assert found.predictions.paths.tolist() == ["a/1.jpg", "b/é.jpg"]
    assert found.predictions.correct.tolist() == [True, True]
    assert found.baseline.tolist() == probabilities[::-1].tolist()
