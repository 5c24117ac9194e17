"""From the words that people use to SPDX identifiers.

Sources: the licence classifiers of PyPI; the licence words of the Hugging Face Hub; the licences' own titles.
"""

from __future__ import annotations

import re

from redan.kernels.cards.documents import licence_of
from redan.kernels.licences.expression import NotExpressionError, parse

_WORDS = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache software": "Apache-2.0",
    "apache software 2.0": "Apache-2.0",
    "asl 2.0": "Apache-2.0",
    "mit": "MIT",
    "expat": "MIT",
    "isc": "ISC",
    "iscl": "ISC",
    "bsd 2 clause": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "3 clause bsd": "BSD-3-Clause",
    "2 clause bsd": "BSD-2-Clause",
    "new bsd": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "bsd new": "BSD-3-Clause",
    "mpl 2.0": "MPL-2.0",
    "mozilla public 2.0": "MPL-2.0",
    "mozilla public 2.0 mpl 2.0": "MPL-2.0",
    "psf": "PSF-2.0",
    "psfl": "PSF-2.0",
    "python software foundation": "PSF-2.0",
    "unlicense": "Unlicense",
    "public domain cc0": "CC0-1.0",
    "cc0": "CC0-1.0",
    "gplv2": "GPL-2.0-only",
    "gpl v2": "GPL-2.0-only",
    "gplv3": "GPL-3.0-only",
    "gpl v3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "lgplv3": "LGPL-3.0-only",
    "lgplv3+": "LGPL-3.0-or-later",
    "lgplv2+": "LGPL-2.0-or-later",
    "agplv3": "AGPL-3.0-only",
    "agplv3+": "AGPL-3.0-or-later",
    "boost 1.0": "BSL-1.0",
    "zlib": "Zlib",
    "hpnd": "HPND",
}
_FILLERS = re.compile(r"\b(?:the|licen[cs]e[ds]?|version|v(?=\d))\b|[,()\"'/_-]")
_SPDX_URL = re.compile(r"https?://(?:www\.)?spdx\.org/licenses/([\w.+-]+?)(?:\.html|\.json|/)?")
_CC_URL = re.compile(r"https?://(?:www\.)?creativecommons\.org/licenses/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)/?.*")
_URLS = (
    (re.compile(r"https?://(?:www\.)?apache\.org/licenses/license-2\.0(?:\.txt|\.html)?/?"), "Apache-2.0"),
    (re.compile(r"https?://(?:www\.)?opensource\.org/licen[cs]es?/mit/?"), "MIT"),
    (re.compile(r"https?://(?:www\.)?creativecommons\.org/publicdomain/zero/1\.0/?.*"), "CC0-1.0"),
)


def expression_of(text: str) -> str:
    """Return the SPDX expression that some words stand for, or an empty string when they name no licence exactly.

    Words such as ``BSD`` or ``GPL`` name a family, so they stand for nothing.
    """
    plain = text.strip()
    if not plain or len(plain) > 300:
        return ""
    for candidate in (plain, licence_of(plain), _of_url(plain.lower()), _WORDS.get(_bare(plain), "")):
        try:
            parse(candidate)
        except NotExpressionError:
            continue
        return candidate
    return ""


def _bare(text: str) -> str:
    return " ".join(_FILLERS.sub(" ", text.lower()).split())


def _of_url(text: str) -> str:
    if match := _SPDX_URL.fullmatch(text):
        return match[1]
    if match := _CC_URL.fullmatch(text):
        return f"CC-{match[1].upper()}-{match[2]}"
    return next((name for pattern, name in _URLS if pattern.fullmatch(text)), "")
