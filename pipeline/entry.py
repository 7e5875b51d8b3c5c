"""Where `emotion` starts: the import path is made safe before anything is imported."""

from emotion_pipeline.components.import_path import leave_current_folder


def main() -> int:
    """Runs the command line and returns its exit status."""
    leave_current_folder()
    from emotion_pipeline.cli import main as run

    return run()
