"""What is known of a model's temperature: its value, what it was fitted on, and what it does."""

import dataclasses

NOT_ASKED = "train.calibration_share is 0"
"""The note of a training that was to fit none."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The temperature of a served model; without one it is 1.

    Attributes:
      temperature: The logarithms of the model's probabilities are divided by it.
      pictures: How many it was fitted on; 0 where none were there for it.
      note: Which pictures these were, or why there were none.
      error_before: Expected calibration error without it, on pictures that did not fit it.
      error: The same with it; None, as the one before, where nobody measured.
    """

    temperature: float = 1.0
    pictures: int = 0
    note: str = ""
    error_before: float | None = None
    error: float | None = None

    def describe(self) -> str:
        """Returns it in words, in one line."""
        if not self.pictures:
            return f"the answers have no temperature: {self.note}"
        words = f"the answers' temperature is {self.temperature:.3f}, fitted on {self.pictures:,} {self.note}"
        if self.error_before is None or self.error is None:
            return words
        return f"{words}: calibration error {self.error_before:.4f} without it, {self.error:.4f} with it"
