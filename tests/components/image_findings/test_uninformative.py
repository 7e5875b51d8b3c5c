import cv2
import numpy as np
import pandas as pd
import pytest

from emotion_pipeline.components.image_findings.uninformative import find_uninformative
from emotion_pipeline.components.image_ingest.measure import measure_pixels
from emotion_pipeline.components.sources.sample_data import draw_sample

FACES = 40


def table(pictures):
    rows = [
        {"path": f"{index}.png", **measure_pixels(pixels)._asdict()}
        for index, pixels in enumerate(pictures)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    draw_sample(folder / "data", images=200, seed=3)
    files = sorted((folder / "data").rglob("*.jpg"))[:FACES]
    assert len(files) == FACES
    return [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]


def gamma(exponent):
    return lambda face: np.round(255 * (face / 255) ** exponent).astype(np.uint8)


def flatter(share, gray):
    return lambda face: np.clip(gray + share * (face - 128.0), 0, 255).round().astype(np.uint8)


CHANGES = {
    **{f"light {share}": lambda face, k=share: cv2.convertScaleAbs(face, alpha=k)
       for share in (1, 0.5, 0.25, 0.1, 0.05)},
    **{f"gamma {exponent}": gamma(exponent) for exponent in (0.1, 0.25, 0.5, 2, 4)},
    **{f"contrast {share} at {gray}":
       flatter(share, gray)
       for share in (0.4, 0.1, 0.05) for gray in (20, 120, 230)},
    "two tones": lambda face: cv2.threshold(face, 0, 255, cv2.THRESH_OTSU)[1],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_face_is_none_of_them_in_whatever_light(faces, change):
    assert find_uninformative(table(map(CHANGES[change], faces))) == {}


def test_the_changes_reach_from_nearly_black_to_nearly_white(faces):
    means = [change(face).mean() / 255 for change in CHANGES.values() for face in faces]
    assert min(means) < 0.03
    assert max(means) > 0.93


def test_a_spread_of_one_of_255_grays_is_detail():
    spreads = pd.DataFrame({"path": ["a", "b", "c"], "contrast": [1 / 255, 0.00392, 0.0]})
    assert find_uninformative(spreads) == {"constant": ["b", "c"]}


@pytest.mark.parametrize("gray", [0, 1, 60, 128, 200, 254])
def test_one_gray_is_found_whatever_it_is_and_however_it_is_coded(gray):
    flat = np.full((48, 48), gray, np.uint8)
    flicker = flat + np.random.default_rng(gray).integers(0, 2, (48, 48), dtype=np.uint8)
    coded = [
        cv2.imdecode(cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_QUALITY, q])[1], 0)
        for q in (30, 95)
    ]
    assert find_uninformative(table([flat, flicker, *coded])) == {
        "constant": ["0.png", "1.png", "2.png", "3.png"]
    }
