import dataclasses
import math
import pathlib

import numpy as np
import pandas as pd
import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest.manifest import (
    VOTES_OTHER_COLUMN,
    VotesRecord,
    make_table,
    vote_column,
    vote_columns,
)
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns
from emotion_pipeline.components.image_ingest.votes import (
    fingerprint_votes,
    join_votes,
    read_votes,
    votes_lines,
)
from emotion_pipeline.components.sources.layout import Layout

LABELS = ("happy", "sad")
COLUMNS = VoteColumns(classes={"happy": ("happiness", "joy")}, other=("unknown", "NF"))
HEADER = "file,sad,happiness,joy,unknown,NF\n"


def write(folder: pathlib.Path, text: str | bytes) -> str:
    path = folder / "votes.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_reads_the_counts_in_the_order_of_the_labels(tmp_path):
    path = write(
        tmp_path, "\ufeff" + HEADER + "a/1.jpg,1,2,3,4,0.5\r\n\n" + '"b, c.jpg",0,0,0,0,7\n'
    )
    votes = read_votes(path, LABELS, COLUMNS)
    assert (votes.path, votes.labels, votes.files) == (path, LABELS, ("a/1.jpg", "b, c.jpg"))
    assert votes.counts.dtype == np.float32
    assert votes.counts.tolist() == [[5.0, 1.0, 4.5], [0.0, 0.0, 7.0]]


def test_a_file_with_columns_named_like_the_classes_needs_no_mapping(tmp_path):
    votes = read_votes(write(tmp_path, "sad,file,happy\n1,x.jpg,2\n"), LABELS, VoteColumns())
    assert votes.counts.tolist() == [[2.0, 1.0, 0.0]]


def test_the_column_of_the_file_may_have_another_name_and_others_be_left_out(tmp_path):
    columns = VoteColumns(file="Image name", ignored=("Usage",))
    path = write(tmp_path, "Usage,Image name,happy,sad\nTraining,x.jpg,2,1\n")
    assert read_votes(path, LABELS, columns).counts.tolist() == [[2.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"votes\.csv: has no column 'file', 'happiness', 'joy', 'sad', 'unknown', 'NF'; its"),
        (HEADER, r"votes\.csv: no line of votes after the header"),
        ("path,sad,happiness,joy,unknown,NF\n", "has no column 'file'; its columns are 'path'"),
        ("file,happiness,joy,unknown,NF\n", "has no column 'sad'; .*votes_columns.classes"),
        (HEADER.replace("NF", "NF,contempt,x"), "nothing says what the columns 'contempt', 'x' m"),
        (HEADER.replace("NF", "NF,sad"), "the header has 'sad' more than once"),
        (HEADER + "a,1,2,3,4\n", "line 2: 5 cells, and the header has 6"),
        (HEADER + "a,1,2,3,4,5,6\n", "line 2: 7 cells, and the header has 6"),
        (HEADER + "a,1,2,3,4,5\nb,1,x,3,4,5\n", "line 3, column happiness: 'x' is no number of v"),
        (HEADER + "a,1,2,3,,5\n", "line 2, column unknown: '' is no number of votes"),
        (HEADER + "a,1,2,3,nan,5\n", "line 2, column unknown: 'nan' is no number of votes"),
        (HEADER + "a,1,2,3,inf,5\n", "line 2, column unknown: 'inf' is no number of votes"),
        (HEADER + "a,1,2,3,1_0,5\n", "line 2, column unknown: '1_0' is no number of votes"),
        (HEADER + "a,-1,2,3,4,5\n", "line 2, column sad: '-1' is no number of votes, 0 or more"),
        (HEADER + "a,1,2,3,4,5\nb,1,2,3,4,5\na,1,2,3,4,5\n", "line 4: 'a' is in line 2 too"),
        (HEADER + '"a,1,2,3,4,5\n', "line 2: no CSV: unexpected end of data"),
        (HEADER.encode() + b"\xff,1,2,3,4,5\n", "votes.csv: not UTF-8"),
    ],
)
def test_refuses_a_bad_file(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_votes(write(tmp_path, text), LABELS, COLUMNS)


def test_refuses_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"--votes .*none\.csv: cannot be read \(No such file"):
        read_votes(str(tmp_path / "none.csv"), LABELS, COLUMNS)
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory"):
        fingerprint_votes(str(tmp_path))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            VoteColumns(classes={"glad": ("joy",)}),
            r"classes\.glad: there is no such class; labels a",
        ),
        (VoteColumns(classes={"sad": ()}), r"classes\.sad: names no column"),
        (VoteColumns(classes={"sad": ("happy",)}), "'happy' is given two meanings, happy and sad"),
        (VoteColumns(other=("sad",)), "'sad' is given two meanings, sad and other"),
        (VoteColumns(other=("a", "a")), "'a' is given two meanings, other and other"),
        (VoteColumns(file="x", ignored=("x",)), "'x' is given two meanings, the file and ignored"),
    ],
)
def test_refuses_columns_that_do_not_fit(columns, message):
    with pytest.raises(UserError, match=message):
        columns.by_class(LABELS)


