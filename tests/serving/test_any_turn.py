import numpy as np
import pytest

from emotion_faces.emotions import Emotions
from emotion_faces.faces import crop
from emotion_faces.faces.any_turn import AnyTurn, turned_back
from emotion_faces.faces.detector import FaceBox

LANDMARKS = ((24, 30), (36, 30), (30, 36), (26, 42), (34, 42))
UPRIGHT = FaceBox(20, 20, 20, 30, 0.9, LANDMARKS)


def picture():
    """120 wide and 100 high; the upright face's box holds a gradient, black at its top."""
    image = np.full((100, 120, 3), 255, np.uint8)
    image[20:50, 20:40] = np.arange(30, dtype=np.uint8)[:, None, None]
    return image


class Upright:
    """Finds the face of `picture()` where it stands upright, and counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        return [UPRIGHT] if np.array_equal(image, picture()) else []


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_picture_gives_the_same_face(turn):
    image = np.ascontiguousarray(np.rot90(picture(), -turn))
    detector = Upright()
    [box] = AnyTurn(detector)(image)
    assert detector.calls == 4
    left, top = round(box.left), round(box.top)
    inner = image[top : top + round(box.height), left : left + round(box.width)]
    np.testing.assert_array_equal(np.rot90(inner, turn), picture()[20:50, 20:40])
    np.testing.assert_array_equal(
        crop.crop_faces(image, [box]), crop.crop_faces(picture(), [UPRIGHT])
    )


def test_an_upright_picture_is_searched_once():
    detector = Upright()
    assert AnyTurn(detector)(picture()) == [UPRIGHT]
    assert detector.calls == 1


def test_of_a_picture_on_its_side_what_is_found_lying_is_looked_for_standing():
    """A detector that finds one of two lying faces, and both once they stand."""
    lying = turned_back(UPRIGHT, 1, 100, 120)
    asked = []

    def detector(image):
        asked.append(image.shape)
        return [lying] if image.shape == (120, 100, 3) else [UPRIGHT, FaceBox(60, 20, 20, 30, 0.8)]

    found = AnyTurn(detector)(np.zeros((120, 100, 3), np.uint8))
    assert len(found) == 2
    assert asked == [(120, 100, 3), (100, 120, 3)]
    assert found[0] == lying


def test_a_picture_without_faces_has_none():
    assert AnyTurn(lambda image: [])(picture()) == []


@pytest.mark.parametrize("turn", [1, 2])
def test_the_astronaut_is_as_happy_on_her_head(turn, astronaut):
    with Emotions() as emotions:
        [upright] = emotions.faces(astronaut)
        [found] = emotions.faces(np.ascontiguousarray(np.rot90(astronaut, -turn)))
    assert found.label == upright.label == "happy"
    assert found.probabilities["happy"] == pytest.approx(upright.probabilities["happy"], abs=0.1)
    assert abs(upright.quality.roll) < 15
    # Turned with the clock by as many quarters.
    assert abs((found.quality.roll - 90 * turn + 180) % 360 - 180) < 25
