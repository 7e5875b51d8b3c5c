"""Named settings of a run."""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "original": {},
    "fast": {
        "train": {
            "epochs": 8,
            "batch_size": 64,
            "schedule": "cosine",
            "dropout_steps": [[0, 0.0], [0.375, 0.25], [0.75, 0.5]],
            "batch_norm_momentum": 0.9,
            "flip": True,
        }
    },
    "best": {
        "balance": "none",
        "train": {
            "epochs": 60,
            "batch_size": 64,
            "normalize": "equalize",
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "warmup_epochs": 0.5,
            "weight_decay": 0.2,
            "label_smoothing": 0.05,
            "dropout_steps": [[0, 0.0], [0.2, 0.1], [0.5, 0.2], [0.8, 0.3], [0.93, 0.5]],
            "batch_norm_momentum": 0.9,
            "flip": True,
            "rotation_degrees": 12.0,
            "zoom": 0.12,
            "shift_px": 4.0,
            # Half-way between counting pictures and counting classes: disgust is 1 picture in 65.
            "class_weight_power": 0.5,
            "averaging_decay": 0.999,
            "flip_at_serving": True,
            "calibration_share": 0.05,
        },
    },
    "deep": {
        "balance": "none",
        "train": {
            "network": "deep",
            "normalize": "equalize",
            "epochs": 60,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "warmup_epochs": 0.5,
            "weight_decay": 0.1,
            "dropout_steps": [[0, 0.3]],
            "batch_norm_momentum": 0.9,
            "flip": True,
            "rotation_degrees": 10.0,
            "zoom": 0.12,
            "shift_px": 4.0,
            "blur_share": 0.25,
            "jpeg_share": 0.2,
            "erase_share": 0.25,
            "averaging_decay": 0.999,
            "flip_at_serving": True,
            "calibration_share": 0.05,
            "int8": True,
        },
    },
}
"""Named settings, each over the defaults of PipelineConfig: `original` is the method as published,
`fast` a first look in minutes, `best` ours; these train the specified layers, `deep` a deeper network."""
