"""Over which devices of a machine a training is spread."""

import tensorflow as tf


def choose_strategy(distribution: str) -> tf.distribute.Strategy:
    """Chooses how tf.distribute spreads the steps.

    Args:
      distribution: `one` device; `mirrored`, which gives each GPU, or each logical CPU where there is
        no GPU, a copy of the network and an equal part of every batch; or `auto`, which is `mirrored`
        where there is more than one GPU.

    Returns:
      The strategy; its `num_replicas_in_sync` says how many devices there are.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if distribution == "mirrored" or (distribution == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def merge_statistics(model: tf.keras.Model) -> None:
    """Gives every device the mean of all devices' batch-normalisation statistics.

    Each device keeps its own while it trains and would validate with them; a checkpoint and the served
    model hold the mean. With one device there is nothing to do.
    """
    if model.distribute_strategy.num_replicas_in_sync > 1:
        with model.distribute_strategy.scope():
            for variable in model.non_trainable_variables:
                variable.assign(variable.numpy())
