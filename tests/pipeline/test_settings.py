import ast
import dataclasses
import json
import pathlib

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns
from emotion_pipeline.configs import BeamConfig, PipelineConfig, ThresholdConfig
from emotion_pipeline.recipes import RECIPES
from emotion_pipeline.settings import load_file, parse_assignment, to_dict, with_overrides
from emotion_pipeline.train_config import TrainConfig

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def test_defaults_are_the_method_as_published():
    train = PipelineConfig().train
    assert (train.epochs, train.batch_size, train.learning_rate) == (100, 128, 0.001)
    assert train.dropout_steps == ((0, 0.5),)
    assert RECIPES["original"] == {}
    assert (train.flip, train.rotation_degrees, train.zoom, train.shift_px) == (False, 0, 0, 0)


def test_overrides_nested_settings_and_leaves_the_rest():
    config = with_overrides(
        PipelineConfig(), {"seed": 7, "train": {"epochs": 3, "learning_rate": 1, "flip": True}}
    )
    assert config == PipelineConfig(
        seed=7, train=TrainConfig(epochs=3, learning_rate=1.0, flip=True)
    )
    assert type(config.train.learning_rate) is float


def test_artifacts_are_below_the_root_or_where_it_is_said():
    assert PipelineConfig().root == "runs/sample"
    assert PipelineConfig(root="/r").artifacts_path == "/r/artifacts"
    assert PipelineConfig(root="/r", artifacts_dir="s3://b/a").artifacts_path == "s3://b/a"


@pytest.mark.parametrize(
    "name", ["brightness", "jpeg_share", "blur_share", "erase_share", "equalize_share"]
)
def test_nothing_is_done_to_a_picture_that_is_not_asked_for(name):
    assert getattr(TrainConfig(), name) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 1},
        {"batch_size": 65536},
        {"epochs": 1},
        {"epochs": 100000},
        {"jpeg_share": 1.0},
    ],
)
def test_takes_the_ends_of_a_range(changes):
    assert to_dict(TrainConfig(**changes)).items() >= changes.items()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch_size": 0}, "train.batch_size: must be from 1 to 65536, got 0"),
        ({"batch_size": 65537}, "train.batch_size: must be from 1 to 65536, got 65537"),
        ({"epochs": 10**23}, f"train.epochs: must be from 1 to 100000, got {10**23}"),
        ({"learning_rate": 0.0}, "train.learning_rate: must be above 0, and finite, got 0.0"),
        ({"jpeg_share": 1.5}, "train.jpeg_share: must be in [0, 1], got 1.5"),
    ],
)
def test_says_what_a_value_must_be_and_which_it_is(changes, told):
    with pytest.raises(UserError) as error:
        TrainConfig(**changes)
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("runner", "needed", "example"),
    [
        ("flink", "flink_master", "HOST:PORT"),
        ("spark", "spark_master", "spark://HOST:PORT"),
        ("portable", "job_endpoint", "HOST:PORT"),
    ],
)
def test_an_engine_wants_its_address(runner, needed, example):
    with pytest.raises(
        UserError, match=rf"^beam\.{needed}: must be {example} .* on {runner}, got ''"
    ):
        BeamConfig(runner=runner)
    assert BeamConfig(runner=runner, **{needed: "here:1"}).parallelism == 0


def test_lists_become_tuples():
    config = with_overrides(
        PipelineConfig(), {"labels": ["a", "b"], "train": {"dropout_steps": [[0, 0], [0.2, 0.5]]}}
    )
    assert config.labels == ("a", "b")
    assert config.train.dropout_steps == ((0.0, 0.0), (0.2, 0.5))


def test_survives_the_way_through_json():
    for recipe in RECIPES.values():
        train = with_overrides(PipelineConfig(), recipe).train
        assert with_overrides(TrainConfig(), json.loads(json.dumps(to_dict(train)))) == train


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=3", {"seed": 3}),
        ("thresholds.accuracy=0.4", {"thresholds": {"accuracy": 0.4}}),
        ("labels=[a, b]", {"labels": ["a", "b"]}),
        ("data=a=b", {"data": "a=b"}),
        ("train.learning_rate=1e-3", {"train": {"learning_rate": "1e-3"}}),
    ],
)
def test_parses_an_assignment(text, expected):
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["labels=[1, 2, 03]", "labels=['1', \"2\", 03]"])
def test_takes_numbers_for_names_as_they_are_written(text):
    assert with_overrides(PipelineConfig(), parse_assignment(text)).labels == ("1", "2", "03")


