"""What one does with a result: take it away, come back to it, choose a face, play a film again."""

from __future__ import annotations

import csv
import hashlib
import http.client
import json
import pathlib
import re

import cv2
import numpy as np
import pytest

from emotion_faces import Emotions
from emotion_faces.annotate.run import annotate
from emotion_faces.web import kept
from tests.serving.web.conftest import IN_CHROMIUM, LONG, expect, page_server

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def version_dir(deep_dir):
    return deep_dir


def by_command(name, suffix, version_dir, files, folder):
    """What `emotion annotate` makes of a file: the folder with the copy, and the table with the file's name alone."""
    out = folder / f"{name}{suffix}"
    annotate([files / name], out, out / f"faces{suffix}", model_dir=version_dir)
    table = (out / f"faces{suffix}").read_bytes().decode()
    return out, table.replace(str(files / name), name)


def saved(page, selector, timeout=LONG):
    with page.expect_download(timeout=timeout) as download:
        page.click(selector)
    return download.value.suggested_filename, pathlib.Path(download.value.path()).read_bytes()


def look_at_the_astronaut(page, files):
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#take:not([hidden])", timeout=LONG)


def test_marked_picture_and_tables_are_the_commands_own(page, version_dir, files, tmp_path):
    look_at_the_astronaut(page, files)
    name, marked = saved(page, "#save-marked")
    assert name == "astronaut.marked.jpg"
    for kind in ("csv", "json"):
        out, expected = by_command("astronaut.jpg", f".{kind}", version_dir, files, tmp_path)
        assert marked == (out / "astronaut.jpg").read_bytes()
        name, table = saved(page, f"#save-{kind}")
        assert (name, table.decode()) == (f"astronaut.faces.{kind}", expected)


def test_a_marked_film_and_its_tables_are_the_commands_own(page, version_dir, files, tmp_path):
    page.set_input_files("#film", files / "tall.webm")
    page.wait_for_selector("#take:not([hidden])", timeout=LONG)
    name, film = saved(page, "#save-marked")
    assert name == "tall.marked.mp4"
    out, expected = by_command("tall.webm", ".csv", version_dir, files, tmp_path)
    [copy] = out.glob("*.mp4")
    assert hashlib.sha256(film).digest() == hashlib.sha256(copy.read_bytes()).digest()
    name, table = saved(page, "#save-csv")
    assert (name, table.decode()) == ("tall.faces.csv", expected)
    name, table = saved(page, "#save-json")
    assert name == "tall.faces.json"
    rows = list(csv.DictReader(expected.splitlines()))
    assert [{key: str(value) for key, value in row.items()} for row in json.loads(table)] == rows


def test_numbers_are_written_as_python_writes_them(page):
    numbers = [0.0, 1.0, 0.5, 0.1234564, 0.00009, 0.0000051, 0.000001, 12.5, 0.0001]
    told = page.evaluate(
        """async (numbers) => {
            const { asPython } = await import('/takeaway.js');
            return numbers.map((number) => asPython(number, 6));
        }""",
        numbers,
    )
    assert told == [repr(round(number, 6)) for number in numbers]


def test_a_result_is_copied_as_text(page, files):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    look_at_the_astronaut(page, files)
    page.click("#copy")
    expect(page, "#taken", "Copied.")
    text = page.evaluate("navigator.clipboard.readText()")
    assert re.match(r"astronaut\.jpg: 1 face: 1 \w+\nFace 1: \w+ \d+ % ", text)


