"""The settings of `redan.toml` for what runs: gateway, identity, audit, alerts, incidents, registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from math import inf, isfinite
from typing import Any, Literal

from redan.core.errors import ConfigError
from redan.core.finding import Severity
from redan.core.record import dataclass


def _help(text: str) -> dict[str, str]:
    return {"help": text}


def _require_numbers(section: str, settings: Any, *, least: float = 0, most: float = inf, **own: float) -> None:
    """Insist on numbers that are some: NaN or one below 0 compares in no way that anybody meant.

    Args:
        section: name of the table.
        settings: the table.
        least: of every number.
        most: of every number.
        own: another least number of single fields.

    Raises:
        ConfigError: one is none, or out of bounds.
    """
    for each in fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            low = own.get(each.name, least)
            if not isfinite(value) or not low <= value <= most:
                bounds = f"at least {low:g}" if most == inf else f"{low:g} to {most:g}"
                raise ConfigError(
                    f"[{section}] {each.name} is {value}; expected {bounds}",
                    hint="docs/configuration.md lists what each one means",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """HTTPS."""

    certificate: str = field(default="", metadata=_help("PEM file with the server's certificate chain; HTTP if empty."))
    key: str = field(default="", metadata=_help("PEM file with its private key."))
    client_ca: str = field(
        default="", metadata=_help("PEM file of authorities; clients must then show a certificate of theirs.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection, request or process may take."""

    header_bytes: int = field(default=16_384, metadata=_help("Most bytes of a request's line and headers together."))
    body_bytes: int = field(default=8 << 20, metadata=_help("Most bytes of a request's body."))
    held_bytes: int = field(
        default=256 << 20, metadata=_help("Most bytes of unanswered bodies in memory, of all requests; 503 beyond.")
    )
    header_s: float = field(default=5.0, metadata=_help("Seconds until a request's headers are complete."))
    body_s: float = field(default=20.0, metadata=_help("Seconds until a request's body is complete."))
    idle_s: float = field(default=30.0, metadata=_help("Seconds that a connection may lie idle."))
    connections: int = field(default=4096, metadata=_help("Most connections at once."))
    connections_per_address: int = field(default=1024, metadata=_help("Most connections of one network address."))
    waiting: int = field(default=2048, metadata=_help("Most requests that wait for a model; 503 beyond."))
    rows: int = field(default=4096, metadata=_help("Most rows in one request."))
    json_depth: int = field(default=16, metadata=_help("Most arrays and objects inside each other in a body."))
    drain_s: float = field(default=20.0, metadata=_help("Seconds for what is under way when the server is stopped."))

    def __post_init__(self) -> None:
        _require_numbers("serve.limits", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What stands in the way of each request, beside authentication, which is always on unless told otherwise."""

    authentication: bool = field(default=True, metadata=_help("Whether clients must say who they are."))
    rate_per_s: float = field(default=100.0, metadata=_help("Requests a second for each client; 0 without limit."))
    burst: int = field(default=200, metadata=_help("Requests that a client may send at once."))
    rows_per_s: float = field(
        default=1000.0, metadata=_help("Rows a second for each client, of batches and streams; 0 without limit.")
    )
    rows_burst: int = field(default=4096, metadata=_help("Rows that a client may ask at once; 413 beyond."))
    rows_per_day: int = field(default=0, metadata=_help("Rows that a client may ask in 24 hours; 0 without limit."))
    validation: bool = field(default=True, metadata=_help("Whether rows are held against the model's data schema."))
    monitors: bool = field(default=True, metadata=_help("Whether the model's detectors watch and may deny."))
    round_digits: int = field(default=-1, metadata=_help("Digits that scores are rounded to; -1 leaves them."))
    top: int = field(default=0, metadata=_help("How many of the highest scores an answer shows; 0 shows all."))
    labels_only: bool = field(default=False, metadata=_help("Whether answers hold labels without scores."))
    dp_epsilon: float = field(
        default=0.0, metadata=_help("Privacy that each answered row costs, as noise on its scores; 0 without noise.")
    )
    dp_ledger: str = field(
        default=".redan/privacy.ledger", metadata=_help("Ledger that pays for noisy answers, account model:NAME.")
    )
    explanations: bool = field(default=False, metadata=_help("Whether clients may ask why."))
    explain_queries: int = field(default=1024, metadata=_help("Most queries that one explanation may cost."))

    def __post_init__(self) -> None:
        _require_numbers("serve.guards", self, round_digits=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How requests for one model are put together."""

    rows: int = field(default=64, metadata=_help("Most rows in one batch."))
    wait_ms: float = field(default=0.0, metadata=_help("How long the first row may wait for others; 0: none does."))

    def __post_init__(self) -> None:
        _require_numbers("serve.batching", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """One version of one model behind the gateway."""

    name: str = field(metadata=_help("What clients call the model."))
    target: str = field(metadata=_help("Model file or folder, or registry:NAME@VERSION."))
    version: str = field(default="1", metadata=_help("What clients call this version."))
    role: Literal["live", "canary", "shadow", "standby"] = field(
        default="live", metadata=_help("live answers, canary answers its share, shadow answers nobody, standby waits.")
    )
    share: float = field(default=0.05, metadata=_help("Share of clients that a canary answers."))
    kind: str = field(default="auto", metadata=_help("As [model] kind."))
    weights: str = field(default="", metadata=_help("As [model] weights."))
    classes: tuple[str, ...] = field(default=(), metadata=_help("Class names in the order of the outputs."))
    sample: str = field(
        default="", metadata=_help("Rows that tell the shape of inputs and warm the model: npz or CSV.")
    )
    schema: str = field(default="", metadata=_help("Data schema that rows must fit (redan data schema)."))
    statements: tuple[str, ...] = field(default=(), metadata=_help("Bundles of statements; the one beside the model."))
    detectors: tuple[str, ...] = field(default=(), metadata=_help("Files of calibrated detectors (redan calibrate)."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """The gateway."""

    address: str = field(default="127.0.0.1:8080", metadata=_help("Host and port to listen on."))
    name: str = field(default="", metadata=_help("This replica's name; the host's name and the port when empty."))
    workers: int = field(default=0, metadata=_help("Processes that compute predictions; 0 computes in the server's."))
    folder: str = field(default=".redan/service", metadata=_help("Where the gateway keeps its own files."))
    database: str = field(
        default=".redan/service/service.db",
        metadata=_help("Identities, incidents, registry: SQLite file or postgresql:// URL shared by replicas."),
    )
    redis: str = field(default="", metadata=_help("redis:// URL shared by replicas; empty keeps counters in memory."))
    models: tuple[ServedModel, ...] = field(default=(), metadata=_help("What is served, one table each."))
    admission: Literal["required", "open"] = field(
        default="required", metadata=_help("open serves models that nobody vouched for: never outside a laboratory.")
    )
    recheck: str = field(default="1h", metadata=_help("How often statements are judged again: 30m, 12h."))
    watch: tuple[str, ...] = field(
        default=("drift", "access"), metadata=_help("Watchers beside detectors: drift, performance, access.")
    )
    metrics_from: tuple[str, ...] = field(
        default=("127.0.0.1", "::1"), metadata=_help("Addresses or networks that may read /metrics without a login.")
    )
    proxies: tuple[str, ...] = field(
        default=(), metadata=_help("Addresses or networks of proxies in front, which say who asks; nobody else may.")
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = field(
        default="x-forwarded-for", metadata=_help("The header in which they say it; the other one is ignored.")
    )
    tls: Tls = field(default_factory=Tls)
    limits: Limits = field(default_factory=Limits)
    guards: Guards = field(default_factory=Guards)
    batching: Batching = field(default_factory=Batching)

    def __post_init__(self) -> None:
        names = [(model.name, model.version) for model in self.models]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"[[serve.models]] names {twice[0]} version {twice[1]} twice", hint="give one a version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """Login at an OpenID provider."""

    issuer: str = field(default="", metadata=_help("Address of the provider; no such login when empty."))
    client_id: str = field(default="", metadata=_help("What the provider calls this gateway."))
    secret_env: str = field(default="REDAN_OIDC_SECRET", metadata=_help("Environment variable with the secret."))
    scope: str = field(default="openid profile", metadata=_help("What the provider is asked for."))
    roles_claim: str = field(default="groups", metadata=_help("Claim that lists groups."))
    roles: Mapping[str, str] = field(
        default_factory=dict, metadata=_help("Role of each group; who is in none of them is nobody here.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRole:
    """A role of one's own, beside the built-in ones."""

    name: str = field(metadata=_help("What assignments call it."))
    actions: tuple[str, ...] = field(metadata=_help("What it allows, as redan identity role list shows."))
    title: str = field(default="", metadata=_help("Whom it is for."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who may do what."""

    issuer: str = field(default="redan", metadata=_help("Name of this gateway in tokens and second factors."))
    token_key: str = field(
        default=".redan/service/token.key", metadata=_help("Private Ed25519 key that signs tokens (redan key new).")
    )
    token_ttl: str = field(default="15m", metadata=_help("How long a token is good: 15m, 1h."))
    session_ttl: str = field(default="8h", metadata=_help("How long a login at the console is good."))
    step_up: str = field(default="5m", metadata=_help("How fresh a second factor must be for dangerous actions."))
    stale: str = field(default="90d", metadata=_help("After how long without use a review calls access stale."))
    origin: str = field(
        default="", metadata=_help("Public address, such as https://gateway.example.com; for passkeys.")
    )
    factor_key: str = field(
        default="file:.redan/service/factors.key",
        metadata=_help("Key that seals second factors at rest, as [store] keys; a file is made when missing."),
    )
    staleness: str = field(
        default="5m", metadata=_help("How long known credentials are believed while the database does not answer.")
    )
    separation: Literal["refused", "warned"] = field(
        default="refused", metadata=_help("What happens when roles in one hand break the separation of duties.")
    )
    roles: tuple[CustomRole, ...] = field(default=(), metadata=_help("Further roles, one table each."))
    oidc: Oidc = field(default_factory=Oidc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The record of every decision."""

    log: str = field(
        default=".redan/service/audit", metadata=_help("Folder of transparency logs, one for each replica.")
    )
    key: str = field(default=".redan/service/audit.key", metadata=_help("Private Ed25519 key of the log."))
    origin: str = field(default="", metadata=_help("Name of the log; redan/REPLICA when empty."))
    mode: Literal["durable", "async", "none"] = field(
        default="durable",
        metadata=_help("durable answers after the record is on disk; async may lose `most_lost`; none: a laboratory."),
    )
    most_lost: int = field(default=4096, metadata=_help("Records that a crash may lose in async mode, at most."))
    keep: Literal["digests", "labels", "answers", "inputs"] = field(
        default="digests", metadata=_help("What a record holds of a request beside who, what, when and the verdict.")
    )
    redact: tuple[str, ...] = field(
        default=(), metadata=_help("What is stored under a keyed pseudonym: client, address.")
    )
    strangers_per_s: float = field(
        default=20.0,
        metadata=_help("Records a second of callers from one network whom nobody knows; more are summed; 0: none is."),
    )
    retention: str = field(default="", metadata=_help("How long records are kept: 26w; for ever when empty."))

    def __post_init__(self) -> None:
        _require_numbers("audit", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Where findings are sent."""

    level: Severity = field(default=Severity.HIGH, metadata=_help("Severity from which a finding is sent."))
    webhook: str = field(default="", metadata=_help("Address that gets JSON, signed with REDAN_WEBHOOK_SECRET."))
    email: tuple[str, ...] = field(default=(), metadata=_help("Addresses to write to."))
    sender: str = field(default="redan@localhost", metadata=_help("Whom the mail is from."))
    smtp: str = field(default="localhost:25", metadata=_help("Mail server, host:port."))
    syslog: str = field(default="", metadata=_help("udp://HOST:PORT, tcp://HOST:PORT or a local socket's path."))
    repeat: str = field(default="4h", metadata=_help("After how long a finding that lasts is sent again: 30m, 4h."))
    resolved: str = field(default="30m", metadata=_help("After how long without it a finding is called resolved."))
    traces: str = field(default="", metadata=_help("OTLP over HTTP address for traces; none when empty."))
    trace_share: float = field(default=0.01, metadata=_help("Share of requests that are traced, 0 to 1."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """What happens when something is found."""

    level: Severity = field(default=Severity.HIGH, metadata=_help("Severity from which a finding opens an incident."))
    playbooks: tuple[str, ...] = field(default=(), metadata=_help("TOML files of playbooks, beside the built-in ones."))
    automatic: tuple[str, ...] = field(default=(), metadata=_help("Playbooks that run by themselves."))
    most_clients: int = field(default=20, metadata=_help("Clients held back without a person's word at once, at most."))
    most_share: float = field(
        default=0.2, metadata=_help("Share of all clients held back without a person's word, at most; one always may.")
    )
    controller: str = field(default="", metadata=_help("Who answers for the data, for notifications (GDPR art. 33)."))
    contact: str = field(default="", metadata=_help("Data protection officer or other contact."))

    def __post_init__(self) -> None:
        _require_numbers("incidents", self)
        if self.most_share > 1:
            raise ConfigError(f"[incidents] most_share is {self.most_share}; expected 0 to 1", hint="0.2 is a fifth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How the project's model is renewed: retrain, check, seal, push, canary, promote (`redan registry update`)."""

    name: str = field(default="", metadata=_help("What the registry calls the model; no pipeline when empty."))
    retrain: str = field(default="", metadata=_help("Command that writes [model] target anew, run in the sandbox."))
    reads: tuple[str, ...] = field(default=(), metadata=_help("Files and folders that it may read."))
    writes: tuple[str, ...] = field(default=(), metadata=_help("Folders that it may write."))
    data: str = field(default="", metadata=_help("Manifest of the data it is trained on."))
    quick: bool = field(default=False, metadata=_help("Whether the check is that of redan check --quick."))
    seal_key: str = field(default="", metadata=_help("Private key that seals what the check found."))
    canary: str = field(default="", metadata=_help("How long the new version is a canary first: 2h; not when empty."))
    agreement: float = field(
        default=0.0, metadata=_help("Least share of requests on which canary and live version agree, at 95 %.")
    )
    gateway: str = field(
        default="", metadata=_help("Address of a gateway that measures it, such as https://gateway.example.com.")
    )
    token_env: str = field(
        default="REDAN_TOKEN", metadata=_help("Environment variable with a key or token that may see models there.")
    )
    every: str = field(default="", metadata=_help("How often it is due: 7d; only by hand or drift when empty."))

    def __post_init__(self) -> None:
        _require_numbers("registry.update", self, most=1)
        if self.name and not self.seal_key:
            raise ConfigError(
                "[registry.update] names a model and no seal_key, so that nothing it makes could be promoted",
                hint='seal_key = "keys/seal.key", made by redan key new',
            )
        if self.agreement and not (self.gateway and self.canary):
            raise ConfigError(
                "[registry.update] asks for an agreement and names no gateway or no time in which it is measured",
                hint='gateway = "https://gateway.example.com" and canary = "2h"',
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """Where models, data manifests and configuration lie between being made and being served."""

    store: str = field(default=".redan/registry", metadata=_help("Folder of the registry."))
    keys: tuple[str, ...] = field(default=(), metadata=_help("Keys of its encryption, as [store] keys."))
    url: str = field(default="", metadata=_help("postgresql:// URL; a SQLite file in the folder when empty."))
    signing_key: str = field(default="", metadata=_help("Private key that signs transitions (redan key new)."))
    trusted: tuple[str, ...] = field(default=(), metadata=_help("Public keys of others whose transitions count."))
    keep_versions: int = field(default=10, metadata=_help("Versions of a model that retention keeps."))
    update: Update = field(default_factory=Update)
