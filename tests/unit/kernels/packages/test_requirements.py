"""Requirements as pip reads them."""

from __future__ import annotations

import pytest

from redan.kernels.packages.model import Source
from redan.kernels.packages.names import normalised, purl, without_credentials
from redan.kernels.packages.requirement import NotRequirementError, parse
from redan.kernels.packages.requirements_txt import logical_lines, read_requirements

SHA = "a" * 64


def one(text: str):
    """The only package of a file of one requirement."""
    found = read_requirements(text, "requirements.txt")
    assert found.problems == ()
    (package,) = found.packages
    return package


def test_names_are_compared_as_indexes_compare_them() -> None:
    assert normalised("Scikit_Learn") == normalised("scikit.learn") == normalised("scikit--learn") == "scikit-learn"


def test_a_package_url_quotes_scope_and_local_version() -> None:
    assert purl("npm", "@scope/name", "1.0.0") == "pkg:npm/%40scope/name@1.0.0"
    assert purl("pypi", "torch", "2.0+cu118") == "pkg:pypi/torch@2.0%2Bcu118"
    assert parse("Flask==1", role="declared", path="r").purl == "pkg:pypi/flask@1"


def test_a_pin_has_a_version_and_a_range_has_none() -> None:
    assert one("numpy==1.26.4").version == "1.26.4"
    assert (one("numpy>=1,<2").version, one("numpy==1.*").version) == ("", "")
    assert one("numpy===1.0-odd").version == "1.0-odd"


def test_extras_markers_and_hashes_are_kept() -> None:
    found = one(f'torch[opt,cuda]==2.1 ; python_version < "3.12" --hash=sha256:{SHA} \\\n  --hash sha512:{SHA}{SHA}')
    assert found.extras == ("cuda", "opt")
    assert found.marker == 'python_version < "3.12"'
    assert found.hashes == (f"sha256:{SHA}", f"sha512:{SHA}{SHA}")


def test_lines_are_numbered_where_they_start() -> None:
    text = "# comment\n\nnumpy==1 \\\n  --hash=sha256:ab\n# more \\\ntorch  # why\r\npandas"
    assert [n for n, _ in logical_lines(text)] == [3, 6, 7]
    assert [p.line for p in read_requirements(text, "r.txt").packages] == [3, 6, 7]


def test_a_repository_keeps_its_revision_and_loses_its_password() -> None:
    found = one("-e git+https://user:secret@host/team/repo.git@feature/x#egg=My_Model")
    assert found.name == "my-model"
    assert found.source == Source(kind="vcs", url="git+https://host/team/repo.git", revision="feature/x")
    assert without_credentials("git+ssh://git@host/repo") == ("git+ssh://git@host/repo", False)


def test_an_address_gives_name_version_and_hash() -> None:
    found = one(f"https://host/pkg/foo_bar-1.2-py3-none-any.whl#sha256={SHA}")
    assert (found.name, found.version, found.hashes) == ("foo-bar", "1.2", (f"sha256:{SHA}",))
    assert one("bar @ https://u:p@h/bar.tar.gz ; os_name == 'nt'").source.url == "https://h/bar.tar.gz"


def test_folders_outside_and_in_place_are_told_from_packages() -> None:
    assert one("-e ../shared[dev]").source == Source(kind="editable", url="../shared")
    assert one("./wheels/thing-1.0-py3-none-any.whl").source.kind == "path"
    assert one("-e .").source.kind == "editable"


def test_options_lose_credentials_and_say_so() -> None:
    found = read_requirements(
        "--extra-index-url https://me:token@host/simple --trusted-host=host\n-i http://x/simple\n", "r.txt"
    )
    assert [(o.name, o.value, o.credentials) for o in found.options] == [
        ("extra-index-url", "https://host/simple", True),
        ("trusted-host", "host", False),
        ("index-url", "http://x/simple", False),
    ]
    assert "token" not in repr(found)


def test_includes_are_named_and_not_followed_here() -> None:
    found = read_requirements("-r base.txt\n--constraint=limits.txt", "r.txt")
    assert [(i.path, i.constraints, i.line) for i in found.includes] == [
        ("base.txt", False, 1),
        ("limits.txt", True, 2),
    ]


@pytest.mark.parametrize("text", ["what is this", "==1.0", "a b c", "foo>>1", "[x]", "foo==1 ; nonsense"])
def test_what_is_no_requirement_is_a_problem_with_its_line(text: str) -> None:
    found = read_requirements(f"numpy\n{text}\n", "r.txt")
    assert [p.line for p in found.problems] == [2]
    with pytest.raises(NotRequirementError):
        parse(text, role="declared", path="r")


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    assert not read_requirements("a" * 200_000, "r.txt").complete
