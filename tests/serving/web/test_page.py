"""The page in a real headless Chromium, against the page's own server as a process."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time

import pytest

from emotion_faces.errors import UserError
from emotion_faces.web import about, uploads
from tests.serving import models
from tests.serving.films import write_film
from tests.serving.web.conftest import IN_CHROMIUM, PHONE, expect, page_server

pytestmark = IN_CHROMIUM


def test_the_model_is_introduced_with_its_version_and_accuracy(page):
    assert page.text_content("#model") == "Model version 3, validation accuracy 65.4 %"
    assert "does not know what a person feels" in page.text_content("body")


def test_an_uploaded_picture_gets_its_box_and_seven_probabilities(page, files):
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#faces li")
    assert page.locator("#faces li").count() == 1
    assert page.locator("#faces dt").all_text_contents() == list(models.LABELS)
    shares = [int(text.split()[0]) for text in page.locator("#faces dd span").all_text_contents()]
    assert abs(sum(shares) - 100) <= 4  # each is rounded
    # The box's upper edge, where no such colour is in the photograph.
    label = re.match(r"Face 1: (\w+)", page.text_content(".verdict"))[1]
    hits = page.evaluate(
        """async (label) => {
            const model = await (await fetch('/api/model')).json();
            const colour = model.labels.find((entry) => entry.name === label).colour;
            const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
            const canvas = document.getElementById('canvas');
            const context = canvas.getContext('2d');
            const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
            let hits = 0;
            for (let i = 0; i < data.length; i += 4)
                hits += data[i] === r && data[i + 1] === g && data[i + 2] === b;
            return hits;
        }""",
        label,
    )
    assert hits > 500
    assert page.locator("#history li").count() == 1


def test_a_picture_without_a_face_says_so(page, files):
    page.set_input_files("#picture", files / "wall.png")
    expect(page, "#status", "no face")
    assert page.is_visible("#no-faces")


def test_dropped_pictures_are_looked_at(page, files):
    page.evaluate(
        """async () => {
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 64;
            canvas.getContext('2d').fillRect(0, 0, 64, 64);
            const blob = await new Promise((resolve) => canvas.toBlob(resolve));
            const transfer = new DataTransfer();
            transfer.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
            document.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}));
        }"""
    )
    expect(page, "#status", "dropped.png: no face")


@pytest.mark.parametrize(
    ("name", "words"),
    [("text.jpg", "is not a picture that can be read"), ("huge.png", "10000 x 10000 pixels")],
)
def test_what_is_no_fit_picture_is_refused_by_name(page, files, name, words):
    page.set_input_files("#picture", files / name)
    page.wait_for_selector("#error:not([hidden])")
    assert name in page.text_content("#error")
    assert words in page.text_content("#error")


def test_the_camera_is_followed_until_it_is_stopped(page):
    page.click("#camera")
    page.wait_for_selector("#faces li", timeout=20_000)
    page.wait_for_selector("#timeline-box:not([hidden])", timeout=20_000)
    assert page.get_attribute("#camera", "aria-pressed") == "true"
    page.click("#camera")
    page.wait_for_selector("#history li")
    assert "Camera" in page.text_content("#history li")
    assert page.text_content("#camera") == "Start camera"


def test_a_film_plays_with_its_faces_followed(page, files):
    told = ""
    for tries in range(1, 5):
        page.set_input_files("#film", files / "face.webm")
        page.locator("#history li").nth(tries - 1).wait_for(timeout=60_000)  # the film has ended
        told = page.text_content("#history li")
        if "frames, mostly" in told:
            break  # a busy machine may have seen nothing but the first frame
    assert "frames, mostly" in told


def test_a_film_of_few_frames_has_no_more_than_these(page, astronaut, tmp_path):
    film = tmp_path / "slides.webm"
    write_film(film, [astronaut] * 3, fps=1, codec="libvpx")
    page.set_input_files("#film", film)
    page.locator("#history li").wait_for(timeout=60_000)
    found = re.search(r"(\d) frames?, mostly", page.text_content("#history li"))
    assert found
    assert 1 <= int(found[1]) <= 3


def test_the_page_works_by_keyboard(page):
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "picture"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "film"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "camera"
    page.keyboard.press("Enter")
    page.wait_for_selector("#faces li", timeout=20_000)
    page.keyboard.press("Enter")
    page.wait_for_selector("#history li")


def test_nothing_is_wider_than_a_phone(page, files):
    page.set_viewport_size(PHONE)
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#faces li")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_model_server_that_is_down_is_named(browser, files):
    with page_server("--server=127.0.0.1:9") as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#error:not([hidden])", timeout=40_000)
        assert "no answer from the model server at 127.0.0.1:9" in page.text_content("#error")
        page.close()


def test_a_page_server_that_is_gone_is_named(page, files):
    page.route("**/api/faces", lambda route: route.abort())
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#error:not([hidden])")
    assert "own server does not answer" in page.text_content("#error")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Content-Length": str(33 * 1024 * 1024)}, 413),
        ({"Content-Length": str(10**10)}, 413),
    ],
)
def test_other_sites_and_oversized_uploads_are_refused(address, headers, status):
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=10)
    connection.putrequest("POST", "/api/faces", skip_host="Host" in headers)
    for name, value in ({"Content-Length": "0"} | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == status


def test_the_model_card_is_linked_and_no_training_data_is_made_up(page):
    assert page.is_visible("#card")
    assert not page.is_visible("#no-card")
    assert "FER2013" not in page.text_content("body")
    card = page.evaluate("fetch('/api/card').then((answer) => answer.text())")
    assert card == "# Trained on drawings"


def test_a_film_keeps_its_shape(page, files):
    page.set_input_files("#film", files / "tall.webm")
    page.wait_for_selector("#history li", timeout=30_000)
    ratio = page.evaluate("(({width, height}) => width / height)(canvas.getBoundingClientRect())")
    assert ratio == pytest.approx(360 / 640, abs=0.01)
    assert page.evaluate("canvas.width / canvas.height") == pytest.approx(360 / 640, abs=0.01)


def test_a_film_that_breaks_says_where_and_keeps_what_was_seen(page, files):
    page.set_input_files("#film", files / "face.webm")
    page.wait_for_selector("#faces li", timeout=20_000)
    # What a browser does where it can decode no further; which damage that is differs by codec.
    page.evaluate("video.dispatchEvent(new Event('error'))")
    expect(page, "#error", "face.webm is damaged. This browser plays it to")
    page.wait_for_selector("#history li")
    assert "is running" not in page.text_content("#status")
    assert "face.webm" in page.text_content("#history li")
    assert page.is_visible("#canvas")


# Notes each stream that the page gets, after as many milliseconds as `window.slow` says.
NOTE_STREAMS = """
    window.streams = []; window.slow = 0;
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wishes) => {
        await new Promise((resolve) => setTimeout(resolve, window.slow));
        const stream = await open(wishes);
        window.streams.push(stream);
        return stream;
    };
