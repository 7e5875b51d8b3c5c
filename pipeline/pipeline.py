"""The whole graph on one page."""

import pathlib

import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tfx.components import ExampleValidator, StatisticsGen, Trainer, Transform
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2

from emotion_pipeline.cache_keys import key_by
from emotion_pipeline.components.anomaly_gate.component import AnomalyGate
from emotion_pipeline.components.class_balancer.component import ClassBalancer
from emotion_pipeline.components.constants import EVAL_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.drift_validator.component import DriftValidator
from emotion_pipeline.components.drift_validator.histograms import QUANTILES
from emotion_pipeline.components.fingerprint import step_fingerprint
from emotion_pipeline.components.image_example_gen.component import ImageExampleGen
from emotion_pipeline.components.image_findings.component import ImageAudit
from emotion_pipeline.components.image_ingest.component import ImageIngest
from emotion_pipeline.components.image_ingest.votes import fingerprint_votes
from emotion_pipeline.components.model_evaluator.component import ComparingEvaluator
from emotion_pipeline.components.model_pusher.component import AtomicPusher
from emotion_pipeline.components.pushed_model.component import PushedModel
from emotion_pipeline.components.run_report.component import RunReport
from emotion_pipeline.components.sources.resolve import fingerprint_source
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.engines.arguments import beam_args
from emotion_pipeline.engines.secrets import shown
from emotion_pipeline.evaluation import make_eval_config
from emotion_pipeline.modules.pushed_models import learned_from
from emotion_pipeline.nearest_recipe import nearest_recipe
from emotion_pipeline.settings import to_dict
from emotion_pipeline.validation.baseline import find_statistics

PIPELINE_NAME = "emotion"
SOURCES_DIR = "sources"

VALIDATION_END = "AnomalyGate"
"""The component after which nothing more is said about the data."""

STATISTICS_END = "StatisticsGen"
"""The component after which the statistics are there."""

PUSHED_MODEL = "PushedModel"
"""Id of the component whose cached output is as good as what the push folder holds."""

REPORT = "RunReport"
"""Id of the component that writes the page."""

_TRANSFORM_MODULE = "emotion_pipeline.modules.transform_module"
_TRAINER_MODULE = "emotion_pipeline.modules.trainer_module"


