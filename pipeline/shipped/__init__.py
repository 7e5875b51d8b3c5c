"""The model that comes with the project: its weights in one file, and how it becomes a SavedModel.

`MODEL_CARD.md` beside the weights says what it was trained on, how good it is, and what it must not
be used for.
"""
