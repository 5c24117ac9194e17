"""A registry: an evidence store with its keys, who may sign transitions, and whose signatures count."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.evidence import dsse
from redan.evidence.encryption.sources import make_key
from redan.evidence.keys import Signer, Verifier, load_signer, load_verifier
from redan.evidence.statements import parse
from redan.evidence.statements.resource import Resource
from redan.evidence.store import statements
from redan.evidence.store.opening import Store, create_store, open_store
from redan.service.registry.history import History, Signed, after, history, ordered
from redan.service.registry.transition import PREDICATE_TYPE, Transition, read

if TYPE_CHECKING:
    from redan.core.settings_service import RegistrySettings
    from redan.service.audit.act import Act

MOST_TRANSITIONS = 100_000
_LOCK = 7_265_647


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Registry:
    """An open registry.

    Attributes:
        store: where bytes and statements lie.
        signer: who signs transitions; None opens it for reading.
        trusted: keys whose transitions count.
        folder: place of the lock where the database is a file.
        record: is told of each transition, for the audit log.
    """

    store: Store
    signer: Signer | None
    trusted: tuple[Verifier, ...]
    folder: Path
    record: Callable[[Act], None]

    def histories(self) -> dict[str, History]:
        """Return every model by name, each chain verified.

        Raises:
            EvidenceError: a chain is broken, or a transition is not by a key that counts.
        """
        return {name: history(name, chain) for name, chain in ordered(self._signed()).items()}

    def history(self, name: str) -> History:
        """Return one model; empty when nothing was pushed.

        Raises:
            EvidenceError: as `histories`.
        """
        return self.histories().get(name, History(name=name))

    def append(self, transition: Transition, model: Resource) -> History:
        """Sign a transition and keep it, unless it is not possible now.

        Returns:
            The model as it stands then.

        Raises:
            UsageError: it is not possible, or there is no key to sign with.
            EvidenceError: the store cannot be written.
        """
        if self.signer is None:
            raise UsageError(
                "nothing can be changed without a key", hint="[registry] signing_key, made by redan key new"
            )
        payload = transition.payload(model)
        envelope = dsse.seal(payload, self.signer)
        signed = _opened(envelope, (self.signer.verifier, *self.trusted))
        found = after(self.history(transition.name), signed)
        statements.add(self.store, envelope.to_json())
        return found

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep others from changing the registry meanwhile, on this machine or, in PostgreSQL, on any."""
        if self.store.database.is_sqlite:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)
            return
        with self.store.database.reading() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield

    def _signed(self) -> list[Signed]:
        rows = statements.search(self.store, predicate_type=PREDICATE_TYPE, limit=MOST_TRANSITIONS + 1)
        if len(rows) > MOST_TRANSITIONS:
            raise EvidenceError(f"the registry has more than {MOST_TRANSITIONS} transitions", hint="start a new one")
        return [_opened(statements.envelope(self.store, row.id), self.trusted) for row in rows]

    def close(self) -> None:
        """Close its store."""
        self.store.close()


def create_registry(settings: RegistrySettings, root: Path, *, record: Callable[[Act], None]) -> Registry:
    """Make a registry; keys that are named and not there are made, except the one that signs.

    Raises:
        UsageError: there is one already.
        ConfigError: a setting does not fit.
        Unreadable: a key is not there, or the folder cannot be made.
    """
    for source in settings.keys:
        make_key(source, root=root)
    folder = root / settings.store
    folder.mkdir(parents=True, exist_ok=True)
    store = create_store(url=database_url(settings), blobs=f"{settings.store}/blobs", keys=settings.keys, root=root)
    return _registry(store, settings, root, record)


def open_registry(settings: RegistrySettings, root: Path, *, record: Callable[[Act], None]) -> Registry:
    """Open a registry.

    Raises:
        EvidenceError: there is none, or it is of another version.
        Unreadable: a key is not there.
    """
    try:
        store = open_store(url=database_url(settings), blobs=f"{settings.store}/blobs", keys=settings.keys, root=root)
    except (EvidenceError, Unreadable) as err:
        # a registry is a store that another verb makes
        err.hint = err.hint.replace("redan store init", "redan registry init")
        raise
    return _registry(store, settings, root, record)


def _registry(store: Store, settings: RegistrySettings, root: Path, record: Callable[[Act], None]) -> Registry:
    signer = load_signer(root / settings.signing_key) if settings.signing_key else None
    trusted = [load_verifier(root / name) for name in settings.trusted]
    own = (signer.verifier,) if signer is not None else ()
    return Registry(
        store=store,
        signer=signer,
        trusted=(*own, *trusted),
        folder=root / settings.store,
        record=record,
    )


def database_url(settings: RegistrySettings) -> str:
    """Return where its database lies."""
    return settings.url or f"{settings.store}/registry.db"


def _opened(envelope: dsse.Envelope, trusted: Sequence[Verifier]) -> Signed:
    key = dsse.opened(envelope, trusted)
    found = parse(envelope.payload)
    return Signed(transition=read(found), model=found.subjects[0], sha256=found.sha256, key_id=key.key_id)
