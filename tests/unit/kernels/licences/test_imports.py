"""What code imports, and the licence of each package."""

from __future__ import annotations

from redan.kernels.licences.imports import imported

CODE = """%pip install x
import os, numpy as np
import sklearn.svm
from ultralytics import YOLO
    import cv2
from .local import a
importance = 1
from torch import nn; import torch
import strange_thing
"""


def test_modules_are_told_once_with_distribution_licence_and_line() -> None:
    found = {each.module: (each.distribution, each.licence, each.line) for each in imported(CODE, {})}
    assert found == {
        "numpy": ("numpy", "BSD-3-Clause", 2),
        "sklearn": ("scikit-learn", "BSD-3-Clause", 3),
        "ultralytics": ("ultralytics", "AGPL-3.0-only", 4),
        "cv2": ("opencv-python", "Apache-2.0", 5),
        "torch": ("torch", "BSD-3-Clause", 8),
        "strange_thing": ("strange-thing", "", 9),
    }


def test_what_is_installed_knows_better() -> None:
    (found,) = imported("import numpy", {"numpy": "MIT"})
    assert found.licence == "MIT"
