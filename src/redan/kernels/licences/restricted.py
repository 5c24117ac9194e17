"""Licences of models and data that say what the work may not be used for.

Such licences are no open-source licences in the sense of OSI's definition, point 6. The facts are from the licences'
own texts.
"""

from __future__ import annotations

import re

_RAIL = "lists uses that are forbidden, and everybody who passes the model or a derivative on must impose them too"
_LLAMA = (
    "has an acceptable use policy and a naming duty; who had more than 700 million monthly users at release needs "
    "another licence"
)
_NO_COMMERCE = "forbids commercial use"
_RESEARCH = "allows research only"

_KINDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r".*\b(?:open)?rail(?:\+\+|-m|-s|-d|-ms)?\b.*|.*openrail.*"), _RAIL),
    (re.compile(r"(?:meta[- ])?llama[- ]?2.*"), f"{_LLAMA}; outputs may not train other language models"),
    (re.compile(r"(?:meta[- ])?llama.*"), _LLAMA),
    (re.compile(r"gemma.*"), "has a policy of prohibited uses that must be passed on, and may be ended by its owner"),
    (re.compile(r"cc-by-nc-nd-.*"), f"{_NO_COMMERCE} and the sharing of changed versions"),
    (re.compile(r"cc-by-nc.*|.*non-?commercial.*|polyform-noncommercial.*"), _NO_COMMERCE),
    (re.compile(r"cc-by-nd.*"), "forbids the sharing of changed versions, and a fine-tuned model may be one"),
    (re.compile(r"deepfloyd-if.*|.*research[- ]only.*|apple-am?lr|mrl|mistral-ai-research.*|mnpl.*"), _RESEARCH),
    (
        re.compile(r"stabilityai-(?:ai|nc).*|stable-cascade.*"),
        "needs a paid licence above a revenue, or forbids commerce",
    ),
    (re.compile(r"(?:tongyi-)?qianwen.*|qwen.*(?:research|licen[cs]e).*"), "has conditions on large or commercial use"),
)

_SPDX_ONLY = re.compile(r"cc-by-n[cd]")
"""Those of the list that are SPDX identifiers too."""


def restriction(text: str) -> str:
    """Say what a licence forbids that an open-source licence would not, or return an empty string.

    Args:
        text: SPDX identifier, word of a model card, or title.
    """
    plain = "-".join(text.strip().lower().removeprefix("licenseref-").split())
    return next((what for pattern, what in _KINDS if pattern.fullmatch(plain)), "")
