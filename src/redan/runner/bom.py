"""Make a bill of materials of a project: its models, data, packages and files, with the numbers measured on them."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING

from redan import __version__
from redan.core.bom import Bom, Component, Metric, Party, Vulnerability
from redan.core.card import Card, CardData
from redan.core.errors import ConfigError, Unreadable, UsageError
from redan.core.finding import Quantity
from redan.core.report import Unexamined
from redan.kernels.artifacts import inspect
from redan.kernels.packages.gathering import read_manifests
from redan.kernels.packages.installed import read_environment
from redan.kernels.packages.kinds import kind_of
from redan.kernels.packages.resolving import resolve
from redan.kernels.packages.toml import UnreadableError
from redan.runner import materials
from redan.subjects.digests import of_file, uri
from redan.subjects.files import open_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from redan.core.finding import Series
    from redan.core.report import Report
    from redan.kernels.artifacts.reading import Reading
    from redan.kernels.packages.model import Manifest
    from redan.subjects.files import FilesSubject

MOST_FILES = 20_000
"""Files that a bill lists one by one."""
MOST_SLICES = 100
"""Labels of one curve that become slices."""


def make(
    path: Path,
    *,
    reports: Sequence[Report] = (),
    environment: Path | None = None,
    card: Card | None = None,
    name: str = "",
    root: Path | None = None,
) -> Bom:
    """Make a bill of materials. Nothing is loaded, imported or fetched.

    Args:
        path: folder or file of the project.
        reports: measurements of models in it; their numbers become performance metrics.
        environment: where the packages are installed; None to go by manifests and lock files alone.
        card: what people know about the model.
        name: what the project is called; what its manifest says, else the folder's name, when empty.
        root: folder that paths in the card start from; the current one when None.

    Raises:
        Unreadable: there is nothing at the path, or no distributions in the environment.
        UsageError: a report measured something that is not in the bill.
        ConfigError: the card names data that is not there, or SOURCE_DATE_EPOCH is no number.
    """
    card = card or Card()
    subject = open_files(path)
    manifests, missed = read_manifests(subject.files())
    if environment is not None:
        manifests = (*manifests, _installed(environment))
    packages = resolve(manifests)
    data = _data(card, root or Path.cwd())
    found = _artifacts(subject, card, {c.name: c.ref for c in data})
    models = with_metrics(found.models, reports)
    missed = (*missed, *found.missed)
    project = _project(subject, manifests, name, card)
    libraries = [materials.package(each) for each in packages]
    refs = {each.key: each.purl for each in packages}
    direct = [each.purl for each in packages if each.direct] or [each.purl for each in packages]
    depends = {
        project.ref: (*direct, *(m.ref for m in models)),
        **{m.ref: m.card.data for m in models if m.card},
        **{each.purl: tuple(refs[key] for key in each.needs) for each in packages},
    }
    return Bom(
        subject=replace(project, parts=tuple(found.parts)),
        components=(*models, *data, *found.named.values(), *libraries),
        depends=depends,
        vulnerabilities=tuple(found.statements),
        tool_version=__version__,
        timestamp=timestamp(os.environ),
        authors=tuple(_party(text) for text in card.authors),
        complete=not missed,
        notes=tuple(f"not read: {each.path}: {each.why}" for each in missed),
    )


def timestamp(environ: Mapping[str, str]) -> str:
    """Return the time of the bill: SOURCE_DATE_EPOCH where it is set, so that a build can be repeated, else now.

    Source: reproducible-builds.org, SOURCE_DATE_EPOCH specification.

    Raises:
        ConfigError: the variable is set and is no number of seconds.
    """
    given = environ.get("SOURCE_DATE_EPOCH", "")
    try:
        when = datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"SOURCE_DATE_EPOCH is {given!r}; expected whole seconds since 1970") from error
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _installed(environment: Path) -> Manifest:
    try:
        return read_environment(environment, "environment")
    except UnreadableError as error:
        raise Unreadable(
            f"{uri(environment)!r}: {error}", hint="name a virtual environment or a site-packages folder"
        ) from error


def _project(subject: FilesSubject, manifests: Iterable[Manifest], name: str, card: Card) -> Component:
    """Return the project itself: what a manifest at the top says, else the folder's name."""
    top = sorted((m for m in manifests if m.project), key=lambda m: (m.path.count("/"), m.path))
    found = top[0] if top and "/" not in top[0].path else None
    return Component(
        ref="project",
        kind="application",
        name=name or (found.project if found else "") or subject.ref.name,
        version=found.project_version if found else "",
        licence=(found.project_licence if found else "") or card.licence,
    )