def test_numbers_that_are_numbers_stay_plain():
    config = with_overrides(PipelineConfig(), parse_assignment("seed=3"))
    assert type(config.seed) is int
    assert with_overrides(config, parse_assignment("train.zoom=0")).train.zoom == 0.0


def test_class_names_add_up():
    config = with_overrides(PipelineConfig(), parse_assignment("class_names={3: fear, joy: happy}"))
    config = with_overrides(config, parse_assignment("class_names.anger=angry"))
    assert config.class_names == {"3": "fear", "joy": "happy", "anger": "angry"}
    assert with_overrides(PipelineConfig(), json.loads(json.dumps(to_dict(config)))) == config


def test_labels_have_one_spelling():
    labels = ["u\u0308berrascht", "a"]
    assert with_overrides(PipelineConfig(), {"labels": labels}).labels == ("\u00fcberrascht", "a")


def test_what_holds_only_together_may_come_in_any_order():
    labels, votes = {"train": {"label_source": "both"}}, {"votes": "votes.csv"}
    for overrides in ((labels, votes), (votes, labels)):
        config = with_overrides(PipelineConfig(), *overrides)
        assert (config.train.label_source, config.votes) == ("both", "votes.csv")
    with pytest.raises(UserError, match="label_source"):
        with_overrides(PipelineConfig(), votes, labels, {"votes": ""})


def test_the_later_of_two_values_wins_and_the_rest_of_a_group_stays():
    config = with_overrides(
        PipelineConfig(), {"train": {"epochs": 0, "zoom": 0.1}}, {"train": {"epochs": 3}}
    )
    assert (config.train.epochs, config.train.zoom) == (3, 0.1)


def test_takes_a_number_that_yaml_reads_as_text():
    config = with_overrides(TrainConfig(), {"learning_rate": "1e-3"})
    assert config.learning_rate == 0.001


