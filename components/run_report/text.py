"""Text that comes from outside, made fit to be read."""


def visible(text: str) -> str:
    r"""Returns text with every character that cannot be seen written out: `a\x00`, `\u202e`.

    A file may have any name, and one that turns the direction of writing would garble the line.
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )
