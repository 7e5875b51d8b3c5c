"""Small pictures for tests, written to disk or as bytes."""

import pathlib

import cv2
import numpy as np


def noise(seed: int, size_px: int = 48) -> np.ndarray:
    """Returns gray noise, uint8 [size_px, size_px], the same for the same seed."""
    return np.random.default_rng(seed).integers(0, 256, (size_px, size_px), dtype=np.uint8)


def encode(pixels: np.ndarray, extension: str = ".jpg") -> bytes:
    """Returns the pixels as a file of the format that OpenCV links with the extension."""
    done, data = cv2.imencode(extension, pixels)
    assert done
    return data.tobytes()


def write_picture(file: pathlib.Path, seed: int) -> bytes:
    """Writes a JPEG of noise, with its folders, and returns its bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    data = encode(noise(seed))
    file.write_bytes(data)
    return data


def write_tree(root: pathlib.Path, *paths: str) -> None:
    """Writes a different picture to each path below `root`."""
    for seed, path in enumerate(paths):
        write_picture(root / path, seed)


def write_data_set(root: pathlib.Path) -> None:
    """Writes two classes with two train pictures and one validation picture each."""
    write_tree(
        root,
        "images/train/happy/1.jpg",
        "images/train/happy/2.jpg",
        "images/train/sad/3.jpg",
        "images/train/sad/4.jpg",
        "images/validation/happy/5.jpg",
        "images/validation/sad/6.jpg",
    )


def snapshot(root: pathlib.Path) -> dict[str, tuple]:
    """Returns what can be told of every file and folder below `root` without following links."""
    return {
        path.relative_to(root).as_posix(): (
            (status := path.lstat()).st_mode,
            status.st_size,
            status.st_mtime_ns,
            path.read_bytes() if path.is_file() and status.st_mode & 0o400 else None,
        )
        for path in sorted(root.rglob("*"))
    }
