"""Technologies as people write them, to canonical products and releases; what is not certain is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.field_mapping.technology_catalogue import CONCEPT, Product, technology_products
from services.field_mapping.technology_matching import TechnologyMatcher
from services.field_mapping.technology_names import CERTAIN, confidence, recognise, technology_matcher
from services.field_mapping.technology_words import is_number, words


@pytest.mark.parametrize(
    ("text", "version", "name"),
    [
        ("Win srv 2k12 R2 std", None, "Windows Server 2012 R2"),
        ("ORACLE 11g RAC", None, "Oracle Database 11g"),
        ("Microsoft Windows Server 2012 R2 (64-bit)", None, "Windows Server 2012 R2"),
        ("Win 2016", None, "Windows Server 2016"),
        ("Windows Server", "10.0.17763", "Windows Server 2019"),
        ("Windows Server", "6.3.9600", "Windows Server 2012 R2"),
        ("windows", "windows server 2012 R2", "Windows Server 2012 R2"),
        ("Microsoft Windows 10 Enterprise", None, "Windows 10"),
        ("Microsft Windows Server 2019", None, "Windows Server 2019"),
        ("Windows Server 2025 Datacenter", None, "Windows Server 2025"),
        ("Red Hat Enterprise Linux 7 (64-bit)", None, "Red Hat Enterprise Linux 7"),
        ("RedHat", "8.9", "Red Hat Enterprise Linux 8"),
        ("rhel7.9", None, "Red Hat Enterprise Linux 7"),
        ("Ubuntu", "22.04", "Ubuntu 22.04"),
        ("Ubuntu 20.04.3 LTS", None, "Ubuntu 20.04"),
        ("SUSE Linux Enterprise 12 (64-bit)", None, "SUSE Linux Enterprise Server 12"),
        ("AIX", "7.2", "AIX 7.2"),
        ("HP-UX B.11.31", None, "HP-UX 11"),
        ("VMware ESXi 7.0.3 build-21930508", None, "VMware ESXi 7.0"),
        ("MS SQL Server", "11.0.7001", "Microsoft SQL Server 2012"),
        ("Postgres 9.6", None, "PostgreSQL 9.6"),
        ("postgresql 13.4", None, "PostgreSQL 13"),
        ("WAS 8.5.5.12", None, "WebSphere Application Server (WAS) 8.5"),
        ("Java 1.8.0_292", None, "Java 8"),
        ("C#", None, "C#"),
        ("Internet Infomation Services", None, "Microsoft IIS"),
        ("MS Access 97", None, "Microsoft Access 97"),
        ("Microsoft Windows NT Server 6.3", None, "Windows Server 2012 R2"),
        ("Microsoft Windows NT Server 10.0", None, "Windows Server"),
        ("Windows NT 4.0", None, "Windows Server NT"),
        ("Microsoft Windows 10 Professionnel", None, "Windows 10"),
        ("OS/400 V7R3", None, "IBM i 7.3"),
        ("Windows Server 2003, Standard Edition", None, "Windows Server 2003"),
    ],
)  # fmt: skip
def test_a_technology_has_one_name_however_it_is_written(text: str, version: str | None, name: str) -> None:
    technology = recognise(text, version)
    assert technology is not None
    assert technology.name == name
    assert technology.confidence >= CERTAIN
    assert technology.reason.startswith('"')


@pytest.mark.parametrize(
    "text", ["CentOS 4/5/6/7 (64-bit)", "Microsoft Windows Server 2016 or later (64-bit)", "Ubuntu Linux"]
)
def test_a_range_of_versions_is_not_taken_for_one(text: str) -> None:
    technology = recognise(text)
    assert technology is not None
    assert technology.release is None


def test_a_column_of_versions_decides_between_several() -> None:
    technology = recognise("Microsoft Windows Server 2016 or later (64-bit)", "10.0.20348")
    assert technology is not None
    assert technology.release == "2022"


@pytest.mark.parametrize(
    "text",
    ["Payroll", "Maria Lopez", "Frankfurt DC2", "see ticket 88213", "unknown", "10.20.30.40", "Production", "", "?",
     "7", "custom built in house", "two of them", "Group Alpha", "IIS; SQL Server", "Tomcat + MySQL"],
)  # fmt: skip
def test_what_names_no_technology_is_refused(text: str) -> None:
    assert recognise(text) is None


def test_a_word_of_the_trade_is_known_for_one() -> None:
    technology = recognise("web server")
    assert technology is not None
    assert technology.kind == CONCEPT


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("Unix operating system", "Unix"), ("Unix OS", "Unix"), ("Oracle RDBMS 19c", "Oracle Database"),
        ("Oracle Data Base Management System", "Oracle Database"), ("ISO 14882:2003", "C++"),
    ],
)  # fmt: skip
def test_the_kind_of_thing_may_be_said_after_its_name(text: str, product: str) -> None:
    matcher = TechnologyMatcher(
        [
            Product("Unix", "operating system"),
            Product("Oracle Database", "database", vendor="Oracle"),
            Product("C++", "language", aliases=("ISO/IEC 14882",)),
        ]
    )
    first = matcher.rank(text)[0]
    assert (first.product.name, first.exact) == (product, True)


def test_another_standard_of_the_same_body_is_not_taken_for_the_known_one() -> None:
    matcher = TechnologyMatcher([Product("C++", "language", aliases=("ISO/IEC 14882",)), Product("Ada", "language")])
    assert confidence(matcher.rank("ISO/IEC 1989")) < CERTAIN


def test_a_word_of_the_trade_with_a_number_or_a_vendor_is_a_product() -> None:
    matcher = TechnologyMatcher(
        [
            Product("Database", CONCEPT),
            Product("Proxy Server", CONCEPT),
            Product("IBM Db2", "database", vendor="IBM"),
            Product("Microsoft ISA Server", "security", vendor="Microsoft"),
        ]
    )
    assert not any(match.exact for match in matcher.rank("Database 2"))
    assert [match.product.name for match in matcher.rank("Microsoft Proxy Server")] == ["Microsoft ISA Server"]


def test_two_products_that_fit_alike_are_not_chosen_from() -> None:
    matcher = TechnologyMatcher([Product("Alpha Desk", "database"), Product("Alpha Deck", "database")])
    assert [match.product.name for match in matcher.rank("Alpha Desk")] == ["Alpha Desk"]
    assert confidence(matcher.rank("Alpha De")) < CERTAIN


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_answered_the_same_way_twice(text: str) -> None:
    ranked = technology_matcher().rank(text)
    assert ranked == technology_matcher().rank(text)
    assert 0 <= confidence(ranked) <= 1
    assert [match.score for match in ranked] == sorted((match.score for match in ranked), reverse=True)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([product.name for product in technology_products()]), st.sampled_from([str.upper, str.lower]))
def test_a_canonical_name_means_its_product_in_any_case(name: str, case: type[str]) -> None:
    first = technology_matcher().rank(case(name))[0]
    assert first.product.name == name
    assert first.exact


def test_no_two_products_are_written_the_same() -> None:
    owners: dict[str, set[str]] = {}
    for product in technology_products():
        for spelling in product.spellings:
            owners.setdefault(" ".join(words(spelling)), set()).add(product.name)
    assert {spelling: names for spelling, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Debian10", ("debian", "10")), ("Win2k8", ("win", "2008")), ("C# / C++", ("csharp", "cplusplus")),
        (".NET 4.8", ("dotnet", "4.8")), ("tomcat9.0", ("tomcat", "9.0")), ("Café (64-bit)", ("cafe",)),
        ("Oracle 11gR2", ("oracle", "11g", "r2")), ("PL/I", ("pl", "i")),
    ],
)  # fmt: skip
def test_words_part_names_from_numbers(text: str, written: tuple[str, ...]) -> None:
    assert words(text) == written


@pytest.mark.parametrize(
    ("word", "number"), [("2012", True), ("v7", True), ("11g", True), ("r2", True), ("sp3", True), ("db2", False)]
)
def test_what_can_only_be_part_of_a_version(word: str, number: bool) -> None:
    assert is_number(word) is number
