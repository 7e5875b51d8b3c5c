import cv2
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from emotion_pipeline.components.calibration import tempered
from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.modules.signatures import ServedModel, save
from emotion_pipeline.modules.trainer_module import predict
from emotion_pipeline.train_config import TrainConfig
from tests.components.example_artifacts import example
from tests.components.pictures import encode, noise


@pytest.fixture(scope="module")
def network():
    layers = tf.keras.layers
    start = tf.keras.initializers.RandomNormal(stddev=0.1, seed=1)
    dense = layers.Dense(7, "softmax", kernel_initializer=start)
    return tf.keras.Sequential([layers.Flatten(input_shape=(48, 48, 1)), dense])


@pytest.fixture(scope="module")
def served(network, tmp_path_factory):
    """The model as it is read back from disk, and its folder."""
    folder = str(tmp_path_factory.mktemp("model"))
    save(ServedModel(network, list(LABELS)), folder)
    return tf.saved_model.load(folder), folder


def pixels_of(images):
    return np.stack(images)[..., None].astype(np.float32) / 255


@pytest.mark.parametrize("count", [1, 7])
def test_every_signature_gives_the_networks_answer(served, network, count):
    images = [noise(seed) for seed in range(count)]
    encoded = [encode(image, ".png") for image in images]
    expected = network(pixels_of(images)).numpy()
    top = [LABELS[index].encode() for index in expected.argmax(axis=1)]
    names = [[label.encode() for label in LABELS]] * count
    signatures = served[0].signatures
    for answer in (
        signatures["serving_default"](image_bytes=tf.constant(encoded)),
        signatures["pixels"](pixels=tf.constant(pixels_of(images))),
    ):
        assert set(answer) == {"probabilities", "label", "classes"}
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)
        assert answer["probabilities"].dtype == tf.float32
        assert answer["label"].numpy().tolist() == top
        assert answer["classes"].numpy().tolist() == names
    examples = [example("", "", one) for one in encoded]
    answer = signatures["classify"](inputs=tf.constant(examples))
    assert set(answer) == {"classes", "scores"}
    np.testing.assert_allclose(answer["scores"], expected, atol=1e-6)
    assert answer["classes"].numpy().tolist() == names


def test_takes_colour_and_any_size(served, network):
    gray = np.full((48, 48), 100, np.uint8)
    images = [
        encode(gray, ".jpg"),
        encode(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), ".png"),
        encode(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), ".jpg"),
        encode(cv2.resize(gray, (200, 31)), ".png"),
        encode(gray[:1, :1], ".png"),
    ]
    answer = served[0].signatures["serving_default"](image_bytes=tf.constant(images))
    expected = network(pixels_of([gray])).numpy()
    np.testing.assert_allclose(answer["probabilities"], np.repeat(expected, 5, axis=0), atol=1e-4)


@pytest.mark.parametrize("temperature", [0.25, 1.7, 4.0])
def test_every_signature_has_the_temperature_and_the_same_first_class(network, temperature):
    images = [noise(seed) for seed in range(50)]
    plain = network(pixels_of(images)).numpy()
    signatures = ServedModel(network, list(LABELS), temperature=temperature).signatures()
    examples = [example("", "", encode(one, ".png")) for one in images]
    answers = [
        signatures["pixels"](tf.constant(pixels_of(images)))["probabilities"].numpy(),
        signatures["classify"](tf.constant(examples))["scores"].numpy(),
    ]
    for found in answers:
        np.testing.assert_allclose(found, tempered(plain, temperature), atol=1e-5)
        assert found.argmax(axis=1).tolist() == plain.argmax(axis=1).tolist()
    assert np.abs(answers[0] - plain).max() > 0.01


def test_classify_carries_its_method_name(served):
    message = saved_model_pb2.SavedModel()
    with open(f"{served[1]}/saved_model.pb", "rb") as file:
        message.ParseFromString(file.read())
    signatures = message.meta_graphs[0].signature_def
    assert signatures["classify"].method_name == "tensorflow/serving/classify"
    assert signatures["serving_default"].method_name == "tensorflow/serving/predict"


def test_flip_answers_the_mean_over_both_ways_round(network):
    image = pixels_of([noise(1)])
    expected = (network(image).numpy() + network(image[:, :, ::-1]).numpy()) / 2
    answer = ServedModel(network, list(LABELS), flip=True).signatures()["pixels"](
        tf.constant(image)
    )
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)


@pytest.mark.parametrize("normalize", ["none", "equalize", "standardize"])
@pytest.mark.parametrize(("flip", "temperature"), [(False, 1.0), (True, 1.0), (True, 1.7)])
def test_the_trainer_measures_what_is_served(network, flip, normalize, temperature):
    pixels = np.stack([noise(seed) for seed in range(300)])[..., None] // 2
    served = ServedModel(
        network,
        list(LABELS),
        flip=flip,
        normalize_method=normalize,
        temperature=temperature,
    )
    answer = served.signatures()["pixels"](tf.constant(pixels / np.float32(255)))
    config = TrainConfig(normalize=normalize, flip_at_serving=flip)
    expected = tempered(predict(network, pixels, config), temperature)
    np.testing.assert_allclose(expected, answer["probabilities"], atol=1e-5)


def test_neither_brightness_nor_contrast_nor_gamma_matters_to_a_model_that_equalizes(network):
    picture = np.repeat(noise(1)[None, ..., None] // 8, 4, axis=0) / np.float32(255)
    picture *= np.array([1, 2, 4, 7], np.float32)[:, None, None, None]
    answer = ServedModel(network, list(LABELS), normalize_method="equalize").signatures()["pixels"]
    probabilities = answer(tf.constant(picture))["probabilities"].numpy()
    np.testing.assert_allclose(probabilities, probabilities[:1].repeat(4, axis=0), atol=1e-6)


def test_answers_from_constants_and_keeps_the_variables(served):
    model, folder = served
    for key in ("serving_default", "pixels", "classify"):
        captured = model.signatures[key].captured_inputs
        assert [one for one in captured if one.dtype == tf.resource] == []
    saved = dict(tf.train.list_variables(f"{folder}/variables/variables"))
    assert [48 * 48, 7] in saved.values()


def test_refuses_a_wrong_number_of_class_names(network):
    with pytest.raises(ValueError, match=r"7 outputs for 2 class names: \['happy', 'sad'\]"):
        ServedModel(network, ["happy", "sad"])
