"""Whatever is promoted, rolled back and quarantined: at most one version is live, who lost its place stays away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.errors import UsageError
from redan.core.settings_service import ServedModel
from redan.service.database import open_database
from redan.service.models.roles import configured_live, live_of, role_of
from redan.service.models.standing import Decided, Standing

VERSIONS = ("1", "2", "3")
NAMES = ("promote", "rollback", "quarantine")
ACTS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VERSIONS)), max_size=8)
ROLES = st.lists(st.sampled_from(("canary", "shadow", "standby")), min_size=2, max_size=2)


@contextmanager
def standing() -> Iterator[Standing]:
    with TemporaryDirectory() as name:
        database = open_database("s.db", root=Path(name))
        try:
            yield Standing(database)
        finally:
            database.close()


def done(kept: Standing, decided: Decided, models: list[ServedModel], act: str, version: str) -> Decided:
    """Do one thing; what is refused changes nothing."""
    live, configured = live_of(models, "m", decided), configured_live(models, "m")
    try:
        if act == "promote":
            return kept.make_live("m", version, configured=configured, before=live, known=decided.quarantined)
        if act == "rollback":
            return kept.go_back("m", configured=configured, live=live)
    except UsageError:
        return kept.read()
    return kept.quarantine([("m", version)])


@settings(max_examples=25, deadline=None)
@given(roles=ROLES, live=st.booleans(), acts=ACTS)
def test_roles_stay_sound(roles: list[str], live: bool, acts: list[tuple[str, str]]) -> None:
    first = "live" if live else "standby"
    models = [
        ServedModel(name="m", target="m", version=version, role=role, share=0.1)  # type: ignore[arg-type]
        for version, role in zip(VERSIONS, (first, *roles), strict=True)
    ]
    with standing() as kept:
        decided = kept.read()
        history = [configured_live(models, "m")]
        for act, version in acts:
            before = live_of(models, "m", decided)
            decided = done(kept, decided, models, act, version)
            after = live_of(models, "m", decided)
            now = {each.version: role_of(each, models, decided) for each in models}
            assert sum(role == "live" for role in now.values()) <= 1
            assert decided == kept.read()
            if act == "promote":
                assert now[version] == "live"
            if act == "quarantine":
                assert now[version] == "quarantined"
                assert after == before
            if act == "rollback" and after != before:
                assert after in history
                assert now[before] in ("standby", "quarantined")
            history.append(after)
