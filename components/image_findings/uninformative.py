"""Pictures that show nothing."""

import pandas as pd

MIN_CONTRAST = 0.02
MIN_BRIGHTNESS = 0.2
MAX_BRIGHTNESS = 0.87
MIN_ENTROPY_BITS = 2.3
"""The four limits were set by looking at the extreme pictures of FER2013, sorted by each number.

It holds 12 constant pictures, after which contrast leaps to 0.17. Under brightness 0.2 lie those
and 8 warning signs; the darkest face has 0.30. Over 0.87 lie 20 notes such as "moved or deleted
this image" and no face; the brightest face has 0.868. Under 2.3 bits lie notes and signs only; the
first two-tone face has 2.33.
"""


def find_uninformative(kept: pd.DataFrame) -> dict[str, list[str]]:
    """Return the paths of the pictures that show nothing, by cause; each has the first that fits.

    constant: one gray. nearly_black, nearly_white: by the mean. saturated: hardly more than two
    grays, as of a drawing, a note, or a picture driven to both ends.
    """
    causes = {
        "constant": kept["contrast"] < MIN_CONTRAST,
        "nearly_black": kept["brightness"] < MIN_BRIGHTNESS,
        "nearly_white": kept["brightness"] > MAX_BRIGHTNESS,
        "saturated": kept["entropy"] < MIN_ENTROPY_BITS,
    }
    found = {}
    left = pd.Series(True, index=kept.index)
    for cause, holds in causes.items():
        paths = kept["path"][holds & left]
        left &= ~holds
        if len(paths):
            found[cause] = sorted(paths)
    return found
