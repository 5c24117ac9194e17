"""Model cards and configurations beside a model.

Sources: Hugging Face Hub documentation, "Model cards"; the ``config.json`` that transformers writes.
"""

from __future__ import annotations

import json
from typing import Any

from redan.kernels.cards.facts import NOTHING, ModelFacts
from redan.kernels.packages import yaml

LARGEST_BYTES = 1 << 20
"""Bytes of a card or a configuration that are read."""

_LICENCES = {
    "apache-2.0": "Apache-2.0", "mit": "MIT", "bsd": "BSD", "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause", "bsd-3-clause-clear": "BSD-3-Clause-Clear", "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only", "lgpl-2.1": "LGPL-2.1-only", "lgpl-3.0": "LGPL-3.0-only", "agpl-3.0": "AGPL-3.0-only",
    "mpl-2.0": "MPL-2.0", "afl-3.0": "AFL-3.0", "artistic-2.0": "Artistic-2.0", "bsl-1.0": "BSL-1.0",
    "cc0-1.0": "CC0-1.0", "cc-by-2.0": "CC-BY-2.0", "cc-by-3.0": "CC-BY-3.0", "cc-by-4.0": "CC-BY-4.0",
    "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc-by-sa-4.0": "CC-BY-SA-4.0", "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-nd-4.0": "CC-BY-ND-4.0", "cc-by-nc-nd-4.0": "CC-BY-NC-ND-4.0", "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0",
    "ecl-2.0": "ECL-2.0", "epl-2.0": "EPL-2.0", "eupl-1.1": "EUPL-1.1", "eupl-1.2": "EUPL-1.2", "isc": "ISC",
    "ms-pl": "MS-PL", "odbl": "ODbL-1.0", "ofl-1.1": "OFL-1.1", "osl-3.0": "OSL-3.0", "pddl": "PDDL-1.0",
    "unlicense": "Unlicense", "wtfpl": "WTFPL", "zlib": "Zlib", "cdla-permissive-2.0": "CDLA-Permissive-2.0",
}  # fmt: skip
"""Licence words of the Hub that stand for one SPDX identifier; families such as ``cc`` or ``gpl`` do not."""

_TASKS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForConditionalGeneration": "text2text-generation",
    "ForImageClassification": "image-classification",
    "ForObjectDetection": "object-detection",
    "ForSemanticSegmentation": "image-segmentation",
    "ForAudioClassification": "audio-classification",
    "ForCTC": "automatic-speech-recognition",
}


def licence_of(word: str) -> str:
    """Return the SPDX identifier that a licence word of a model card stands for, or the word itself."""
    return _LICENCES.get(word.strip().lower(), word.strip())


def read_card(text: str) -> ModelFacts:
    """Read the front matter of a README; without one, or with one that is no plain YAML, there are no facts."""
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines or lines[0].strip() != "---" or "---" not in lines[1:]:
        return NOTHING
    try:
        front = yaml.parse("\n".join(lines[1 : lines.index("---", 1)]))
    except yaml.UnreadableYamlError:
        return NOTHING
    if not isinstance(front, dict):
        return NOTHING
    licence = _word(front.get("license"))
    if licence == "other":
        licence = _word(front.get("license_name")) or "other"
    names = ("base_model", "library_name", "language")
    further = [(f"card:{name}", ", ".join(_words(front.get(name)))) for name in names if _words(front.get(name))]
    return ModelFacts(
        name=_word(front.get("model_name")),
        task=_word(front.get("pipeline_tag")),
        licence=licence_of(licence),
        datasets=tuple(_words(front.get("datasets"))),
        further=tuple(further),
    )


def read_config(text: str) -> ModelFacts:
    """Read a config.json; what is none has no facts."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(config, dict):
        return NOTHING
    architecture = next(iter(_words(config.get("architectures"))), "")
    labels = config.get("id2label")
    n_labels = len(labels) if isinstance(labels, dict) else 0
    task = next((task for ending, task in _TASKS.items() if architecture.endswith(ending)), "")
    sizes = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings")
    further = [(f"config:{name}", str(config[name])) for name in sizes if isinstance(config.get(name), int)]
    return ModelFacts(
        task=task,
        family=_word(config.get("model_type")),
        architecture=architecture,
        outputs=(f"{n_labels} classes",) if n_labels else (),
        further=tuple(further),
    )


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _words(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, str) and item]
