"""Which column of a file of votes means what."""

import dataclasses
from collections.abc import Mapping, Sequence

from emotion_pipeline.components.errors import UserError


@dataclasses.dataclass(frozen=True)
class VoteColumns:
    """What the columns of a file of votes mean; every column has one meaning.

    Attributes:
      file: The column with the file's path in the source.
      classes: Class -> the columns whose votes are for it, added up. A class that is not named has the
        column of its own name.
      other: The columns whose votes are for none of the classes.
      ignored: The columns that hold no votes.
    """

    file: str = "file"
    classes: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    other: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def by_class(self, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Returns the columns of each class, in the order of the labels.

        Raises:
          UserError: A class is not among the labels or has no column, or a column has two meanings.
        """
        for label in self.classes:
            if label not in labels:
                raise UserError(
                    f"votes_columns.classes.{label}: there is no such class; labels are "
                    + ", ".join(labels)
                )
        found = {label: self.classes.get(label, (label,)) for label in labels}
        meanings = {self.file: "the file"}
        for label, columns in [*found.items(), ("other", self.other), ("ignored", self.ignored)]:
            if label in found and not columns:
                raise UserError(
                    f"votes_columns.classes.{label}: names no column; name one, or leave the class "
                    "out where a column has its name"
                )
            for column in columns:
                if column in meanings:
                    raise UserError(
                        f"votes_columns: the column {column!r} is given two meanings, "
                        f"{meanings[column]} and {label}; give it one"
                    )
                meanings[column] = label
        return found