def test_a_mapping_takes_one_key_after_another_and_a_text_for_a_list_of_it():
    config = PipelineConfig()
    for text in (
        "votes_columns.classes={angry: anger, happy: [happiness, joy]}",
        "votes_columns.classes.sad=sadness",
        "votes_columns.other=[contempt, NF]",
        "votes=votes.csv",
    ):
        config = with_overrides(config, parse_assignment(text))
    assert config.votes_columns == VoteColumns(
        classes={"angry": ("anger",), "happy": ("happiness", "joy"), "sad": ("sadness",)},
        other=("contempt", "NF"),
    )
    assert to_dict(config)["votes_columns"] == {
        "file": "file",
        "classes": {"angry": ["anger"], "happy": ["happiness", "joy"], "sad": ["sadness"]},
        "other": ["contempt", "NF"],
        "ignored": [],
    }
    assert with_overrides(PipelineConfig(), json.loads(json.dumps(to_dict(config)))) == config
    assert PipelineConfig().votes_columns.classes == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "--set seed: expected key=value"),
        ("=3", "--set =3: expected key=value"),
        ("seed=[1", r"--set seed=\[1: '\[1' is not a value"),
        ("class_names={a: b, a: c}", "a is there more than once"),
        (
            "labels=" + "[" * 3000,
            r"--set labels=\[+\.\.\.: '\[{80}\.\.\.' is not a value: it is nested too",
        ),
    ],
)
def test_refuses_a_bad_assignment(text, message):
    with pytest.raises(UserError, match=message) as told:
        parse_assignment(text)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"epoch": 3},
            r"^epoch: there is no such setting; did you mean train\.epochs\? known are .*seed",
        ),
        (
            {"train": {"epoch": 3}},
            r"^train\.epoch: there is no such setting; did you mean train\.epochs\? known are",
        ),
        (
            {"train.epochs": 1},
            r"such setting; a dot is a level of nesting in a file, train: {epochs: \.\.\.}; known are",
        ),
        ({"Accuracy": 1}, r"did you mean thresholds\.accuracy\?"),
        ({"zzz": 1}, "^zzz: there is no such setting; known are"),
        ({"seed": -5}, "^seed: must be from 0 to 4294967295"),
        ({"seed": 2**32}, "^seed: must be from 0 to 4294967295"),
        ({"data": " "}, "^data: must be a source"),
        ({"root": ""}, "^root: must be a folder"),
        ({"model_name": "../../x"}, r"^model_name: must be letters, .* got '\.\./\.\./x'"),
        ({"model_name": ""}, "^model_name: must be letters"),
        ({"model_name": ".."}, "^model_name: must be letters"),
        ({"labels": [True, False]}, "^labels: expected text, got True, .* put quotes around it"),
        ({"labels": [None, "a"]}, "^labels: expected text, got None, .* put quotes around it"),
        ({"labels": [True, "a"]}, r"""quotes around it: --set 'labels=\["...", ...\]'$"""),
        ({"data": True}, """^data: expected text, got True, .*: --set 'data="..."'$"""),
        ({"class_names": {"a": True}}, """: --set 'class_names.a="..."'$"""),
        ({"class_names": {True: "a"}}, "^class_names: expected text, got True, .*=\\{"),
        ({"labels": ["a", ""]}, "^labels: must be class names in one line each"),
        ({"labels": ["a", "b\nc"]}, "^labels: must be class names in one line each"),
        ({"class_names": {"a": 1.5}}, r"^class_names\.a: expected text, got 1.5"),
        ({"class_names": ["a"]}, "^class_names: expected a mapping"),
        ({"train": 3}, "^train: is a group of settings, got 3"),
        ({"seed": "x"}, "^seed: expected a whole number, got 'x'"),
        ({"seed": True}, "^seed: expected a whole number, got True"),
        ({"seed": 1.5}, "^seed: expected a whole number, got 1.5"),
        ({"train": {"teachers": "x"}}, "^train.teachers: expected a list, got 'x'"),
        (
            {"train": {"dropout_steps": [[0]]}},
            r"^train.dropout_steps: expected a list of 2, got \[0\]",
        ),
        ({"labels": "happy"}, "^labels: expected a list, got 'happy'"),
        ({"labels": ["happy", "happy"]}, "^labels: must be at least two different class names"),
        ({"votes_columns": {"other": "NF"}}, r"^votes_columns\.other: expected a list, got 'NF'"),
        ({"votes_columns": {"classes": "sad"}}, r"^votes_columns\.classes: expected .*got 'sad'"),
        (
            {"votes_columns": {"classes": {1: "a"}}},
            r"^votes_columns\.classes: expected text, got 1,",
        ),
        ({"votes_columns": {"classes": {"sad": 3}}}, r"^votes_columns\.classes\.sad: .*got 3"),
        (
            {"votes": "v.csv", "votes_columns": {"classes": {"glad": "joy"}}},
            r"^votes_columns\.classes\.glad: there is no such class; labels are angry, disgust",
        ),
        ({"balance": "mirror"}, "^balance: must be one of translate, none, got 'mirror'"),
        ({"max_shift_px": 48}, "^max_shift_px: must be from 1 to 47, got 48"),
        ({"eval_fraction": 1}, r"^eval_fraction: must be in \(0, 1\), got 1.0"),
        ({"thresholds": {"accuracy": 1.5}}, r"^thresholds\.accuracy: must be in \[0, 1\], got 1.5"),
        ({"train": {"epochs": 0}}, r"^train\.epochs: must be from 1 to 100000, got 0"),
        (
            {"train": {"learning_rate": "fast"}},
            r"^train\.learning_rate: expected a number, got 'fast",
        ),
        ({"train": {"learning_rate": 0}}, r"^train\.learning_rate: must be above 0, and finite"),
        ({"train": {"zoom": 12}}, r"^train\.zoom: must be in \[0, 1\), got 12.0"),
        (
            {"train": {"calibration_share": 0.5}},
            r"^train\.calibration_share: must be in \[0, 0\.5\), got 0\.5",
        ),
        ({"train": {"brightness": -0.1}}, r"^train\.brightness: must be in \[0, 1\), got -0.1"),
        (
            {"train": {"early_stopping_patience": -1}},
            r"^train\.early_stopping_patience: must be at least 0, and finite, got -1",
        ),
        ({"train": {"rotation_degrees": ".nan"}}, r"^train\.rotation_degrees: expected a number"),
        (
            {"train": {"weight_decay": float("nan")}},
            r"^train\.weight_decay: must be at least 0, and finite, got nan",
        ),
        (
            {"train": {"best_epoch_by": "f1"}},
            r"^train\.best_epoch_by: must be one of accuracy, loss",
        ),
        ({"train": {"schedule": "step"}}, r"^train\.schedule: must be one of constant, cosine"),
        ({"train": {"dropout_steps": [[1, 0.5]]}}, r"^train\.dropout_steps: must be \[share, rate"),
        ({"train": {"dropout_steps": [[0, 1.0]]}}, r"^train\.dropout_steps: must be \[share, rate"),
        (
            {"train": {"dropout_steps": [[0, 0.5], [1, 0.6]]}},
            r"^train\.dropout_steps: must be \[share, rate",
        ),
        ({"train": {"dropout_steps": []}}, r"^train\.dropout_steps: must be \[share, rate"),
    ],
)
def test_refuses_bad_settings(overrides, message):
    with pytest.raises(UserError, match=message):
        with_overrides(PipelineConfig(), overrides)


