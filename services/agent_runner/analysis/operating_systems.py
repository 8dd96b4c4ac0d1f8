"""Which operating system a free text means, what family it is of, and when its vendor's general support ends."""

import re
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal

Family = Literal["windows", "linux", "bsd", "unix", "mainframe", "hypervisor"]


@dataclass(frozen=True)
class OperatingSystem:
    """A recognised operating system; `end_of_support` is None where the version is not known or has no fixed date."""

    name: str
    family: Family
    end_of_support: date | None
    source: str


@dataclass(frozen=True)
class _Product:
    """One product line: how it is named, how its version is written, and the end of general support by version."""

    name: str
    family: Family
    pattern: str
    source: str
    ends: dict[str, date] = field(default_factory=dict)
    version: str = r"(?<![\d.])(\d{1,2})(?=$|[^\d])"


def _ends(text: str) -> dict[str, date]:
    """Ends of support by version, from "<version> <day>, …"."""
    pairs = (entry.rsplit(" ", 1) for entry in text.split(", "))
    return {version: date.fromisoformat(day) for version, day in pairs}


# End of support without paid extensions (extended support for Microsoft, LTS for Debian and Ubuntu, extended support
# for Solaris). Facts from the vendors' lifecycle pages named as source, compared with endoflife.date.
_MICROSOFT = "https://learn.microsoft.com/lifecycle/products/"
_PRODUCTS: list[_Product] = [
    _Product(
        "VMware ESXi",
        "hypervisor",
        r"\besxi?\b",
        "https://support.broadcom.com/group/ecx/productlifecycle",
        _ends("5.5 2018-09-19, 6.0 2020-03-12, 6.5 2022-10-15, 6.7 2022-10-15, 7.0 2025-10-02, 8.0 2027-10-11"),
        r"(?<![\d.])(\d\.\d)",
    ),
    _Product("Hyper-V Server", "hypervisor", r"hyper-?v server", _MICROSOFT),
    _Product(
        "Citrix hypervisor",
        "hypervisor",
        r"xenserver|citrix hypervisor|xcp-ng",
        "https://www.citrix.com/support/product-lifecycle/",
    ),
    _Product("Nutanix AHV", "hypervisor", r"\bahv\b|nutanix", "https://portal.nutanix.com/page/documents/eol/list"),
    _Product("Proxmox VE", "hypervisor", r"proxmox", "https://pve.proxmox.com/wiki/FAQ"),
    _Product(
        "z/OS",
        "mainframe",
        r"\bz/?os\b|os/390|\bmvs\b|z/?vm\b|z/?vse\b|mainframe",
        "https://www.ibm.com/support/pages/lifecycle/",
    ),
    _Product(
        "IBM i",
        "mainframe",
        r"\bos/?400\b|\bas/?400\b|\bibm i\b|\bi5/?os\b|iseries",
        "https://www.ibm.com/support/pages/lifecycle/",
    ),
    _Product("OpenVMS", "mainframe", r"openvms|\bvms\b", "https://vmssoftware.com/about/roadmap/"),
    _Product("HP NonStop", "mainframe", r"nonstop|tandem", "https://www.hpe.com/us/en/servers/nonstop.html"),
    _Product(
        "AIX",
        "unix",
        r"\baix\b",
        "https://www.ibm.com/support/pages/aix-support-lifecycle-information",
        _ends("5.3 2012-04-30, 6.1 2017-04-30, 7.1 2023-04-30"),
        r"(?<![\d.])(\d\.\d)",
    ),
    _Product(
        "HP-UX",
        "unix",
        r"hp-?ux",
        "https://www.hpe.com/info/hpuxservermatrix",
        _ends("11 2025-12-31"),
        r"(11)(?=[iv.\s]|$)",
    ),
    _Product(
        "Solaris",
        "unix",
        r"solaris|sunos",
        "https://www.oracle.com/support/lifetime-support/",
        _ends("8 2012-03-31, 9 2014-10-31, 10 2027-01-31, 11.3 2027-01-31, 11.4 2037-11-30"),
        r"(?<![\d.])(11\.\d|\d{1,2})(?=$|[^\d])",
    ),
    _Product("Tru64 UNIX", "unix", r"tru64|digital unix", "https://www.hpe.com/", _ends("5 2012-12-31")),
    _Product("SCO UNIX", "unix", r"\bsco\b|unixware|openserver", "https://www.xinuos.com/support/"),
    _Product(
        "Windows Server",
        "windows",
        r"win(dows)?.{0,20}((?<![a-z])server|(?<!\d)20\d\d|\bnt\b)|\bws20\d\d",
        _MICROSOFT,
        _ends(
            "nt 2004-12-31, 2000 2010-07-13, 2003 2015-07-14, 2003 r2 2015-07-14, 2008 2020-01-14, "
            "2008 r2 2020-01-14, 2012 2023-10-10, 2012 r2 2023-10-10, 2016 2027-01-12, "
            "2019 2029-01-09, 2022 2031-10-14, 2025 2034-10-10"
        ),
        r"(20(?:00|03|08|12|16|19|22|25)(?:\s?r2)?|\bnt\b)",
    ),
    _Product(
        "Windows",
        "windows",
        r"windows|\bwin\s?\d",
        _MICROSOFT,
        _ends("xp 2014-04-08, vista 2017-04-11, 7 2020-01-14, 8 2016-01-12, 8.1 2023-01-10, 10 2025-10-14"),
        r"(xp|vista|8\.1|(?<![\d.])(?:7|8|10|11)(?![\d.]))",
    ),
    _Product(
        "CentOS Stream",
        "linux",
        r"centos.{0,4}stream",
        "https://www.centos.org/cl-vs-cs/",
        _ends("8 2024-05-31, 9 2027-05-31, 10 2030-01-01"),
    ),
    _Product(
        "CentOS",
        "linux",
        r"cent\s?os",
        "https://www.centos.org/centos-linux-eol/",
        _ends("4 2012-02-29, 5 2017-03-31, 6 2020-11-30, 7 2024-06-30, 8 2021-12-31"),
    ),
    _Product(
        "Oracle Linux",
        "linux",
        r"oracle.{0,12}linux|\bol\d",
        "https://www.oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf",
        _ends("5 2017-06-30, 6 2021-03-31, 7 2024-12-31, 8 2029-07-31, 9 2032-06-30"),
    ),
    _Product(
        "Red Hat Enterprise Linux",
        "linux",
        r"red\s?hat|rhel",
        "https://access.redhat.com/support/policy/updates/errata",
        _ends("4 2012-02-29, 5 2017-03-31, 6 2020-11-30, 7 2024-06-30, 8 2029-05-31, 9 2032-05-31, 10 2035-05-31"),
        r"(?:(?<=rhel)|(?<![\d.]))(\d{1,2})(?=$|[^\d])",
    ),
    _Product(
        "Rocky Linux",
        "linux",
        r"rocky",
        "https://wiki.rockylinux.org/rocky/version/",
        _ends("8 2029-05-31, 9 2032-05-31"),
    ),
    _Product(
        "AlmaLinux",
        "linux",
        r"alma\s?linux",
        "https://wiki.almalinux.org/release-notes/",
        _ends("8 2029-03-01, 9 2032-05-31"),
    ),
    _Product(
        "SUSE Linux Enterprise Server",
        "linux",
        r"suse|\bsles",
        "https://www.suse.com/lifecycle",
        _ends("9 2011-07-31, 10 2013-07-31, 11 2019-03-31, 12 2024-10-31, 15 2031-07-31"),
        r"(?:(?<=sles)|(?<![\d.]))(\d{1,2})(?=$|[^\d])",
    ),
    _Product(
        "Ubuntu",
        "linux",
        r"ubuntu",
        "https://ubuntu.com/about/release-cycle",
        _ends(
            "12.04 2017-04-28, 14.04 2019-04-02, 16.04 2021-04-02, 18.04 2023-05-31, 20.04 2025-05-31, "
            "22.04 2027-04-01, 24.04 2029-05-31, 26.04 2031-04-30"
        ),
        r"(?<![\d.])(\d{2}\.(?:04|10))",
    ),
    _Product(
        "Debian",
        "linux",
        r"debian",
        "https://wiki.debian.org/LTS",
        _ends("6 2016-02-29, 7 2018-05-31, 8 2020-06-30, 9 2022-07-01, 10 2024-06-30, 11 2026-08-31, 12 2028-06-10"),
    ),
    _Product(
        "Amazon Linux",
        "linux",
        r"amazon\s?linux|\bal20\d\d",
        "https://aws.amazon.com/amazon-linux-2/faqs/",
        _ends("2 2026-06-30, 2018.03 2023-12-31"),
        r"(?<![\d.])(2023|2018\.03|2)(?=$|[^\d.])",
    ),
    _Product(
        "FreeBSD",
        "bsd",
        r"freebsd",
        "https://www.freebsd.org/security/unsupported/",
        _ends("11 2021-09-30, 12 2023-12-31, 13 2026-04-30"),
    ),
    _Product(
        "Linux",
        "linux",
        r"linux|fedora|alpine|photon",
        "https://www.kernel.org/category/releases.html",
        version=r"(?!)",
    ),
]

