"""Where `emotion` starts: the import path is made safe before anything is imported."""

from emotion_faces.import_path import leave_current_folder

_WHOLE = "emotion_pipeline"
"""The package of the distribution that has every command; this one has those that need no pipeline."""


def main() -> int:
    """Runs the command line of what is installed, and returns its exit status."""
    leave_current_folder()
    try:
        import importlib
        import importlib.util

        package = _WHOLE if importlib.util.find_spec(_WHOLE) else __package__
        status: int = importlib.import_module(f"{package}.cli").main()
        return status
    except KeyboardInterrupt:  # in the midst of imports
        return 130  # as shells have it
