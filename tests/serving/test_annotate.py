from __future__ import annotations

import csv
import dataclasses
import errno
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from emotion_faces.annotate import (
    annotate_image,
    camera,
    draw,
    faces,
    inputs,
    run,
    table,
    timeline,
)
from emotion_faces.annotate.faces import FaceEmotion, Shot
from emotion_faces.annotate.film import FilmReader
from emotion_faces.annotate.progress import Progress
from emotion_faces.annotate.table import FaceTable
from emotion_faces.annotate.track import Tracker
from emotion_faces.errors import UsageError, UserError
from emotion_faces.faces.detector import FaceBox
from emotion_faces.faces.quality import Quality
from emotion_faces.web import annotator
from emotion_faces.web.about import About
from tests.serving import films, models
from tests.serving.fakes import BrightnessClassifier
from tests.serving.films import write_film

LABELS = models.LABELS


def emotion(left, happy=1.0, size=40.0):
    probabilities = dict.fromkeys(LABELS, 0.0) | {"happy": happy, "sad": 1 - happy}
    label = "happy" if happy > 0.5 else "sad"
    return FaceEmotion(FaceBox(left, 10, size, size), label, probabilities, 1, 7)


@pytest.fixture(scope="module")
def face_film(tmp_path_factory, astronaut):
    """Two seconds of a face that moves to the right, at 10 frames a second, with sound."""
    path = tmp_path_factory.mktemp("film") / "face.mp4"
    images = [np.roll(astronaut, 3 * index, axis=1) for index in range(20)]
    films.write_film(path, images, sound_secs=2.0)
    return path


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    return models.write_emotion(tmp_path_factory.mktemp("model") / "5").parent


@pytest.fixture(autouse=True)
def _fake_model(request, monkeypatch):
    """Most tests need no real model: `connect` gives the fake, unless the test is marked so."""
    if "model_dir" not in request.fixturenames:
        import contextlib

        fake = contextlib.nullcontext(BrightnessClassifier())
        monkeypatch.setattr(run.local_server, "connect", lambda server, model_dir, tls_ca: fake)


def rows_of(path):
    with pathlib.Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def streams_of(path):
    facts = films.facts_of(path)
    return facts.get("video") == "h264", facts.get("audio") == "aac"


def test_annotate_image_finds_asks_and_marks(astronaut):
    before = astronaut.copy()
    result = annotate_image(astronaut, BrightnessClassifier())
    [face] = result.faces
    assert face.probabilities["happy"] == pytest.approx(1 - face.probabilities["sad"])
    assert face.model_version == 7
    np.testing.assert_array_equal(astronaut, before)
    assert (result.image != astronaut).any()


def test_faces_are_numbered_row_by_row():
    places = [(200, 12), (10, 10), (300, 8), (5, 160), (150, 150)]
    found = [FaceBox(left, top, 50, 50, 1.0) for left, top in places]
    image = np.full((300, 400, 3), 128, np.uint8)
    result = annotate_image(image, BrightnessClassifier(), lambda image: found)
    numbered = [(face.box.left, face.track) for face in result.faces]
    assert numbered == [(10, 1), (200, 2), (300, 3), (5, 4), (150, 5)]


def test_annotate_image_refuses_other_arrays():
    with pytest.raises(ValueError, match=r"found float64 \[4, 4, 3\]"):
        annotate_image(np.zeros((4, 4, 3)), BrightnessClassifier())


def test_tracker_keeps_numbers_through_movement_and_gaps():
    tracker = Tracker(smooth=False)
    assert [f.track for f in tracker.update([emotion(0), emotion(100)], 0.0)] == [1, 2]
    assert [f.track for f in tracker.update([emotion(115), emotion(15)], 0.1)] == [2, 1]
    assert tracker.update([], 0.5) == []
    assert [f.track for f in tracker.update([emotion(20)], 1.0)] == [1]
    assert [f.track for f in tracker.update([emotion(115)], 1.3)] == [3]  # 2 is gone for 1.2 s


@pytest.mark.parametrize("step", [1.5, 2.0, 3000.0])
def test_a_face_of_the_frame_before_is_the_same_however_far_apart_they_are(step):
    tracker = Tracker()
    tracks = [tracker.update([emotion(0)], number * step)[0].track for number in range(4)]
    assert tracks == [1, 1, 1, 1]
    assert tracker.update([], 4 * step) == []
    assert tracker.update([emotion(0)], 5 * step)[0].track == 2  # away for two steps


