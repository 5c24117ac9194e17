"""Statements about vulnerabilities that were looked at: OpenVEX and CycloneDX documents, read.

Sources: OpenVEX specification 0.2.0; CycloneDX 1.7 (ECMA-424), vulnerabilities.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from redan.core.bom import GOOD_FOR_D
from redan.core.errors import Unreadable
from redan.core.record import dataclass
from redan.kernels.packages.names import normalised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_BYTES = 64 << 20
"""Bytes of a document."""
MOST_STATEMENTS = 100_000
"""Statements of a document, each product counted."""
Status = Literal["not_affected", "affected", "fixed", "under_investigation"]
"""OpenVEX's words. Only ``not_affected`` and ``fixed`` set a finding aside."""

_STATES: dict[str, Status] = {
    "not_affected": "not_affected",
    "false_positive": "not_affected",
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under_investigation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What somebody says about one vulnerability of one package.

    Attributes:
        ids: identifiers of the vulnerability.
        package: normalised name; of PyPI.
        version: the version it is said of; empty for any.
        status: what is said.
        justification: why, in one of the standard's words; may be empty.
        reason: why, in the author's words.
        made: ISO date on which it was last touched.
    """

    ids: frozenset[str]
    package: str
    version: str
    status: Status
    justification: str
    reason: str
    made: str

    @property
    def expires(self) -> str:
        """ISO date from which it does not count."""
        return (date.fromisoformat(self.made) + timedelta(days=GOOD_FOR_D)).isoformat()

    @property
    def words(self) -> str:
        """Status, justification and reason in one sentence."""
        return ": ".join(part for part in (self.status, self.justification, self.reason) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What a document says.

    Attributes:
        name: file.
        said: its statements, in order.
        today: date against which expiry is judged.
    """

    name: str = ""
    said: tuple[Statement, ...] = ()
    today: str = ""

    def about(self, package: str, version: str, ids: tuple[str, ...]) -> Statement | None:
        """Return the last statement about a vulnerability of a version; the last word counts."""
        for each in reversed(self.said):
            if each.package == package and each.version in ("", version) and not each.ids.isdisjoint(ids):
                return each
        return None

    def covering(self, package: str, version: str, ids: tuple[str, ...]) -> Statement | None:
        """Return the statement that sets a vulnerability aside, or None; one without a reason sets nothing aside."""
        each = self.about(package, version, ids)
        if each is None or each.status not in ("not_affected", "fixed"):
            return None
        reasoned = each.status == "fixed" or each.justification or each.reason
        return each if reasoned and each.made <= self.today < each.expires else None


def read_statements(path: Path) -> Statements:
    """Read an OpenVEX document, or the analyses of a CycloneDX bill.

    Raises:
        Unreadable: it is neither.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
        document = json.loads(data) if len(data) <= LARGEST_BYTES else None
    except OSError as error:
        raise Unreadable(f"cannot read the VEX document {path.name!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the VEX document {path.name!r} is no JSON") from error
    if isinstance(document, dict) and "openvex" in _text(document.get("@context")):
        said = _openvex(document)
    elif isinstance(document, dict) and document.get("bomFormat") == "CycloneDX":
        said = _cyclonedx(document)
    else:
        raise Unreadable(
            f"{path.name!r} is no VEX document", hint="give OpenVEX JSON (redan bom vex) or a CycloneDX bill"
        )
    kept = tuple(each for _, each in zip(range(MOST_STATEMENTS), said, strict=False))
    return Statements(name=path.name, said=kept, today=f"{datetime.now(UTC):%Y-%m-%d}")


def _openvex(document: dict[str, Any]) -> Iterator[Statement]:
    whole = _date(document.get("last_updated")) or _date(document.get("timestamp"))
    for each in _objects(document.get("statements")):
        known = each.get("vulnerability")
        named = _object(known)
        ids = frozenset({_text(known), _text(named.get("name")), *_texts(named.get("aliases"))} - {""})
        status = _text(each.get("status"))
        made = _date(each.get("last_updated")) or _date(each.get("timestamp")) or whole
        if status not in ("not_affected", "affected", "fixed", "under_investigation") or not made:
            continue
        products = each.get("products")
        for product in products if isinstance(products, list) else []:
            purl = product if isinstance(product, str) else _purl(_object(product))
            for target in (purl, *(_purl(part) for part in _objects(_object(product).get("subcomponents")))):
                if package := package_of(target):
                    yield Statement(
                        ids=ids,
                        package=package[0],
                        version=package[1],
                        status=status,  # type: ignore[arg-type]  # one of the four words
                        justification=_text(each.get("justification")),
                        reason=_text(each.get("impact_statement")) or _text(each.get("action_statement")),
                        made=made,
                    )


def _cyclonedx(document: dict[str, Any]) -> Iterator[Statement]:
    purls = {_text(c.get("bom-ref")): _text(c.get("purl")) for c in _objects(document.get("components"))}
    whole = _date(_object(document.get("metadata")).get("timestamp"))
    for each in _objects(document.get("vulnerabilities")):
        analysis = _object(each.get("analysis"))
        status = _STATES.get(_text(analysis.get("state")))
        made = _date(analysis.get("lastUpdated")) or _date(analysis.get("firstIssued")) or whole
        aliases = {_text(other.get("id")) for other in _objects(each.get("references"))}
        if status is None or not made:
            continue
        for target in _objects(each.get("affects")):
            ref = _text(target.get("ref"))
            if package := package_of(purls.get(ref) or ref):
                yield Statement(
                    ids=frozenset({_text(each.get("id")), *aliases} - {""}),
                    package=package[0],
                    version=package[1],
                    status=status,
                    justification=_text(analysis.get("justification")),
                    reason=_text(analysis.get("detail")),
                    made=made,
                )


def package_of(purl: str) -> tuple[str, str] | None:
    """Return name and version that a package URL of PyPI holds, or None."""
    head, _, rest = purl.partition("/")
    if head != "pkg:pypi" or not rest:
        return None
    name, _, version = rest.partition("?")[0].partition("#")[0].partition("@")
    return normalised(unquote(name)), unquote(version)


def _purl(product: dict[str, Any]) -> str:
    return _text(_object(product.get("identifiers")).get("purl")) or _text(product.get("@id"))


def _date(value: Any) -> str:
    try:
        return f"{datetime.fromisoformat(_text(value)).astimezone(UTC):%Y-%m-%d}"
    except (ValueError, OverflowError):
        return ""


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value.strip()[:2000] if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else []
