"""Known vulnerabilities of model servers by version: identifiers and ranges, facts from public advisories.

The list is short, each range was read in at least one public description of its advisory, and it is no substitute for a
vulnerability database; "none fits" says no more than that. The one of Ray has no upper end, since its jobs interface
asks for nobody's name unless that was switched on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One advisory.

    Attributes:
        id: CVE number.
        product: name as in `products`.
        about: what it allows, a few words.
        fixed: first version without it; empty when every version has it.
        introduced: first version with it.
    """

    id: str
    product: str
    about: str
    fixed: str = ""
    introduced: str = "0"


ADVISORIES: tuple[Advisory, ...] = (
    Advisory(id="CVE-2023-1177", product="mlflow", about="reading any file of the server", fixed="2.2.1"),
    Advisory(id="CVE-2023-2356", product="mlflow", about="reading any file by relative paths", fixed="2.3.1"),
    Advisory(id="CVE-2023-2780", product="mlflow", about="reading any file by backslashes", fixed="2.3.1"),
    Advisory(id="CVE-2023-6977", product="mlflow", about="reading any file of the server", fixed="2.9.2"),
    Advisory(
        id="CVE-2023-48022",
        product="ray",
        about="running code by the jobs interface, which asks for no login by default",
    ),
    Advisory(id="CVE-2023-43654", product="torchserve", about="loading models from any address", fixed="0.8.2"),
    Advisory(id="CVE-2024-37032", product="ollama", about="writing files by digests with paths", fixed="0.1.34"),
)


def affecting(product: str, version: str) -> tuple[Advisory, ...]:
    """Return the advisories whose range holds a version."""
    at = _parts(version)
    return tuple(
        a
        for a in ADVISORIES
        if a.product == product and _parts(a.introduced) <= at and (not a.fixed or at < _parts(a.fixed))
    )


def _parts(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".") if part.isdigit()]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
