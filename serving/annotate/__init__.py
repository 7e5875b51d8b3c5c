"""Emotions in pictures and films: faces found, asked about, marked and listed."""

from serving.annotate.faces import FaceEmotion
from serving.annotate.image import AnnotatedImage, annotate_image

__all__ = ["AnnotatedImage", "FaceEmotion", "annotate_image"]
