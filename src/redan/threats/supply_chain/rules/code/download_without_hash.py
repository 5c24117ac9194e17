"""A file is downloaded by a function that could check its hash, and does not.

What it means:
    ``get_file`` of Keras, ``load_state_dict_from_url`` of torch, pooch and gdown take whatever the address gives at
    that moment.

Why it matters:
    The file may have been replaced since the code was written, by its owner or by whoever holds the server now.

How it is found:
    Calls of these functions without ``file_hash``, ``check_hash=True``, ``known_hash`` or ``hash_prefix``.

What to do:
    Write the SHA-256 of the file that you tested into the code.

Bad:
        import keras
        path = keras.utils.get_file("w.h5", origin="https://example.org/w.h5")

Good:
        import keras
        path = keras.utils.get_file("w.h5", origin="https://example.org/w.h5", file_hash=SHA256)

Limits:
    Whether the file is checked later is not seen, so confidence is ``likely``.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-051",
        name="download-without-hash",
        threat="supply_chain",
        title="Weights are downloaded and not compared with a hash",
        severity=Severity.MEDIUM,
        remedy="Give the hash that the file must have (file_hash, check_hash=True, pooch known_hash).",
        references=(
            "cwe:494",
            "cwe:345",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

# function → the argument with the hash, what it is when there is no check, and what is then missing
CHECKED: dict[str, tuple[tuple[str, int], tuple[object, ...], str]] = {
    **{
        f"{package}.utils.get_file": (("file_hash", 4), (None,), "file_hash")
        for package in ("keras", "tensorflow.keras", "tf_keras")
    },
    "torch.hub.load_state_dict_from_url": (("check_hash", 4), (None, False), "check_hash=True"),
    "torch.utils.model_zoo.load_url": (("check_hash", 4), (None, False), "check_hash=True"),
    "torch.hub.download_url_to_file": (("hash_prefix", 2), (None,), "hash_prefix"),
    "pooch.retrieve": (("known_hash", 1), (None,), "known_hash"),
    "gdown.cached_download": (("hash", 4), (None,), "hash"),
}


def check(module: Module) -> Iterator[Match]:
    """Yield the downloads whose hash is not given."""
    for call in module.called(*CHECKED):
        name = next(name for name in call.names if name in CHECKED)
        (word, place), missing, wanted = CHECKED[name]
        old = call.argument("md5_hash", 3) or call.argument("md5")
        if old is None and call.value(word, place) in missing:
            yield Match(line=call.line, says=f"{name} without {wanted} takes whatever comes", confidence="likely")
