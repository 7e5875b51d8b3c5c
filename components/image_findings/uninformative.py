"""Pictures without detail."""

import pandas as pd

MIN_CONTRAST = 1 / 255
"""A picture whose grays spread less (standard deviation) is of one gray, up to its coding.

Little light is not little detail. Of FER2013's 32,298 pictures as published the 12 of one gray have a
contrast of 0 and every other one has 0.035 or more. The 72 of the least contrast, the 72 darkest and
the 72 brightest were looked at: all of them show something, nearly all a face, so nothing is said by
the mean. Nor by the entropy: among the pictures of few grays are notes and signs, but drawings and
overexposed photographs of faces too.
"""

CONSTANT = "constant"


def find_uninformative(kept: pd.DataFrame) -> dict[str, list[str]]:
    """Returns the paths of the pictures without detail, by cause: constant, which is one gray."""
    paths = sorted(kept["path"][kept["contrast"] < MIN_CONTRAST])
    return {CONSTANT: paths} if paths else {}
