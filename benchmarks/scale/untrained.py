"""The `emotion` command with a Trainer that exports the network as it was initialised.

    python -m benchmarks.scale.untrained run --data SOURCE --root DIR ...

Trainer takes most of a run's time and is no Beam step: whoever measures the others, or compares them,
can do without. The run ends at Pusher, since a report has nothing to tell of such a network.
"""

import os
import pathlib
import re
import sys

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

LAST = "Pusher"


def export_untrained(fn_args) -> None:
    """Does Trainer's work without the training: what TFX calls in its place.

    Every call exports the same network, so that two runs can be held against each other.
    """
    import numpy as np
    import tensorflow as tf
    import tensorflow_transform as tft

    from emotion_pipeline.components.records.training_record import write_training
    from emotion_pipeline.modules.export import export
    from emotion_pipeline.modules.model import build_model
    from emotion_pipeline.modules.precision import choose_policy
    from emotion_pipeline.train_config import TrainConfig

    labels = list(fn_args.custom_config["labels"])
    policy, _ = choose_policy("auto")
    tf.keras.utils.set_random_seed(0)
    export(
        build_model(len(labels), dtype_policy=policy),
        labels,
        tft.TFTransformOutput(fn_args.transform_graph_path),
        fn_args.serving_model_dir,
        TrainConfig(),
        metrics={},
        sample_pixels=np.zeros((1, 48, 48, 1), np.uint8),
    )
    # For the run's summary: nothing was trained, and nothing measured on train.
    told = {"epochs": 0, "best_epoch": 0, "resumed_at": [], "precision": policy, "calibration": {}}
    write_training(fn_args.model_run_dir, {**told, "train": {"accuracy": float("nan")}})


def create_untrained_pipeline(config, last: str | None = None, **pipeline_args):
    """Builds the pipeline up to a component, Pusher at the latest, with such a Trainer."""
    from emotion_pipeline.pipeline import create_pipeline

    graph = create_pipeline(config, last or LAST, **pipeline_args)
    for node in graph.components:
        if node.id == "Trainer":
            node.exec_properties["run_fn"] = (
                f"benchmarks.scale.untrained.{export_untrained.__name__}"
            )
    return graph


def run_measured(config) -> dict[str, dict]:
    """Runs that pipeline in this process, as `emotion run` does, and measures each component.

    Returns:
      By id: `seconds` as ML Metadata has them; `cpu_seconds` of this process and of its children that
      have ended; `peak_mib`, the highest memory of this process while the component ran, with what
      those before it have left behind.

    Raises:
      RuntimeError: Nothing was pushed, so the figures would not be those of a whole run.
    """
    from tfx.orchestration.portable import launcher

    from emotion_pipeline import local_runner
    from emotion_pipeline.components.records.run_records import latest_run
    from emotion_pipeline.pipeline import PIPELINE_NAME

    connection = local_runner.metadata_connection(pathlib.Path(config.root))
    graph = create_untrained_pipeline(config, metadata_connection_config=connection)
    spent = []
    launch = launcher.Launcher.launch

    def measured_launch(self):
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        start = sum(os.times()[:4])
        launch(self)
        cpu_seconds = sum(os.times()[:4]) - start
        status = pathlib.Path("/proc/self/status").read_text()
        peak_kib = int(re.search(r"VmHWM:\s*(\d+)", status)[1])
        spent.append({"cpu_seconds": cpu_seconds, "peak_mib": round(peak_kib / 1024)})

    launcher.Launcher.launch = measured_launch
    local_runner.ReportingDagRunner().run(graph)
    if not list(pathlib.Path(config.push_path).glob("*/saved_model.pb")):
        raise RuntimeError("the run pushed nothing, so its figures are not those of a whole run")
    runs = latest_run(connection, PIPELINE_NAME)
    return {run.id: {"seconds": run.seconds, **one} for run, one in zip(runs, spent, strict=True)}


def main() -> int:
    """Is the command."""
    from emotion_pipeline import cli, local_runner

    local_runner.create_pipeline = create_untrained_pipeline
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
