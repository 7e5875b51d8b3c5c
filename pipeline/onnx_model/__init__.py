"""The served model as ONNX: from a network's weights to one file that needs no TensorFlow."""
