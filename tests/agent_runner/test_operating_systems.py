"""Free texts of operating systems, as exports write them."""

from datetime import date

import pytest

from services.agent_runner.analysis.operating_systems import identify


@pytest.mark.parametrize(
    ("text", "version", "name", "end"),
    [
        ("Microsoft Windows Server 2012 (64-bit)", None, "Windows Server 2012", date(2023, 10, 10)),
        ("Windows Server 2008R2 Standard", None, "Windows Server 2008 R2", date(2020, 1, 14)),
        ("win2012 r2", None, "Windows Server 2012 R2", date(2023, 10, 10)),
        ("Win2k8", None, "Windows Server 2008", date(2020, 1, 14)),
        ("Windows Server", "10.0.17763", "Windows Server 2019", date(2029, 1, 9)),
        ("Microsoft Windows 7 (32-bit)", None, "Windows 7", date(2020, 1, 14)),
        ("Red Hat Enterprise Linux 7 (64-bit)", None, "Red Hat Enterprise Linux 7", date(2024, 6, 30)),
        ("RHEL8.6", None, "Red Hat Enterprise Linux 8", date(2029, 5, 31)),
        ("Red Hat Enterprise Linux", "6.10", "Red Hat Enterprise Linux 6", date(2020, 11, 30)),
        ("CentOS Linux 7.9.2009", None, "CentOS 7", date(2024, 6, 30)),
        ("SLES12 SP5", None, "SUSE Linux Enterprise Server 12", date(2024, 10, 31)),
        ("ubuntu", "18.04", "Ubuntu 18.04", date(2023, 5, 31)),
        ("Debian GNU/Linux 10 (64-bit)", None, "Debian 10", date(2024, 6, 30)),
        ("SunOS 5.10", None, "Solaris 10", date(2027, 1, 31)),
        ("AIX", "7.1.0.0", "AIX 7.1", date(2023, 4, 30)),
        ("HP-UX B.11.31", None, "HP-UX 11", date(2025, 12, 31)),
        ("VMware ESXi 6.7.0 build-15160138", None, "VMware ESXi 6.7", date(2022, 10, 15)),
    ],
)  # fmt: skip
def test_a_release_is_recognised_with_its_end_of_support(text: str, version: str | None, name: str, end: date) -> None:
    system = identify(text, version)
    assert system is not None
    assert (system.name, system.end_of_support) == (name, end)
    assert system.source.startswith("https://")


@pytest.mark.parametrize(
    "text", ["CentOS 4/5/6/7 (64-bit)", "Microsoft Windows Server 2016 or later (64-bit)", "Ubuntu Linux"]
)
def test_a_range_of_versions_is_not_taken_for_one(text: str) -> None:
    system = identify(text)
    assert system is not None
    assert system.end_of_support is None


@pytest.mark.parametrize(
    ("text", "family"), [("z/OS 2.4", "mainframe"), ("OS/400 V7R3", "mainframe"), ("IBM AIX", "unix")]
)
def test_platforms_that_no_cloud_offers_have_a_family_of_their_own(text: str, family: str) -> None:
    system = identify(text)
    assert system is not None
    assert system.family == family


@pytest.mark.parametrize("text", [None, "", "  ", "Cisco IOS 15", "unknown"])
def test_what_is_not_recognised_is_none(text: str | None) -> None:
    assert identify(text) is None
