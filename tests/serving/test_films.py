"""Films as cameras, phones and broadcasts make them."""

import contextlib
import csv
import itertools
import os
import re
import types
from fractions import Fraction

import av
import numpy as np
import pytest

from emotion_faces.annotate import run
from emotion_faces.annotate.film import FilmReader
from emotion_faces.annotate.film_clock import FilmClock
from emotion_faces.errors import UserError
from tests.serving import films
from tests.serving.fakes import BrightnessClassifier


def scenes(count, height=48, width=64):
    """Frames whose quarters are told apart: dark, red / green, white, with a clock's bar on top."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, width // 2 :] = (220, 0, 0)
    image[height // 2 :, : width // 2] = (0, 200, 0)
    image[height // 2 :, width // 2 :] = 255
    return [image] * count


def corners(image):
    """The names of the colours in an image's quarters: upper left and right, lower left and right."""
    height, width = image.shape[:2]
    names = {(0, 0, 0): "dark", (1, 0, 0): "red", (0, 1, 0): "green", (1, 1, 1): "white"}
    return [
        names[tuple((image[y, x] > 120).astype(int))]
        for y in (height // 4, height * 3 // 4)
        for x in (width // 4, width * 3 // 4)
    ]


def shades(levels, size=48):
    return [np.full((size, size, 3), level, np.uint8) for level in levels]


@pytest.fixture(autouse=True)
def _fake_model(monkeypatch):
    fake = contextlib.nullcontext(BrightnessClassifier())
    monkeypatch.setattr(run.local_server, "connect", lambda server, model_dir, tls_ca: fake)


def annotate(path, out):
    """Annotates one film; returns the summary and the marked copy."""
    summary = run.annotate([path], out)
    suffix = "" if path.suffix == ".mp4" else ".mp4"
    return summary, out / f"{path.name}{suffix}"


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((1, 0, 0, 1), "dark red green white"),
        ((-1, 0, 0, 1), "red dark white green"),
        ((1, 0, 0, -1), "green white dark red"),
        ((-1, 0, 0, -1), "white green red dark"),
        ((0, 1, -1, 0), "green dark white red"),  # a quarter clockwise, as phones held upright
        ((0, -1, 1, 0), "red white dark green"),
        ((0, 1, 1, 0), "dark green red white"),
        ((0, -1, -1, 0), "white red green dark"),
    ],
)
def test_a_film_stands_upright_as_its_metadata_tells(tmp_path, matrix, upright):
    film = tmp_path / "phone.mp4"
    films.write_film(film, scenes(4))
    films.turn_film(film, matrix)
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.exit_status == 0
    [image, *_], _ = films.frames_of(marked)
    assert image.shape == ((64, 48, 3) if matrix[0] == 0 else (48, 64, 3))
    assert corners(image) == upright.split()


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [(Fraction(2), (48, 128, 3)), (Fraction(1, 2), (96, 64, 3)), (Fraction(16, 11), (48, 94, 3))],
)
def test_pixels_that_are_not_square_are_made_so(tmp_path, aspect, shape):
    film = tmp_path / "dv.mkv"
    films.write_film(film, scenes(3), aspect=aspect)
    [image, *_], _ = films.frames_of(annotate(film, tmp_path / "out")[1])
    assert image.shape == shape
    assert corners(image) == ["dark", "red", "green", "white"]


@pytest.mark.parametrize(
    ("name", "codec", "sound_codec"),
    [
        ("a.mkv", "libx264", "aac"),
        ("a.ts", "libx264", "aac"),
        ("a.flv", "libx264", "aac"),
        ("a.avi", "mpeg4", "libmp3lame"),
        ("a.mov", "mjpeg", "pcm_s16le"),
        ("a.webm", "libvpx-vp9", "libopus"),
        ("a.mkv", "libsvtav1", "libopus"),
        ("a.mpg", "mpeg2video", "mp2"),
    ],
)
def test_an_intact_film_is_copied_whole_and_nothing_is_said_of_damage(
    tmp_path, name, codec, sound_codec
):
    film = tmp_path / name
    levels = np.linspace(30, 220, 50).astype(int)
    films.write_film(film, shades(levels, 64), 25, 2.0, codec=codec, sound_codec=sound_codec)
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    images, times = films.frames_of(marked)
    assert len(images) == 50
    np.testing.assert_allclose([image.mean() for image in images], levels, atol=6)
    np.testing.assert_allclose(np.diff(times), np.diff(films.frames_of(film)[1]), atol=0.0015)
    assert times[-1] - times[0] == pytest.approx(49 * 0.04, abs=0.05)
    facts = films.facts_of(marked)
    assert (facts["video"], facts["audio"]) == ("h264", "aac")
    assert facts["audio_end"] == pytest.approx(2.0, abs=0.15)


