"""The conformance kit: what every probe, mitigation, monitor and writer promises, as checks for your own tests.

    from redan.testing import check_probe

    def test_my_probe_keeps_its_promises():
        check_probe(MyProbe, make_subject, make_inputs, params={"steps": 3})

or one test for each promise, so that each is reported by name:

    from redan.testing import ProbeCase, probe_checks

    @pytest.mark.parametrize("check", probe_checks(), ids=str)
    def test_my_probe(check):
        check(ProbeCase(thing=MyProbe, make_subject=make_subject, make_inputs=make_inputs))

A broken promise is an AssertionError that says which one, what was seen and how to mend it. The kit needs nothing but
Redan's core; NumPy and torch are looked at only where they are imported already.
"""

from __future__ import annotations

from redan.testing.case import ProbeCase
from redan.testing.mitigations import MitigationCase, check_mitigation, mitigation_checks
from redan.testing.monitors import MonitorCase, check_monitor, monitor_checks
from redan.testing.probes import check_probe, probe_checks
from redan.testing.promise import Check
from redan.testing.reports import sample_reports
from redan.testing.writers import WriterCase, check_writer, writer_checks

__all__ = [
    "Check",
    "MitigationCase",
    "MonitorCase",
    "ProbeCase",
    "WriterCase",
    "check_mitigation",
    "check_monitor",
    "check_probe",
    "check_writer",
    "mitigation_checks",
    "monitor_checks",
    "probe_checks",
    "sample_reports",
    "writer_checks",
]
