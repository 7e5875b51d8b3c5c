import pytest

from emotion_faces.model_server import status

ROOTS = """2 root error(s) found.
  (0) INVALID_ARGUMENT: Expected image (JPEG, PNG, or GIF), got unknown format starting with 'x'
\t [[{{node StatefulPartitionedCall/map/while/body/_1/decode}}]]
\t [[StatefulPartitionedCall/_33]]
  (1) INVALID_ARGUMENT: Expected image (JPEG, PNG, or GIF), got unknown format starting with 'x'
\t [[{{node StatefulPartitionedCall/map/while/body/_1/decode}}]]
0 successful operations.
0 derived errors ignored."""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (ROOTS, "Expected image (JPEG, PNG, or GIF), got unknown format starting with 'x'"),
        ("Incompatible shapes: [1,2] vs. [3]\n\t [[{{node add}}]]", "Incompatible shapes: [1,2] vs. [3]"),
        ("{{function_node __inference_f_1}} {{node f/Conv2D}} input must be 4-D", "input must be 4-D"),
        ("Invalid PNG data\n\t [[{{function_node __inference_f_1}}{{node f/DecodeJpeg}}]]", "Invalid PNG data"),
        ("Matrix [[1,2],[3,4]] is singular", "Matrix [[1,2],[3,4]] is singular"),
        ("several\nlines\n\n of text", "several lines of text"),
        ("Graph execution error:\n\nbad\n\nOriginal stack trace for 'x':\n  File", "bad"),
    ],
)  # fmt: skip
def test_one_line(said, told):
    assert status.one_line(said) == told
