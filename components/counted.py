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


def first_few(names: Iterable[str], most: int = 5, noun: str = "") -> str:
    """Returns the first names, and how many more there are.

    Args:
      names: All of them.
      most: How many are named.
      noun: For one of them, where the number of the others is told with it.

    Example:
      >>> first_few(["a", "b"]), first_few("abcdefg"), first_few("abc", 2, "file")
      ('a, b', 'a, b, c, d, e and 2 more', 'a, b and 1 more file')
    """
    all_names = list(names)
    shown, more = ", ".join(all_names[:most]), len(all_names) - most
    if more <= 0:
        return shown
    return f"{shown} and " + (counted(more, f"more {noun}") if noun else f"{more:,} more")