def test_a_varying_frame_rate_keeps_its_times(tmp_path):
    film = tmp_path / "phone.webm"
    times = [0, 0.02, 0.04, 0.5, 0.9, 0.95, 2.0, 2.02, 4.0]
    films.write_film(
        film, shades(range(20, 200, 20)), 50, times=times, codec="libvpx-vp9", keyframe_every=1
    )
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    _, found = films.frames_of(marked)
    np.testing.assert_allclose(found, times, atol=0.002)
    assert films.facts_of(marked)["video_end"] == pytest.approx(4.02, abs=0.03)


@pytest.mark.parametrize("name", ["late.mkv", "late.mp4", "late.ts"])
def test_pictures_that_begin_after_the_sound_stay_in_step_with_it(tmp_path, name):
    film = tmp_path / name
    times = [1.0 + index / 10 for index in range(10)]
    films.write_film(film, shades([90] * 10), 10, 2.0, times=times)
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    _, found = films.frames_of(marked)
    np.testing.assert_allclose(
        found, times, atol=0.15
    )  # the encoder's priming is part of the sound
    np.testing.assert_allclose(np.diff(found), 0.1, atol=0.002)
    assert (films.loudness_of(marked)[2:18] > 0.1).all()


def test_sound_that_begins_late_and_has_gaps_is_laid_where_it_belongs(tmp_path):
    film = tmp_path / "gaps.mkv"
    films.write_film(
        film, shades([90] * 40), 10, 3.0, sound_start=0.5, sound_gap=(1.0, 2.0), sound_codec="libopus",
    )  # fmt: skip
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    assert len(films.frames_of(marked)[0]) == 40
    loud = films.loudness_of(marked) > 0.1
    assert not loud[:4].any()
    assert loud[7:14].all()
    assert not loud[17:23].any()
    assert loud[27:33].all()


@pytest.mark.parametrize(("sound_secs", "sound_end"), [(0.5, 0.5), (5.0, 5.0)])
def test_shorter_and_longer_sound_is_taken_over_whole(tmp_path, sound_secs, sound_end):
    film = tmp_path / "film.mp4"
    films.write_film(film, shades([90] * 20), 10, sound_secs)
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    facts = films.facts_of(marked)
    assert facts["video_end"] == pytest.approx(2.0, abs=0.01)
    assert facts["audio_end"] == pytest.approx(sound_end, abs=0.3)


@pytest.mark.parametrize(
    ("layout", "codec", "channels"),
    [("5.1", "flac", 6), ("7.1", "flac", 8), ("hexadecagonal", "pcm_s16le", 2)],
)
def test_more_channels_than_aac_takes_are_mixed_down(tmp_path, layout, codec, channels):
    film = tmp_path / "cinema.mkv"
    films.write_film(film, shades([90] * 10), 10, 1.0, sound_codec=codec, layout=layout)
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    with av.open(str(marked)) as container:
        assert container.streams.audio[0].layout.nb_channels == channels
    assert (films.loudness_of(marked)[2:8] > 0.05).all()


@pytest.mark.parametrize(
    ("begin", "end"), [(0.0, 0.1), (0.45, 0.55), (0.9, 0.99)], ids=["start", "middle", "end"]
)
@pytest.mark.parametrize("name", ["film.mp4", "film.ts"])
def test_damage_is_told_and_what_can_be_read_is_done(tmp_path, name, begin, end):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(50)]
    film = tmp_path / name
    films.write_film(film, images, 25)
    films.damage(film, begin, end)
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.exit_status == 1
    assert re.search("can't be (decoded whole|read)", summary.failures[0][1])
    assert 35 <= summary.frames < 50
    assert len(films.frames_of(marked)[0]) == summary.frames
    _, times = films.frames_of(marked)
    assert times[-1] > 1.5  # what was lost left a gap, and did not move what comes after it


@pytest.mark.parametrize("name", ["cut.mkv", "cut.flv", "cut.avi"])
def test_a_film_that_is_cut_off_is_told(tmp_path, name):
    film = tmp_path / name
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(50)]
    films.write_film(film, images, 25, codec="mpeg4" if name == "cut.avi" else "libx264")
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    summary, marked = annotate(film, tmp_path / "out")
    assert 0 < summary.frames < 45
    assert re.search(r"of the 2\.[01] s that it states", summary.failures[0][1])
    assert len(films.frames_of(marked)[0]) == summary.frames


