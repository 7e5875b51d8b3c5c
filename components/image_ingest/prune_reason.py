"""Why a file is not used: the codes of the manifest."""

import enum


class PruneReason(str, enum.Enum):
    """Why a file is not used.

    `meaning` says it in words; `unusable` marks pictures that ought to be mended.
    """

    meaning: str
    unusable: bool

    def __new__(cls, code: str, meaning: str, unusable: bool = False) -> "PruneReason":
        """Makes a member whose value is `code`."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.unusable = unusable
        return member

    REDUNDANT_TREE = ("redundant_tree", "repeats a file of the outer tree, byte for byte")
    HIDDEN = ("hidden", "hidden or system file")
    OUTSIDE_CLASS_FOLDER = ("outside_class_folder", "in no class folder of a split")
    UNUSED_SPLIT = ("unused_split", "in a further split, which the pipeline does not use")
    SYMLINK_LOOP = ("symlink_loop", "symbolic link back to itself or to a folder above it")
    SYMLINK_BROKEN = ("symlink_broken", "symbolic link to nothing")
    SYMLINK_FOLDER = ("symlink_folder", "symbolic link to a folder that is in the data set anyway")
    SPECIAL_FILE = ("special_file", "not a regular file (pipe, socket or device)")
    NAME_NOT_UTF8 = ("name_not_utf8", "file name that is not UTF-8; rename it", True)
    UNREADABLE = ("unreadable", "could not be read; check its permissions", True)
    UNREADABLE_FOLDER = (
        "unreadable_folder",
        "folder that could not be listed, whatever is in it; check its permissions",
        True,
    )
    EMPTY_FILE = ("empty_file", "has no bytes", True)
    NOT_AN_IMAGE = ("not_an_image", "content is no picture of a known format", True)
    UNSUPPORTED_FORMAT = ("unsupported_format", "no gray or RGB JPEG and no PNG; convert it", True)
    TOO_LARGE = ("too_large", "more bytes or pixels than the limit", True)
    TOO_MANY_SCANS = (
        "too_many_scans",
        "progressive JPEG that would take too long to decode; save it anew",
        True,
    )
    TRUNCATED = ("truncated", "ends before its picture does", True)
    CORRUPT = ("corrupt", "has the header of a picture, but cannot be decoded", True)
    CROSS_SPLIT_COPY = ("cross_split_copy", "train picture that is also in eval or test")
    CROSS_SPLIT_NEAR_COPY = (
        "cross_split_near_copy",
        "train picture that is nearly the same as one in eval or test",
    )
    EXACT_COPY = ("exact_copy", "same pixels as another picture of its class")
    NEAR_COPY = ("near_copy", "nearly the same as another picture of its class")
    CONFLICTING_LABEL = ("conflicting_label", "same picture as one in another class")
    CONFLICTING_NEAR_LABEL = (
        "conflicting_near_label",
        "nearly the same as a picture in another class",
    )
    UNINFORMATIVE = ("uninformative", "one gray all over, so without detail")
