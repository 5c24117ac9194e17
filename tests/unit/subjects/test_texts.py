"""Subjects and data whose inputs are texts."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from tests.small_texts import CLASSES, pipeline, text_inputs, text_rows, text_subject

import redan
from redan.core.errors import ShapeMismatch, UnknownName, Unreadable, UsageError
from redan.core.subject import unsuited
from redan.kernels.text_attacks.asking import as_texts
from redan.subjects.data import load_dataset
from redan.subjects.data.texts import MOST_CHARACTERS
from redan.subjects.open import open_subject

TEXTS = ["a good engine, it was", 'he said "goal"\nand left', "ein größerer Motor"]


def write(path, columns, rows):
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


@pytest.mark.parametrize(
    ("columns", "order"),
    [(("text", "label"), (0, 1)), (("label", "review"), (1, 0)), (("id", "text", "label"), (2, 0, 1))],
)
def test_a_table_of_texts_is_read(tmp_path, columns, order):
    cells = [(text, "pos" if at % 2 else "neg", str(at)) for at, text in enumerate(TEXTS)]
    rows = [tuple(row[{0: 0, 1: 1, 2: 2}[place]] for place in order) for row in cells]
    data = load_dataset(write(tmp_path / "reviews.csv", columns, rows))
    assert data.x.tolist() == TEXTS
    assert data.y.tolist() == [0, 1, 0]
    assert data.classes == ("neg", "pos")


def test_numbers_in_two_columns_stay_a_table(tmp_path):
    data = load_dataset(write(tmp_path / "table.csv", ("text", "label"), [(0.5, 0), (0.7, 1)]))
    assert data.x.shape == (2, 1)


def test_json_lines_are_read(tmp_path):
    path = tmp_path / "reviews.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "stars": at % 2, "n": 1}) for at, text in enumerate(TEXTS)))
    data = load_dataset(path, label="stars")
    assert data.x.tolist() == TEXTS
    assert data.y.tolist() == [0, 1, 0]
    with pytest.raises(UnknownName):
        load_dataset(path, label="star")


@pytest.mark.parametrize("line", ["{", "[1]", '{"text": 5, "label": 1}', "[" * 100_000, '{"a": "b"}', ""])
def test_broken_lines_are_refused_with_words(tmp_path, line):
    path = tmp_path / "broken.jsonl"
    path.write_text(line)
    with pytest.raises((Unreadable, ShapeMismatch)):
        load_dataset(path)


def test_a_text_beyond_all_bounds_is_refused(tmp_path):
    with pytest.raises(ShapeMismatch, match="characters"):
        load_dataset((["a" * (MOST_CHARACTERS + 1), "b"], [0, 1]))


def test_one_long_text_does_not_widen_the_others():
    data = load_dataset((["a" * 100_000, *["b"] * 50], [0] * 51))
    assert data.x.dtype == object


def test_a_pipeline_with_texts_is_a_text_subject():
    net = redan.subject(pipeline(), data=(text_rows(0, 20).x.tolist(), [CLASSES[y] for y in text_rows(0, 20).y]))
    assert net.subject.capabilities == {"labels", "scores", "text", "refittable"}


def test_a_function_of_texts_is_one_too():
    made = open_subject(lambda x: np.array([[len(t), 1.0] for t in x]), sample=as_texts(TEXTS))
    assert made.capabilities == {"labels", "scores", "text"}
    assert made.scores(as_texts(TEXTS))[0, 0] == len(TEXTS[0])


def test_probes_of_numbers_are_skipped_with_a_reason_and_the_other_way_round():
    rows = text_rows(1000, 1012)
    net = redan.subject(pipeline(), data=(rows.x.tolist(), [CLASSES[y] for y in rows.y]))
    report = redan.attack(net, probes=["hopskipjump", "text-characters"], plan="quick")
    told = {p.name: (p.outcome, p.why[:16]) for p in report.probes}
    assert told == {"text-characters": ("ran", ""), "hopskipjump": ("skipped", "works on numbers")}
    numbers = open_subject(lambda x: x[:, :2], sample=np.full((3, 2), 1.5))
    assert "works on texts" in unsuited(numbers, ("labels", "text"))
    assert unsuited(numbers, ("labels",)) == ""


def test_a_text_subject_can_be_fitted_again():
    from sklearn.base import clone

    given, train = text_subject(), text_inputs().train
    made = given.refitted(clone(given.estimator), train.x[:50], train.y[:50], note="half")
    assert given.ref.digest in made.ref.lineage
    assert made.labels(train.x[:4]).tolist() == train.y[:4].tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small BERT with a word-piece tokenizer of its own, untrained."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    path = tmp_path_factory.mktemp("bert")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]"]
    tokenizer.train_from_iterator(
        text_rows(0, 60).x.tolist(),
        trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False),
    )
    tokenizer.save(str(path / "tokenizer.json"))
    config = transformers.BertConfig(
        vocab_size=120, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=16, pad_token_id=0, num_labels=2,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(path)
    return path


def test_a_folder_with_a_tokenizer_takes_texts(folder):
    made = open_subject(folder, sample=as_texts(TEXTS))
    assert {"labels", "scores", "text"} <= made.capabilities
    together = made.scores(as_texts([*TEXTS, "word " * 300]))
    alone = made.scores(as_texts(TEXTS[:1]))
    assert together.shape == (4, 2)
    assert np.allclose(together[0], alone[0], atol=1e-5)  # the padding of longer neighbours says nothing
    assert any(part.role == "preprocessing" for part in made.ref.components)


def test_a_folder_without_a_tokenizer_says_what_lacks(folder, tmp_path):
    for file in folder.iterdir():
        if file.name != "tokenizer.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UsageError, match="no tokenizer"):
        open_subject(tmp_path, sample=as_texts(TEXTS))