def test_recordings_that_were_joined_go_on_where_the_first_one_ends(tmp_path):
    film = tmp_path / "joined.ts"
    films.write_film(film, shades([90] * 25), 25, 1.0)
    film.write_bytes(film.read_bytes() * 2)
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    _, times = films.frames_of(marked)
    assert len(times) == 50
    assert times[-1] == pytest.approx(1.96, abs=0.15)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n", "not a film that can be read"),
        (b"ffconcat version 1.0\nfile 'film.mp4'\n", "not a film that can be read"),
    ],
)
def test_a_list_of_other_films_opens_none_of_them(tmp_path, content, words):
    films.write_film(tmp_path / "film.mp4", shades([90] * 5))
    (tmp_path / "list.mp4").write_bytes(content)
    summary, marked = annotate(tmp_path / "list.mp4", tmp_path / "out")
    assert words in summary.failures[0][1]
    assert not marked.exists()


def test_sound_without_pictures_is_no_film(tmp_path):
    film = tmp_path / "song.mp4"
    with av.open(str(film), "w") as container:
        track = container.add_stream("aac", 8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "flt", "mono")
        frame.sample_rate = 8000
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    summary, marked = annotate(film, tmp_path / "out")
    assert "has no pictures: it is not a film" in summary.failures[0][1]
    assert not marked.exists()


def test_a_name_that_is_not_utf_8_is_done_and_spelled_out(tmp_path):
    name = os.fsdecode(b"caf\xe9 $a$b^{.mp4")
    film = tmp_path / name
    try:
        films.write_film(tmp_path / "film.mp4", shades([90] * 5))
        (tmp_path / "film.mp4").rename(film)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    summary, marked = annotate(film, tmp_path / "out")
    assert (summary.failures, summary.films) == ([], 1)
    assert len(films.frames_of(marked)[0]) == 5
    missing = tmp_path / os.fsdecode(b"\xff.mp4")
    missing.touch()
    summary = run.annotate([missing], tmp_path / "more")
    assert summary.failures[0][0].endswith("/\\xff.mp4")


def clock_of(duration):
    return FilmClock(types.SimpleNamespace(start_time=0, duration=duration))


@pytest.mark.parametrize("stamps", [[0, 0.1, 0.2, 9e9, 9e9 + 0.1], [5, 5.1, 0.0, 0.1, 0.2]])
def test_broken_time_stamps_do_not_make_hours(stamps):
    clock = clock_of(400_000)
    found = [clock.seconds(0, stamp, 0.1) for stamp in stamps]
    assert all(later > earlier for earlier, later in itertools.pairwise(found))
    assert found[-1] < 6
    assert clock.seconds(0, None, 0.1) == pytest.approx(found[-1] + 0.1)


