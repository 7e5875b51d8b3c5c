"""The models that come with the project, for the commands that ask one and for `serve`."""

import pathlib
import sys

from emotion_faces import shipped


def find_model(name: str | None = None) -> shipped.ShippedModel:
    """Returns a model as ONNX: one that is installed ready to run, or else one made from its weights.

    Args:
      name: Which; None for the one that is right most often.

    Raises:
      UserError: There is none of that name.
    """
    if shipped.shipped_models():
        return shipped.find_model(name)
    from emotion_pipeline.shipped.location import onnx_model_dir
    from emotion_pipeline.shipped.models import find_shipped

    model = find_shipped(name)
    return shipped.ShippedModel(model.name, onnx_model_dir(model), model.card_file)


def saved_model(name: str | None = None) -> pathlib.Path:
    """Returns the folder of a model as a SavedModel, and tells the user of it.

    Args:
      name: As above.

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
