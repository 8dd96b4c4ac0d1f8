"""Family and end of support of the inventory's canonical operating systems."""

from datetime import date

import pytest

from services.agent_runner.analysis import operating_systems
from services.agent_runner.analysis.operating_systems import identify
from services.field_mapping.technology_catalogue import technology_products
from services.field_mapping.technology_names import recognise


@pytest.mark.parametrize(
    ("product", "release", "name", "end"),
    [
        ("Windows Server", "2012 R2", "Windows Server 2012 R2", date(2023, 10, 10)),
        ("Windows Server", "2008", "Windows Server 2008", date(2020, 1, 14)),
        ("Windows", "7", "Windows 7", date(2020, 1, 14)),
        ("Red Hat Enterprise Linux", "8", "Red Hat Enterprise Linux 8", date(2029, 5, 31)),
        ("SUSE Linux Enterprise Server", "12", "SUSE Linux Enterprise Server 12", date(2024, 10, 31)),
        ("Ubuntu", "18.04", "Ubuntu 18.04", date(2023, 5, 31)),
        ("VMware ESXi", "6.7", "VMware ESXi 6.7", date(2022, 10, 15)),
    ],
)
def test_a_release_has_its_end_of_support(product: str, release: str, name: str, end: date) -> None:
    system = identify(product, release)
    assert system is not None
    assert (system.name, system.end_of_support) == (name, end)
    assert system.source.startswith("https://")


@pytest.mark.parametrize("release", [None, "99"])
def test_without_a_release_that_is_known_there_is_no_date(release: str | None) -> None:
    system = identify("Ubuntu", release)
    assert system is not None
    assert system.end_of_support is None


@pytest.mark.parametrize(("product", "family"), [("z/OS", "mainframe"), ("IBM i", "mainframe"), ("AIX", "unix")])
def test_platforms_that_no_cloud_offers_have_a_family_of_their_own(product: str, family: str) -> None:
    system = identify(product)
    assert system is not None
    assert system.family == family


@pytest.mark.parametrize("product", [None, "", "Cisco IOS", "unknown"])
def test_what_is_no_operating_system_of_a_server_is_none(product: str | None) -> None:
    assert identify(product, "15") is None


def test_every_product_is_one_that_the_inventory_names() -> None:
    named = {product.name for product in technology_products()}
    assert set(operating_systems.PRODUCT_LINES) <= named


@pytest.mark.parametrize(
    ("product", "release"),
    [(name, release) for name, line in operating_systems.PRODUCT_LINES.items() for release in line.ends],
)
def test_every_release_with_a_date_is_one_that_the_inventory_names(product: str, release: str) -> None:
    technology = recognise(f"{product} {release}")
    assert technology is not None
    assert (technology.product, technology.release) == (product, release)
