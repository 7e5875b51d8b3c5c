"""Draws a share of the pictures, such as eval where the data has no splits; what belongs together stays together."""

import hashlib
import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from emotion_pipeline.components.constants import EVAL_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_findings.groups import Groups
from emotion_pipeline.components.image_findings.near_copies import LoadPixels, find_near_copies
from emotion_pipeline.components.image_ingest.manifest import kept_rows
from emotion_pipeline.components.progress import report

TOLERANCE = 0.02
"""A class whose share in eval is off by no more is left as its hashes fell."""

_TOLD = 0.05
"""A class whose share in eval stays off by more than this is told."""

_NO_EVAL_COST = 1.0
_NO_TRAIN_COST = 2.0
"""Above any sum of squares of shares: a class that is only seen in one split is worst, and without
train it cannot be learnt."""


def draw_splits(
    table: pd.DataFrame,
    eval_fraction: float,
    load: LoadPixels,
    group_by: str = "",
    tell: Callable[[str], None] = report,
) -> pd.Series:
    """Returns the split of each row of a manifest, drawn by groups, as `draw_share` draws eval.

    Args:
      table: The manifest's table; its column `split` is not read.
      eval_fraction: The share of each class's pictures that goes to eval, in (0, 1).
      load: Reads the pixels of a path, for near copies.
      group_by: As `draw_share` has it.
      tell: Takes a line on each class that cannot be split near the fraction.

    Raises:
      UserError: `group_by` matches no picture.
    """
    kept = kept_rows(table)
    if group_by and not any(_match(group_by, path) is not None for path in kept["path"]):
        raise UserError(
            f"--group-by {group_by}: matches no path, the first is {kept['path'].iloc[0]!r}. "
            "Give an expression that matches what names a person or a film in the paths"
            if len(kept)
            else f"--group-by {group_by}: there is no picture to match"
        )
    in_eval = draw_share(table, eval_fraction, load, group_by)
    splits = in_eval.map({True: EVAL_SPLIT, False: TRAIN_SPLIT})
    _tell(kept["label"], splits[kept.index], eval_fraction, tell)
    return splits.where(table["label"] != "", "")


def draw_share(
    table: pd.DataFrame,
    fraction: float,
    load: LoadPixels,
    group_by: str = "",
    seed: int | None = None,
) -> pd.Series:
    """Returns for each row of a manifest whether it is in a share that is drawn by groups, `[N]` bool.

    Copies, near copies (as `image_findings` finds them) and pictures with one match of `group_by` are
    a group, which lies wholly in the share or out of it. Which comes from a hash of the group's pixels,
    so that a picture keeps its side when others are added. Where a class then has a share that is
    off by more than `TOLERANCE`, groups change sides until none brings the classes nearer.

    Args:
      table: The manifest's table; its column `split` is not read.
      fraction: The share of each class's pictures, in (0, 1).
      load: Reads the pixels of a path, for near copies.
      group_by: A regular expression that is searched in each path, relative to the data set's root.
        What its groups match, or all that it matches where it has none, names what the picture is
        of: a person, a film. Empty for none; a picture without a match stands for itself.
      seed: Goes into the hash. None draws the splits of a source; a share of one of these needs a
        seed, or it would be none of it or all.
    """
    keys = _picture_keys(table)
    kept = kept_rows(table)
    groups: Groups[str] = Groups()
    for near in find_near_copies(kept, load):
        for other in near[1:]:
            groups.join(near[0], other)
    if group_by:
        for path, key in zip(kept["path"], keys[kept.index], strict=True):
            if (name := _match(group_by, path)) is not None:
                groups.join(name, key)
    roots = keys.map(groups.root)
    # The smallest member names a group: it is the same whatever the order of the files.
    names = keys.groupby(roots).min()
    if seed is not None:
        names = names.map(lambda key: hashlib.sha256(f"{seed}:{key}".encode()).hexdigest())
    values = names.map(lambda key: int(key[:13], 16) / 16**13)
    inside = _balance(roots[kept.index], kept["label"], values, values < fraction, fraction)
    return roots.map(inside)


def _picture_keys(table: pd.DataFrame) -> pd.Series:
    """Returns what names each row's picture, in hex digits: its pixels, else its bytes, else its path."""
    keys = table["pixel_hash"].where(table["pixel_hash"] != "", table["content_hash"])
    paths = table["path"].map(lambda path: hashlib.sha256(path.encode()).hexdigest())
    return keys.where(keys != "", paths)


def _match(group_by: str, path: str) -> str | None:
    """Returns a name, in hex digits, of what an expression matches in a path."""
    match = re.search(group_by, path)
    if match is None:
        return None
    parts = match.groups(default="") or (match.group(),)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _balance(
    roots: pd.Series, labels: pd.Series, values: pd.Series, in_eval: pd.Series, fraction: float
) -> pd.Series:
    """Returns the side of each group after moving as few as bring each class near the fraction.

    Args:
      roots: The group of each kept picture.
      labels: Its class.
      values: The number that drew each group's side.
      in_eval: The side that it drew.
      fraction: Of each class, for eval.
    """
    cells = pd.DataFrame({"root": roots, "label": labels}).groupby(["root", "label"]).size()
    groups, group_of = np.unique(cells.index.get_level_values(0), return_inverse=True)
    classes, class_of = np.unique(cells.index.get_level_values(1), return_inverse=True)
    counts = cells.to_numpy()
    totals = np.bincount(class_of, counts, len(classes))
    side = in_eval[groups].to_numpy().copy()
    distance = np.abs(values[groups].to_numpy() - fraction)
    for _ in range(len(groups)):
        inside = np.bincount(class_of, counts * side[group_of], len(classes))
        costs = _costs(inside, totals, fraction)
        if (np.abs(inside / totals - fraction) <= TOLERANCE).all() and (costs < 1).all():
            break
        moved = inside[class_of] + np.where(side[group_of], -counts, counts)
        change = _costs(moved, totals[class_of], fraction) - costs[class_of]
        changes = np.bincount(group_of, change, len(groups))
        best = changes.min()
        if best > -1e-9:
            break
        # Of equally good ones the one that was drawn most narrowly, so that a picture more or less
        # changes little.
        nearest = np.flatnonzero(changes <= best + 1e-9)
        chosen = nearest[np.argmin(distance[nearest])]
        side[chosen] = ~side[chosen]
    result = in_eval.copy()
    result[groups] = side
    return result


def _costs(inside: np.ndarray, totals: np.ndarray, fraction: float) -> np.ndarray:
    """Returns how bad it is that of each class's pictures so many are in eval."""
    cost = (inside / totals - fraction) ** 2
    cost = cost + np.where(inside == 0, _NO_EVAL_COST, 0.0)
    return cost + np.where(inside == totals, _NO_TRAIN_COST, 0.0)


def _tell(
    labels: pd.Series, splits: pd.Series, fraction: float, tell: Callable[[str], None]
) -> None:
    """Tells of the classes that cannot be split near the fraction."""
    shares = (splits == EVAL_SPLIT).groupby(labels).mean()
    for label, share in shares[(shares - fraction).abs() > _TOLD].items():
        tell(
            f"{label}: {share:.0%} of its pictures are in eval, {fraction:.0%} were asked for; "
            "they fall into too few groups"
        )
