"""Emotions in pictures and films: faces found, asked about, marked and listed."""

from emotion_faces.annotate.faces import FaceEmotion
from emotion_faces.annotate.image import AnnotatedImage, annotate_image

__all__ = ["AnnotatedImage", "FaceEmotion", "annotate_image"]
