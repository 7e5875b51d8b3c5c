from emotion_pipeline.components.autograph import leave_libraries_as_written


def test_the_libraries_are_named_once_and_what_tensorflow_names_stays():
    from tensorflow.python.autograph.core import config
    from tensorflow.python.autograph.impl import conversion

    before = config.CONVERSION_RULES
    leave_libraries_as_written()
    leave_libraries_as_written()
    rules = config.CONVERSION_RULES
    assert set(before) <= set(rules)
    assert len({rule._prefix for rule in rules}) == len(rules)
    from tf_keras import losses

    assert conversion.is_allowlisted(losses.get)
    assert not conversion.is_allowlisted(leave_libraries_as_written)
