import shutil

import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.modules.pushed_models import learned_from
from emotion_pipeline.modules.teachers import Teachers, soften
from tests.serving.models import write_emotion

NAMES = ["happy", "sad"]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """Two folders of pushed versions: the second names the same classes in another order."""
    folder = tmp_path_factory.mktemp("teachers")
    for name, labels in (("one", NAMES), ("other", NAMES[::-1])):
        write_model(folder / name / "3", labels)
    return folder / "one", folder / "other"


def write_model(folder, labels):
    """Writes a model that answers with a picture's mean brightness and the rest to one."""

    @tf.function(input_signature=[tf.TensorSpec([None, 48, 48, 1], tf.float32, name="pixels")])
    def pixels(pixels):
        bright = tf.reduce_mean(pixels, axis=[1, 2, 3])
        return {"probabilities": tf.stack([bright, 1 - bright], axis=1)}

    tf.saved_model.save(tf.Module(), str(folder), signatures={"pixels": pixels})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "labels.txt").write_text("".join(f"{name}\n" for name in labels))


def test_answers_with_the_mean_in_the_order_of_this_runs_classes(pushed):
    pixels = tf.fill([2, 48, 48, 1], 0.75)
    one = Teachers([str(pushed[0])], NAMES)(pixels)
    both = Teachers([str(folder) for folder in pushed], NAMES)(pixels)
    np.testing.assert_allclose(one, [[0.75, 0.25]] * 2, atol=1e-6)
    np.testing.assert_allclose(both, [[0.5, 0.5]] * 2, atol=1e-6)


def test_the_newest_version_teaches_and_its_content_is_known(pushed, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(pushed[0], folder)

    def fingerprint(folder):
        return learned_from({"teachers": [str(folder)], "warm_start": ""}, NAMES)

    before = fingerprint(folder)
    assert before == fingerprint(pushed[0])
    write_emotion(folder / "x")  # no number, no version
    assert fingerprint(folder) == before
    shutil.copytree(folder / "3", folder / "10")
    with (folder / "10" / "saved_model.pb").open("ab") as file:
        file.write(b"\0")
    assert fingerprint(folder) != before
    assert learned_from({"teachers": [], "warm_start": ""}, NAMES) == {}
    started = learned_from({"teachers": [], "warm_start": str(pushed[0])}, NAMES)
    assert started == {"train.warm_start": before["train.teachers"]}


def test_refuses_other_classes_and_folders_without_a_model(pushed, tmp_path):
    def learn(folder, names=NAMES):
        return learned_from({"teachers": [], "warm_start": str(folder)}, names)

    with pytest.raises(
        UserError, match=r"one/3 answers with the classes happy, sad; this run has a, b"
    ):
        Teachers([str(pushed[0])], ["a", "b"])
    with pytest.raises(UserError, match=r"train.warm_start: .*one/3 answers with the classes"):
        learn(pushed[0], ["a", "b"])
    with pytest.raises(
        UserError, match="nowhere has no SavedModel; name a folder of pushed versions"
    ):
        learn(tmp_path / "nowhere")
    shutil.copytree(pushed[0] / "3", tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "assets.extra")
    with pytest.raises(UserError, match="bare does not name its classes"):
        learn(tmp_path / "bare")


def test_softening_divides_the_logits():
    logits = tf.constant([[2.0, 0.0, -4.0]])
    found = soften(tf.nn.softmax(logits), 2.0)
    np.testing.assert_allclose(found, tf.nn.softmax(logits / 2), atol=1e-5)
    np.testing.assert_allclose(soften(tf.nn.softmax(logits), 1.0), tf.nn.softmax(logits), atol=1e-5)
