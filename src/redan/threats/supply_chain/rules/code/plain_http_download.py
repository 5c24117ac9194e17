"""A model, data set or archive is fetched from an ``http://`` address.

What it means:
    Nothing says that what arrives is what was sent.

Why it matters:
    Anybody on the way can replace the file; where it is a pickle or an archive of code, that runs.

How it is found:
    Constant ``http://`` addresses in calls that download, whose path ends like weights, arrays, archives or data.

What to do:
    Use HTTPS; where the server has none, compare the SHA-256 of the file with one in the code.

Bad:
        import urllib.request
        urllib.request.urlretrieve("http://example.org/w.pth", "w.pth")

Good:
        import urllib.request
        urllib.request.urlretrieve("https://example.org/w.pth", "w.pth")

Limits:
    Addresses that are put together are told only as far as they are constant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import FETCHED, arguments
from redan.threats.supply_chain.rules.code.plain_http_tracking import plain

RULE = rule(
    Rule(
        id="RDN-SUP-064",
        name="plain-http-download",
        threat="supply_chain",
        title="A model or data set is fetched over plain HTTP",
        severity=Severity.MEDIUM,
        remedy="Use https:// and compare a hash.",
        references=(
            "cwe:319",
            "cwe:494",
            "atlas:AML.T0010",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

ENDING = re.compile(
    r"\.(pkl|pickle|pt|pth|bin|ckpt|h5|hdf5|keras|onnx|tflite|pb|gguf|safetensors|npy|npz|joblib|zip|tar|gz|tgz|xz|bz2|7z|csv|parquet|jsonl?|whl|py|sh)$"
)
MORE = {
    "keras.utils.get_file": ("origin", 1),
    "tensorflow.keras.utils.get_file": ("origin", 1),
    "torch.hub.load_state_dict_from_url": ("url", 0),
    "torch.hub.download_url_to_file": ("url", 0),
    "wget.download": ("url", 0),
    "gdown.download": ("url", 0),
    "pandas.read_csv": ("filepath_or_buffer", 0),
    "pandas.read_parquet": ("path", 0),
    "pandas.read_pickle": ("filepath_or_buffer", 0),
    "torchvision.datasets.utils.download_url": ("url", 0),
}


def check(module: Module) -> Iterator[Match]:
    """Yield the downloads without encryption."""
    for call, argument in arguments(module, {**FETCHED, **MORE}):
        value = argument.value
        if plain(value) and ENDING.search(value.partition("?")[0].lower()):
            yield Match(line=call.line, says=f"{value[:100]!r} is fetched over plain HTTP")