def test_why_a_face_is_answered_so_is_shown_on_demand(page, files):
    page.set_input_files("#picture", "serving/web/static/example-earnest.jpg")
    page.wait_for_selector("#faces li", timeout=LONG)
    assert not page.is_visible(".why")
    page.focus(".face")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Why? Face 1"
    page.keyboard.press("Enter")
    expect(page, ".why [role=status]", "of the face: covering it takes up to")
    assert page.get_attribute(".ask-why", "aria-expanded") == "true"
    assert page.evaluate("document.activeElement.className") == "ask-why"
    expect(page, ".why", "what the model looks at, not what a person feels")
    # Orange somewhere, and gray where no cover takes anything.
    colours = page.evaluate(
        """() => {
            const map = document.querySelector('.why canvas');
            const { data } = map.getContext('2d').getImageData(0, 0, map.width, map.height);
            let [orange, gray] = [0, 0];
            for (let i = 0; i < data.length; i += 4) {
                orange += data[i] > data[i + 2] + 60;
                gray += Math.abs(data[i] - data[i + 2]) < 10;
            }
            return [orange / data.length, gray / data.length];
        }"""
    )
    assert min(colours) > 0.01
    page.keyboard.press("Enter")
    assert not page.is_visible(".why")
    assert page.get_attribute(".ask-why", "aria-expanded") == "false"


def test_why_that_fails_is_told_at_the_face_and_can_be_asked_again(page, files):
    look_at_the_astronaut(page, files)
    page.route("**/api/explain*", lambda route: route.fulfill(status=502, body='{"error": "gone"}'))
    page.click(".ask-why")
    expect(page, ".why [role=alert]", "Why could not be found out: gone")
    assert not page.is_visible(".why canvas")
    page.unroute("**/api/explain*")
    page.click(".ask-why")
    page.click(".ask-why")
    expect(page, ".why [role=status]", "No spot alone decides")
    assert page.text_content(".why [role=alert]") == ""
    # What comes next is another picture, whose faces nobody asked about.
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector(".why", state="hidden")


def test_an_explanation_is_the_commands_own(address, version_dir, files):
    picture = (files / "astronaut.jpg").read_bytes()
    with Emotions(version_dir) as emotions:
        [wanted] = emotions.explain(picture, emotion="sad")
    box = wanted.face.box
    x, y = (box.left + 1) / 512, (box.top + box.height - 1) / 512
    status, data = request(address, "POST", f"/api/explain?x={x}&y={y}&emotion=sad", picture)
    found = json.loads(data)
    assert (status, found["emotion"], found["label"]) == (200, "sad", wanted.face.label)
    np.testing.assert_allclose(found["falls"], wanted.falls, atol=1e-4)
    assert found["pixels"] == wanted.pixels.tolist()


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "x and y must say where the face is: numbers from 0 to 1"),
        ("x=nan&y=0.2", 400, "x and y must say"),
        ("x=0.2&y=1.01", 400, "x and y must say"),
        ("x=0&y=0", 422, "no face is found at that place"),
        ("x=0.44&y=0.23&emotion=glad", 422, "the model has no class 'glad'; it has angry"),
    ],
)
def test_a_question_why_that_cannot_be_answered_says_so(address, files, query, status, words):
    picture = (files / "astronaut.jpg").read_bytes()
    found, data = request(address, "POST", f"/api/explain?{query}", picture)
    assert found == status
    assert words in json.loads(data)["error"]


def test_each_result_has_an_address_and_back_works(page, files, address):
    look_at_the_astronaut(page, files)
    first = page.url
    page.set_input_files("#picture", files / "wall.png")
    expect(page, "#caption", "wall.png")
    assert page.url != first
    page.go_back()
    expect(page, "#caption", "astronaut.jpg")
    assert page.url == first
    page.go_back()
    page.wait_for_selector("body[data-view=start]")
    page.go_forward()
    expect(page, "#caption", "astronaut.jpg")
    page.reload()
    expect(page, "#caption", "astronaut.jpg")
    assert page.locator("#faces li").count() == 1
    page.goto(f"{address}#0-0-0-0")
    expect(page, "#error", "not kept any more")


def test_a_batch_is_one_step_back(page, files):
    page.set_input_files("#picture", [files / "wall.png", files / "astronaut.jpg"])
    expect(page, "#status", "All 2 done")
    page.go_back()
    page.wait_for_selector("body[data-view=start]")


