from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from emotion_faces.annotate import run
from emotion_faces.cli import main
from emotion_faces.errors import UserError
from emotion_faces.faces.detector import FaceBox
from emotion_faces.faces.region import InRegion, Region


def test_faces_are_placed_in_the_whole_picture():
    seen = []

    def detector(image):
        seen.append(image)
        return [FaceBox(1, 2, 3, 4, 0.9, ((5, 6), (7, 8)))]

    image = np.arange(60 * 80 * 3, dtype=np.uint16).astype(np.uint8).reshape(60, 80, 3)
    found = InRegion(detector, Region(10, 20, 30, 15))(image)
    assert found == [FaceBox(11, 22, 3, 4, 0.9, ((15, 26), (17, 28)))]
    np.testing.assert_array_equal(seen[0], image[20:35, 10:40])
    InRegion(detector, Region(70, 50, 30, 30))(image)
    assert seen[1].shape == (10, 10, 3)
    assert InRegion(detector, Region(80, 0, 5, 5))(image) == []


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "-1,0,5,5", "0,0,0,5", "1.5,0,5,5"]
)
def test_a_region_is_four_whole_numbers(text):
    with pytest.raises(UserError, match=f"--region is '{text}'; it must be X,Y,W,H in pixels"):
        Region.parse(text)


def test_only_the_region_is_looked_at(tmp_path, capsys, astronaut):
    image = astronaut
    Image.fromarray(np.concatenate([image, image], axis=1)).save(tmp_path / "two.png")
    Image.fromarray(image[:40, :40]).save(tmp_path / "small.png")
    status = main(
        [
            *("annotate", str(tmp_path / "two.png"), str(tmp_path / "small.png")),
            *("--region", "512,0,512,512", "--out", str(tmp_path / "out")),
        ]
    )
    assert status == 1
    with (tmp_path / "out" / "faces.csv").open() as file:
        [row] = csv.DictReader(file)
    assert int(row["left"]) > 512 + 150
    told = capsys.readouterr().err
    assert "small.png has 40 x 40 pixels: --region 512,0,512,512 begins beyond them" in told


def test_a_region_that_is_none_ends_the_command_before_any_work(tmp_path, capsys):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    out = tmp_path / "out"
    assert main(["annotate", str(tmp_path / "a.png"), "--region=1,2", "--out", str(out)]) == 2
    assert "--region is '1,2'" in capsys.readouterr().err
    assert not out.exists()
    assert run.DEFAULT_SETTINGS.region is None
