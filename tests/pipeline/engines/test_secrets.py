import dataclasses
import json
import logging

import pytest

from emotion_pipeline.components.errors import UsageError, UserError
from emotion_pipeline.configs import BeamConfig, PipelineConfig
from emotion_pipeline.engines import secrets
from emotion_pipeline.settings import parse_assignment, to_dict, with_overrides

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    "key",
    [
        "s3_secret_access_key", "s3_access_key_id", "s3_session_token", "azure_connection_string",
        "password", "db-passwd", "my_pwd", "API-KEY", "apikey", "ssh_private_key", "sas",
        "http_bearer", "auth", "account_key", "hdfs_token", "S3_Secret_Access_Key",
    ],
)  # fmt: skip
def test_a_secret_by_its_name_is_refused_and_not_told(key):
    with pytest.raises(UserError, match="looks like a secret") as told:
        BeamConfig(args=(f"--{key}={SECRET}",))
    assert SECRET not in str(told.value)
    assert BeamConfig(args=(f"--{key}=env:NAME",)).args == (f"--{key}=env:NAME",)


@pytest.mark.parametrize(
    "argument",
    [
        f"--temp_location=https://me:{SECRET}@host/x",
        f'--environment_config={{"env": {{"PASSWORD": "{SECRET}"}}}}',
        "--labels=AKIAIOSFODNN7EXAMPLE",
        f"--whatever=DefaultEndpointsProtocol=https;AccountKey={SECRET}",
    ],
)
def test_a_secret_by_its_value_is_refused(argument):
    with pytest.raises(UserError, match="looks like a secret") as told:
        BeamConfig(args=(argument,))
    assert SECRET not in str(told.value)


def test_a_value_apart_from_its_key_is_no_way_round():
    for args in (["--password", SECRET], [f"--password {SECRET}"]):
        with pytest.raises(UserError) as told:
            BeamConfig(args=tuple(args))
        assert SECRET not in str(told.value)


def test_a_config_file_and_set_are_no_way_round():
    setting = parse_assignment(f'beam.args=["--s3_secret_access_key={SECRET}"]')
    with pytest.raises(UserError, match="looks like a secret"):
        with_overrides(PipelineConfig(), setting)


def test_whatever_a_key_is_called_its_value_is_shown_nowhere():
    beam = BeamConfig(
        args=("--project=mine", f"--zzz={SECRET}", "--zzz_too=env:NAME", "--streaming")
    )
    settings = secrets.shown(to_dict(PipelineConfig(beam=beam)))
    assert settings["beam"]["args"] == [
        "--project=mine", "--zzz=(hidden)", "--zzz_too=env:NAME", "--streaming"
    ]  # fmt: skip
    assert beam.args[1] == f"--zzz={SECRET}"
    with pytest.raises(UsageError, match=r"--zzz=\(hidden\) would stand in the compiled") as told:
        secrets.check_may_be_written(beam.args)
    assert SECRET not in str(told.value)
    secrets.check_may_be_written(("--project=mine", "--zzz_too=env:NAME", "--streaming"))


def test_the_report_component_never_gets_them():
    from emotion_pipeline.pipeline import create_pipeline

    config = PipelineConfig(root="/nowhere", beam=BeamConfig(args=(f"--zzz={SECRET}",)))
    for component in create_pipeline(dataclasses.replace(config, cache=False)).components:
        assert SECRET not in json.dumps(component.exec_properties), component.id


def test_a_reference_has_its_value_where_beam_starts_and_logs_hide_it(caplog, monkeypatch):
    monkeypatch.setattr(logging, "_logRecordFactory", logging.getLogRecordFactory())
    arguments = ["--s3_secret_access_key=env:THE_KEY", "--project=mine", "--zzz=literally"]
    assert secrets.resolve(arguments, {"THE_KEY": SECRET}) == [
        f"--s3_secret_access_key={SECRET}", "--project=mine", "--zzz=literally"
    ]  # fmt: skip
    logging.getLogger("beam").warning("Discarding unparseable args: %s", [SECRET, "literally"])
    assert SECRET not in caplog.text
    assert "literally" not in caplog.text
    assert "(hidden)" in caplog.text
    with pytest.raises(UserError, match="the environment variable THE_KEY is not set here"):
        secrets.resolve(arguments, {})