def create_pipeline(
    config: PipelineConfig,
    last: str | None = None,
    **pipeline_args,
) -> Pipeline:
    """Builds the pipeline.

    | step | what it is now | made by |
    |---|---|---|
    | source | a folder of class folders, a zip of it, or the Kaggle data set | the user |
    | ingested, pruned | a table of every file found, kept or pruned with the reason, and people's votes | ImageIngest |
    | audited | copies, leaks, conflicting labels, empty pictures; leaks pruned | ImageAudit |
    | Examples | encoded image bytes, label, image-quality numbers | ImageExampleGen |
    | statistics, schema, anomalies | TFDV's artifacts | StatisticsGen, ImportSchemaGen, ExampleValidator |
    | drift | how far eval is from train, and both from an earlier run | DriftValidator |
    | checked | a run that stops, the anomalies named, or goes on | AnomalyGate |
    | balanced Examples | train: classes equally large; eval: untouched | ClassBalancer |
    | transform graph | decode, resize to 48x48, scale to [0, 1], label to index | Transform |
    | SavedModel | the specified CNN with its signatures | Trainer |
    | evaluation, blessing | metrics against thresholds and the served model | PushedModel, Evaluator |
    | pushed version | a version folder that TensorFlow Serving picks up | Pusher |
    | report | one self-contained HTML page of the run | RunReport |

    Args:
      config: The settings of the run.
      last: Id of the last component; those after it are left out. None for the whole.
      **pipeline_args: What the runner adds to `Pipeline`, such as the metadata connection.

    Returns:
      The pipeline.
    """
    # What is in the source: every file, kept or pruned with its reason.
    image_ingest = ImageIngest(
        source=config.data,
        cache_dir=f"{config.root}/{SOURCES_DIR}",
        eval_fraction=config.eval_fraction,
        group_by=config.group_by,
        max_pruned_fraction=config.max_pruned_fraction,
        class_names=config.class_names,
        # Part of the cache's key alone, and the source may be out of sight where nothing is cached.
        source_fingerprint=fingerprint_source(config.data, pathlib.Path(config.root, SOURCES_DIR))
        if config.cache
        else "",
        votes=config.votes,
        votes_columns=config.votes_columns,
        votes_fingerprint=fingerprint_votes(config.votes) if config.votes and config.cache else "",
        labels=config.labels,
    )

    # What is wrong with the pictures, and which of them are left out for it.
    image_audit = ImageAudit(
        manifest=image_ingest.outputs["manifest"], policies=config.findings.policies
    )
    manifest = image_audit.outputs["audited_manifest"]

    # The kept images as tf.Examples.
    example_gen = ImageExampleGen(manifest=manifest)
    examples = example_gen.outputs["examples"]

    # What the pictures must be like, as curated by people.
    schema_gen = ImportSchemaGen(schema_file=config.schema_path)
    schema = schema_gen.outputs["schema"]

    # What they are like. Sketches, or a table of every path would be held in memory.
    statistics_gen = StatisticsGen(
        examples=examples,
        schema=schema,
        stats_options=tfdv.StatsOptions(
            num_quantiles_histogram_buckets=QUANTILES, use_sketch_based_topk_uniques=True
        ),
    )

    # How the two differ.
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )

    # How far the splits are apart, and from an earlier run's.
    drift_validator = DriftValidator(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema,
        baseline=find_statistics(config.against),
    )

    # Whether the run may go on.
    anomaly_gate = AnomalyGate(
        anomalies=example_validator.outputs["anomalies"],
        schema=schema,
        manifest=manifest,
        findings=image_audit.outputs["findings"],
        drift=drift_validator.outputs["drift"],
        drift_policy=config.findings.drift,
        max_dropped_fraction=config.max_dropped_fraction,
    )

    # Classes of equal size, by translated copies, in the train split only.
    class_balancer = ClassBalancer(
        examples=examples,
        method=config.balance,
        max_shift_px=config.max_shift_px,
        seed=config.seed,
    )
    balanced_examples = class_balancer.outputs["balanced_examples"]

    # The graph from bytes to pixels. It runs in the trainer's input pipeline and in the served
    # model: 2,304 floats an image are never written.
    transform = Transform(
        examples=balanced_examples,
        schema=schema,
        preprocessing_fn=f"{_TRANSFORM_MODULE}.preprocessing_fn",
        materialize=False,
        disable_statistics=True,
        custom_config={
            "labels": list(config.labels),
            "code_fingerprint": step_fingerprint(_TRANSFORM_MODULE),
        },
    )

    # The specified network, trained and exported with its signatures.
    trainer = Trainer(
        examples=balanced_examples,
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        run_fn=f"{_TRAINER_MODULE}.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=[TRAIN_SPLIT]),
        eval_args=trainer_pb2.EvalArgs(splits=[EVAL_SPLIT]),
        custom_config={
            "labels": list(config.labels),
            "train": to_dict(config.train),
            "seed": config.seed,
            "group_by": config.group_by,
            "checkpoints_dir": f"{config.root}/checkpoints",
            # Part of the keys alone, as the source's is.
            "learned_from": learned_from(to_dict(config.train), config.labels)
            if config.cache
            else {},
            "code_fingerprint": step_fingerprint(_TRAINER_MODULE),
        },
    )
    model = trainer.outputs["model"]

    # The model to beat: what is served when the new one is there.
    pushed_model = PushedModel(push_dir=config.push_path).with_id(PUSHED_MODEL)
    pushed_model.add_upstream_node(trainer)

    # How good it is on the split that judges, and whether that is enough.
    evaluator = ComparingEvaluator(
        examples=balanced_examples,
        model=model,
        baseline_model=pushed_model.outputs["model"],
        eval_config=make_eval_config(config.thresholds, votes=bool(config.votes)),
        confidence=config.thresholds.confidence,
        max_accuracy_drop=config.thresholds.max_accuracy_drop,
    ).with_id("Evaluator")

    # Where a model server finds it.
    pusher = AtomicPusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=config.push_path)
        ),
    ).with_id("Pusher")

    # What a person looks at, whether the model was blessed or not.
    run_report = RunReport(
        manifest=manifest,
        findings=image_audit.outputs["findings"],
        statistics=statistics_gen.outputs["statistics"],
        drift=drift_validator.outputs["drift"],
        balanced_examples=balanced_examples,
        model=model,
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        blessing=evaluator.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        settings=shown(to_dict(config)),
        seed=config.seed,
        metadata_path=_metadata_path(pipeline_args.get("metadata_connection_config")),
        recipe=nearest_recipe(config),
    )

    components = [
        image_ingest,
        image_audit,
        example_gen,
        schema_gen,
        statistics_gen,
        example_validator,
        drift_validator,
        anomaly_gate,
        class_balancer,
        transform,
        trainer,
        pushed_model,
        evaluator,
        pusher,
        run_report,
    ]
    if config.cache:
        # Those whose classes have no property for it. Where nothing is cached, the schema may be out
        # of sight, too.
        key_by(schema_gen, schema=config.schema_path)
        key_by(statistics_gen)
        key_by(example_validator)
        key_by(pusher, "emotion_pipeline.components.model_pusher")
    if last is None:
        class_balancer.add_upstream_node(anomaly_gate)
    else:
        components = components[: [component.id for component in components].index(last) + 1]
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=config.artifacts_path,
        components=components,
        enable_cache=config.cache,
        beam_pipeline_args=beam_args(config.beam),
        **pipeline_args,
    )


def _metadata_path(connection: metadata_store_pb2.ConnectionConfig | None) -> str:
    """Returns the file of ML Metadata; empty where it is no file, or not the pipeline's to know."""
    return connection.sqlite.filename_uri if connection is not None else ""
