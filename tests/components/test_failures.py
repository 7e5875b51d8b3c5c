import errno
import os

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.failures import describe_failure, is_full


def os_error(number, *names):
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UserError("mine"), "mine"),
        (ValueError("theirs"), "theirs"),
        (ValueError(), "ValueError"),
        (os_error(errno.EACCES, "/x/é"), "/x/é: Permission denied. Choose another place, or"),
        (os_error(errno.EROFS, b"/x/\xff"), "/x/\\xff: Read-only file system. Choose another"),
        (os_error(errno.ENOTDIR, "/x"), "/x: Not a directory. A part of this path is a file"),
        (os_error(errno.EEXIST, "/x"), "/x: File exists. There is a file of that name"),
        (os_error(errno.ENOENT, "a", None, "b"), "b: No such file or directory. Check the path"),
        (os_error(errno.EIO), "root: Input/output error"),
        (os_error(errno.ENOSPC, "/x"), "/x: cannot be written, for the disk is full"),
        (os_error(errno.EDQUOT), "root: cannot be written, for the disk is full"),
        (RuntimeError("sqlite: database or disk is full"), "root: cannot be written, for the disk"),
        (
            RuntimeError("Error when executing query: cannot commit - no transaction is active"),
            "root: cannot be written, for the disk is full",
        ),
        (RuntimeError("x; No space left on device [while running y]"), "root: cannot be written"),
    ],
)
def test_says_what_was_found_and_what_to_do(error, told):
    assert describe_failure(error, "root").startswith(told)


def test_a_full_disk_is_known_behind_what_it_caused():
    try:
        try:
            raise os_error(errno.ENOSPC, "/x/summary.json")
        except OSError as error:
            raise RuntimeError("it failed") from error
    except RuntimeError as error:
        caught = error
    assert is_full(caught)
    assert describe_failure(caught).startswith("/x/summary.json: cannot be written")
    assert describe_failure(caught).endswith("Make room, and try again")
    assert describe_failure(caught, "/x").endswith(
        "give the same command again: it goes on where it stopped"
    )
    assert not is_full(RuntimeError("it failed"))


def test_an_error_that_only_follows_one_of_the_system_keeps_its_words():
    error = ValueError("the real reason")
    error.__cause__ = os_error(errno.ENOENT, "/x")
    assert describe_failure(error) == "the real reason"
