import numpy as np

from emotion_pipeline.components.image_ingest.folder_agreement import folder_agreement
from emotion_pipeline.components.image_ingest.manifest import make_table

NAN = float("nan")
ROWS = [
    # split, folder, status, votes for sad, for happy, for neither
    ("train", "sad", "kept", 6, 4, 0),
    ("train", "sad", "kept", 1, 4, 0),
    ("train", "sad", "kept", 5, 5, 0),
    ("train", "sad", "kept", NAN, NAN, NAN),
    ("train", "happy", "kept", 0, 4, 6),
    ("train", "glad", "kept", 0, 9, 1),
    ("train", "sad", "pruned", 9, 0, 0),
    ("eval", "happy", "kept", 0, 10, 0),
]


def table(rows):
    text = dict.fromkeys(("format", "content_hash", "pixel_hash", "perceptual_hash", "reason"), "")
    numbers = dict.fromkeys(
        ("bytes", "width", "height", "channels", "brightness", "contrast", "sharpness", "entropy"),
        1,
    )
    places = [
        {**text, **numbers, "path": str(n), "split": split, "label": label, "status": status}
        for n, (split, label, status, *_) in enumerate(rows)
    ]
    made = make_table(places)
    counts = np.array([row[3:] for row in rows], np.float32)
    return made.assign(
        **{"votes/sad": counts[:, 0], "votes/happy": counts[:, 1], "votes_other": counts[:, 2]}
    )


def test_counts_the_kept_pictures_with_a_most_voted_class():
    assert folder_agreement(table(ROWS)) == {
        "train": {
            "images": 3,
            "agreement": 1 / 3,
            "by_class": {
                "glad": {"images": 1, "agreement": 0.0},
                "happy": {"images": 0, "agreement": None},
                "sad": {"images": 2, "agreement": 0.5},
            },
        },
        "eval": {
            "images": 1,
            "agreement": 1.0,
            "by_class": {"happy": {"images": 1, "agreement": 1.0}},
        },
    }


def test_a_manifest_without_votes_says_nothing():
    assert folder_agreement(make_table([])) == {}