def test_reads_a_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("seed: 3\ntrain:\n  epochs: 2\n")
    assert load_file(str(file)) == {"seed": 3, "train": {"epochs": 2}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- 1\n", "holds list, expected"),
        (b"", "is empty, expected"),
        (b"# nothing\n", "is empty, expected"),
        (b"a: [", "cannot be read"),
        (b"seed: 1\ntrain: {epochs: 2}\nseed: 2\n", "seed is there more than once in .*, line 1"),
        (b"train:\n  epochs: 2\n  epochs: 3\n", "epochs is there more than once in .*, line 2"),
        (b"\xff\xfe\xfa", "cannot be read"),
        (b"[" * 3000, "cannot be read: it is nested too deep"),
    ],
)
def test_refuses_a_bad_file(tmp_path, content, message):
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_file(str(file))


def test_refuses_what_has_no_end():
    with pytest.raises(UserError, match="--config /dev/zero: has more than 1,048,576 characters"):
        load_file("/dev/zero")


def test_refuses_a_folder(tmp_path):
    with pytest.raises(UserError) as error:
        load_file(str(tmp_path))
    assert str(error.value) == f"--config {tmp_path}: cannot be read: Is a directory"


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read"):
        load_file(str(tmp_path / "none.yaml"))


def _attributes_read(path):
    """Returns the names of all attributes in a file, those that only a setting's own check looks at left out."""
    waiting, found = [ast.parse(path.read_text(encoding="utf-8"))], set()
    while waiting:
        node = waiting.pop()
        if not (isinstance(node, ast.FunctionDef) and node.name == "__post_init__"):
            waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


@pytest.mark.parametrize(
    "group",
    [PipelineConfig, TrainConfig, ThresholdConfig, BeamConfig],
    ids=lambda group: group.__name__,
)
def test_a_setting_is_read(group):
    sources = [*REPOSITORY.glob("pipeline/**/*.py"), *REPOSITORY.glob("components/**/*.py")]
    read = set().union(*map(_attributes_read, sources))
    unread = {field.name for field in dataclasses.fields(group)} - read
    assert unread == set(), "hand them on in create_pipeline, or read them in pipeline/modules"


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_is_told_where_recipes_are(name):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    source = (REPOSITORY / "pipeline" / "recipes.py").read_text(encoding="utf-8")
    missing = {
        "README.md, Settings": f"--recipe {name}`" not in readme,
        "pipeline/recipes.py, below RECIPES": f"`{name}`" not in source.rpartition("}\n")[2],
    }
    assert [place for place, is_missing in missing.items() if is_missing] == []
