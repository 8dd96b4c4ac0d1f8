"""Recognising values by pattern, word and number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.field_mapping.value_patterns import SAMPLE_LENGTH, parse_measure, parse_number
from services.field_mapping.value_profiles import ValueProfile


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("ip", ["10.1.2.3", "fd00::4", "fe80::1%eth0", "10.1.2.3, 10.1.2.4", "[10.1.2.3];", "10.0.0.1;fd00::4"]),
        ("mac", ["00:50:56:9a:11:2c", "a4-bb-6d-77-10-20", "0050.569a.112c", "005056aabbcc", "[00:50:56:8b:74:7a];"]),
        ("uuid", ["4210d9a1-6f3e-4b2c-9d55-0f7a3c1d2e11", "{4210D9A1-6F3E-4B2C-9D55-0F7A3C1D2E11}"]),
        ("uuid", ["42 10 d9 a1 6f 3e 4b 2c-9d 55 0f 7a 3c 1d 2e 11"]),
        ("fqdn", ["app-web-01.corp.example.com", "SRV.LOCAL"]),
        ("date", ["2025-02-11", "11.02.2025", "2/11/25", "2025/02/11 08:14:22", "11-Feb-2025", "2025-06-02T09:11:20Z"]),
        (
            "os_name",
            ["Windows Server 2012 R2", "RHEL 8.8", "Win 2016", "SUSE Linux 12", "AIX 7.2", "Alma 9.4", "AlmaLinux 8"],
        ),
        ("power_state", ["poweredOn", "Running", "VM deallocated", "off"]),
        ("environment", ["PROD", "Development", "uat", "Pre-Prod", "Produktion"]),
        ("criticality", ["Mission Critical", "High", "2 - Somewhat critical", "hoch"]),
        ("person", ["Jane Smith", "Müller, Hans", "jane.smith@example.com", "p.martin"]),
        ("cpu_model", ["Intel(R) Xeon(R) Gold 6248R", "AMD EPYC 7742"]),
        ("instance_type", ["m5.xlarge", "Standard_D4s_v5", "n1-standard-4", "t3.micro"]),
        ("cloud_region", ["eu-west-1", "us-east-1a", "westeurope", "europe-west1-b", "uksouth"]),
        ("boolean", ["true", "No", "Y", "ja"]),
        ("virtual_flag", ["Physical", "virtual", "1", "false"]),
        ("size", ["16", "16 GB", "1,536,409.75", "32GiB"]),
        ("percentage", ["12.3%", "55", "0"]),
        ("duration", ["4 h", "15 min", "24", "2 days"]),
        ("version", ["10.0.17763", "8.9", "19c", "22H2", "12 SP5"]),
        ("migration_strategy", ["Rehost", "lift and shift", "Retire"]),
        ("database_engine", ["Oracle", "SQL Server 2016", "PostgreSQL"]),
    ],
)
def test_values_of_a_kind_are_recognised(kind: str, values: list[str]) -> None:
    assert [value for value in values if ValueProfile([value]).share(kind) != 1] == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("ip", ["10.1.2", "999.1.1.1", "1.2.3.4.5", "web01", "192.168.56.0", ""]),
        ("mac", ["00:50:56", "hello", "zz:zz:zz:zz:zz:zz"]),
        ("uuid", ["1234", "4210d9a1-6f3e"]),
        ("fqdn", ["web01", "10.1.2.3", "two words.com"]),
        ("date", ["4096", "web01", "1.2"]),
        ("os_name", ["Billing", "Dell Inc.", "Almacén central"]),
        ("percentage", ["140", "-1", "16 GB"]),
        ("count", ["2.5", "-1", "100000"]),
        ("host_label", ["two words", "4096", "x" * 64]),
        ("boolean", ["1", "maybe"]),
    ],
)
def test_values_of_other_kinds_are_not(kind: str, values: list[str]) -> None:
    assert [value for value in values if ValueProfile([value]).share(kind) > 0] == []


def test_a_list_that_was_cut_in_the_middle_of_an_address_is_a_list_of_addresses() -> None:
    cut = "[2404:f801:4800:c:35d:9b90:34a:a27a,2404:f801:4800:20:55da:bf5d:b511:3ff1,10.150"
    assert len(cut) == SAMPLE_LENGTH
    assert ValueProfile([cut]).share("ip") == 1


def test_shares_are_over_the_values_without_placeholders() -> None:
    profile = ValueProfile(["N/A", "10.1.2.3", "-", "web01", ""])
    assert profile.samples == ["10.1.2.3", "web01"]
    assert profile.share("ip") == 0.5
    assert profile.share("ip", "host_label") == 0.5


def test_mostly_means_four_of_five() -> None:
    assert ValueProfile(["10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6", "web01"]).mostly("ip")
    assert not ValueProfile(["10.1.2.3", "10.1.2.4", "10.1.2.5", "web01"]).mostly("ip")
    assert not ValueProfile([]).mostly("ip")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4096", 4096),
        ("4,096", 4096),
        ("1,536,409.75", 1_536_409.75),
        ("1.536.409,75", 1_536_409.75),
        ("1 024", 1024),
        ("1'024", 1024),
        ("16.5", 16.5),
        ("16,5", 16.5),
        ("-1", -1),
        ("web01", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_numbers_are_read_in_either_style(text: str, number: float | None) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "measure"),
    [("16 GB", (16, "GB")), ("32GiB", (32, "GiB")), ("2.4 GHz", (2.4, "GHz")), ("8", (8, None)), ("GB", (None, None))],
)
def test_a_unit_behind_a_number_is_kept(text: str, measure: tuple[float | None, str | None]) -> None:
    assert parse_measure(text) == measure


@given(st.integers(min_value=0, max_value=10**12))
def test_a_grouped_number_is_the_number(number: int) -> None:
    assert parse_number(f"{number:,}") == number


@given(
    st.lists(st.text(max_size=SAMPLE_LENGTH), max_size=20), st.sampled_from(["ip", "date", "word", "person", "size"])
)
def test_shares_are_between_none_and_all(samples: list[str], kind: str) -> None:
    profile = ValueProfile(samples)
    assert 0 <= profile.share(kind) <= 1
    assert profile.mostly(kind) == (profile.share(kind) >= 0.8)
