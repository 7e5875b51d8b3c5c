import pytest

from emotion_faces.errors import UserError
from emotion_faces.model_server import config_files, flags, metrics


def test_flags():
    options, warnings = flags.parse(
        ["--port=1", "--enable_batching", "--rest_api_enable_cors_support=false"]
    )
    assert (options.port, options.enable_batching) == (1, True)
    assert options.rest_api_enable_cors_support is False
    assert warnings == []


def test_defaults_are_those_of_tensorflow_serving():
    options, _ = flags.parse([])
    assert (options.port, options.rest_api_port, options.model_name) == (8500, 0, "default")
    assert (options.max_num_load_retries, options.load_retry_interval_micros) == (5, 60_000_000)
    assert options.host == "127.0.0.1"


def test_unknown_flags_are_told_and_passed_over():
    _, warnings = flags.parse(["--nope=1", "stray", "--num_tflite_pools=2"])
    assert warnings[:2] == ["unknown argument: --nope=1", "unknown argument: stray"]
    assert "has no effect" in warnings[2]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--port=x", "--port takes a int; found 'x'"),
        ("--enable_batching=maybe", "takes a bool"),
        ("--use_alts_credentials=true", "not supported"),
    ],
)
def test_refused_flags(argument, message):
    with pytest.raises(UserError, match=message):
        flags.parse([argument])


def write(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    return str(path)


def test_batching_parameters(tmp_path):
    options = config_files.read_batching_options(
        write(
            tmp_path,
            "max_batch_size { value: 8 } batch_timeout_micros { value: 500 } "
            "max_enqueued_batches { value: 3 } allowed_batch_sizes: 4 allowed_batch_sizes: 8",
        )
    )
    assert (options.max_batch_size, options.batch_timeout_secs) == (8, 0.0005)
    assert (options.max_enqueued_rows, options.allowed_batch_sizes) == (24, (4, 8))
    assert options.split_large_batches is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size must be positive"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size",
        ),
        ("nonsense", "Invalid protobuf file"),
    ],
)
def test_refused_batching_parameters(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        config_files.read_batching_options(write(tmp_path, text))


def test_a_missing_file():
    with pytest.raises(UserError, match="the file '/none' can't be read"):
        config_files.read_model_config("/none")


def test_metrics_page():
    recorder = metrics.Metrics()
    recorder.count_request('a"b', "OK")
    recorder.add_request_latency("m", "Predict", "GRPC", 15e-6)
    page = recorder.page().splitlines()
    assert page[0] == "# TYPE :tensorflow:serving:request_count counter"
    assert page[1] == ':tensorflow:serving:request_count{model_name="a\\"b",status="OK"} 1'
    labels = 'model_name="m",API="Predict",entrypoint="GRPC"'
    name = ":tensorflow:serving:request_latency"
    assert f'{name}_bucket{{{labels},le="10"}} 0' in page
    assert f'{name}_bucket{{{labels},le="18"}} 1' in page
    assert f'{name}_bucket{{{labels},le="+Inf"}} 1' in page
    assert f"{name}_sum{{{labels}}} 15" in page
    assert f"{name}_count{{{labels}}} 1" in page
    assert not any(line.startswith("# HELP") for line in page)


def test_made_up_model_names_do_not_fill_the_memory():
    recorder = metrics.Metrics()
    for number in range(3000):
        recorder.count_request(f"m{number}", "NOT_FOUND")
    page = recorder.page()
    assert page.count("request_count{") == 1001
    assert 'model_name="other",status="NOT_FOUND"} 2000' in page
