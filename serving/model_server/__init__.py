"""A model server that speaks TensorFlow Serving's gRPC and REST.

Where it is stricter than TensorFlow Serving, the place says "Deviation" and why; docs/serving.md
lists them all.
"""
