import dataclasses

import numpy as np
import pytest

from emotion_pipeline.components.image_ingest.manifest import VotesRecord
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.page import render
from emotion_pipeline.components.run_report.votes_view import make_votes_view, vote_scores
from tests.components.run_report.contents import make_content, make_manifest
from tests.components.run_report.test_page import Page

NAMES = ["angry", "happy", "sad"]


def with_votes(manifest):
    """The manifest with votes: in train the folder has most of them but in sad, eval has none."""
    rows = manifest.table
    voted = (rows["split"] == "train") & (rows["status"] == "kept")
    winner = rows["label"].where(rows["label"] != "sad", "happy")
    counts = {f"votes/{name}": np.where(winner == name, 7.0, 1.0) for name in NAMES}
    columns = {**counts, "votes_other": np.ones(len(rows))}
    table = rows.assign(**{name: np.where(voted, one, np.nan) for name, one in columns.items()})
    record = VotesRecord("<v>.csv", 12, 9, 3, 1, 2, ("no/<b>.jpg",))
    return dataclasses.replace(manifest, table=table, votes=record)


def test_the_rows_are_the_folders_and_all_of_them(tmp_path):
    view = make_votes_view(with_votes(make_manifest(tmp_path, NAMES, 3)))
    agreement = {
        row.label: {split: (one["images"], one["agreement"]) for split, one in row.splits.items()}
        for row in [*view.rows, view.total]
    }
    assert agreement == {
        "angry": {"train": (3, 1.0), "eval": (0, None)},
        "happy": {"train": (3, 1.0), "eval": (0, None)},
        "sad": {"train": (3, 0.0), "eval": (0, None)},
        "all": {"train": (9, 6 / 9), "eval": (0, None)},
    }


def test_without_votes_there_is_no_view(tmp_path):
    assert make_votes_view(make_manifest(tmp_path, NAMES, 1)) is None


def test_scores_are_of_the_images_with_a_choice():
    votes = np.array([[6, 4, 0, 0], [5, 4, 1, 0], [4, 4, 0, 2], [0, 0, 0, 0]], np.float32)
    predicted = np.eye(3, dtype=np.float32)[[0, 1, 0, 2]]
    paths = np.array(list("abcd"))
    one = Predictions(tuple(NAMES), np.zeros(4, np.int64), predicted, votes, paths)
    most, six = vote_scores(one)
    assert (most.against, most.images, most.accuracy) == ("most votes", 2, 0.5)
    assert (six.against, six.images, six.accuracy) == ("at least six votes in ten", 1, 1.0)
    assert (six.interval.low, six.interval.high) == pytest.approx((0.2065, 1.0), abs=1e-4)
    nothing = dataclasses.replace(one, votes=np.zeros_like(votes))
    assert vote_scores(nothing) == []


def test_the_page_tells_of_the_votes(tmp_path):
    content = make_content(tmp_path, NAMES)
    plain = Page(render(dataclasses.replace(content, model=None)))
    assert "votes" not in plain.text
    data = dataclasses.replace(content.data, manifest=with_votes(content.data.manifest))
    page = Page(render(dataclasses.replace(content, data=data)))
    assert "9 of the kept pictures have votes, 3 have none." in page.text
    assert "1 line of the file holds no vote." in page.text
    assert "2 lines are for files that are not in the source, such as no/<b>.jpg ." in page.text
    assert "all 9 66.7 % 0" in page.text
    # 100 of 120 answers are the label, which 5 of 6 people say, and of every fifth image 5 of 9.
    assert "the folder's label 120 0.8333" in page.text
    assert "most votes 120 0.8333" in page.text
    assert "at least six votes in ten 96 0.8333" in page.text
