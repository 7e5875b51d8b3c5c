"""The models that come with the project, as `serve` wants them."""

import pathlib
import sys


def saved_model(name: str | None = None) -> pathlib.Path:
    """Returns the folder of a model as a SavedModel, and tells the user of it.

    Args:
      name: Which; None for the one that is right most often.

    Raises:
      UserError: There is none of that name, or it cannot be made.
    """
    from emotion_pipeline.shipped.location import shipped_model_dir
    from emotion_pipeline.shipped.models import find_shipped

    model = find_shipped(name)
    print(
        f"using the model {model.name} that comes with the project ({model.card_file})",
        file=sys.stderr,
        flush=True,
    )
    return shipped_model_dir(model)
