"""Whatever is assigned and however it is narrowed: nobody may do what no assignment gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redan.core.settings_service import CustomRole, Identity
from redan.service.identity import scopes
from redan.service.identity.actions import ACTIONS
from redan.service.identity.principal import Principal
from redan.service.identity.roles import roles_of

MODELS = ("fraud", "churn", "*")
ACTION = st.sampled_from(sorted(ACTIONS))
CUSTOM = st.lists(
    st.builds(
        CustomRole,
        name=st.from_regex(r"x[a-z]{1,4}", fullmatch=True),
        actions=st.lists(ACTION, min_size=1, max_size=5).map(tuple),
    ),
    max_size=3,
    unique_by=lambda role: role.name,
)
PAIRS = st.frozensets(st.tuples(ACTION, st.sampled_from(MODELS)), max_size=8)


@st.composite
def assignments(draw: st.DrawFn):
    """Roles, and (role, model) pairs some of which name a role that is no more."""
    roles = roles_of(Identity(roles=tuple(draw(CUSTOM))))
    names = [*roles.by_name, "gone"]
    held = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(MODELS)), max_size=5))
    return roles, held


def principal(grants: scopes.Grants) -> Principal:
    return Principal(
        id="user:a", kind="person", roles=frozenset(), grants=grants, credential="key:a", expires_s=float("inf")
    )


def allowed(roles, held, action: str, model: str) -> bool:
    """Say by brute force whether some assignment gives an action: the meaning that the code must have."""
    for name, scope in held:
        role = roles.by_name.get(name)
        if role is None or action not in role.actions:
            continue
        if scope == "*" or action == "identity.self" or (ACTIONS[action].per_model and model == scope):
            return True
    return False


@given(assignments(), ACTION, st.sampled_from(["fraud", "churn", "other", ""]))
def test_a_grant_comes_from_an_assignment_and_every_assignment_gives_it(given_, action: str, model: str) -> None:
    roles, held = given_
    assert principal(roles.grants(held)).may(action, model) == allowed(roles, held, action, model)


@given(PAIRS, PAIRS, ACTION, st.sampled_from(["fraud", "churn", "other", ""]))
def test_a_scope_leaves_what_both_give_and_nothing_else(
    grants: scopes.Grants, scope: scopes.Grants, action: str, model: str
) -> None:
    both = principal(grants).may(action, model) and principal(scope).may(action, model)
    assert principal(scopes.narrowed(grants, scope)).may(action, model) == both


@given(PAIRS, st.lists(PAIRS, max_size=4))
def test_narrowing_again_and_again_never_gives_more(grants: scopes.Grants, narrower: list[scopes.Grants]) -> None:
    left = grants
    for scope in narrower:
        before, left = left, scopes.narrowed(left, scope)
        assert scopes.narrowed(left, before) == left


@given(st.frozensets(st.one_of(st.tuples(ACTION, st.just("*")), st.tuples(st.just("predict"), st.just("fraud")))))
def test_a_scope_is_read_as_it_was_written(grants: scopes.Grants) -> None:
    assert scopes.parsed(scopes.shown(grants)) == grants
