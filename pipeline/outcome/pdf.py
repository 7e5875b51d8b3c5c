"""A page as PDF, printed by an installed Chromium."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from emotion_pipeline.components.errors import UserError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
)
"""What Chromium and its kin are called on PATH."""

_TIMEOUT_SECS = 180


def find_browser() -> str | None:
    """Returns the path of the first of `BROWSERS` that is installed; None where there is none."""
    return next((found for found in map(shutil.which, BROWSERS) if found), None)


def print_pdf(page: pathlib.Path, target: pathlib.Path) -> None:
    """Prints a page to a file, in place of an earlier one.

    Args:
      page: The HTML file, an absolute path.
      target: The PDF.

    Raises:
      UserError: There is no browser, or it failed.
    """
    browser = find_browser()
    if browser is None:
        raise UserError(
            f"--pdf: there is no Chromium or Chrome on PATH (looked for {', '.join(BROWSERS)}); install "
            f"one, or open {page} in a browser and print it"
        )
    with tempfile.TemporaryDirectory(prefix="emotion-pdf-") as folder:
        # Aside first: a browser that fails midway leaves half a file.
        part = pathlib.Path(folder) / "page.pdf"
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={part}",
            # Chromium has no sandbox for root; the page is the project's own and loads nothing.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            page.as_uri(),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SECS
            )
        except subprocess.TimeoutExpired as error:
            raise UserError(
                f"--pdf: {browser} had not printed {page} after {_TIMEOUT_SECS} s; open it in a browser and "
                "print it"
            ) from error
        if done.returncode or not part.is_file():
            told = " ".join(done.stderr.split())[-300:] or f"status {done.returncode}"
            raise UserError(
                f"--pdf: {browser} did not print {page}: {told}; open it in a browser and print it"
            )
        shutil.copyfile(part, target)