def test_a_time_that_goes_back_begins_new_tracks():
    """A film that is sought backwards: probabilities are those of the frame, and still add up."""
    tracker = Tracker()
    tracker.update([emotion(0, happy=1.0)], 1000.0)
    [face] = tracker.update([emotion(0, happy=0.25)], 10.0)
    assert face.track == 2
    assert face.probabilities["happy"] == 0.25
    [face] = tracker.update([emotion(0, happy=0.25)], 10.1)
    assert (face.track, sum(face.probabilities.values())) == (2, pytest.approx(1.0))


def test_tracker_smooths_by_time_and_not_by_frame():
    slow, fast = Tracker(), Tracker()
    for tracker, steps in ((slow, 1), (fast, 10)):
        tracker.update([emotion(0, happy=1.0)], 0.0)
        for step in range(steps):
            [face] = tracker.update([emotion(0, happy=0.0)], (step + 1) * 0.5 / steps)
        assert face.probabilities["happy"] == pytest.approx(np.exp(-1), abs=1e-6)
        assert face.label == "sad"


@pytest.mark.slow
def test_pictures_and_films_together(tmp_path, astronaut, face_film):
    picture = tmp_path / "astronaut.png"
    cv2.imwrite(str(picture), astronaut[:, :, ::-1])
    out = tmp_path / "out"
    summary = run.annotate([picture, face_film], out, settings=run.Settings(every=2))
    assert (summary.pictures, summary.films, summary.frames) == (1, 1, 20)
    assert (summary.exit_status, summary.failures) == (0, [])
    assert sorted(p.name for p in out.iterdir()) == [
        "astronaut.png",
        "face.emotions.png",
        "face.mp4",
        "faces.csv",
    ]
    rows = rows_of(out / "faces.csv")
    assert list(rows[0]) == [
        *("file", "frame", "seconds", "left", "top", "width", "height", "track"),
        *("size_px", "sharpness", "roll", "yaw"),
        *LABELS,
        "label",
    ]
    film = [row for row in rows if row["file"] == str(face_film)]
    assert [int(row["frame"]) for row in film] == list(range(0, 20, 2))
    assert [float(row["seconds"]) for row in film] == pytest.approx(np.arange(0, 2, 0.2))
    assert {row["track"] for row in film} == {"1"}
    [still] = [row for row in rows if row["file"] == str(picture)]
    assert still["size_px"] == min(still["width"], still["height"], key=int)
    assert abs(int(still["roll"])) <= 8
    assert abs(float(still["yaw"])) < 0.5
    assert float(still["sharpness"]) > 100
    lefts = [int(row["left"]) for row in film]
    assert lefts[-1] - lefts[0] == pytest.approx(54, abs=6)
    assert streams_of(out / "face.mp4") == (True, True)
    with FilmReader(out / "face.mp4") as marked:
        assert sum(1 for _ in marked.frames()) == 20


def test_a_real_model_from_its_folder(tmp_path, astronaut, model_dir):
    picture = tmp_path / "a.jpg"
    cv2.imwrite(str(picture), astronaut[:, :, ::-1])
    run.annotate([picture], tmp_path / "out", tmp_path / "t.parquet", model_dir=model_dir)
    [row] = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert sum(row[label] for label in LABELS) == pytest.approx(1, abs=1e-5)
    assert row["label"] == max(LABELS, key=row.__getitem__)
    assert -8 <= row["roll"] <= 8