# Windows builds as `os_version` columns carry them;
# https://learn.microsoft.com/windows/release-health/windows-server-release-info
_WINDOWS_BUILDS = {
    "3790": "2003",
    "6001": "2008",
    "6002": "2008",
    "6003": "2008",
    "7600": "2008 r2",
    "7601": "2008 r2",
    "9200": "2012",
    "9600": "2012 r2",
    "14393": "2016",
    "17763": "2019",
    "20348": "2022",
    "26100": "2025",
}
_NOISE = re.compile(r"\(?\b(32|64)[\s-]?bits?\b\)?|\bx(86|64)(_64)?\b|\(r\)|[®™]")
_SPELLINGS = [(r"2k(3|8)\b", r"200\1"), (r"2k(\d\d)\b", r"20\1"), (r"sunos 5\.", "solaris ")]
# "2016 or later", "4/5": what the hypervisor was told, not what runs.
_SEVERAL_VERSIONS = re.compile(r"or (later|newer|above)|\d\s*/\s*\d")


@lru_cache(maxsize=8192)
def identify(operating_system: str | None, os_version: str | None = None) -> OperatingSystem | None:
    """The operating system that an inventory's text and version column mean; None when no product is recognised."""
    text = _NOISE.sub(" ", (operating_system or "").lower().replace("_", " "))
    for pattern, written in _SPELLINGS:
        text = re.sub(pattern, written, text)
    version_text = (os_version or "").lower()
    if not text.strip():
        return None
    for product in _PRODUCTS:
        found = re.search(product.pattern, text)
        if found:
            return _released(product, text[found.start() :], version_text)
    return None


def _released(product: _Product, text: str, version_text: str) -> OperatingSystem:
    if _SEVERAL_VERSIONS.search(text) and not version_text:
        return OperatingSystem(f"{product.name} of an unknown version", product.family, None, product.source)
    version = _version(product, text) if not _SEVERAL_VERSIONS.search(text) else None
    if version is None or (version not in product.ends and version_text):
        version = _version(product, version_text) or version
    if version is None:
        return OperatingSystem(product.name, product.family, None, product.source)
    written = version.upper() if product.family == "windows" else version
    return OperatingSystem(f"{product.name} {written}", product.family, product.ends.get(version), product.source)


def _version(product: _Product, text: str) -> str | None:
    if product.name == "Windows Server":
        build = next((year for build, year in _WINDOWS_BUILDS.items() if re.search(rf"\b{build}\b", text)), None)
        if build:
            return build
    found = re.search(product.version, text)
    return re.sub(r"\s?r2", " r2", found.group(1)) if found else None
