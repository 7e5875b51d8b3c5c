import pytest
from apache_beam.options.pipeline_options import PortableOptions, StandardOptions, WorkerOptions
from apache_beam.pipeline import PipelineOptions
from tfx.utils import dependency_utils

from emotion_pipeline.cli import make_parser
from emotion_pipeline.commands.run import make_config
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import BeamConfig
from emotion_pipeline.engines.arguments import beam_args, option_of

FLINK = BeamConfig(runner="flink", flink_master="jm:8081", job_endpoint="js:8099", parallelism=6)
SPARK = BeamConfig(runner="spark", spark_master="spark://m:7077", job_endpoint="js:8099")
DATAFLOW = BeamConfig(
    runner="dataflow", worker_image="repo/workers:1", args=("--project=p", "--region=r")
)


def test_local_runs_in_this_process():
    assert beam_args(BeamConfig()) == [
        "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
        "--direct_running_mode=in_memory",
        "--direct_num_workers=1",
        "--sdk_container_image=none",
    ]


def test_flink_uses_the_job_server_and_a_worker_pool_beside_each_task_manager():
    assert beam_args(FLINK) == [
        "--runner=PortableRunner",
        "--job_endpoint=js:8099",
        "--environment_type=EXTERNAL",
        "--environment_config=localhost:50000",
        "--environment_cache_millis=600000",
        "--job_server_timeout=86400",
        "--sdk_container_image=none",
        "--parallelism=6",
    ]


def test_spark_gets_no_argument_that_only_flink_knows():
    assert not option_of(beam_args(SPARK), "parallelism")
    assert option_of(beam_args(SPARK), "job_endpoint") == "js:8099"


def test_dataflow_uses_the_image_as_it_is():
    assert beam_args(DATAFLOW) == [
        "--runner=DataflowRunner",
        "--sdk_container_image=repo/workers:1",
        "--sdk_location=container",
        "--project=p",
        "--region=r",
    ]


@pytest.mark.parametrize("config", [FLINK, SPARK, DATAFLOW])
def test_beam_understands_them_and_tfx_packs_nothing(config):
    args = beam_args(config)
    assert dependency_utils.make_beam_dependency_flags(args) == args
    options = PipelineOptions(args)
    assert options.view_as(WorkerOptions).sdk_container_image
    if config is not DATAFLOW:
        assert options.view_as(StandardOptions).runner == "PortableRunner"
        assert options.view_as(PortableOptions).environment_config == "localhost:50000"


def test_the_users_arguments_win():
    own = BeamConfig(
        runner="portable",
        job_endpoint="js:1",
        args=("--environment_type=DOCKER", "--job_endpoint=js:2"),
    )
    assert option_of(beam_args(own), "job_endpoint") == "js:2"
    options = PipelineOptions(beam_args(own)).view_as(PortableOptions)
    assert (options.environment_type, options.job_endpoint) == ("DOCKER", "js:2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runner": "flink"}, r"beam\.flink_master: must be HOST:PORT of the JobManager"),
        ({"runner": "spark"}, r"beam\.spark_master: must be spark://HOST:PORT"),
        ({"runner": "portable"}, r"beam\.job_endpoint: must be HOST:PORT of a Beam job server"),
        ({"runner": "ray"}, r"beam\.runner: must be one of local, flink, .*got 'ray'"),
        ({"parallelism": -1}, r"beam\.parallelism: must be at least 0, got -1"),
        ({"check_secs": -1}, r"beam\.check_secs: must be at least 0, got -1"),
        ({"args": ("project=p",)}, r"beam\.args: must be arguments such as --key=value"),
    ],
)
def test_refuses_settings_that_cannot_run(settings, message):
    with pytest.raises(UserError, match=message):
        BeamConfig(**settings)


def test_the_command_takes_them_by_flag_file_and_setting(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("beam:\n  args: [--first=1]\n  check_secs: 9\n")
    options = make_parser().parse_args(
        [
            *("run", "--runner", "flink", "--flink-master", "jm:8081", "--config", str(file)),
            *("--set", "beam.parallelism=4", "--beam-arg=--second=2", "--beam-arg=--third"),
        ]
    )
    assert make_config(options).beam == BeamConfig(
        runner="flink",
        flink_master="jm:8081",
        parallelism=4,
        check_secs=9,
        args=("--first=1", "--second=2", "--third"),
    )