def test_bad_files_are_named_and_the_others_done(tmp_path, astronaut, face_film, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    cv2.imwrite(str(folder / "good.jpg"), astronaut[:, :, ::-1])
    (folder / "words.jpg").write_text("words")
    (folder / "empty.png").touch()
    (folder / "words.mp4").write_text("words")
    (folder / "empty.mkv").touch()
    (folder / "notes.txt").write_text("not for annotating")
    data = face_film.read_bytes()
    (folder / "cut.avi").write_bytes(data[: len(data) // 2])  # an MP4 without its index
    summary = run.annotate([folder], tmp_path / "out")
    assert summary.pictures == 1
    assert summary.ignored == 1
    assert summary.exit_status == 1
    reasons = {pathlib.Path(name).name: reason for name, reason in summary.failures}
    assert set(reasons) == {"words.jpg", "empty.png", "words.mp4", "empty.mkv", "cut.avi"}
    assert "is empty (0 bytes)" in reasons["empty.png"]
    assert "is not a film that can be read" in reasons["words.mp4"]
    assert "words.jpg is not a picture" in capsys.readouterr().err


@pytest.mark.slow
def test_a_film_that_ends_early_is_annotated_so_far_and_told(tmp_path, astronaut):
    whole = tmp_path / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter_fourcc(*"MJPG"), 10, (512, 512))
    for _ in range(20):
        writer.write(astronaut[:, :, ::-1])
    writer.release()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    summary = run.annotate([cut], tmp_path / "out")
    assert 0 < summary.frames < 20
    assert "of the 2.0 s that it states" in summary.failures[0][1]
    assert streams_of(tmp_path / "out" / "cut.avi.mp4")[0]


@pytest.mark.parametrize("sound_secs", [0, 0.5, 60])
def test_all_frames_are_kept_whatever_the_sounds_length(tmp_path, sound_secs):
    film = tmp_path / "film.mp4"
    films.write_film(film, [np.full((64, 64, 3), 90, np.uint8)] * 20, sound_secs=sound_secs)
    run.annotate([film], tmp_path / "out")
    assert streams_of(tmp_path / "out" / "film.mp4") == (True, bool(sound_secs))
    with FilmReader(tmp_path / "out" / "film.mp4") as marked:
        assert sum(1 for _ in marked.frames()) == 20


def test_a_film_without_faces_gives_a_film_and_no_plot(tmp_path, capsys):
    film = tmp_path / "wall.mp4"
    films.write_film(film, [np.full((120, 161, 3), 90, np.uint8)] * 5)  # an odd width, too
    summary = run.annotate([film], tmp_path / "out")
    assert (summary.faces, summary.frames, summary.exit_status) == (0, 5, 0)
    assert "no face was found" in capsys.readouterr().err
    assert rows_of(tmp_path / "out" / "faces.csv") == []
    assert not (tmp_path / "out" / "wall.emotions.png").exists()


@pytest.mark.slow
def test_an_interrupt_leaves_a_film_that_plays_and_a_whole_table(tmp_path, astronaut):
    film = tmp_path / "long.mp4"
    films.write_film(film, [astronaut] * 400)
    program = (
        "import pathlib, contextlib\n"
        "from emotion_faces.annotate import run\n"
        "from tests.serving.fakes import BrightnessClassifier\n"
        "fake = contextlib.nullcontext(BrightnessClassifier())\n"
        "run.local_server.connect = lambda server, model_dir, tls_ca: fake\n"
        f"s = run.annotate([pathlib.Path({str(film)!r})], pathlib.Path({str(tmp_path / 'o')!r}))\n"
        "raise SystemExit(s.exit_status)\n"
    )
    root = pathlib.Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", program], cwd=root)
    table = tmp_path / "o" / "faces.csv"
    while process.poll() is None and not (table.exists() and len(table.read_text()) > 200):
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    rows = rows_of(table)
    with FilmReader(tmp_path / "o" / "long.mp4") as marked:
        frames = sum(1 for _ in marked.frames())
    assert 0 < frames < 400
    assert frames == int(rows[-1]["frame"]) + 1
    assert None not in rows[-1].values()


def test_nothing_that_exists_is_written_over(tmp_path, astronaut):
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), astronaut)
    before = picture.read_bytes()
    with pytest.raises(UserError, match=r"a\.png exists already"):
        run.annotate([picture], tmp_path)
    assert picture.read_bytes() == before
    other = tmp_path / "b" / "a.png"
    other.parent.mkdir()
    other.write_bytes(before)
    with pytest.raises(UserError, match="would both be written to"):
        run.annotate([picture, other], tmp_path / "out")


