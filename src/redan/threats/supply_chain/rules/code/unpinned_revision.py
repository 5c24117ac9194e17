"""A model or data set of a hub is fetched without a commit.

What it means:
    Without ``revision``, or with the name of a branch or tag, the owner of the repository decides at each start
    what is loaded.

Why it matters:
    The model that was tested and the one that is served can differ without any change of the code, and a taken-over
    account reaches you at once.

How it is found:
    ``from_pretrained`` of transformers, diffusers, peft and the like, ``hf_hub_download``, ``snapshot_download``,
    ``load_dataset`` and pipelines, with a constant name that looks like one of a hub, and no 40-digit revision.

What to do:
    Pass ``revision`` with the full commit, or load from a folder that was verified.

Bad:
        from transformers import AutoModel
        model = AutoModel.from_pretrained("org/model")

Good:
        from transformers import AutoModel
        model = AutoModel.from_pretrained("org/model", revision="8d0e4b1f4a1c6b7e2a9d3c5f7081b2c3d4e5f601")

Limits:
    Names that are computed are not told. A folder with the same shape of name (``org/model``) is taken for a
    repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.calls import Call

RULE = rule(
    Rule(
        id="RDN-SUP-049",
        name="unpinned-revision",
        threat="supply_chain",
        title="A model or data set is fetched at whatever state its branch is in",
        severity=Severity.LOW,
        remedy="Pass revision= with a full commit.",
        references=(
            "cwe:494",
            "cwe:829",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

FETCHING = {
    "huggingface_hub.hf_hub_download": ("repo_id", 0),
    "huggingface_hub.snapshot_download": ("repo_id", 0),
    "datasets.load_dataset": ("path", 0),
    "transformers.pipeline": ("model", 1),
    "modelscope.snapshot_download": ("model_id", 0),
}
LIBRARIES = (
    "transformers.",
    "diffusers.",
    "peft.",
    "tokenizers.",
    "optimum.",
    "timm.",
    "setfit.",
    "datasets.",
    "auto_gptq.",
)
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
FORMATS = frozenset({"csv", "json", "parquet", "text", "imagefolder", "audiofolder", "arrow", "webdataset", "pandas"})


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that fetch what a branch holds."""
    for name, call in module.ending(".from_pretrained", ".load_dataset_builder"):
        if name.startswith(LIBRARIES):
            yield from _match(call, call.value("pretrained_model_name_or_path", 0))
    for call in module.called(*FETCHING):
        word, place = next(FETCHING[name] for name in call.names if name in FETCHING)
        if call.argument(word, place) is not None:
            yield from _match(call, call.value(word, place))


def _match(call: Call, repository: Any) -> Iterator[Match]:
    if not isinstance(repository, str) or not REPOSITORY.fullmatch(repository) or repository in FORMATS:
        return
    if call.value("local_files_only") is True:
        return
    revision = call.value("revision")
    if revision is None or (isinstance(revision, str) and not COMMIT.fullmatch(revision)):
        at = f"at {revision!r}" if revision else "without a revision"
        yield Match(
            line=call.line, says=f"{repository!r} is fetched {at}, so its owner decides what it is", confidence="likely"
        )
