"""Which side each picture is drawn to, on tables whose hashes are chosen."""

import hashlib

import pandas as pd
import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest import draw
from emotion_pipeline.components.image_ingest.manifest import KEPT


def hash_at(value: float) -> str:
    """Returns a hash that draws `value`, in [0, 1): what lies below the fraction is for eval."""
    return f"{int(value * 16**13):013x}".ljust(64, "0")


def table(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """A manifest of kept pictures, each with its path, its label and the value that its pixels draw."""
    return pd.DataFrame(
        {
            "path": [path for path, _, _ in rows],
            "label": [label for _, label, _ in rows],
            "pixel_hash": [hash_at(value) for _, _, value in rows],
            "content_hash": [f"c{number}" for number in range(len(rows))],
            "status": KEPT,
        }
    )


def of_class(label: str, *values: float) -> list[tuple[str, str, float]]:
    return [(f"{label}/{number}.png", label, value) for number, value in enumerate(values)]


@pytest.fixture
def near_copies(monkeypatch):
    """The near copies that are found; none, unless a test puts some in."""
    found: list[list[str]] = []
    monkeypatch.setattr(draw, "find_near_copies", lambda kept, load: found)
    return found


def in_eval(rows: pd.DataFrame, fraction: float, group_by: str = "") -> list[str]:
    splits = draw.draw_splits(rows, fraction, load=lambda path: None, group_by=group_by)
    assert set(splits) <= {"train", "eval"}
    return list(rows["path"][splits == "eval"])


def test_below_the_fraction_is_eval_and_the_fraction_itself_is_train(near_copies):
    rows = table(*of_class("happy", 0.0, 0.2499, 0.25, 0.9), *of_class("sad", 0.9, 0.8, 0.1, 0.7))
    assert in_eval(rows, 0.25) == ["happy/0.png", "sad/2.png"]
    assert in_eval(table(*of_class("happy", 0.5, 0.4999)), 0.5) == ["happy/1.png"]


def test_copies_are_on_one_side(near_copies):
    rows = table(*of_class("happy", 0.1, 0.1, 0.6, 0.7, 0.8, 0.9))
    assert in_eval(rows, 1 / 3) == ["happy/0.png", "happy/1.png"]


def test_near_copies_are_on_the_side_of_the_smallest_hash(near_copies):
    near_copies.append([hash_at(0.9), hash_at(0.1), hash_at(0.7)])
    rows = table(*of_class("happy", 0.7, 0.9, 0.1, 0.6, 0.8, 0.65))
    assert in_eval(rows, 0.5) == ["happy/0.png", "happy/1.png", "happy/2.png"]


def test_a_class_that_fell_wholly_to_train_gets_the_nearest_to_the_fraction(near_copies):
    rows = table(*of_class("happy", 0.9, 0.5, 0.6, 0.8, 0.7))
    assert in_eval(rows, 0.2) == ["happy/1.png"]
    assert in_eval(rows, 0.4) == ["happy/1.png", "happy/2.png"]


def test_a_class_that_fell_wholly_to_eval_gives_up_the_nearest_to_the_fraction(near_copies):
    rows = table(*of_class("happy", 0.01, 0.02, 0.19, 0.04, 0.05))
    assert in_eval(rows, 0.4) == ["happy/0.png", "happy/1.png"]


def test_a_share_that_is_off_by_no_more_than_the_tolerance_is_left(near_copies):
    # 12 and 13 of 50: 0.24 and 0.26 where 0.25 was asked for; 14 are too many, and 11 too few.
    for drawn, left in ((12, 12), (13, 13), (14, 13), (11, 12)):
        values = [0.001 * (number + 1) for number in range(drawn)]
        values += [0.5 + 0.001 * number for number in range(50 - drawn)]
        assert len(in_eval(table(*of_class("happy", *values)), 0.25)) == left


def test_a_class_of_one_group_is_learnt(near_copies, caplog):
    rows = table(*of_class("happy", 0.1, 0.1, 0.1), *of_class("sad", 0.2, 0.6, 0.7, 0.8))
    with caplog.at_level("INFO", logger="emotion"):
        assert in_eval(rows, 0.25) == ["sad/0.png"]
    assert [record.message.strip() for record in caplog.records] == [
        "happy: 0% of its pictures are in eval, 25% were asked for; they fall into too few groups"
    ]


def test_two_groups_of_a_class_are_told_apart_and_each_side_gets_one(near_copies):
    rows = table(*of_class("happy", 0.8, 0.8, 0.8, 0.9))
    assert in_eval(rows, 0.25) == ["happy/3.png"]
    assert in_eval(rows, 0.7) == ["happy/0.png", "happy/1.png", "happy/2.png"]


def test_a_group_with_two_classes_moves_where_both_come_nearer(near_copies):
    # The person p is in both classes; alone it brings both to a quarter.
    rows = [
        ("happy/p.png", "happy", 0.95),
        ("sad/p.png", "sad", 0.96),
        *of_class("happy", 0.5, 0.6, 0.7),
        *of_class("sad", 0.51, 0.61, 0.71),
    ]
    near_copies.append([hash_at(0.95), hash_at(0.96)])
    assert in_eval(table(*rows), 0.25) == ["happy/p.png", "sad/p.png"]


def test_a_share_that_is_off_by_a_twentieth_is_not_told(near_copies, caplog):
    with caplog.at_level("INFO", logger="emotion"):
        in_eval(table(*of_class("happy", *[0.1] * 5, *[0.9] * 15)), 0.2)
    assert caplog.records == []


def test_what_has_no_pixels_is_named_by_its_bytes_and_else_by_its_path(near_copies):
    rows = table(*of_class("happy", 0.0, 0.0, 0.0))
    rows["pixel_hash"] = [hash_at(0.3), "", ""]
    rows["content_hash"] = ["a", "b", ""]
    assert list(draw._picture_keys(rows)) == [
        hash_at(0.3),
        "b",
        hashlib.sha256(b"happy/2.png").hexdigest(),
    ]


def test_what_was_pruned_keeps_a_side_only_where_it_has_a_label(near_copies):
    rows = table(*of_class("happy", 0.1, 0.8, 0.7, 0.1))
    rows.loc[3, "status"] = "pruned"
    assert list(draw.draw_splits(rows, 1 / 3, lambda path: None)) == [
        "eval",
        "train",
        "train",
        "eval",
    ]
    rows.loc[3, "label"] = ""
    assert list(draw.draw_splits(rows, 1 / 3, lambda path: None)) == ["eval", "train", "train", ""]


@pytest.mark.parametrize(
    ("group_by", "together"),
    [
        (r"p\d", ["happy/p1-a.png", "happy/p1-b.png", "sad/p1-b.png"]),
        (r"(p\d)-", ["happy/p1-a.png", "happy/p1-b.png", "sad/p1-b.png"]),
        (r"(\w+)/(p\d)", ["happy/p1-a.png", "happy/p1-b.png"]),
        (r"(p\d)-(b)?", ["happy/p1-b.png", "sad/p1-b.png"]),
    ],
)
def test_the_groups_of_an_expression_name_who_is_seen(group_by, together):
    paths = ["happy/p1-a.png", "happy/p1-b.png", "sad/p1-b.png", "sad/p2-a.png"]
    names = {path: draw._match(group_by, path) for path in paths}
    assert [path for path in paths if names[path] == names[together[0]]] == together
    assert draw._match("p9", paths[0]) is None


def test_what_an_expression_names_is_on_one_side(near_copies):
    rows = table(
        ("happy/ann-1.png", "happy", 0.9),
        ("happy/bob-1.png", "happy", 0.8),
        ("happy/ann-2.png", "happy", 0.1),
        ("happy/bob-2.png", "happy", 0.7),
        ("happy/other.png", "happy", 0.6),
    )
    assert in_eval(rows, 0.4, group_by=r"(\w+)-") == ["happy/ann-1.png", "happy/ann-2.png"]


def test_an_expression_that_matches_nothing_is_refused(near_copies):
    rows = table(*of_class("happy", 0.1))
    with pytest.raises(UserError, match=r"--group-by x\\d: matches no path, the first is 'happy/0"):
        draw.draw_splits(rows, 0.2, lambda path: None, group_by=r"x\d")
    with pytest.raises(UserError, match="--group-by x: there is no picture to match"):
        draw.draw_splits(rows[:0], 0.2, lambda path: None, group_by="x")
