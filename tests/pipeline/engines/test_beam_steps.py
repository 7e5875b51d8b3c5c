import pytest
from tfx.proto.orchestration import executable_spec_pb2

from emotion_pipeline.engines.beam_steps import job_failure, without_beam_args

KILLED = """Pipeline BeamApp-root-1_2 failed in state FAILED: java.lang.RuntimeException: Error received \
from SDK harness for instruction 33: Traceback (most recent call last):
  File "data_plane.py", line 542, in input_elements
    raise RuntimeError('Channel closed prematurely.')
RuntimeError: Channel closed prematurely.
\tat java.base/java.util.concurrent.CompletableFuture.get(CompletableFuture.java:2073)
\t... 7 more

"""


def beam_spec(*beam_args: str) -> executable_spec_pb2.BeamExecutableSpec:
    spec = executable_spec_pb2.BeamExecutableSpec()
    spec.python_executor_spec.class_path = (
        "emotion_pipeline.components.class_balancer.executor.Executor"
    )
    for arg in beam_args:
        spec.beam_pipeline_args_placeholders.add().value.string_value = arg
    return spec


def test_where_a_job_runs_is_executed_and_not_in_the_caches_key():
    here, there = beam_spec("--runner=here"), beam_spec("--runner=there", "--job_endpoint=x:1")
    (bare_here, _), (bare_there, operators) = without_beam_args(here), without_beam_args(there)
    assert bare_here == bare_there
    assert bare_here.python_executor_spec == here.python_executor_spec
    operator = operators[type(there)](executor_spec=bare_there, platform_config=None)
    assert [arg.value.string_value for arg in operator.beam_pipeline_args] == [
        "--runner=there",
        "--job_endpoint=x:1",
    ]


@pytest.mark.parametrize("spec", [None, executable_spec_pb2.PythonClassExecutableSpec()])
def test_what_is_no_beam_step_stays_as_it_is(spec):
    assert without_beam_args(spec) == (spec, {})


def test_a_failed_job_is_told_in_a_line():
    told = str(job_failure("ClassBalancer", RuntimeError(KILLED)))
    assert told.startswith(
        "ClassBalancer: its Beam job ended as FAILED: RuntimeError: Channel closed prematurely. The log"
    )
    assert "Give the same command again" in told
    assert "\n" not in told
    assert job_failure("Trainer", RuntimeError("something else")) is None
