"""C64 and C68 under load: versions swapped while clients call as fast as they can."""

import pytest
from tensorflow_serving.config import model_server_config_pb2

from benchmarks.serving import soak
from tests.serving.conformance import fixture_models

pytestmark = pytest.mark.slow

PUSHES = 20
CORRUPT = 10


def test_c64_hot_swap_under_load_loses_no_call(lifecycle, base_path):
    fixture_models.write_half_plus_version(base_path, 1)
    lifecycle.reload(
        model_server_config_pb2.ModelConfig(
            name="swap", base_path=str(base_path), model_platform="tensorflow"
        )
    )
    pushes = [(version, version == CORRUPT) for version in range(2, PUSHES + 2)]
    swap = soak.swap_under_load(lifecycle, "swap", base_path, pushes, clients=8)
    assert swap.failures == []
    assert swap.stale() == []
    good = set(range(1, PUSHES + 2)) - {CORRUPT}
    assert set(swap.answers) == good  # each good version answered, the corrupt one never
    assert swap.calls == sum(swap.answers.values())
