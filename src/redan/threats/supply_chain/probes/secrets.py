"""Secrets in every text under a path, notebooks with their outputs included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Unreadable
from redan.core.finding import Finding, Location, Suppression
from redan.core.probe import Spec
from redan.core.record import dataclass
from redan.core.report import Examined, Unexamined
from redan.threats.supply_chain.probes.reading import may_be_text

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.notebooks.texts import Texts
    from redan.kernels.secrets import Secret

MOST_LOCATIONS = 20
"""Places of one secret that a finding lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretParams(core_params.Params):
    """What is allowed.

    Attributes:
        allow_secret: entries ``SHA-256 DATE REASON``, separated by commas: such a secret does not gate until the date.
    """

    allow_secret: str = ""


@probe(
    Spec(
        id="RDN-SUP-010",
        name="secrets",
        threat="supply_chain",
        title="Tokens, keys and passwords in texts and notebooks",
        source="Providers' token formats; Shannon 1948 (entropy) beside telling names",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:798", "atlas:AML.T0055"),
    )
)
class Secrets:
    """Looks for tokens, keys and passwords in every text, in notebooks also in outputs and metadata.

    What it measures:
        Which secrets stand in which file, and where.

    Why it matters:
        Notebooks and settings travel with models; a token in them gives its account away.

    How:
        Provider formats with their checksums, fixed shapes beside a provider's name, passwords in addresses, private
        keys, and random values beside telling names; escapes, entities, split literals, table cells and one level of
        base64 are undone first.

    Shapes:
        Input: a file or folder. Output: one finding a secret and file, with every place.

    Units:
        None: a secret is there or not.

    Error of the estimate:
        Confidence is ``confirmed`` where a checksum or structure was verified, ``likely`` by format, ``possible``
        otherwise; recall and false alarms are measured by ``benchmarks/notebook_secrets.py``.

    Cost:
        About ten megabytes of text a CPU second; binary files are not opened.

    Sources:
        Token documentation of the providers; nbformat 4.5 for the structure of notebooks.

    Limits:
        Texts above 32 MiB are listed as not examined. Pictures, archives and binary files are passed over.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SecretParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: SecretParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Read each text once, in sorted order."""
        files = subject.files()
        observe.started("secrets", len(files))
        for done, (file, shown) in enumerate(files, 1):
            if budget.stop():
                break
            if may_be_text(file.name):
                yield from look(file, shown, subject.root.name, params.allow_secret)
            observe.advanced("secrets", done, len(files), file.name)
        observe.finished("secrets", f"{len(files)} files")


def look(file: Path, shown: str, subject_name: str, allowed: str = "") -> Iterator[Finding | Examined | Unexamined]:
    """Look through one file."""
    if not file.is_file():
        yield Unexamined(path=shown, why="no regular file")
        return
    from redan.kernels.notebooks.texts import texts

    try:
        found = texts(file)
    except Unreadable as err:
        yield Unexamined(path=shown, why=err.message)
        return
    if found is None:
        return
    yield Examined(path=shown, format=found.format, by=("secrets",))
    for secret, addresses in _gathered(found):
        yield _finding(secret, addresses, shown, subject_name, allowed)


def _gathered(found: Texts) -> list[tuple[Secret, list[str]]]:
    """Return each secret of a file once, with every place that it stands at."""
    from redan.kernels.notebooks.texts import address_of, starts_of_lines
    from redan.kernels.secrets import find

    places: dict[str, tuple[Secret, list[str]]] = {}
    for part in found.parts:
        secrets = find(part.text, media_type=part.media_type, name=part.name)
        starts = starts_of_lines(part.text) if secrets else []
        for secret in secrets:
            address = address_of(part, starts, secret.start)
            known = places.setdefault(secret.value, (secret, []))[1]
            if address not in known:
                known.append(address)
    return list(places.values())


def _finding(secret: Secret, addresses: list[str], shown: str, subject_name: str, allowed: str) -> Finding:
    from redan.kernels.secrets import masked
    from redan.threats.supply_chain.rules import hard_coded_credential, leaked_secret

    rule = hard_coded_credential.RULE if secret.kind == "credential" else leaked_secret.RULE
    why = _allowed(secret.value, allowed) if allowed else None
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=subject_name,
        title=f"{shown}: {secret.title}: {masked(secret.value)}",
        severity=rule.severity,
        status="suppressed" if why else "open",
        confidence=secret.confidence,
        detail=rule.title,
        params={"kind": secret.kind},
        locations=tuple(Location(uri=shown, address=address) for address in addresses[:MOST_LOCATIONS]),
        remedies=(rule.remedy,),
        references=rule.references,
        suppression=why,
    )


def _allowed(value: str, allowed: str) -> Suppression | None:
    from redan.threats.supply_chain.probes.allowing import allowance

    return allowance(value, allowed)
