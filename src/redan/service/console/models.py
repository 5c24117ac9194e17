"""The pages of a model: its versions with what may be done to them, and the evidence of one version."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from redan.core.errors import RedanError
from redan.evidence.statements.policy import AdmissionPolicy, policy_of
from redan.evidence.statements.predicates.decisions import Approval, Revocation
from redan.evidence.statements.predicates.result import Result
from redan.evidence.statements.verified import Known, verified
from redan.evidence.store.clear import read_us
from redan.service.console.overview import pool_of, traffic
from redan.service.console.rendering import render
from redan.service.models.endpoints import view_of
from redan.service.models.loading import refusal

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.responses import Response

    from redan.core.settings import Settings
    from redan.service.models.versions import Version
    from redan.service.web.endpoint import Asked

MOST_CLAIMS = 12


async def show(asked: Asked) -> Response:
    """Show a model: versions, comparison with the live one, what may be done."""
    pool, name = pool_of(asked), asked.request.path_params["name"]
    versions = [
        {"view": view_of(pool, each), "decision": each.decision, **traffic(asked.parts, name, _number(each))}
        for each in pool.of(name)
    ]
    compared = [each for each in pool.comparing.results() if each.live.rpartition("@")[0] == name]
    return render(
        asked, "console_model.html", name=name, versions=versions, compared=compared, before=pool.before(name)
    )


async def evidence(asked: Asked) -> Response:
    """Show why a version may answer: the decision requirement by requirement, and every statement."""
    name, number = asked.request.path_params["name"], asked.request.path_params["version"]
    pool = pool_of(asked)
    version = pool.version(name, number)
    told = await asyncio.to_thread(_stated, pool.settings, asked.parts.root, version)
    judged_us = read_us(version.decision.at, "the decision") if version.decision is not None else 0
    return render(
        asked,
        "console_evidence.html",
        name=name,
        view=view_of(pool, version),
        decision=version.decision,
        judged_us=judged_us,
        **told,
    )


def _number(version: Version) -> str:
    return version.source.settings.version


def _stated(settings: Settings, root: Path, version: Version) -> dict[str, Any]:
    """Read the statements as they are now; blocks."""
    nothing: dict[str, Any] = {"statements": [], "ignored": [], "unread": ""}
    if version.about is None:
        return nothing
    try:
        policy = policy_of(settings.admission, root)
        bundles = version.source.bundles(version.about.held)
        envelopes = [envelope for bundle in bundles for envelope in bundle.envelopes]
        found = verified(version.about.held.model, envelopes, policy.verifiers, at=datetime.now(UTC))
    except RedanError as error:
        return {**nothing, "unread": refusal(error)}
    statements = sorted((_shown(each, policy) for each in found.known), key=lambda each: -each["made_us"])
    return {"statements": statements, "ignored": found.ignored, "unread": ""}


def _shown(known: Known, policy: AdmissionPolicy) -> dict[str, Any]:
    content = known.content
    shown: dict[str, Any] = {
        "kind": known.kind,
        "signers": policy.named(known.signers),
        "made_us": int(known.made.timestamp() * 1e6),
        "sha256": known.statement.sha256,
        "why": content.why if isinstance(content, Approval | Revocation) else "",
        "claims": [],
        "more": 0,
        "counts": {},
    }
    if isinstance(content, Result):
        shown |= {
            "claims": content.claims[:MOST_CLAIMS],
            "more": max(0, len(content.claims) - MOST_CLAIMS),
            "counts": content.counts,
        }
    return shown
