"""A tar archive is unpacked without a filter.

What it means:
    Before Python 3.14 members of a tar file may have absolute paths, ``..`` and links, and land anywhere.

Why it matters:
    Checkpoints and data sets are fetched as archives; one member can overwrite a file that is run later
    (CVE-2007-4559).

How it is found:
    ``extractall`` and ``extract`` of tar files and ``shutil.unpack_archive`` without ``filter``, or with
    ``fully_trusted``. A list of members that is given counts as checked.

What to do:
    ``filter='data'``.

Bad:
        import tarfile
        with tarfile.open("data.tar.gz") as tar:
            tar.extractall("data")

Good:
        import tarfile
        with tarfile.open("data.tar.gz") as tar:
            tar.extractall("data", filter="data")

Limits:
    Zip files are left out, because Python cleans their paths. Whether the archive is your own is not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-065",
        name="extracts-all",
        threat="supply_chain",
        title="An archive is unpacked wherever its members want",
        severity=Severity.MEDIUM,
        remedy='Pass filter="data" (Python 3.12, 3.11.4, 3.10.12, 3.9.17 and later).',
        references=(
            "cwe:22",
            "cwe:409",
            "atlas:AML.T0010",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

TARS = ("tarfile.open()", "tarfile.TarFile()", "tarfile.TarFile.open()")


def check(module: Module) -> Iterator[Match]:
    """Yield what unpacks without a filter."""
    for call in module.called(*(f"{tar}.extractall" for tar in TARS), *(f"{tar}.extract" for tar in TARS)):
        given = call.value("filter")
        if given == "fully_trusted" or (given is None and call.argument("members", 1) is None):
            yield Match(line=call.line, says="a tar file is unpacked without a filter", confidence="likely")
    for call in module.called("shutil.unpack_archive"):
        name, kind = call.value("filename", 0), call.value("format", 2)
        zipped = kind == "zip" or (isinstance(name, str) and name.endswith(".zip"))
        if call.value("filter") is None and not zipped:
            yield Match(line=call.line, says="an archive is unpacked without a filter", confidence="possible")
