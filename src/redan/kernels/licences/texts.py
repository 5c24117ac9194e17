"""Which licence a text is, by the titles that well-known licences carry. Source: the licences' own first lines."""

from __future__ import annotations

import re

HEAD_CHARS = 3000
"""Characters of a text that are looked at; a licence names itself at its top."""

_TITLES: tuple[tuple[str, str], ...] = (
    (r"apache license,? version 2\.0", "Apache-2.0"),
    (r"gnu affero general public license version 3", "AGPL-3.0-only"),
    (r"gnu lesser general public license version 3", "LGPL-3.0-only"),
    (r"gnu lesser general public license version 2\.1", "LGPL-2.1-only"),
    (r"gnu general public license version 3", "GPL-3.0-only"),
    (r"gnu general public license version 2", "GPL-2.0-only"),
    (r"mozilla public license,? version 2\.0", "MPL-2.0"),
    (r"eclipse public license - v 2\.0", "EPL-2.0"),
    (r"cc0 1\.0 universal", "CC0-1.0"),
    (r"boost software license - version 1\.0", "BSL-1.0"),
    (r"this is free and unencumbered software released into the public domain", "Unlicense"),
    (r"attribution-noncommercial-noderivatives 4\.0 international", "CC-BY-NC-ND-4.0"),
    (r"attribution-noncommercial-sharealike 4\.0 international", "CC-BY-NC-SA-4.0"),
    (r"attribution-noncommercial 4\.0 international", "CC-BY-NC-4.0"),
    (r"attribution-sharealike 4\.0 international", "CC-BY-SA-4.0"),
    (r"attribution-noderivatives 4\.0 international", "CC-BY-ND-4.0"),
    (r"attribution 4\.0 international", "CC-BY-4.0"),
    (r"bigscience rail license", "bigscience-bloom-rail-1.0"),
    (r"bigscience open ?rail-m", "bigscience-openrail-m"),
    (r"bigcode open ?rail-m", "bigcode-openrail-m"),
    (r"creativeml open ?rail\+\+-m", "openrail++"),
    (r"creativeml open ?rail-m", "creativeml-openrail-m"),
    (r"llama 2 community license", "llama2"),
    (r"(?:meta )?llama 3 community license", "llama3"),
    (r"llama (3\.[1-9]|4) community license", "llama"),
    (r"gemma terms of use", "gemma"),
)
_MIT = re.compile(r"permission is hereby granted, free of charge, to any person obtaining a copy")
_ISC = re.compile(r"permission to use, copy, modify, and(?:/or)? distribute this software for any purpose")
_BSD = re.compile(r"redistribution and use in source and binary forms")
_THIRD = re.compile(r"neither the names? of")


def licence_of_text(text: str) -> str:
    """Return the identifier, or the word of model cards, for the licence that a text is; empty when it is unknown."""
    head = " ".join(text[:HEAD_CHARS].lower().split())
    at = [(match.start(), name) for pattern, name in _TITLES if (match := re.search(pattern, head)) is not None]
    if at:
        return min(at)[1]
    if _MIT.search(head):
        return "MIT"
    if _BSD.search(head):
        return "BSD-3-Clause" if _THIRD.search(head) else "BSD-2-Clause"
    return "ISC" if _ISC.search(head) else ""
