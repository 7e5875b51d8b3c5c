"""Which arguments Beam's pipelines get on each runner: pure functions."""

from emotion_pipeline.configs import BeamConfig

# Without any image TFX packs its own installation anew for each Beam step. Nobody looks at the name:
# here no worker runs in a container, and external ones have everything installed.
_NO_IMAGE = "--sdk_container_image=none"

_LOCAL_ARGS = [
    # By its whole name: Beam 2.62 knows no short one, and DirectRunner would first try to fetch Prism
    # on Beam 2.77. On Beam 2.62 it is what DirectRunner comes to.
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    _NO_IMAGE,
]

_ENVIRONMENT_CACHE_MILLIS = 600_000
"""How long an engine keeps an idle Python worker within a job; a new one imports TensorFlow in 6 s."""

_JOB_SERVER_TIMEOUT_SECS = 24 * 3600
"""Beam's 60 s are, against what its help says, a deadline of the whole job on a job service such as
Beam's own in Python, which names a job before it runs: the stream of the job's states has it."""


def beam_args(config: BeamConfig) -> list[str]:
    """Returns the arguments of Beam's pipelines.

    Args:
      config: For Flink and Spark with the endpoint of a job server; `parallelism` 0 leaves the
        number to the engine, which on Flink is 1.

    Returns:
      `--key=value` texts. The user's own are last: of two values of a key Beam takes the last.
    """
    if config.runner == "local":
        args = list(_LOCAL_ARGS)
    elif config.runner == "dataflow":
        args = [
            "--runner=DataflowRunner",
            f"--sdk_container_image={config.worker_image}",
            # The image has this Beam in it; nothing is to be installed when a worker starts.
            "--sdk_location=container",
        ]
    else:
        args = [
            "--runner=PortableRunner",
            f"--job_endpoint={config.job_endpoint}",
            "--environment_type=EXTERNAL",
            f"--environment_config={config.worker_pool}",
            f"--environment_cache_millis={_ENVIRONMENT_CACHE_MILLIS}",
            f"--job_server_timeout={_JOB_SERVER_TIMEOUT_SECS}",
            _NO_IMAGE,
        ]
        if config.runner == "flink" and config.parallelism:
            args.append(f"--parallelism={config.parallelism}")
    return [*args, *config.args]


def option_of(args: list[str], key: str) -> str:
    """Returns the last value of an argument of the form `--key=value`; empty where it is not given."""
    prefix = f"--{key}="
    return next((arg[len(prefix) :] for arg in reversed(args) if arg.startswith(prefix)), "")
