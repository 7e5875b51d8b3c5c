"""Text that comes from outside, made fit to be read."""

import re

from markupsafe import Markup, escape


def visible(text: str) -> str:
    r"""Returns text with every character that cannot be seen written out: `a\x00`, `\u202e`.

    A file may have any name, and one that turns the direction of writing would garble the line.
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def breakable(path: str) -> Markup:
    """Returns a path that breaks after its slashes, and only in an emergency within a name.

    Example:
      >>> breakable("train/sad/1.jpg")
      Markup('train/<wbr>sad/<wbr>1.jpg')
    """
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=/)", visible(path)))