def test_the_fingerprint_is_that_of_the_content(tmp_path):
    path = write(tmp_path, "one")
    first = fingerprint_votes(path)
    pathlib.Path(tmp_path / "copy.csv").write_text("one")
    assert fingerprint_votes(str(tmp_path / "copy.csv")) == first
    write(tmp_path, "two")
    assert fingerprint_votes(path) != first


SPLITS = Layout("images", {"train": "train", "validation": "eval"})


def table_of(*paths: str, layout: Layout = SPLITS) -> pd.DataFrame:
    rows = []
    for path in paths:
        split, label = layout.locate(path) or ("", "")
        row = {"path": path, "split": split, "label": label, "status": "kept", "reason": ""}
        numbers = dict.fromkeys(
            (
                "bytes",
                "width",
                "height",
                "channels",
                "brightness",
                "contrast",
                "sharpness",
                "entropy",
            ),
            1,
        )
        texts = dict.fromkeys(("format", "content_hash", "pixel_hash", "perceptual_hash"), "")
        rows.append({**row, **numbers, **texts})
    return make_table(rows)


def votes_of(folder: pathlib.Path, *files: str):
    lines = "".join(f'"{file}",{index},0\n' for index, file in enumerate(files, start=1))
    return read_votes(write(folder, "file,happy,sad\n" + lines), LABELS, VoteColumns())


def joined(folder: pathlib.Path, table, root: str, layout: Layout, *files: str) -> dict:
    result, _ = join_votes(table, votes_of(folder, *files), pathlib.PurePosixPath(root), layout)
    found = result.set_index("path")["votes/happy"].dropna()
    return {path: int(count) for path, count in found.items()}


@pytest.mark.parametrize(
    "lead", ["images/", "", "./images/", "faces/images/", "/data/faces/images/"]
)
def test_a_line_may_have_any_of_the_last_folders_above_the_splits(tmp_path, lead):
    table = table_of("images/train/sad/1.jpg", "images/validation/sad/1.jpg")
    files = (f"{lead}validation/sad/1.jpg", f"{lead}train/sad/1.jpg")
    assert joined(tmp_path, table, "/data/faces", SPLITS, *files) == {
        "images/validation/sad/1.jpg": 1,
        "images/train/sad/1.jpg": 2,
    }


@pytest.mark.parametrize("lead", ["images/", "", "pictures/", "data/pictures/"])
def test_the_outer_folder_may_be_missing_in_the_source(tmp_path, lead):
    layout = dataclasses.replace(SPLITS, base="")
    table = table_of("train/sad/1.jpg", "train/sad/11.jpg", layout=layout)
    assert joined(tmp_path, table, "/data/pictures", layout, f"{lead}train/sad/1.jpg") == {
        "train/sad/1.jpg": 1
    }


def test_one_folder_of_classes_takes_the_votes_of_its_own_split_alone(tmp_path):
    layout = Layout("", {})
    table = table_of("sad/1.jpg", "happy/2.jpg", layout=layout)
    files = ("images/train/sad/1.jpg", "images/validation/sad/1.jpg", "happy/2.jpg")
    assert joined(tmp_path, table, "/data/images/train", layout, *files) == {
        "sad/1.jpg": 1,
        "happy/2.jpg": 3,
    }


@pytest.mark.parametrize(
    "file",
    [
        "other/train/sad/1.jpg",
        "sad/1.jpg",
        "1.jpg",
        "images/train/happy/1.jpg",
        "images/train/sad/01.jpg",
        "images/train/sad/1.JPG",
        "images/images/train/sad/1.jpg",
        "/elsewhere/images/train/sad/1.jpg",
    ],
)
def test_a_line_for_another_path_is_for_no_picture(tmp_path, file):
    table = table_of("images/train/sad/1.jpg", "images/train/sad/2.jpg")
    votes = votes_of(tmp_path, "images/train/sad/2.jpg", file)
    _, record = join_votes(table, votes, pathlib.Path("/data/faces"), SPLITS)
    assert (record.unknown, record.unknown_examples) == (1, (file,))


def test_tells_what_became_of_every_line(tmp_path):
    paths = [f"images/train/sad/{number}.jpg" for number in range(4)]
    table = table_of(*paths, "images/readme.txt")
    table.loc[table["path"] == paths[2], "status"] = "pruned"
    path = write(
        tmp_path,
        "file,happy,sad,NF\n"
        f"{paths[0]},1,2,3\n"
        f"{paths[1]},0,0,0\n"
        f"{paths[2]},0,0,1\n"
        "images/readme.txt,1,1,1\n"
        "images/train/sad/gone.jpg,1,1,1\n",
    )
    votes = read_votes(path, LABELS, VoteColumns(other=("NF",)))
    result, record = join_votes(table, votes, pathlib.Path("/data"), SPLITS)
    assert record == VotesRecord(
        file=path,
        lines=5,
        pictures=1,
        without_votes=3,
        empty=1,
        unknown=2,
        unknown_examples=("images/readme.txt", "images/train/sad/gone.jpg"),
    )
    assert votes_lines(record) == [
        f"votes for 1 of 4 pictures ({path})",
        "votes: 1 lines have no vote; they count as pictures without",
        "votes: 2 lines are for files that are not there, such as images/readme.txt, "
        "images/train/sad/gone.jpg",
    ]
    assert vote_columns(result.columns) == [vote_column("happy"), vote_column("sad")]
    assert list(result.columns[-3:]) == ["votes/happy", "votes/sad", VOTES_OTHER_COLUMN]
    assert set(map(str, result.dtypes[-3:])) == {"float32"}
    values = result.set_index("path")[["votes/happy", "votes/sad", VOTES_OTHER_COLUMN]]
    assert values.loc[paths[0]].tolist() == [1.0, 2.0, 3.0]
    assert values.loc[paths[2]].tolist() == [0.0, 0.0, 1.0]
    assert all(math.isnan(value) for path in (paths[1], paths[3]) for value in values.loc[path])
    assert "votes/happy" not in table


def test_refuses_two_lines_for_one_picture(tmp_path):
    votes = votes_of(tmp_path, "images/train/sad/1.jpg", "train/sad/1.jpg")
    with pytest.raises(UserError, match=r"'images/train/sad/1\.jpg' and 'train/sad/1\.jpg' are"):
        join_votes(table_of("images/train/sad/1.jpg"), votes, pathlib.Path("/data"), SPLITS)


def test_refuses_votes_for_none_of_the_pictures(tmp_path):
    votes = votes_of(tmp_path, "fer0001.png", "fer0002.png")
    with pytest.raises(
        UserError, match="none of its 2 pictures is in the source; the first is 'fer"
    ):
        join_votes(table_of("images/train/sad/1.jpg"), votes, pathlib.Path("/data"), SPLITS)