def _party(text: str) -> Party:
    name, address = parseaddr(text)
    return Party(name=name or text, email=address if name else "")


def _data(card: Card, root: Path) -> list[Component]:
    return [materials.data_set(name, said, _digest(name, said, root)) for name, said in sorted(card.data.items())]


def _digest(name: str, said: CardData, root: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's sorted list of digests and names."""
    if not said.path:
        return ""
    place = root / said.path
    if place.is_file():
        return of_file(place)[0]
    if not place.is_dir():
        raise ConfigError(f"[card.data.{name}] path = {said.path!r} does not exist", hint="it starts at redan.toml")
    return open_files(place).ref.digest


class _Found:
    """What the files of a project gave: models, other files, statements, data sets only named, files not read."""

    def __init__(self) -> None:
        self.models: list[Component] = []
        self.parts: list[Component] = []
        self.statements: list[Vulnerability] = []
        self.named: dict[str, Component] = {}
        self.missed: list[Unexamined] = []


def _artifacts(subject: FilesSubject, card: Card, data: Mapping[str, str]) -> _Found:
    found = _Found()
    for path, shown in subject.files():
        if not path.is_file():
            found.missed.append(Unexamined(path=shown, why="no regular file"))
            continue
        try:
            # model hubs keep their files behind links, which the subject itself does not digest
            sha256 = subject.digest(path) or of_file(path)[0]
            reading = None if kind_of(shown) else inspect(path)
        except (Unreadable, OSError) as error:
            found.missed.append(Unexamined(path=shown, why=str(error)))
            continue
        if reading is None or not materials.is_model(reading):
            found.parts.append(materials.plain_file(shown, sha256))
        else:
            _model(found, path, shown, sha256, reading, card, data)
    if len(found.parts) > MOST_FILES:
        n_left = len(found.parts) - MOST_FILES
        found.missed.append(Unexamined(path="files", why=f"{n_left} more than are listed one by one"))
        del found.parts[MOST_FILES:]
    return found


def _model(
    found: _Found, path: Path, shown: str, sha256: str, reading: Reading, card: Card, data: Mapping[str, str]
) -> None:
    facts = materials.facts_of(path, reading)
    for each in facts.datasets:
        if each not in data and each not in found.named:
            found.named[each] = materials.data_set(each, CardData(description="named by a model card; not seen"), "")
    refs = {**data, **{name: c.ref for name, c in found.named.items()}}
    model = materials.model(shown, sha256, reading, facts, card, refs)
    found.models.append(model)
    found.statements.append(materials.loading(reading, model.ref))


def with_metrics(models: Sequence[Component], reports: Iterable[Report]) -> list[Component]:
    """Return the models with the numbers that reports measured on exactly them, told by digest.

    Raises:
        UsageError: a report is about none of the models, or does not say by digest about which.
    """
    found = list(models)
    for report in reports:
        digests = {f"sha256:{part.sha256}" for part in report.subject.components if part.sha256}
        at = [n for n, each in enumerate(found) if digests.intersection(each.digests)]
        if not at:
            raise UsageError(
                f"the report about {report.subject.name!r} measured none of these models, going by digests",
                hint="make the bill of the folder that holds the measured file, and measure it as a file",
            )
        for n in at:
            old = found[n].card
            assert old is not None
            found[n] = replace(found[n], card=replace(old, metrics=(*old.metrics, *metrics(report))))
    return found


def metrics(report: Report) -> list[Metric]:
    """Return every quantity of a report, and every labelled curve with intervals as one metric a label."""
    found: list[Metric] = []
    for finding in report.findings:
        params = ", ".join(f"{name}={value}" for name, value in sorted(finding.params.items()) if value is not None)
        found += [Metric(quantity=q, slice=params, rule=finding.rule) for q in finding.quantities]
        for series in finding.series:
            found += [Metric(quantity=q, slice=s, rule=finding.rule) for s, q in _slices(series, params)]
    return found


def _slices(series: Series, params: str) -> list[tuple[str, Quantity]]:
    n_labels = len(series.x)
    labelled = all(isinstance(label, str) for label in series.x) and n_labels == len(series.y) <= MOST_SLICES
    if not labelled or len(series.low) != n_labels or len(series.high) != n_labels:
        return []
    sizes = series.n if len(series.n) == n_labels else (0,) * n_labels
    rows = zip(series.x, series.y, series.low, series.high, sizes, strict=True)
    return [
        (
            ", ".join(part for part in (f"{series.x_unit or 'label'}={label}", params) if part),
            Quantity(name=series.name, value=value, unit=series.y_unit, n=n, low=low, high=high),
        )
        for label, value, low, high, n in rows
        if math.isfinite(value)
    ]
