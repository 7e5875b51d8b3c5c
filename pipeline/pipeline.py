"""The whole graph on one page."""

from tfx import v1 as tfx

from components.anomaly_gate.component import AnomalyGate
from components.class_balancer.component import ClassBalancer
from components.constants import EVAL_SPLIT, TRAIN_SPLIT
from components.fingerprint import code_fingerprint
from components.image_example_gen.component import ImageExampleGen
from components.image_ingest.component import ImageIngest
from components.model_pusher.component import AtomicPusher
from components.sources.resolve import fingerprint_source
from pipeline.configs import PipelineConfig
from pipeline.engines.arguments import beam_args
from pipeline.evaluation import make_eval_config
from pipeline.settings import to_dict

PIPELINE_NAME = "emotion"
SOURCES_DIR = "sources"

_MODULE_CODE = ("pipeline.modules", "components.features", "components.constants")


def create_pipeline(config: PipelineConfig, **pipeline_args) -> tfx.dsl.Pipeline:
    """Builds the pipeline.

    | step | what it is now | made by |
    |---|---|---|
    | source | a folder of class folders, a zip of it, or the Kaggle data set | the user |
    | ingested, pruned | a table of every file found, kept or pruned with the reason | ImageIngest |
    | Examples | encoded image bytes, label, image-quality numbers | ImageExampleGen |
    | statistics, schema, anomalies | TFDV's artifacts | StatisticsGen, ImportSchemaGen, ExampleValidator |
    | checked | a run that stops, the anomalies named, or goes on | AnomalyGate |
    | balanced Examples | train: classes equally large; eval: untouched | ClassBalancer |
    | transform graph | decode, scale to [0, 1], label to index | Transform |
    | SavedModel | the specified CNN with its signatures | Trainer |
    | evaluation, blessing | metrics against thresholds and the latest blessed model | Resolver, Evaluator |
    | pushed version | a version folder that TensorFlow Serving picks up | Pusher |

    Args:
      config: The settings of the run.
      **pipeline_args: What the runner adds to `tfx.dsl.Pipeline`, such as the metadata connection.

    Returns:
      The pipeline.
    """
    # What is in the source: every file, kept or pruned with its reason.
    image_ingest = ImageIngest(
        source=config.data,
        cache_dir=f"{config.root}/{SOURCES_DIR}",
        eval_fraction=config.eval_fraction,
        max_pruned_fraction=config.max_pruned_fraction,
        source_fingerprint=fingerprint_source(config.data),
    )
    manifest = image_ingest.outputs["manifest"]

    # The kept images as tf.Examples.
    example_gen = ImageExampleGen(manifest=manifest)
    examples = example_gen.outputs["examples"]

    # What the pictures must be like, as curated by people.
    schema_gen = tfx.components.ImportSchemaGen(schema_file=config.schema_path)
    schema = schema_gen.outputs["schema"]

    # What they are like.
    statistics_gen = tfx.components.StatisticsGen(examples=examples, schema=schema)

    # How the two differ.
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )

    # Whether the run may go on.
    anomaly_gate = AnomalyGate(
        anomalies=example_validator.outputs["anomalies"], schema=schema, manifest=manifest
    )

    # Classes of equal size, by translated copies, in the train split only.
    class_balancer = ClassBalancer(
        examples=examples,
        method=config.balance,
        max_shift_px=config.max_shift_px,
        seed=config.seed,
    )
    class_balancer.add_upstream_node(anomaly_gate)
    balanced_examples = class_balancer.outputs["balanced_examples"]

    # The graph from bytes to pixels. It runs in the trainer's input pipeline and in the served
    # model: 2,304 floats an image are never written.
    transform = tfx.components.Transform(
        examples=balanced_examples,
        schema=schema,
        preprocessing_fn="pipeline.modules.transform_module.preprocessing_fn",
        materialize=False,
        disable_statistics=True,
        custom_config={
            "labels": list(config.labels),
            "code_fingerprint": code_fingerprint(*_MODULE_CODE),
        },
    )

    # The specified network, trained and exported with its signatures.
    trainer = tfx.components.Trainer(
        examples=balanced_examples,
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        run_fn="pipeline.modules.trainer_module.run_fn",
        train_args=tfx.proto.TrainArgs(splits=[TRAIN_SPLIT]),
        eval_args=tfx.proto.EvalArgs(splits=[EVAL_SPLIT]),
        custom_config={
            "labels": list(config.labels),
            "train": to_dict(config.train),
            "seed": config.seed,
            "checkpoints_dir": f"{config.root}/checkpoints",
            "code_fingerprint": code_fingerprint(*_MODULE_CODE),
        },
    )
    model = trainer.outputs["model"]

    # The model to beat.
    resolver = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("latest_blessed_model_resolver")

    # How good it is on the untouched eval split, and whether that is enough.
    evaluator = tfx.components.Evaluator(
        examples=balanced_examples,
        example_splits=[EVAL_SPLIT],
        model=model,
        baseline_model=resolver.outputs["model"],
        eval_config=make_eval_config(config.thresholds),
    )

    # Where a model server finds it.
    pusher = AtomicPusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=config.push_path)
        ),
    ).with_id("Pusher")

    return tfx.dsl.Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=config.artifacts_path,
        components=[
            image_ingest,
            example_gen,
            schema_gen,
            statistics_gen,
            example_validator,
            anomaly_gate,
            class_balancer,
            transform,
            trainer,
            resolver,
            evaluator,
            pusher,
        ],
        enable_cache=config.cache,
        beam_pipeline_args=beam_args(config.beam),
        **pipeline_args,
    )
