import os

# Keras 2 is chosen before TensorFlow is first imported, or not at all.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
