import argparse

import pytest

from emotion_pipeline.commands import run, validate
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_findings.kinds import check_policies
from emotion_pipeline.configs import FindingsConfig


def config_of(command, *arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return run.make_config(parser.parse_args(arguments))


def test_a_run_drops_leaks_unless_it_is_told_to_keep_them():
    assert config_of(run).findings.policies == check_policies({})
    assert config_of(run, "--keep-leaks").findings.policies == dict.fromkeys(
        check_policies({}), "report"
    )


def test_policies_are_settings():
    config = config_of(run, "--set", "findings.near_copies=drop", "--set", "findings.drift=fail")
    assert config.findings == FindingsConfig(near_copies="drop", drift="fail")
    with pytest.raises(
        UserError, match=r"findings\.drift: must be one of report, fail, got 'drop'"
    ):
        config_of(run, "--set", "findings.drift=drop")


def test_a_file_of_votes_is_given_by_any_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "votes.csv", tmp_path.parent / "v.csv"):
        path.write_text("file,happy\n")
    assert config_of(run).votes == ""
    assert config_of(run, "--votes", "votes.csv").votes == str(tmp_path / "votes.csv")
    assert config_of(run, "--set", "votes=../v.csv").votes == str(tmp_path.parent / "v.csv")
    assert config_of(run, "--votes", "gs://bucket/v.csv").votes == "gs://bucket/v.csv"


def test_a_root_inside_the_data_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--root .*runs: lies inside the data"):
        config_of(run, "--data", str(tmp_path), "--root", str(tmp_path / "runs"))
    parser = argparse.ArgumentParser()
    validate.add_arguments(parser)
    parser.set_defaults(verbose=False)
    options = parser.parse_args([str(tmp_path), "--root", str(tmp_path / "runs")])
    assert validate.execute(options) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "file:///faces",
            r"data: file:///faces: nothing here opens .* local path \(here /faces\), gs://",
        ),
        ("ftp://host/faces", r"data: ftp://host/faces: nothing here opens such an address; give a"),
        ("https://example.org/faces.zip", "nothing here opens such an address"),
        ("https://kaggle.com.example.org/datasets/a/b", "nothing here opens such an address"),
    ],
)
def test_an_address_that_nothing_opens_is_refused_at_once(source, message):
    with pytest.raises(UserError, match=message):
        config_of(run, "--data", source)


@pytest.mark.parametrize(
    "source",
    [
        *(
            "https://www.kaggle.com/datasets/owner/name",
            "opendatasets:https://kaggle.com/owner/name",
        ),
        *("kaggle:owner/name", "gs://bucket/faces", "s3://bucket/faces.zip", "hdfs://host/faces"),
    ],
)
def test_an_address_that_is_opened_is_taken(source):
    assert config_of(run, "--data", source).data == source


@pytest.mark.parametrize(
    ("flag", "command", "given"),
    [
        ("--summary", run, ()),
        ("--json", validate, ("faces",)),
        ("--report", validate, ("faces",)),
    ],
)
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("", "is a folder; give a file's name"),
        ("file/x.json", "file is a file, where a folder is needed"),
        ("file/deep/x.json", "file is a file, where a folder is needed"),
        ("y" * 300, "File name too long"),
        ("gs://bucket/x.json", "give a local path"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused_before_the_work(
    flag, command, given, place, message, tmp_path, capsys
):
    (tmp_path / "file").write_text("")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    target = place if "://" in place else str(tmp_path / place)
    with pytest.raises(SystemExit):
        parser.parse_args([*given, flag, target])
    assert message in capsys.readouterr().err
    parser.parse_args([*given, flag, str(tmp_path / "new" / "deep" / "x.json")])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (run, ["--votes", ""]),
        (run, ["--push-dir", ""]),
        (run, ["--group-by", " "]),
        (validate, ["faces", "--schema", ""]),
        (validate, ["faces", "--against", ""]),
        (validate, ["faces", "--votes", ""]),
    ],
)
def test_a_flag_with_nothing_in_it_is_refused_and_not_left_out(command, arguments, capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 2
    assert (
        f"argument {arguments[-2]}: is empty; give a value, or leave it out"
        in capsys.readouterr().err
    )
