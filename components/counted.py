"""Numbers with what they count, in words."""


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
