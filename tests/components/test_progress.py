import logging
import threading

from emotion_pipeline.components.progress import LOGGER_NAME, waiting_for


def test_a_wait_is_told_once_it_lasts():
    told = threading.Event()
    lines = []

    class Listener(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())
            told.set()

    logger, listener = logging.getLogger(LOGGER_NAME), Listener()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(listener)
    try:
        with waiting_for("the store", after_secs=3600):
            pass
        with waiting_for("the other store", after_secs=0):
            assert told.wait(60)
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
    assert lines == ["waiting for the other store"]
