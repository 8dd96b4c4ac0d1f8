"""What columns are proposed to mean: by name, by values, and by the table around them."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.catalog import CATALOG, CONNECTION_FIELDS
from contracts.discovery import ColumnMapping, ColumnProfile, TableKind, TableMapping, TableProfile
from contracts.envelope import BlobRef
from services.field_mapping.matching import ACCEPT_AT, propose
from services.field_mapping.value_profiles import ValueProfile
from services.field_mapping.withholding import withheld

Columns = dict[str, list[str]]
SERVER: Columns = {"Hostname": ["srv-app-01", "srv-db-02"], "Operating System": ["Windows Server 2019", "RHEL 8"]}
DOUBTFUL: Columns = {"Hosting Type": ["SaaS", "On premise"]}


def table(columns: Columns, kind: TableKind = "inventory", sheet: str | None = None) -> TableProfile:
    return TableProfile(
        table_id=UUID(int=1),
        import_id=UUID(int=2),
        file_name="export.csv",
        sheet=sheet,
        kind=kind,
        header_row=1,
        row_count=20,
        columns=[
            ColumnProfile(name=name, filled=len(values), distinct=len(set(values)), samples=values)
            for name, values in columns.items()
        ],
        rows=BlobRef(key="k", sha256="0", size_bytes=1, media_type="application/vnd.apache.parquet"),
    )


def mapped(columns: Columns, kind: TableKind = "inventory", sheet: str | None = None) -> dict[str, ColumnMapping]:
    return {column.column: column for column in propose(table(columns, kind, sheet)).columns}


def field_of(name: str, values: list[str], around: Columns | None = None) -> str | None:
    return mapped({**(SERVER if around is None else around), name: values})[name].field


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("RAM_GB", ["16", "32", "64"], "memory_gb"),
        ("APPLICATION_OWNER", ["Jane Smith", "Ravi Patel"], "business_owner"),
        ("DR_TIER", ["Tier 1", "Tier 2"], "dr_tier"),
        ("ip_addr", ["10.1.2.3", "10.1.2.4"], "ip_address"),
        ("env", ["PROD", "DEV"], "environment"),
        ("SerialNumber0", ["CZJ0230K9Q"], "serial_number"),
        ("Last scan", ["45 days ago", "2 weeks ago"], "last_seen"),
    ],
)
def test_common_columns_of_a_cmdb_are_accepted(name: str, values: list[str], field: str) -> None:
    column = mapped({**SERVER, name: values})[name]
    assert (column.field, column.status) == (field, "accepted")


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("MemoryGiB", ["16"], "memory_gb"),
        ("Server.CPU.UsagePct.Avg", ["15", "6.2"], "cpu_utilization_pct"),
        ("properties.hardwareProfile.vmSize", ["Standard_D2s_v3"], "instance_type"),
        ("mgn:app:name", ["Payments"], "application_name"),
        ("ansible_memtotal_mb", ["7961"], "memory_gb"),
        ("macaddress_a", ["f4:02:70:c1:00:9a"], "mac_address"),
        ("AssetTypename", ["Windows", "Linux"], "asset_type"),
        ("Organization->Name", ["Demo Ltd"], "company"),
        ("No. of CPUs", ["2", "4"], "cpu_sockets"),
        ("HOST_NM", ["srv01"], "hostname"),
        ("Enviroment", ["Prod"], "environment"),
        ("Manufactuer", ["Dell Inc."], "manufacturer"),
    ],
)
def test_names_are_read_in_any_style_and_with_typing_errors(name: str, values: list[str], field: str) -> None:
    assert field_of(name, values) == field


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("Betriebssystem", ["Windows Server 2019"], "operating_system"),
        ("Arbeitsspeicher (GB)", ["16"], "memory_gb"),
        ("Kostenstelle", ["4711"], "cost_center"),
        ("Kritikalität", ["hoch"], "criticality"),
        ("Système d'exploitation", ["Windows Server 2016"], "operating_system"),
        ("Adresse IP", ["10.2.3.4"], "ip_address"),
        ("Sistema operativo", ["Windows Server 2019"], "operating_system"),
        ("Ubicación", ["Madrid"], "location"),
        ("İşletim Sistemi", ["Windows Server 2019"], "operating_system"),
        ("Sunucu Adı", ["SRV1"], "hostname"),
    ],
)
def test_german_french_spanish_and_turkish_names_are_understood(name: str, values: list[str], field: str) -> None:
    assert field_of(name, values) == field


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Memory Reservation", ["0", "4096"]),
        ("CPU Limit", ["-1"]),
        ("Default Gateway", ["10.1.2.1"]),
        ("DNS Servers", ["10.1.2.1"]),
        ("warranty_expiration", ["2027-01-01"]),
        ("sys_created_by", ["admin"]),
        ("First Seen", ["2020-01-01"]),
        ("Number of Disks", ["2", "3"]),
        ("Disk read (MBps)", ["1.2"]),
        ("Free Memory (MB)", ["100"]),
        ("BIOS Version", ["U30"]),
        ("xyzzy", ["plugh"]),
        ("VM Tools Version", ["12345"]),
    ],
)
def test_columns_of_no_use_for_a_migration_are_left_out(name: str, values: list[str]) -> None:
    column = mapped({**SERVER, name: values})[name]
    assert (column.field, column.status) == (None, "unmapped")
    assert column.reason.endswith(".")


@pytest.mark.parametrize(
    ("name", "values"), [("Owner", ["x7", "x8"]), ("Owner", ["Ann Lee"]), ("Tier", ["1", "2"]), ("Type", ["A", "B"])]
)
def test_a_name_that_could_mean_several_things_goes_to_review(name: str, values: list[str]) -> None:
    assert mapped({**SERVER, name: values})[name].status == "review"


def test_a_column_that_may_mean_something_after_all_goes_to_review_with_a_value_of_it() -> None:
    column = mapped({**SERVER, **DOUBTFUL})["Hosting Type"]
    assert (column.field, column.status, column.unit) == (None, "review", None)
    assert column.confidence < ACCEPT_AT
    assert "is_virtual" in column.alternatives
    assert column.reason.endswith("It holds values such as “SaaS”.")


def test_the_doubt_about_a_column_of_a_sealed_inventory_quotes_no_cell() -> None:
    column = withheld([propose(table({**SERVER, **DOUBTFUL}))])[0].columns[-1]
    assert (column.status, column.reason.rpartition(". ")[2]) == ("review", "It holds values such as “…”.")


def test_a_quotation_mark_within_a_cell_shows_nothing_of_a_sealed_inventory() -> None:
    proposal = propose(table({**SERVER, "Hosting Type": ["SaaS” of db17", "IaaS", "On-Prem"]}))
    assert proposal.columns[-1].reason.endswith('It holds values such as “SaaS" of db17”.')
    assert "db17" not in withheld([proposal])[0].columns[-1].reason


@pytest.mark.parametrize("values", [[], ["N/A", "-"]])
def test_nobody_is_asked_whether_a_column_without_values_means_anything(values: list[str]) -> None:
    column = mapped({**SERVER, "Hosting Type": values})["Hosting Type"]
    assert (column.field, column.status) == (None, "unmapped")
    assert column.confidence < ACCEPT_AT


def test_a_second_column_for_a_field_goes_to_review_when_it_is_named_exactly() -> None:
    columns = mapped({**SERVER, "Disk (GB)": ["80", "120"], "Size": ["90", "130"]})
    assert (columns["Disk (GB)"].status, columns["Size"].status) == ("accepted", "review")
    assert "another column fits this field better" in columns["Size"].reason


def test_equally_good_columns_share_a_field() -> None:
    columns = mapped({**SERVER, "CPU usage avg %": ["12"], "CPU usage max %": ["80"]})
    assert [columns[name].status for name in ("CPU usage avg %", "CPU usage max %")] == ["accepted", "accepted"]


def test_values_decide_where_the_name_has_two_meanings() -> None:
    assert field_of("Status", ["poweredOn", "poweredOff"]) == "power_state"
    assert field_of("Status", ["In use", "Retired"]) == "lifecycle_status"
    assert field_of("Processor", ["Intel(R) Xeon(R) Gold 6248R"]) == "cpu_model"
    assert field_of("Processor", ["4", "8"]) == "cpu_cores"
    assert field_of("Classification", ["Production", "Test"]) == "environment"
    assert field_of("Classification", ["Confidential", "Public"]) == "data_classification"
    assert field_of("Database", ["Oracle", "SQL Server"]) == "database_engine"
    assert field_of("Database", ["CRMPRD", "HRDB"]) == "database_name"
    assert field_of("Age", ["15y 0m ago", "3y 2m ago"]) == "install_date"
    assert field_of("Age", ["15", "3"]) is None


def test_values_that_contradict_the_name_win() -> None:
    assert field_of("IP address", ["true", "false"]) is None
    assert mapped({**SERVER, "Memory": ["DIMM", "none fitted"]})["Memory"].status != "accepted"
    assert field_of("CPU usage %", ["40,440.99", "48,623.33"]) != "cpu_utilization_pct"


def test_telling_values_map_a_column_with_a_meaningless_name_to_review() -> None:
    for values, field in (
        (["10.1.2.3", "10.1.2.4"], "ip_address"),
        (["00:50:56:9a:11:2c"], "mac_address"),
        (["Windows Server 2019", "Ubuntu 22.04"], "operating_system"),
    ):
        column = mapped({**SERVER, "column 7": values})["column 7"]
        assert (column.field, column.status) == (field, "review")


def test_an_empty_column_maps_by_its_name_with_less_confidence() -> None:
    filled = mapped({**SERVER, "Serial number": ["CZJ0230K9Q"]})["Serial number"]
    empty = mapped({**SERVER, "Serial number": []})["Serial number"]
    assert (filled.field, empty.field) == ("serial_number", "serial_number")
    assert empty.confidence < filled.confidence
    assert "empty" in empty.reason


def test_an_empty_column_is_left_out_when_a_better_one_has_the_field() -> None:
    columns = mapped({**SERVER, "Network #1": ["VLAN612-APP"], "Network #2": []})
    assert [columns[name].field for name in ("Network #1", "Network #2")] == ["network_segment", None]


def test_placeholders_count_as_empty() -> None:
    assert "empty" in mapped({**SERVER, "Serial number": ["N/A", "-", "unknown"]})["Serial number"].reason


def test_host_is_the_machine_in_a_sheet_of_hosts_and_its_host_in_a_sheet_of_vms() -> None:
    hosts = {"Host": ["esx01.corp.example"], "ESX Version": ["VMware ESXi 7.0"], "# VMs": ["12"]}
    assert mapped(hosts, sheet="vHost")["Host"].field == "hostname"
    assert mapped(hosts)["Host"].field == "hostname"
    machines = {"VM": ["app1"], "Powerstate": ["poweredOn"], "Host": ["esx01.corp.example"]}
    assert mapped(machines)["Host"].field == "virtualization_host"


def test_name_is_what_the_table_is_about() -> None:
    name: Columns = {"Name": ["billing", "crm"]}
    assert mapped({**name, "Power State": ["on"], "Resource pool": ["p"]})["Name"].field == "vm_name"
    assert mapped({**name, "Business owner": ["Ann Lee"]}, kind="applications")["Name"].field == "application_name"
    assert mapped({**name, "Serial number": ["X1"]})["Name"].field == "hostname"


def test_what_a_host_sheet_says_about_guests_is_not_about_the_host() -> None:
    columns = mapped(
        {"Host": ["esx01"], "# Cores": ["48"], "# vCPUs": ["168"], "ESX Version": ["VMware ESXi 7"]}, sheet="vHost"
    )
    assert (columns["# Cores"].field, columns["# vCPUs"].field) == ("cpu_cores", None)


def test_a_connection_table_has_fields_of_its_own() -> None:
    columns = mapped(
        {
            "Source server name": ["app1-server"],
            "Source IP": ["10.0.0.1"],
            "Destination server name": ["db1-server"],
            "Destination IP": ["10.0.0.5"],
            "Destination application": ["SQL"],
            "Destination process": ["sqlservr.exe"],
            "Destination port": ["1433"],
            "Protocol": ["TCP"],
            "Connection count": ["42"],
            "Timeslot": ["2025-06-14 00:00"],
        },
        kind="connections",
    )
    assert [column.field for column in columns.values()] == [
        "source", "source_ip", "target", "target_ip", "target_application",
        "process", "port", "protocol", "observations", None,
    ]  # fmt: skip


def test_alternatives_are_ranked_and_do_not_repeat_the_field() -> None:
    column = mapped({**SERVER, "Owner": ["Ann Lee"]})["Owner"]
    assert column.alternatives[0] == "technical_owner"
    assert column.field not in column.alternatives


def test_columns_keep_the_order_of_the_file() -> None:
    names = ["b", "Hostname", "a", "RAM"]
    assert [column.column for column in propose(table({name: [] for name in names})).columns] == names


def test_a_table_without_columns_has_an_empty_mapping() -> None:
    assert propose(table({})).columns == []


_NAMES = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(["RAM", "GB", "Owner", "Host", "CPU", "%", "Disk", "used", "id", "xq", "."]), max_size=4
    ).map(" ".join),
)
_VALUES = st.lists(
    st.one_of(st.text(max_size=80), st.integers().map(str), st.floats().map(str), st.ip_addresses().map(str)),
    max_size=6,
)
_KINDS = st.sampled_from(["inventory", "applications", "connections"])


@settings(max_examples=150)
@given(st.dictionaries(_NAMES, _VALUES, max_size=6), _KINDS)
def test_every_proposal_is_consistent(columns: Columns, kind: TableKind) -> None:
    mapping = propose(table(columns, kind))
    known = set(CONNECTION_FIELDS if kind == "connections" else CATALOG)
    assert [column.column for column in mapping.columns] == list(columns)
    for column in mapping.columns:
        assert {column.field, *column.alternatives} - {None} <= known
        assert len(column.alternatives) <= 3
        assert column.reason.endswith(".")
        asked = column.field is not None or bool(ValueProfile(columns[column.column]).samples)
        clear = "unmapped" if column.field is None else "accepted"
        assert column.status == ("review" if asked and column.confidence < ACCEPT_AT else clear)
        assert column.field is not None or column.unit is None
        assert 0 < column.confidence < 1


@given(_NAMES, _VALUES)
def test_the_same_column_always_gets_the_same_proposal(name: str, values: list[str]) -> None:
    first: TableMapping = propose(table({name: values}))
    assert propose(table({name: values})) == first
