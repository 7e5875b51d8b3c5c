"""Numbers with what they count, in words."""

from collections.abc import Iterable


def counted(number: int, one: str, many: str = "") -> str:
    """Returns the number and its noun.

    Args:
      number: How many.
      one: The noun for one of them.
      many: The noun for another number; `one` with an s where it is left out.

    Example:
      >>> counted(1, "anomaly", "anomalies"), counted(1200, "file")
      ('1 anomaly', '1,200 files')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def first_few(names: Iterable[str], most: int = 5) -> str:
    """Returns the first names, and how many more there are.

    Example:
      >>> first_few(["a", "b"]), first_few("abcdefg")
      ('a, b', 'a, b, c, d, e and 2 more')
    """
    all_names = list(names)
    more = len(all_names) - most
    return ", ".join(all_names[:most]) + (f" and {more:,} more" if more > 0 else "")
