"""Keys of a policy: a key is what it is, whatever it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.evidence.statements.conftest import CI, ML, STRANGER

from redan.core.errors import ConfigError, Unreadable
from redan.core.settings import Admission, Requirement
from redan.evidence.keys import Signer
from redan.evidence.statements.policy import policy_of

Writer = Callable[[Signer, str], str]


def test_one_key_in_two_files_is_one_key(tmp_path: Path, key_file: Writer) -> None:
    names = (key_file(ML, "ml"), key_file(ML, "copy"))
    policy = policy_of(Admission(keys=names), tmp_path)
    assert [v.key_id for v in policy.verifiers] == [ML.key_id]
    two = Admission(keys=names, require=(Requirement(statement="approval", signers=2),))
    with pytest.raises(ConfigError, match="asks for 2 different keys and 1 count"):
        policy_of(two, tmp_path)


def test_keys_of_a_requirement_replace_those_of_the_table(tmp_path: Path, key_file: Writer) -> None:
    own = Requirement(statement="scan", signed_by=(key_file(CI, "ci"),), max_age="2d")
    policy = policy_of(Admission(keys=(key_file(ML, "ml"),), require=(own, Requirement(statement="bom"))), tmp_path)
    assert [r.signed_by for r in policy.required] == [{CI.key_id}, {ML.key_id}]
    assert [r.max_age_s for r in policy.required] == [2 * 86400, 90 * 86400]
    assert policy.revoked_by == {CI.key_id, ML.key_id}


def test_a_key_can_be_named_by_its_identifier_once_it_is_given(tmp_path: Path) -> None:
    named = Admission(require=(Requirement(statement="scan", signed_by=(ML.key_id,)),))
    given = (ML.verifier, CI.verifier)
    assert policy_of(named, tmp_path, keys=given).required[0].signed_by == {ML.key_id}
    with pytest.raises(ConfigError, match="no key given has that identifier"):
        policy_of(named, tmp_path, keys=(STRANGER.verifier,))


def test_keys_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot read the key"):
        policy_of(Admission(keys=("absent.pub",)), tmp_path)
    with pytest.raises(ConfigError, match="0 count for it"):
        policy_of(Admission(require=(Requirement(statement="scan"),)), tmp_path)
