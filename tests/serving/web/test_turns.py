"""What one does out of turn: stop early, ask twice, change one's mind, when the server is gone."""

from __future__ import annotations

import cv2
import pytest

from tests.serving.web.conftest import IN_CHROMIUM, LONG, expect, page_server

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def version_dir(deep_dir):
    return deep_dir


def look_at(page, selector, file):
    page.set_input_files(selector, file)
    page.wait_for_selector("#take:not([hidden])", timeout=LONG)


def is_focused(page, name):
    return page.evaluate("document.activeElement.id") == name


def test_the_skip_link_leads_to_what_there_is_and_takes_nothing_away(page, files):
    page.focus("#skip")
    page.keyboard.press("Enter")
    assert is_focused(page, "choose")
    look_at(page, "#picture", files / "astronaut.jpg")
    address = page.url
    page.focus("#skip")
    page.keyboard.press("Enter")
    assert is_focused(page, "stage")
    assert page.url == address
    page.evaluate("location.hash = 'faces'")  # any place in the page
    page.wait_for_timeout(300)
    assert page.is_visible("#take")
    assert not page.is_visible("#error")


def test_two_kinds_of_one_film_are_saved_when_it_is_marked(page, files):
    look_at(page, "#film", files / "face.webm")
    downloads = []
    page.on("download", lambda download: downloads.append(download))
    page.click("#save-marked")
    expect(page, "#taken", "arking frame")
    page.click("#save-csv")
    expect(page, "#taken", "Saved.")
    page.wait_for_timeout(500)
    names = sorted(download.suggested_filename for download in downloads)
    assert names == ["face.faces.csv", "face.marked.mp4"]
    assert all(download.failure() is None for download in downloads)


def test_another_limit_while_a_film_is_marked_begins_anew(page, files):
    look_at(page, "#film", files / "face.webm")
    page.click("#save-marked")
    expect(page, "#taken", "arking frame")
    page.focus("#unsure")
    page.keyboard.press("End")
    with page.expect_download(timeout=LONG) as download:
        page.click("#save-csv")
    table = download.value.path().read_text()
    assert table.count(",unsure") >= 40
    expect(page, "#taken", "Saved.")


@pytest.mark.parametrize("how", ["key", "button"])
def test_the_marking_of_a_film_can_be_cancelled(page, files, how):
    look_at(page, "#film", files / "face.webm")
    assert not page.is_visible("#cancel-marking")
    page.click("#save-marked")
    expect(page, "#taken", "arking frame")
    if how == "key":
        page.keyboard.press("Escape")
    else:
        page.click("#cancel-marking")
    expect(page, "#taken", "Cancelled.")
    page.wait_for_timeout(1500)
    assert page.text_content("#taken") == "Cancelled."
    assert not page.is_visible("#cancel-marking")


def test_what_is_unsure_is_so_wherever_it_is_told(page, files):
    look_at(page, "#picture", files / "astronaut.jpg")
    expect(page, "#history small", "1 face: 1 happy")
    page.focus("#unsure")
    page.keyboard.press("End")
    for place in ("#status", "#history small"):
        expect(page, place, "1 face: 1 unsure")
    page.keyboard.press("Home")
    for place in ("#status", "#history small"):
        expect(page, place, "1 face: 1 happy")


def test_a_camera_that_is_stopped_before_its_first_answer_is_not_running(page):
    page.route("**/api/faces*", lambda route: None)  # never answered
    page.click("#camera")
    expect(page, "#status", "Camera is running")
    page.click("#camera")
    expect(page, "#camera", "Start camera")
    page.wait_for_timeout(300)
    assert page.text_content("#status") == ""
    assert not page.is_visible("#snapshot")
    assert page.is_visible("#examples")


def test_a_film_of_one_frame_is_whole(page, astronaut, tmp_path):
    path = tmp_path / "one.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 10, (480, 480))
    writer.write(cv2.resize(astronaut, (480, 480)))
    writer.release()
    look_at(page, "#film", path)
    expect(page, "#status", "one.webm: 1 frame, mostly happy")
    assert not page.is_visible("#error")


def test_stop_ends_one_film_and_cancel_all_and_both_tell_what_was_kept(page, files):
    page.set_input_files("#film", [files / "face.webm"] * 2)
    page.wait_for_selector("#faces li", timeout=LONG)
    page.click("#end")
    expect(page, "#progress", "2 of 2")
    for _ in range(600):
        if page.evaluate(
            "!video.paused && video.currentTime > 0.1"
        ):  # it plays after its first answer
            break
        page.wait_for_timeout(100)
    page.click("#cancel")
    expect(page, "#status", "Cancelled after 1 of 2: 1 film, 1 film in part.")
    assert page.locator("#history li").count() == 2


def test_what_is_dropped_amid_a_batch_takes_no_error_away(page, files):
    page.set_input_files("#picture", [files / "text.jpg", *[files / "wall.png"] * 200])
    expect(page, "#error", "text.jpg")
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.setData('text/plain', 'words');
            document.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}));
        }"""
    )
    expect(page, "#error", "holds no file")
    expect(page, "#error", "text.jpg")
    page.keyboard.press("Escape")


def test_a_file_that_failed_has_no_results_address(page, files):
    look_at(page, "#picture", files / "astronaut.jpg")
    page.set_input_files("#picture", files / "text.jpg")
    expect(page, "#error", "text.jpg")
    assert "#" not in page.url
    page.go_back()
    expect(page, "#caption", "astronaut.jpg")


def test_an_arrow_key_moves_in_a_film_by_more_than_an_instant(page, files):
    look_at(page, "#film", files / "face.webm")
    page.focus("#seek")
    page.keyboard.press("Home")
    before = page.evaluate("video.currentTime")
    page.keyboard.press("ArrowRight")
    moved = page.evaluate("video.currentTime") - before
    assert 0.2 < moved < 0.4  # a tenth of three seconds


def test_an_example_of_a_server_that_is_gone_is_told(browser, deep_dir):
    with page_server(f"--model-dir={deep_dir}") as url:
        page = browser.new_page()
        page.goto(url)
        expect(page, "#model", "version")
    page.click("[data-example='example-smile.jpg']")
    expect(page, "#error", "cannot be fetched")
    page.close()


def test_a_server_that_goes_during_a_film_is_told_once(browser, files, deep_dir):
    with page_server(f"--model-dir={deep_dir}") as url:
        page = browser.new_page()
        page.goto(url)
        page.set_input_files("#film", files / "face.webm")
        page.wait_for_selector("#faces li", timeout=LONG)
    page.wait_for_selector("#error p", timeout=LONG)
    page.wait_for_timeout(1000)
    assert page.locator("#error p").count() == 1
    page.close()
