"""The settings of `redan.toml`, one record a table; the reference page is generated from these fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from math import isfinite
from typing import Any, Literal

from redan.core.card import Card
from redan.core.constraints import Rules
from redan.core.errors import ConfigError
from redan.core.finding import Severity
from redan.core.policy import Ignore
from redan.core.record import dataclass
from redan.core.settings_service import Alerts, Audit, Identity, Incidents, RegistrySettings, Serve


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the project is called."""

    name: str = field(default="", metadata=_help("Name shown in reports; the folder's name when empty."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The model to measure."""

    target: str = field(
        default="",
        metadata=_help("Model file, folder, MODULE.py:FACTORY or http(s) address; relative to redan.toml."),
    )
    name: str = field(default="", metadata=_help("Name in reports and fingerprints; keep it when you retrain."))
    kind: str = field(
        default="auto",
        metadata=_help("auto, torch, hf, keras, sklearn, booster, onnx, callable or http."),
    )
    weights: str = field(default="", metadata=_help("State dict to load into what the factory returns."))
    bounds: tuple[float, float] | None = field(
        default=None, metadata=_help("Lowest and highest legal input value; the data's own when absent.")
    )
    classes: tuple[str, ...] = field(default=(), metadata=_help("Class names in the order of the outputs."))
    mean: tuple[float, ...] = field(default=(), metadata=_help("Channel means subtracted before the model."))
    std: tuple[float, ...] = field(default=(), metadata=_help("Channel deviations divided by before the model."))
    recipe: str = field(
        default="",
        metadata=_help("Training function MODULE.py:FUNCTION, called as fit(x, y, seed); Redan's own when empty."),
    )
    trust: bool = field(
        default=False,
        metadata=_help("Load a model file that is not judged safe, in a sandbox, for labels and scores only."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How to talk to a model behind HTTP."""

    format: Literal["auto", "instances", "inputs", "native"] = field(
        default="auto",
        metadata=_help("Body shape: TF-Serving instances, Open Inference inputs, native x; auto goes by the address."),
    )
    body: str = field(
        default="", metadata=_help('JSON body in which the string "$x" stands for the inputs; replaces format.')
    )
    answer: str = field(default="", metadata=_help("Dotted path to the predictions in the answer; found when empty."))
    timeout_s: float = field(default=10.0, metadata=_help("Seconds to wait for one answer."))
    retries: int = field(default=2, metadata=_help("Further tries after 429, 503 or a broken connection."))
    rate_per_s: float = field(default=0.0, metadata=_help("Most requests a second; 0 means without limit."))
    batch: int = field(default=128, metadata=_help("Most inputs in one request."))
    token_env: str = field(default="", metadata=_help("Environment variable that holds a bearer token."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The data the model is measured on."""

    test: str = field(default="", metadata=_help("Built-in name or path: npz, CSV, Parquet, image folder, IDX folder."))
    train: str = field(default="", metadata=_help("What the model was trained on, for privacy and hardening."))
    reference: str = field(
        default="", metadata=_help("Rows of the same kind that neither training nor test has seen, as an attacker has.")
    )
    canary: str = field(
        default="",
        metadata=_help("Rows that were planted: for memorisation, or with a trigger and the attacker's label."),
    )
    label: str = field(default="", metadata=_help("Name of the label column in tables; the last when empty."))
    limit: int = field(default=0, metadata=_help("Most rows to use; 0 means all."))
    offset: int = field(default=0, metadata=_help("Rows to skip first."))
    sensitive: tuple[str, ...] = field(
        default=(), metadata=_help("Columns that describe people; those of words are no inputs of the model.")
    )
    aside: tuple[str, ...] = field(default=(), metadata=_help("Columns that the model is not given."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What to look into without loading it."""

    paths: tuple[str, ...] = field(default=(), metadata=_help("Files and folders; the model's own file is always in."))
    exclude: tuple[str, ...] = field(default=(), metadata=_help("Globs of paths to leave out; they are listed."))
    allow_secret: tuple[str, ...] = field(
        default=(), metadata=_help("Harmless secrets: SHA-256, date until which, and reason; separated by spaces.")
    )
    osv: str = field(default="", metadata=_help("OSV dump for known vulnerabilities: all.zip, folder or JSON lines."))
    vex: str = field(default="", metadata=_help("OpenVEX or CycloneDX document that sets vulnerabilities aside."))
    licences: tuple[str, ...] = field(
        default=(), metadata=_help("SPDX identifiers or words that are allowed; when empty only restrictions are told.")
    )
    environment: str = field(
        default="", metadata=_help("Virtual environment whose packages are looked at too: vulnerabilities, licences.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What to try against the model."""

    threats: tuple[str, ...] = field(
        default=(), metadata=_help("Threats to measure; all that apply when empty. A named one must be measured.")
    )
    probes: tuple[str, ...] = field(default=(), metadata=_help("Exactly these probes, by name or identifier."))
    norm: Literal["linf", "l2", "l1", "l0"] = field(default="linf", metadata=_help("Norm of the perturbation."))
    eps: float | None = field(default=None, metadata=_help("Size of the perturbation on the inputs' own scale."))
    budget: str = field(default="", metadata=_help("Most to spend: 5m, 90s cpu, 10k queries, 2m, 1000 queries."))
    params: Mapping[str, Any] = field(default_factory=dict, metadata=_help("Further parameters of probes, by name."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Who can do what with the model; decides which threats apply."""

    queries: Literal["nobody", "internal", "customers", "public"] = field(
        default="public", metadata=_help("Who can ask the model.")
    )
    answers: Literal["labels", "scores"] = field(default="scores", metadata=_help("What an answer holds."))
    weights: Literal["secret", "partners", "public"] = field(
        default="secret", metadata=_help("Who can have the weights.")
    )
    personal_data: bool = field(default=False, metadata=_help("Whether the training data describes people."))
    decides_about_people: bool = field(default=False, metadata=_help("Whether outputs change what happens to people."))
    outside_data: bool = field(default=False, metadata=_help("Whether outsiders can add to the training data."))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What fails a run."""

    level: Severity = field(default=Severity.HIGH, metadata=_help("Severity from which an open finding fails the run."))
    baseline: str = field(default="", metadata=_help("Earlier JSON report; only what is new or worse then fails."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """Third-party code to load."""

    allow: tuple[str, ...] = field(default=(), metadata=_help("Distributions whose entry points may be loaded."))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run works."""

    seed: int = field(default=0, metadata=_help("Root seed; the same seed gives the same report."))
    threads: int = field(default=0, metadata=_help("Threads of numerical libraries; 0 leaves their own choice."))
    folder: str = field(default=".redan", metadata=_help("Where runs and evidence are kept."))
    formats: tuple[str, ...] = field(default=("html", "json"), metadata=_help("Reports that `check` writes."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One statement that a model must have before it is admitted, and what it must say."""

    statement: str = field(
        metadata=_help("What kind: scan, robustness, privacy, fairness, provenance, bom, approval, or a threat.")
    )
    signed_by: tuple[str, ...] = field(
        default=(), metadata=_help("Public key files or key identifiers that count; those of the table when empty.")
    )
    signers: int = field(default=1, metadata=_help("How many different keys must each have signed such a statement."))
    not_sealer: bool = field(
        default=False, metadata=_help("Whether a key that sealed results of this model does not count; for approvals.")
    )
    max_age: str = field(default="", metadata=_help("Oldest that it may be: 30d, 12h; that of the table when empty."))
    gate: Severity | None = field(
        default=None,
        metadata=_help("Severity from which a finding left open refuses; high, or no such rule where a claim decides."),
    )
    claim: str = field(default="", metadata=_help("Name of a number that it must hold, such as robust_accuracy."))
    rule: str = field(default="", metadata=_help("Rule that must have measured it; any when empty."))
    params: Mapping[str, Any] = field(
        default_factory=dict, metadata=_help("Parameters it must have been measured with, such as norm and eps.")
    )
    at_least: float | None = field(default=None, metadata=_help("Smallest number that is enough."))
    at_most: float | None = field(default=None, metadata=_help("Largest number that is allowed."))
    n_at_least: int = field(default=1, metadata=_help("Fewest samples that the number must rest on."))
    use: Literal["interval", "value"] = field(
        default="interval",
        metadata=_help("What is compared: the worse end of the 95 % interval, or the value alone."),
    )

    def __post_init__(self) -> None:
        where = f"[[admission.require]] of {self.statement!r}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.statement):
            raise ConfigError(f"{where} names no statement", hint='write statement = "scan" or "robustness"')
        bounded = self.at_least is not None or self.at_most is not None
        if bounded != bool(self.claim):
            raise ConfigError(
                f"{where} has a claim without a bound or a bound without a claim",
                hint='write claim = "robust_accuracy" with at_least = 0.4 or at_most',
            )
        if not self.claim and (self.rule or self.params):
            raise ConfigError(f"{where} names a rule or parameters, and no claim to look for", hint="add claim")
        if not all(isfinite(bound) for bound in (self.at_least, self.at_most) if bound is not None):
            raise ConfigError(f"{where} has a bound that is no finite number", hint="leave out what has no bound")
        if self.signers < 1 or self.n_at_least < 1:
            raise ConfigError(f"{where} has signers or n_at_least below 1", hint="1 is the least that proves anything")
        age_s(self.max_age)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What proves that a model may be served; `redan verify` and the gateway decide by it."""

    keys: tuple[str, ...] = field(default=(), metadata=_help("Public key files whose statements count."))
    max_age: str = field(default="90d", metadata=_help("Oldest that a statement may be: 30d, 12h."))
    signature: Literal["required", "if present", "ignored"] = field(
        default="if present", metadata=_help("What is asked of the model's own signature, made by redan sign.")
    )
    authorities: tuple[str, ...] = field(
        default=(), metadata=_help("Certificate files whose holders may vouch for who signed the model itself.")
    )
    identity: str = field(
        default="", metadata=_help("Name that the certificate of the model's signer must carry; any when empty.")
    )
    revoked_by: tuple[str, ...] = field(
        default=(), metadata=_help("Keys whose revocations count; every key named here when empty.")
    )
    require: tuple[Requirement, ...] = field(default=(), metadata=_help("What is required, one table each."))

    def __post_init__(self) -> None:
        age_s(self.max_age)


_AGE_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def age_s(text: str) -> int | None:
    """Read an age such as ``30d`` or ``12h`` in seconds; None for an empty text.

    Raises:
        ConfigError: it is none.
    """
    if not text:
        return None
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text, flags=re.ASCII)
    if match is None:
        raise ConfigError(f"{text!r} is no age", hint="write 30d, 12h, 90m or 2w")
    return int(match[1]) * _AGE_UNITS_S[match[2]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where `redan store` keeps runs, statements and evidence."""

    url: str = field(
        default=".redan/store/redan.db", metadata=_help("SQLite file relative to redan.toml, or a postgresql:// URL.")
    )
    blobs: str = field(default=".redan/store/blobs", metadata=_help("Folder, or a URL that fsspec knows."))
    keys: tuple[str, ...] = field(
        default=(),
        metadata=_help(
            "Keys of an encrypted store: file:PATH, env:NAME, keyring:SERVICE/NAME, vault-transit:MOUNT/KEY or "
            "vault-kv:MOUNT/PATH#FIELD."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole of `redan.toml`."""

    project: Project = field(default_factory=Project)
    model: Model = field(default_factory=Model)
    endpoint: Endpoint = field(default_factory=Endpoint)
    data: Data = field(default_factory=Data)
    constraints: Rules = field(default_factory=Rules)
    card: Card = field(default_factory=Card)
    scan: Scan = field(default_factory=Scan)
    attack: Attack = field(default_factory=Attack)
    exposure: Exposure = field(default_factory=Exposure)
    gate: GateSettings = field(default_factory=GateSettings)
    admission: Admission = field(default_factory=Admission)
    run: RunSettings = field(default_factory=RunSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    serve: Serve = field(default_factory=Serve)
    identity: Identity = field(default_factory=Identity)
    audit: Audit = field(default_factory=Audit)
    alerts: Alerts = field(default_factory=Alerts)
    incidents: Incidents = field(default_factory=Incidents)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    plugins: Plugins = field(default_factory=Plugins)
    ignore: tuple[Ignore, ...] = ()
