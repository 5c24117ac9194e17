"""Texts of two kinds, and a small pipeline that tells them apart."""

from __future__ import annotations

import pickle
from functools import cache
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from redan.core.inputs import Dataset, Inputs
from redan.kernels.text_attacks.asking import as_texts
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.texts import TextSubject

TELLING = (
    ("engine", "battery", "voltage", "circuit", "motor", "sensor", "wiring", "current"),
    ("match", "league", "keeper", "goal", "season", "coach", "stadium", "referee"),
)
"""Words of each kind."""
PLAIN = ("the", "report", "said", "yesterday", "that", "another", "small", "large", "change", "was", "seen", "early")
CLASSES = ("machines", "sport")


def text_rows(start: int, stop: int) -> Dataset:
    """Texts of ten words, three of them telling, drawn by their index alone."""
    texts, labels = [], []
    for index in range(start, stop):
        draw = np.random.default_rng(index)
        kind = index % 2
        words = [*draw.choice(TELLING[kind], 3), *draw.choice(PLAIN, 7)]
        texts.append(" ".join(str(word) for word in draw.permutation(words)) + ".")
        labels.append(kind)
    return Dataset(
        x=as_texts(texts),
        y=np.array(labels, np.int64),
        name="small texts",
        sha256="",
        indices=np.arange(start, stop),
        classes=CLASSES,
    )


def text_inputs() -> Inputs:
    """Texts for every data role, none in two of them."""
    return Inputs(
        test=text_rows(1000, 1024),
        train=text_rows(0, 160),
        reference=text_rows(2000, 2030),
        canary=text_rows(3000, 3010),
    )


@cache
def pickled() -> bytes:
    """The pipeline, fitted once."""
    train = text_rows(0, 160)
    made = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(train.x, [CLASSES[label] for label in train.y])
    return pickle.dumps(made)


def pipeline() -> Any:
    """A pipeline of its own for each caller."""
    return pickle.loads(pickled())


def text_subject() -> TextSubject:
    """The pipeline as a subject."""
    return TextSubject(SklearnSubject(pipeline(), options=Options(name="small-texts")))
