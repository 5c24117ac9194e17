"""Hugging Face folders without a factory."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from redan.core.errors import SubjectFailed, Unreadable, UnsafeArtifact, UsageError  # noqa: E402
from redan.subjects.hf import open_hf  # noqa: E402
from redan.subjects.open import open_subject  # noqa: E402
from redan.subjects.options import Options  # noqa: E402

IMAGES = np.random.default_rng(0).random((5, 3, 8, 8), dtype=np.float32)
TOKENS = np.array([[5, 6, 7, 0], [8, 9, 0, 0], [1, 2, 3, 4]])


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=8, patch_size=4,
        id2label={0: "cat", 1: "dog", 2: "cow"}, label2id={"cat": 0, "dog": 1, "cow": 2},
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]})
    )
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=16, num_labels=2, pad_token_id=0,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_images(vit):
    subject = open_subject(vit, sample=IMAGES)
    own = transformers.AutoModelForImageClassification.from_pretrained(vit, local_files_only=True).eval()
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1), 0.2
    with torch.no_grad():
        theirs = own(pixel_values=(torch.from_numpy(IMAGES) - mean) / std).logits.numpy()
    np.testing.assert_allclose(subject.scores(IMAGES), theirs, rtol=1e-4, atol=1e-5)
    assert subject.classes == ("cat", "dog", "cow")
    assert subject.bounds == (0.0, 1.0)
    assert {"gradients", "trainable"} <= subject.capabilities
    assert {part.role for part in subject.ref.components} >= {"weights", "preprocessing"}
    x = torch.from_numpy(IMAGES).requires_grad_()
    assert torch.autograd.grad(subject.logits(x).sum(), x)[0].shape == x.shape


def test_a_resnet(tmp_path):
    config = transformers.ResNetConfig(
        num_channels=3, embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", num_labels=2
    )
    transformers.ResNetForImageClassification(config).save_pretrained(tmp_path)
    subject = open_subject(tmp_path)
    assert subject.scores(IMAGES).shape == (5, 2)
    assert "gradients" in subject.capabilities


def test_texts(bert):
    subject = open_subject(bert)
    own = transformers.AutoModelForSequenceClassification.from_pretrained(bert, local_files_only=True).eval()
    tokens = torch.from_numpy(TOKENS)
    with torch.no_grad():
        theirs = own(input_ids=tokens, attention_mask=(tokens != 0).long()).logits.numpy()
    np.testing.assert_allclose(subject.scores(TOKENS), theirs, rtol=1e-4, atol=1e-5)
    assert "gradients" not in subject.capabilities


def test_the_owner_overrides_the_folder(vit):
    subject = open_subject(vit, classes=("a", "b", "c"), bounds=(-1, 1), mean=(0.0,), std=(1.0,), name="mine")
    assert (subject.classes, subject.bounds, subject.ref.name) == (("a", "b", "c"), (-1, 1), "mine")


def change(folder, target, **changes):
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | changes))
    return target


def test_code_in_the_folder_is_never_run(vit, tmp_path):
    folder = change(vit, tmp_path, auto_map={"AutoModelForImageClassification": "evil.Net"}, model_type="evil")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'touched')!r}, 'w')\nclass Net: pass\n")
    with pytest.raises((UnsafeArtifact, SubjectFailed)):
        open_subject(folder)
    with pytest.raises(SubjectFailed):
        open_hf(folder, options=Options(), components=())
    assert not (tmp_path / "touched").exists()


def test_other_tasks_and_broken_folders(vit, tmp_path):
    folder = change(vit, tmp_path, architectures=["ViTModel"])
    with pytest.raises(UsageError, match="expected a classifier"):
        open_subject(folder)
    (folder / "config.json").write_text("no json")
    with pytest.raises(Unreadable, match="no readable JSON"):
        open_hf(folder, options=Options(), components=())
