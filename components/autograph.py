"""Which libraries TensorFlow's AutoGraph takes as they are written."""

_AS_WRITTEN = ("tf_keras", "tensorflow_transform", "tfx_bsl")


def leave_libraries_as_written() -> None:
    """Lets AutoGraph take these libraries as it takes `keras`; a second call does nothing.

    It would parse and write their sources anew, in each process, for branches and loops on tensors that they do
    not have: a third of the CPU time of a short run. TensorFlow has no public way to say so.
    """
    from tensorflow.python.autograph.core import config

    named = {rule._prefix for rule in config.CONVERSION_RULES}
    rules = [config.DoNotConvert(name) for name in _AS_WRITTEN if name not in named]
    config.CONVERSION_RULES = (*rules, *config.CONVERSION_RULES)
