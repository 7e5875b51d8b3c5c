"""The models that come with the project: a folder each, and how its weights become a SavedModel.

`MODEL_CARD.md` beside the weights says what a model was trained on, how good it is, and what it must not
be used for; `facts.json` says it to programs.
"""