"""
LIVE = "streams.flatMap((s) => s.getTracks()).filter((t) => t.readyState === 'live').length"


def test_the_camera_started_twice_leaves_no_stream_when_it_is_stopped(page):
    page.evaluate(f"() => {{ {NOTE_STREAMS} window.slow = 300; }}")
    page.evaluate("camera.click(); camera.click()")
    expect(page, "#camera", "Stop camera")
    assert page.evaluate(LIVE) == 1
    page.click("#camera")
    expect(page, "#camera", "Start camera")
    assert page.evaluate(LIVE) == 0


def test_a_camera_that_comes_after_a_picture_was_chosen_is_let_go(page, files):
    page.evaluate(f"() => {{ {NOTE_STREAMS} window.slow = 2000; }}")
    page.click("#camera")
    page.set_input_files("#picture", files / "wall.png")
    expect(page, "#status", "wall.png: no face")
    page.wait_for_timeout(2500)
    assert page.evaluate("streams.length") == 1
    assert page.evaluate(LIVE) == 0
    assert page.text_content("#camera") == "Start camera"
    assert "wall.png: no face" in page.text_content("#status")


def test_a_batch_counts_names_its_errors_and_says_how_it_ended(page, files):
    names = ("astronaut.jpg", "text.jpg", "huge.png", "wall.png")
    page.set_input_files("#picture", [files / name for name in names])
    expect(page, "#progress", "of 4: ")
    expect(page, "#status", "All 4 done: 2 pictures with 1 face, 2 failed.")
    errors = page.locator("#error p").all_text_contents()
    assert [error.split()[0] for error in errors] == ["text.jpg", "huge.png"]
    assert not page.is_visible("#progress")


def test_escape_ends_a_batch_and_the_camera_takes_its_place(page, files):
    # Many, and any of them: how far a batch is when it is looked at depends on the machine.
    page.set_input_files("#picture", [files / "wall.png"] * 300)
    expect(page, "#progress", " of 300")
    page.keyboard.press("Escape")
    expect(page, "#status", "Cancelled after")
    page.set_input_files("#picture", [files / "wall.png"] * 300)
    expect(page, "#progress", " of 300")
    page.click("#camera")
    expect(page, "#status", "Camera")
    assert not page.is_visible("#progress")
    assert "wall.png" not in page.text_content("#status")


def test_a_picture_that_fails_does_not_leave_the_one_before_as_its_result(page, files):
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#faces li")
    page.set_input_files("#picture", files / "text.jpg")
    expect(page, "#empty", "text.jpg could not be looked at")
    assert not page.is_visible("#canvas")
    assert page.locator("#faces li").count() == 0


def test_a_format_that_the_browser_does_not_know_is_shown(page, files):
    page.set_input_files("#picture", files / "scan.tiff")
    page.wait_for_selector("#faces li")
    assert page.evaluate("canvas.width / canvas.height") == pytest.approx(1, abs=0.01)
    assert page.is_visible("#canvas")


def test_an_entry_holds_a_small_jpeg_and_clearing_can_be_undone(page, files):
    page.set_input_files("#picture", files / "astronaut.jpg")
    image = page.wait_for_selector("#history img")
    assert (
        image.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }")
        == 200
    )
    assert page.locator("#history canvas").count() == 0
    page.click("#clear")
    assert page.locator("#history li").count() == 0
    page.click("#clear")
    assert page.locator("#history li").count() == 1
    page.click("#history button")
    expect(page, "#status", "astronaut.jpg: 1 face")


def test_over_plain_http_from_another_host_films_play_and_the_camera_says_why_not(
    browser, version_dir, files
):
    # A name that browsers do not trust as they trust loopback, and a server that answers to it.
    with page_server(f"--model-dir={version_dir}", host="0.0.0.0") as url:
        page = browser.new_page()
        page.goto(url.replace("0.0.0.0", "page.test"))
        expect(page, "#model", "version")
        assert page.evaluate("isSecureContext") is False
        assert "page.test" in page.text_content("#where")
        assert "this computer" not in page.text_content("#where")
        page.set_input_files("#film", files / "tall.webm")
        page.wait_for_selector("#history li", timeout=30_000)
        page.click("#camera")
        expect(page, "#error", "over HTTPS or on the computer itself")
        page.close()


def test_tags_never_hide_each_other_and_shrink_to_the_number(page):
    tags = page.evaluate(
        """async () => {
            const { placeTags } = await import('/draw.js');
            const boxes = Array.from({length: 40}, (_, i) =>
                ({left: 44 * (i % 8) + 6, top: 44 * Math.floor(i / 8) + 20, width: 34, height: 34}));
            const texts = boxes.map((_, i) => ({words: `${i + 1}  surprise 80 %`, number: `${i + 1}`}));
            return placeTags(boxes, texts, {width: 358, height: 250}, 13, (text) => 7 * text.length);
        }"""
    )
    assert [tag["text"] for tag in tags] == [str(number) for number in range(1, 41)]
    for i, a in enumerate(tags):
        for b in tags[:i]:
            apart = (
                a["left"] + a["width"] <= b["left"]
                or b["left"] + b["width"] <= a["left"]
                or a["top"] + a["height"] <= b["top"]
                or b["top"] + b["height"] <= a["top"]
            )
            assert apart, (a, b)
    alone = page.evaluate(
        """async () => (await import('/draw.js')).placeTags([{left: 50, top: 60, width: 90, height: 90}],
            [{words: '1  happy 80 %', number: '1'}], {width: 358, height: 250}, 13, (t) => 7 * t.length)"""
    )
    assert alone[0]["text"] == "1  happy 80 %"


def test_the_marks_are_drawn_anew_when_the_window_changes(page, files):
    page.set_input_files("#picture", files / "astronaut.jpg")
    page.wait_for_selector("#faces li")
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(300)
    shown = page.evaluate("canvas.getBoundingClientRect().width")
    assert shown < 375
    assert page.evaluate("canvas.width / devicePixelRatio") == pytest.approx(shown, abs=1)


def test_the_timeline_has_a_row_and_a_name_for_each_emotion(page):
    page.evaluate(
        """async () => {
            const { showTimeline } = await import('/timeline.js');
            const { askModel } = await import('/ask.js');
            const labels = (await askModel()).labels.map((label) => label.name);
            document.body.dataset.view = 'result';
            const face = (track, name) => ({track, label: name, probabilities:
                Object.fromEntries(labels.map((label) => [label, label === name ? 0.88 : 0.02]))});
            showTimeline([0, 1, 2, 3].map((seconds) => ({seconds, answer: {faces:
                [face(1, seconds < 3 ? 'happy' : 'sad'), face(2, 'fear')].slice(0, seconds ? 2 : 1)}})));
        }"""
    )
    assert (
        page.text_content("#timeline-text") == "Of the frames with a face: fear 75 %, happy 25 %."
    )
    assert page.evaluate("timeline.clientHeight") >= 7 * 18
    page.hover("#timeline", position={"x": 80, "y": 60})
    expect(page, "#moment", "0.0 s: happy 88 %")
    options = page.locator("#curve option").all_text_contents()
    assert options == ["all faces", "face 1", "face 2"]
    page.select_option("#curve", "1")
    page.hover("#timeline", position={"x": 90, "y": 60})
    page.hover("#timeline", position={"x": page.evaluate("timeline.clientWidth") - 2, "y": 60})
    expect(page, "#moment", "3.0 s: sad 88 %")


def test_near_equals_are_no_verdict(page):
    names = page.evaluate(
        """async () => {
            const { nameOf, verdict } = await import('/draw.js');
            const near = {label: 'neutral', probabilities: {neutral: 0.26, sad: 0.255}};
            const far = {label: 'happy', probabilities: {happy: 0.8, sad: 0.2}};
            return [nameOf(near), nameOf(far), verdict([near, far])];
        }"""
    )
    assert names == ["neutral 26 % or sad 26 %: unsure", "happy 80 %", "2 faces: 1 unsure, 1 happy"]


def test_what_is_dropped_or_pasted_is_answered_whatever_it_is(page, files):
    drop = """(kind) => {
        const transfer = new DataTransfer();
        transfer.setData('text/plain', 'words');
        document.dispatchEvent(kind === 'drop'
            ? new DragEvent('drop', {dataTransfer: transfer, bubbles: true})
            : new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true}));
    }"""
    page.evaluate(drop, "drop")
    expect(page, "#error", "What was dropped holds no file")
    page.evaluate(drop, "paste")
    expect(page, "#error", "What was pasted holds no file")
    film = list((files / "tall.webm").read_bytes())
    page.evaluate(
        """async (film) => {
            const canvas = new OffscreenCanvas(64, 64);
            canvas.getContext('2d').fillRect(0, 0, 64, 64);
            const picture = await canvas.convertToBlob();
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(film)], 'untyped'));
            transfer.items.add(new File([picture], 'picture.png', {type: 'image/png'}));
            document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true}));
        }""",
        film,
    )
    page.wait_for_selector("#history li:has-text('untyped')", timeout=30_000)
    expect(page, "#status", "All 2 done: 1 picture with 0 faces, 1 film.")


def test_a_long_file_name_does_not_widen_a_phone(page, files):
    page.set_viewport_size(PHONE)
    page.set_input_files("#picture", files / f"{'long' * 40}.jpg")
    page.wait_for_selector("#history li")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_half_sent_uploads_are_counted_before_they_are_read(address):
    host, port = address.split("/")[2].split(":")
    size = uploads.MAX_UPLOAD_BYTES
    opened, answers = [], []
    try:
        for path in ("faces", "faces", "faces", "faces", "model", "nothing"):
            connection = socket.create_connection((host, int(port)), timeout=20)
            opened.append(connection)
            request = f"POST /api/{path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            connection.sendall(f"{request}Content-Length: {size}\r\n\r\n".encode())
            connection.settimeout(3)
            try:
                answers.append(connection.recv(64).split()[1])
            except TimeoutError:
                answers.append(b"waits")
        assert answers == [b"waits", b"waits", b"503", b"503", b"405", b"404"]
    finally:
        for connection in opened:
            connection.close()
    # The room is given back once they are gone.
    deadline = time.monotonic() + 20
    status = 503
    while status == 503 and time.monotonic() < deadline:
        client = http.client.HTTPConnection(host, int(port), timeout=20)
        client.request("POST", "/api/faces", b"words")
        status = client.getresponse().status
        time.sleep(0.2)
    assert status == 422


def test_half_sent_uploads_that_are_given_up_leave_nothing_behind(deep_dir, tmp_path):
    """A task that went on waiting for each was told with a traceback at the end."""
    told = tmp_path / "stderr"
    with (
        told.open("w") as file,
        page_server(f"--model-dir={deep_dir}", stderr=file) as address,
    ):
        host, port = address.split("/")[2].split(":")
        for path in ("faces", "results/one", "films/one"):
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                request = f"POST /api/{path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
                connection.sendall(f"{request}Content-Length: 1000\r\n\r\nhalf".encode())
                time.sleep(0.3)
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"{request}Content-Length: 1000\r\n\r\nhalf".encode())
            time.sleep(0.3)
            held = connection.dup()  # that one is still there at the end
    held.close()
    assert told.read_text() == ""


def test_an_upload_without_a_length_is_refused(address):
    client = http.client.HTTPConnection(address.split("/")[2], timeout=20)
    client.putrequest("POST", "/api/faces")
    client.putheader("Transfer-Encoding", "chunked")
    client.endheaders()
    assert client.getresponse().status == 411


def test_the_gate_bounds_bytes_and_uploads():
    gate = uploads.Gate()
    for _ in range(uploads.MAX_HELD):
        gate.enter(1)
    with pytest.raises(uploads.FullError, match="8 pictures"):
        gate.enter(1)
    for _ in range(uploads.MAX_HELD):
        gate.leave(1)
    gate.enter(uploads.MAX_HELD_BYTES - 1)
    with pytest.raises(uploads.FullError):
        gate.enter(2)
    gate.enter(1)


def test_a_model_says_of_itself_what_its_folder_states(tmp_path):
    version_dir = tmp_path / "7"
    (version_dir / "assets.extra").mkdir(parents=True)
    (version_dir / "saved_model.pb").write_bytes(b"")
    assert about.read_about(tmp_path) == about.About()
    metrics = {"accuracy": 0.15, "loss": float("nan"), "per_class": {"sad": {"images": 3}}}
    (version_dir / "assets.extra" / "metrics.json").write_text(json.dumps(metrics))
    (version_dir / "assets.extra" / "network.json").write_text('{"network": "deep"}')
    (tmp_path / "MODEL_CARD.md").write_text("# Mine")
    assert about.read_about(tmp_path) == about.About("deep", {"accuracy": 0.15}, 3, "# Mine")
    (version_dir / "assets.extra" / "metrics.json").write_text("[]")
    with pytest.raises(UserError, match=r"metrics\.json holds list"):
        about.read_about(tmp_path)
    (version_dir / "assets.extra" / "metrics.json").write_text("[" * 9**5)
    with pytest.raises(UserError, match=r"metrics\.json can't be read: maximum recursion"):
        about.read_about(tmp_path)