@pytest.mark.parametrize(
    ("name", "frames", "shape", "end"),
    [
        ("av1.mkv", 50, (320, 320), 2.0),
        ("frag.mp4", 50, (320, 320), 2.08),
        ("gapopus.mkv", 250, (320, 320), 10.0),
        ("phone_t2_r90.mp4", 50, (320, 240), 2.0),
        ("plain.ts", 50, (320, 320), 2.02),
        ("sar2.mp4", 50, (320, 320), 2.0),
        ("vfr_60_5.webm", 34, (320, 320), 4.36),
        ("video_late.mkv", 50, (320, 320), 3.02),
        ("xvid.avi", 50, (320, 320), 2.04),
        ("corrupt_mid.mp4", 47, (320, 320), 2.0),
    ],
)
def test_films_that_failed_once(tmp_path, cases_dir, name, frames, shape, end):
    summary = run.annotate([cases_dir / "films" / name], tmp_path, settings=run.Settings(every=10))
    assert bool(summary.failures) == (name == "corrupt_mid.mp4")
    assert summary.frames == frames
    [marked] = tmp_path.glob("*.mp4")
    images, _ = films.frames_of(marked)
    assert images[0].shape[:2] == shape
    assert films.facts_of(marked)["video_end"] == pytest.approx(end, abs=0.05)
    with (tmp_path / "faces.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    assert seconds == sorted(seconds)


def test_a_film_is_refused_before_frames_that_are_too_large(tmp_path, monkeypatch):
    from emotion_faces.annotate import film as reader

    film = tmp_path / "film.mp4"
    films.write_film(film, scenes(2))
    monkeypatch.setattr(reader, "MAX_PIXELS", 1000)
    with pytest.raises(UserError, match="64 x 48 pixels: too large"):
        FilmReader(film)


@pytest.mark.parametrize("name", ["film.avi", "film.mxf"])
def test_frames_out_of_the_order_of_decoding_have_their_times(tmp_path, name):
    film = tmp_path / name
    levels = np.linspace(30, 220, 50).astype(int)
    films.write_film(
        film, shades(levels, 64), 25
    )  # with B-frames, whose times libav does not know here
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    images, times = films.frames_of(marked)
    np.testing.assert_allclose([image.mean() for image in images], levels, atol=6)
    np.testing.assert_allclose(np.diff(times), 0.04, atol=0.001)


@pytest.mark.parametrize(
    "stamps",
    [
        [1.44, 1.48, 0.24, 1.56, 0.32, 1.6, 1.64, 1.68],
        [3.12, 3.16, 1.92, 1.96, 3.24, 3.28, 3.32],
    ],
)
def test_a_few_frames_out_of_order_move_none_of_those_after_them(stamps):
    clock = clock_of(4_000_000)
    found = [clock.seconds(0, stamp, 0.04) for stamp in stamps]
    # Closer ones would have the same time in the copy, which refuses that.
    assert min(later - earlier for earlier, later in itertools.pairwise(found)) > 1 / 90_000
    assert found[-1] == pytest.approx(stamps[-1], abs=0.001)


def test_a_track_that_is_added_on_the_way_ends_nothing(tmp_path):
    film = tmp_path / "film.flv"
    films.write_film(film, shades([90] * 200), 10)
    sound = b"\x2e" + bytes(100)  # MP3, after a header that tells of pictures alone
    tag = b"\x08" + len(sound).to_bytes(3, "big") + (20_000).to_bytes(3, "big") + bytes(4) + sound
    film.write_bytes(film.read_bytes() + tag + len(tag).to_bytes(4, "big"))
    with av.open(str(film)) as container:
        assert len(container.streams) == 1
        with pytest.raises(IndexError):
            list(container.demux())
    summary, marked = annotate(film, tmp_path / "out")
    assert (summary.failures, summary.frames) == ([], 200)
    assert len(films.frames_of(marked)[0]) == 200


def test_a_film_that_begins_late_is_whole(tmp_path):
    film = tmp_path / "cut.mkv"
    films.write_film(film, shades([90] * 20), 10, times=[5 + index / 10 for index in range(20)])
    summary, marked = annotate(film, tmp_path / "out")
    assert summary.failures == []
    assert films.frames_of(marked)[1][-1] == pytest.approx(1.9, abs=0.01)


def test_an_avi_whose_recording_broke_off_states_no_length(tmp_path):
    film = tmp_path / "camera.avi"
    films.write_film(film, shades([90] * 20), 10, codec="mpeg4")
    data = bytearray(film.read_bytes())
    header = data.index(b"strh") + 8
    data[header + 32 : header + 36] = (1 << 30).to_bytes(4, "little")
    film.write_bytes(data)
    assert annotate(film, tmp_path / "out")[0].failures == []


def test_frames_that_a_decoder_passes_over_in_silence_are_told(tmp_path, monkeypatch):
    film = tmp_path / "film.mkv"
    films.write_film(film, shades([90] * 50), 25, keyframe_every=50)

    class Deaf:
        """A packet of which nothing comes after the first second."""

        def __init__(self, packet):
            self._packet = packet

        def __getattr__(self, name):
            return getattr(self._packet, name)

        def decode(self):
            frames = self._packet.decode()
            return [frame for frame in frames if frame.time < 1]

    from emotion_faces.annotate import film as reader

    read = reader.read_packets
    monkeypatch.setattr(reader, "read_packets", lambda *args: map(Deaf, read(*args)))
    summary, _ = annotate(film, tmp_path / "out")
    assert summary.frames == 25
    assert "nothing after 1.0 of 2.0 s can be decoded" in summary.failures[0][1]


def test_frames_of_another_shape_are_not_squeezed(tmp_path):
    parts = []
    for name, shape in (("a.ts", (48, 64)), ("b.ts", (64, 48))):
        films.write_film(tmp_path / name, scenes(10, *shape), 25)
        parts.append((tmp_path / name).read_bytes())
    (tmp_path / "film.ts").write_bytes(b"".join(parts))
    summary, marked = annotate(tmp_path / "film.ts", tmp_path / "out")
    assert summary.failures == []
    images, _ = films.frames_of(marked)
    assert len(images) == 20
    assert corners(images[0]) == ["dark", "red", "green", "white"]
    last = images[-1]
    assert last.shape == (48, 64, 3)
    assert (last[:, :10].max(), last[:, -10:].max()) < (60, 60)  # 36 of 64 columns hold it
    assert corners(last[:, 14:50]) == ["dark", "red", "green", "white"]


def test_a_picture_of_another_kind_is_no_film_of_one_frame(tmp_path):
    picture = tmp_path / "photo.ppm"
    picture.write_bytes(b"P6\n64 48\n255\n" + bytes(64 * 48 * 3))
    summary, marked = annotate(picture, tmp_path / "out")
    assert "photo.ppm is a picture (ppm) that can't be read: save it as" in summary.failures[0][1]
    assert not marked.exists()


def test_a_film_of_jpegs_is_no_picture(tmp_path):
    film = tmp_path / "camera.mjpeg"
    films.write_film(film, shades([60, 90, 120] * 5), 25, codec="mjpeg")
    summary, marked = annotate(film, tmp_path / "out")
    assert (summary.failures, summary.frames) == ([], 15)
    assert len(films.frames_of(marked)[0]) == 15
