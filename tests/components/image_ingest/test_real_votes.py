"""The votes of FER+ beside FER2013, whole; the counts are those of a script without the project's code."""

import pathlib
import zipfile

from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.image_ingest.folder_agreement import folder_agreement
from emotion_pipeline.components.image_ingest.manifest import VOTES_OTHER_COLUMN
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns
from emotion_pipeline.components.image_ingest.votes import join_votes, read_votes
from emotion_pipeline.components.sources.layout import Layout
from emotion_pipeline.components.vote_figures import agreed
from tests.components.image_ingest.test_votes import SPLITS, table_of

COLUMNS = VoteColumns(
    classes={"angry": ("anger",), "happy": ("happiness",), "sad": ("sadness",)},
    other=("contempt", "unknown", "NF"),
)
AGREEMENT = {
    "train": {"all": (26627, 17563), "angry": (3519, 1806), "disgust": (326, 115),
              "fear": (3623, 509), "happy": (7078, 6592), "neutral": (4690, 4126),
              "sad": (4383, 1947), "surprise": (3008, 2468)},
    "eval": {"all": (3354, 2199), "angry": (410, 228), "disgust": (40, 20), "fear": (446, 57),
             "happy": (883, 807), "neutral": (572, 512), "sad": (614, 238), "surprise": (389, 337)},
}  # fmt: skip


def test_every_line_finds_its_picture_with_and_without_the_outer_folder(fer2013_zip, ferplus_votes):
    votes = read_votes(str(ferplus_votes), LABELS, COLUMNS)
    with zipfile.ZipFile(fer2013_zip) as archive:
        paths = [name for name in archive.namelist() if name.endswith(".jpg")]
    table, record = join_votes(table_of(*paths), votes, pathlib.Path("/data"), SPLITS)
    assert (record.lines, record.pictures, record.without_votes) == (32136, 32136, 162)
    assert (record.empty, record.unknown) == (0, 0)
    found = {
        split: {
            label: (one["images"], round(one["images"] * one["agreement"]))
            for label, one in [("all", measured), *measured["by_class"].items()]
        }
        for split, measured in folder_agreement(table).items()
    }
    assert found == AGREEMENT
    counts = table[[f"votes/{label}" for label in LABELS] + [VOTES_OTHER_COLUMN]].fillna(0)
    in_eval = table["split"] == "eval"
    assert int((agreed(counts[~in_eval].to_numpy()) >= 0).sum()) == 21731
    assert int((agreed(counts[in_eval].to_numpy()) >= 0).sum()) == 2854
    # The first line: 4 neutral, 1 sad, 3 angry, 2 disgust.
    first = table.set_index("path").loc["images/train/angry/0.jpg"]
    assert first[-8:].tolist() == [3.0, 2.0, 0.0, 0.0, 4.0, 1.0, 0.0, 0.0]

    inner = Layout("", SPLITS.splits)
    shorter = [path.removeprefix("images/") for path in paths]
    _, again = join_votes(table_of(*shorter, layout=inner), votes, pathlib.Path("/x"), inner)
    assert again == record
