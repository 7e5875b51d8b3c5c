"""Draws a face to try an installation with: `python requirements/draw_face.py FILE.png`."""

import sys

import cv2
import numpy as np

from emotion_pipeline.components.sources.sample_data import draw_face

if __name__ == "__main__":
    cv2.imwrite(sys.argv[1], draw_face("happy", np.random.default_rng(1)))