def test_kept_results_give_way_to_newer_ones():
    results = kept.KeptResults(max_bytes=20_000)
    large, other = bytes(9_000), bytes(8_000)
    assert results.put("a", large)
    assert results.put("b", large)
    assert results.put("b", other)
    assert results.put("c", large)
    assert [results.get(name) for name in "abc"] == [None, other, large]
    for number in range(1000):  # small ones take room too
        assert results.put(str(number), b"")
    assert results.get("0") is None
    assert results.get("999") == b""
    assert not results.put("d", bytes(kept.MAX_RESULT_BYTES + 1))
    assert results.get("d") is None


def test_a_face_is_chosen_in_the_list_and_in_the_picture(page, files):
    look_at_the_astronaut(page, files)
    face = page.locator(".face")
    assert face.get_attribute("aria-pressed") == "false"
    hidden = page.locator(".bars div[hidden]").count()
    assert hidden > 0
    box = page.evaluate("canvas.getBoundingClientRect().toJSON()")
    # The astronaut's nose: at 44 % of the picture's width, a fifth below its top.
    page.mouse.click(box["x"] + 0.44 * box["width"], box["y"] + 0.22 * box["height"])
    assert face.get_attribute("aria-pressed") == "true"
    assert page.locator(".bars div[hidden]").count() == 0
    face.focus()
    page.keyboard.press("Enter")
    assert face.get_attribute("aria-pressed") == "false"
    assert page.locator(".bars div[hidden]").count() == hidden


def test_the_unsure_slider_changes_words_and_what_is_taken_away(page, files):
    look_at_the_astronaut(page, files)
    assert "unsure" not in page.text_content(".verdict")
    page.focus("#unsure")
    page.keyboard.press("End")
    expect(page, ".verdict", "unsure")
    expect(page, "#unsure-text", "100 %")
    _, table = saved(page, "#save-csv")
    [row] = csv.DictReader(table.decode().splitlines())
    assert row["label"] == "unsure"


def test_an_example_is_looked_at(page):
    page.click("[data-example='example-several.jpg']")
    page.wait_for_selector("#take:not([hidden])", timeout=LONG)
    assert page.locator("#faces li").count() == 2


def test_a_film_that_has_ended_is_sought_and_played_again(page, files):
    page.set_input_files("#film", files / "face.webm")
    page.wait_for_selector("#take:not([hidden])", timeout=LONG)
    expect(page, "#play", "Play again")
    assert page.evaluate("video.muted")
    page.click("#sound")
    assert not page.evaluate("video.muted")
    page.focus("#seek")
    page.keyboard.press("Home")
    expect(page, "#clock", "0:00 / 0:0")
    page.wait_for_selector("#timeline-box:not([hidden])")
    box = page.evaluate("timeline.getBoundingClientRect().toJSON()")
    page.click("#timeline", position={"x": box["width"] / 2, "y": 20})
    last = page.evaluate("video.currentTime")
    assert last > 0
    page.evaluate(
        "void video.addEventListener('playing', () => (document.body.dataset.played = 'yes'))"
    )
    page.click("#play")
    page.locator("body[data-played]").wait_for(state="attached", timeout=LONG)
    expect(page, "#play", "Play again")
    assert page.locator("#history li").count() == 1
    page.click("#history button")
    expect(page, "#caption", "face.webm")
    expect(page, "#play", "Play")


@pytest.mark.parametrize(
    ("kept_part", "words"), [(0.6, "is cut off: it has"), (1.0, "may be damaged there")]
)
def test_a_film_without_its_end_is_told_and_what_was_seen_kept(
    page, files, tmp_path, kept_part, words
):
    data = bytearray((files / "face.webm").read_bytes())
    half = len(data) // 2
    if kept_part == 1:
        data[half:] = bytes(len(data) - half)
    name = tmp_path / "broken.webm"
    name.write_bytes(data[: int(len(data) * kept_part)])
    page.set_input_files("#film", name)
    expect(page, "#error", words)
    page.wait_for_selector("#history li", timeout=LONG)
    assert "is running" not in page.text_content("#status")
    assert "broken.webm" in page.text_content("#history li")


