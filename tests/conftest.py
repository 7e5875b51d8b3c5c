import os
import pathlib
import zipfile

import pytest

# Keras 2 is chosen before TensorFlow is first imported, or not at all.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

_BESIDE_THE_PROJECT = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def fer2013_zip() -> pathlib.Path:
    """The archive of FER2013; the test is skipped where it is not there."""
    archive = pathlib.Path(
        os.environ.get("FER_ZIP", _BESIDE_THE_PROJECT / "face-expression-recognition-dataset.zip")
    )
    if not archive.is_file():
        pytest.skip(f"needs FER2013, which is not there: {archive} (set FER_ZIP)")
    return archive


@pytest.fixture(scope="session")
def ferplus_votes(fer2013_zip: pathlib.Path) -> pathlib.Path:
    """The votes of FER+ on FER2013's pictures, beside its archive; skipped where they are not there."""
    votes = fer2013_zip.with_name("ferplus_votes.csv")
    if not votes.is_file():
        pytest.skip(f"needs the votes of FER+, which are not there: {votes}")
    return votes


@pytest.fixture(scope="session")
def fer2013(fer2013_zip: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with FER2013 in it, as `images/<split>/<class>/`."""
    folder = tmp_path_factory.mktemp("fer2013")
    with zipfile.ZipFile(fer2013_zip) as archive:
        archive.extractall(folder)
    return folder