@pytest.mark.slow
def test_a_picture_named_twice_and_names_that_look_alike_have_each_their_copy(tmp_path, astronaut):
    folder = tmp_path / "in"
    folder.mkdir()
    names = [b"a\xff.png", b"a\\xff.png"]  # the first is told as the second is called
    for name in names:
        png = cv2.imencode(".png", astronaut)[1].tobytes()
        pathlib.Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(png)
    [plain] = folder.glob("a[\\]xff.png")
    done = run.annotate([folder, plain], tmp_path / "out")
    assert (done.failures, done.pictures) == ([], 3)
    copies = sorted(os.listdir(os.fsencode(tmp_path / "out" / "in")))
    assert copies == sorted(names)
    assert (tmp_path / "out" / plain.name).exists()


def test_a_folder_of_10000_pictures_is_listed_without_its_own_output(tmp_path):
    folder = tmp_path / "many"
    (folder / "out").mkdir(parents=True)
    for index in range(10_000):
        (folder / f"{index:05}.jpg").touch()
    (folder / "out" / "marked.jpg").touch()
    files, ignored = inputs.collect([folder], folder / "out")
    assert (len(files), ignored) == (10_000, 0)
    assert files[0].target == folder / "out" / "many" / "00000.jpg"


def test_no_input_vanishes_for_lying_where_copies_go(tmp_path, capsys):
    for name in ("photos/a.png", "photos/out/b.png", "more/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    photos, more = tmp_path / "photos", tmp_path / "more"
    for out in (more, more / "..", tmp_path):
        with pytest.raises(
            UsageError, match=r"(more|photos) lies in --out .*: choose another --out"
        ):
            inputs.collect([photos, more], out)
    assert len(inputs.collect([photos], photos / "out")[0]) == 1
    told = f"--out {photos / 'out'}: 1 file is left out: what lies there is taken for an earlier"
    assert told in capsys.readouterr().err
    inputs.collect([photos], tmp_path / "elsewhere")
    assert capsys.readouterr().err == ""


def test_nothing_to_annotate_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no picture or film"):
        inputs.collect([tmp_path], tmp_path / "out")
    with pytest.raises(UserError, match="there is no file or folder"):
        inputs.collect([tmp_path / "missing.jpg"], tmp_path / "out")


def test_a_film_of_a_frame_in_hours_is_marked(tmp_path, astronaut):
    film = tmp_path / "slow.mp4"
    write_film(film, [astronaut] * 2, fps=1, times=[0.0, 10800.0])
    summary = run.annotate([film], tmp_path / "out")
    assert (summary.failures, summary.frames) == ([], 2)
    with FilmReader(film) as read, FilmReader(tmp_path / "out" / "slow.mp4") as marked:
        assert marked.fps < 1 / 2002
        assert [one.seconds for one in marked.frames()] == [one.seconds for one in read.frames()]


def test_films_that_h264_does_not_hold_are_named_and_the_others_done(tmp_path, face_film):
    wide = tmp_path / "wide.mkv"
    write_film(wide, [np.zeros((32, 16386, 3), np.uint8)], codec="mjpeg")
    summary = run.annotate([wide, face_film], tmp_path / "out")
    assert summary.films == 1
    [(name, reason)] = summary.failures
    assert name == str(wide)
    assert "its frames are of 16386 x 32 pixels, and H.264 has 16,384 a side at most" in reason
    assert not (tmp_path / "out" / "wide.mp4").exists()


def test_a_plot_that_cannot_be_written_ends_nothing(tmp_path, face_film, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(timeline.Timeline, "save", full)
    other = tmp_path / "other.mp4"
    shutil.copy(face_film, other)
    summary = run.annotate([face_film, other], tmp_path / "out")
    assert summary.films == 2
    [reason, _] = [reason for _, reason in summary.failures]
    assert "emotions.png can't be written: No space left on device; the copy is whole" in reason


def test_timeline_means_by_second():
    line = timeline.Timeline(LABELS)
    line.add([emotion(0, happy=1.0), emotion(50, happy=0.5)], 0.5)
    line.add([], 1.5)
    line.add([emotion(0, happy=0.0)], 2.0)
    starts, means = line.means()
    happy = LABELS.index("happy")
    assert starts.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(means[:, happy], [0.75, np.nan, 0.0])


def test_a_timeline_leaves_out_years():
    line = timeline.Timeline(LABELS)
    line.add([emotion(0, happy=1.0)], 0.5)
    line.add([emotion(0, happy=0.0)], 1e9)
    starts, means = line.means()
    assert len(starts) <= 300
    assert means[[0, -1], LABELS.index("happy")].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("name", ["x.jsonl", "x.xlsx", "x.csv.gz"])
def test_a_table_under_another_kinds_name_is_refused_before_any_work(tmp_path, astronaut, name):
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), astronaut)
    with pytest.raises(UserError, match=r"end its name with \.csv"):
        run.annotate([picture], tmp_path / "out", tmp_path / name)
    with pytest.raises(UserError, match=r"end its name with \.csv"):
        camera.annotate_camera(0, tmp_path / name, show=lambda image: True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_table_on_a_full_disk_is_named(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    shot = Shot(np.zeros((4, 4, 3), np.uint8), "a" * 10_000)
    shot.faces = [emotion(0)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # Python passes over SIGXFSZ
    try:
        with (
            pytest.raises(UserError, match=rf"^the table {path} can't be written: File too large"),
            FaceTable(path, LABELS) as table,
        ):
            table.write(shot)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_copy_that_the_disk_has_no_room_for_is_not_left_in_part(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            run.write_picture(tmp_path / "a.png", Shot(noise))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "a.png").exists()


def test_parquet_and_csv_hold_the_same(tmp_path):
    face = dataclasses.replace(emotion(3.4), quality=Quality(40.4, 512.6, -14.6, 0.126))
    shot = Shot(np.zeros((1, 1, 3), np.uint8), "a.jpg", 4, 0.1234, faces=[face])
    for name in ("t.csv", "t.parquet"):
        with FaceTable(tmp_path / name, LABELS) as table:
            table.write(shot)
    [text] = rows_of(tmp_path / "t.csv")
    [typed] = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert {name: str(value) for name, value in typed.items()} == text
    assert (typed["seconds"], typed["left"], typed["label"]) == (0.123, 3, "happy")
    quality = ("size_px", "sharpness", "roll", "yaw")
    assert [typed[name] for name in quality] == [40, 513, -15, 0.13]


def test_camera_frames_are_marked_until_the_window_closes(tmp_path, face_film, monkeypatch):
    """The film stands in for a camera, and a list for the window."""
    film = cv2.VideoCapture(str(face_film))
    monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: film)
    shown = []

    def show(image):
        shown.append(image)
        return len(shown) < 4

    assert camera.annotate_camera(0, tmp_path / "t.csv", show=show) == 4
    assert [row["frame"] for row in rows_of(tmp_path / "t.csv")] == ["0", "1", "2", "3"]


def test_a_camera_without_a_screen_says_what_to_do(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match="no screen to open a window on"):
        camera.annotate_camera(0)


def test_faces_that_are_not_likely_are_unsure_in_table_and_copy():
    sure = FaceEmotion(FaceBox(10, 10, 60, 60), "happy", {"happy": 0.7, "sad": 0.3}, 1, 7)
    [unsure] = faces.mark_unsure([sure], 0.8)
    assert (unsure.label, unsure.top) == ("unsure", "happy")
    assert faces.mark_unsure([sure], 0.7) == [sure]
    assert table.face_rows(Shot(np.zeros((1, 1, 3), np.uint8), faces=[unsure]))[0][-3:] == [
        0.7, 0.3, "unsure",
    ]  # fmt: skip
    marked = np.zeros((2, 100, 400, 3), np.uint8)
    for image, face in zip(marked, (sure, unsure), strict=True):
        draw.draw_faces(image, [face])
    assert (marked[0] != marked[1]).any()
    with pytest.raises(UserError, match=r"--unsure-below is -1; it must be a probability, 0 to 1"):
        run.Settings(unsure_below=-1)


def test_the_page_is_told_from_where_on_faces_are_sure():
    page = annotator.Annotator(BrightnessClassifier(), lambda image: [], About(), 0.6)
    assert page.model()["unsure_below"] == 0.6


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(UserError, match="camera 99 can't be opened"):
        camera.annotate_camera(99, show=lambda image: True)


def test_progress_tells_the_time_left(monkeypatch):
    progress = Progress("film.mp4", 100, "frames")
    progress._done, progress._start = 25, progress._start - 50
    assert progress.line().startswith("film.mp4: 25 of 100 frames (25%), 0.5/s, 2:30 left")


@pytest.mark.parametrize("settings", [{"every": 0}, {"min_face_px": 0}])
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(UserError, match="it must be 1 or more"):
        run.Settings(**settings)