def test_the_length_that_films_state_is_read(page):
    box = (0x10).to_bytes(4, "big") + b"ftypisom" + bytes(4)
    ebml = b"\x1aE\xdf\xa3\x82\x42\x86\x18\x53\x80\x67"
    wide = (1).to_bytes(4, "big") + b"mdat" + (100).to_bytes(8, "big")
    cases = {
        box + (40).to_bytes(4, "big") + b"moov": 56,
        box + wide: 116,
        box + bytes(4) + b"mdat" + bytes(9): 33,
        ebml + b"\x88" + bytes(8): 20,
        ebml + b"\x41\x00": 269,
        ebml + b"\xff": 0,  # as a stream has it, whose length nobody knew
        b"RIFF": 0,
    }
    told = page.evaluate(
        """async (films) => {
            const { statedBytes } = await import('/kind.js');
            return Promise.all(films.map((bytes) => statedBytes(new File([new Uint8Array(bytes)], 'film'))));
        }""",
        [list(data) for data in cases],
    )
    assert told == list(cases.values())


def test_the_camera_has_a_name_a_rate_and_snapshots(page):
    page.click("#camera")
    page.wait_for_selector("#faces li", timeout=LONG)
    assert page.locator("#device option").count() > 0
    expect(page, "#rate", "frames a second")
    page.click("#snapshot")
    page.wait_for_selector("#history li:has-text('snapshot-1.jpg')")
    assert page.text_content("#camera") == "Stop camera"
    page.uncheck("#mirror")
    page.click("#camera")
    page.wait_for_selector("#history li:has-text('Camera')")
    page.click("#history li:has-text('snapshot-1.jpg') button")
    expect(page, "#caption", "snapshot-1.jpg")


def request(address, method, path, body=None):
    client = http.client.HTTPConnection(address.split("/")[2], timeout=60)
    client.request(method, path, body)
    answer = client.getresponse()
    return answer.status, answer.read()


def test_a_film_that_is_none_and_a_second_one_are_refused_by_name(address):
    status, _ = request(address, "POST", "/api/films/one?name=words.mp4", b"words")
    assert status == 200
    state = {"state": "running"}
    while state["state"] == "running":
        state = json.loads(request(address, "GET", "/api/films/one")[1])
    assert state["state"] == "failed"
    assert state["error"].startswith("words.mp4")
    assert request(address, "GET", "/api/films/one/marked.mp4")[0] == 404
    assert request(address, "POST", "/api/films/one?unsure_below=2", b"words")[0] == 400
    assert request(address, "DELETE", "/api/films/one")[0] == 200
    assert request(address, "GET", "/api/films/one")[0] == 404


def test_films_leave_nothing_when_the_server_ends(version_dir, files, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with page_server(f"--model-dir={version_dir}") as url:
        film = (files / "tall.webm").read_bytes()
        assert request(url, "POST", "/api/films/one?name=tall.webm", film)[0] == 200
        assert request(url, "POST", "/api/films/two?name=tall.webm", film)[0] == 503
        assert len(list(tmp_path.glob("emotion-web-*"))) == 1
    assert list(tmp_path.glob("emotion-web-*")) == []


def test_a_marked_png_is_a_png(address):
    data = cv2.imencode(".png", cv2.UMat(8, 8, cv2.CV_8UC3).get())[1].tobytes()
    status, marked = request(address, "POST", "/api/marked?kind=png", data)
    assert (status, marked[:4]) == (200, b"\x89PNG")
    assert request(address, "POST", "/api/marked?unsure_below=x", data)[0] == 400
