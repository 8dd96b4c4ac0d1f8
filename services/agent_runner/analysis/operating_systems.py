"""What family an operating system is of, and when its vendor's general support ends.

Names and releases are the inventory's canonical ones; what a text means is decided there, once.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Family = Literal["windows", "linux", "bsd", "unix", "mainframe", "hypervisor"]


@dataclass(frozen=True)
class OperatingSystem:
    """A recognised operating system; `end_of_support` is None where the release is not known or has no fixed date."""

    name: str
    family: Family
    end_of_support: date | None
    source: str


@dataclass(frozen=True)
class ProductLine:
    """One product line: its family, where its lifecycle is published, and the end of general support by release."""

    family: Family
    source: str
    ends: dict[str, date] = field(default_factory=dict)


def _ends(text: str) -> dict[str, date]:
    """Ends of support by release, from "<release> <day>, …"."""
    pairs = (entry.rsplit(" ", 1) for entry in text.split(", "))
    return {release: date.fromisoformat(day) for release, day in pairs}


# End of support without paid extensions (extended support for Microsoft, LTS for Debian and Ubuntu, extended support
# for Solaris). Facts from the vendors' lifecycle pages named as source, compared with endoflife.date.
_MICROSOFT = "https://learn.microsoft.com/lifecycle/products/"
_IBM = "https://www.ibm.com/support/pages/lifecycle/"
_KERNEL = "https://www.kernel.org/category/releases.html"
PRODUCT_LINES: dict[str, ProductLine] = {
    "VMware ESXi": ProductLine(
        "hypervisor",
        "https://support.broadcom.com/group/ecx/productlifecycle",
        _ends("5.5 2018-09-19, 6.0 2020-03-12, 6.5 2022-10-15, 6.7 2022-10-15, 7.0 2025-10-02, 8.0 2027-10-11"),
    ),
    "Microsoft Hyper-V": ProductLine("hypervisor", _MICROSOFT),
    "Citrix Hypervisor": ProductLine("hypervisor", "https://www.citrix.com/support/product-lifecycle/"),
    "Xen": ProductLine("hypervisor", "https://xenbits.xen.org/docs/unstable/support-matrix.html"),
    "Nutanix AHV": ProductLine("hypervisor", "https://portal.nutanix.com/page/documents/eol/list"),
    "Proxmox VE": ProductLine("hypervisor", "https://pve.proxmox.com/wiki/FAQ"),
    "KVM": ProductLine("hypervisor", _KERNEL),
    "oVirt": ProductLine("hypervisor", "https://access.redhat.com/support/policy/updates/rhv"),
    "Oracle VM": ProductLine("hypervisor", "https://www.oracle.com/support/lifetime-support/"),
    "VMware vSphere": ProductLine("hypervisor", "https://support.broadcom.com/group/ecx/productlifecycle"),
    "z/OS": ProductLine("mainframe", _IBM),
    "OS/390": ProductLine("mainframe", _IBM),
    "MVS": ProductLine("mainframe", _IBM),
    "z/VM": ProductLine("mainframe", _IBM),
    "z/VSE": ProductLine("mainframe", _IBM),
    "z/TPF": ProductLine("mainframe", _IBM),
    "DOS/360": ProductLine("mainframe", _IBM),
    "IBM i": ProductLine("mainframe", _IBM),
    "BS2000": ProductLine("mainframe", "https://www.fujitsu.com/emeia/products/computing/servers/mainframe/bs2000/"),
    "Unisys MCP": ProductLine("mainframe", "https://www.unisys.com/solutions/clearpath-forward/"),
    "Unisys OS 2200": ProductLine("mainframe", "https://www.unisys.com/solutions/clearpath-forward/"),
    "OpenVMS": ProductLine("mainframe", "https://vmssoftware.com/about/roadmap/"),
    "HPE NonStop": ProductLine("mainframe", "https://www.hpe.com/us/en/servers/nonstop.html"),
    "AIX": ProductLine(
        "unix",
        "https://www.ibm.com/support/pages/aix-support-lifecycle-information",
        _ends("5.3 2012-04-30, 6.1 2017-04-30, 7.1 2023-04-30"),
    ),
    "HP-UX": ProductLine("unix", "https://www.hpe.com/info/hpuxservermatrix", _ends("11 2025-12-31")),
    "Solaris": ProductLine(
        "unix",
        "https://www.oracle.com/support/lifetime-support/",
        _ends("8 2012-03-31, 9 2014-10-31, 10 2027-01-31, 11.3 2027-01-31, 11.4 2037-11-30"),
    ),
    "Tru64 UNIX": ProductLine("unix", "https://www.hpe.com/", _ends("4 2012-12-31, 5 2012-12-31")),
    "SCO OpenServer": ProductLine("unix", "https://www.xinuos.com/support/"),
    "UnixWare": ProductLine("unix", "https://www.xinuos.com/support/"),
    "IRIX": ProductLine("unix", "https://www.hpe.com/"),
    "Unix": ProductLine("unix", "https://www.opengroup.org/membership/forums/platform/unix"),
    "Windows Server": ProductLine(
        "windows",
        _MICROSOFT,
        _ends(
            "NT 2004-12-31, 2000 2010-07-13, 2003 2015-07-14, 2003 R2 2015-07-14, 2008 2020-01-14, "
            "2008 R2 2020-01-14, 2012 2023-10-10, 2012 R2 2023-10-10, 2016 2027-01-12, "
            "2019 2029-01-09, 2022 2031-10-14, 2025 2034-10-10"
        ),
    ),
    "Windows": ProductLine(
        "windows",
        _MICROSOFT,
        _ends("XP 2014-04-08, Vista 2017-04-11, 7 2020-01-14, 8 2016-01-12, 8.1 2023-01-10, 10 2025-10-14"),
    ),
    "Windows Desktop": ProductLine("windows", _MICROSOFT),
    "CentOS Stream": ProductLine(
        "linux", "https://www.centos.org/cl-vs-cs/", _ends("8 2024-05-31, 9 2027-05-31, 10 2030-01-01")
    ),
    "CentOS": ProductLine(
        "linux",
        "https://www.centos.org/centos-linux-eol/",
        _ends("4 2012-02-29, 5 2017-03-31, 6 2020-11-30, 7 2024-06-30, 8 2021-12-31"),
    ),
    "Oracle Linux": ProductLine(
        "linux",
        "https://www.oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf",
        _ends("5 2017-06-30, 6 2021-03-31, 7 2024-12-31, 8 2029-07-31, 9 2032-06-30"),
    ),
    "Red Hat Enterprise Linux": ProductLine(
        "linux",
        "https://access.redhat.com/support/policy/updates/errata",
        _ends("4 2012-02-29, 5 2017-03-31, 6 2020-11-30, 7 2024-06-30, 8 2029-05-31, 9 2032-05-31, 10 2035-05-31"),
    ),
    "Rocky Linux": ProductLine(
        "linux", "https://wiki.rockylinux.org/rocky/version/", _ends("8 2029-05-31, 9 2032-05-31")
    ),
    "AlmaLinux": ProductLine("linux", "https://wiki.almalinux.org/release-notes/", _ends("8 2029-03-01, 9 2032-05-31")),
    "SUSE Linux Enterprise Server": ProductLine(
        "linux",
        "https://www.suse.com/lifecycle",
        _ends("9 2011-07-31, 10 2013-07-31, 11 2019-03-31, 12 2024-10-31, 15 2031-07-31"),
    ),
    "Ubuntu": ProductLine(
        "linux",
        "https://ubuntu.com/about/release-cycle",
        _ends(
            "12.04 2017-04-28, 14.04 2019-04-02, 16.04 2021-04-02, 18.04 2023-05-31, 20.04 2025-05-31, "
            "22.04 2027-04-01, 24.04 2029-05-31, 26.04 2031-04-30"
        ),
    ),
    "Debian": ProductLine(
        "linux",
        "https://wiki.debian.org/LTS",
        _ends("6 2016-02-29, 7 2018-05-31, 8 2020-06-30, 9 2022-07-01, 10 2024-06-30, 11 2026-08-31, 12 2028-06-10"),
    ),
    "Amazon Linux": ProductLine(
        "linux", "https://aws.amazon.com/amazon-linux-2/faqs/", _ends("2 2026-06-30, 2018.03 2023-12-31")
    ),
    **dict.fromkeys(
        ("Linux", "Linux on IBM Z (zLinux)", "Fedora", "Alpine Linux", "Photon OS", "openSUSE", "Scientific Linux",
         "Kali Linux", "Arch Linux", "Gentoo Linux", "Linux Mint", "Bottlerocket", "Flatcar Container Linux",
         "Azure Linux"),
        ProductLine("linux", _KERNEL),
    ),
    "FreeBSD": ProductLine(
        "bsd",
        "https://www.freebsd.org/security/unsupported/",
        _ends("11 2021-09-30, 12 2023-12-31, 13 2026-04-30"),
    ),
    "OpenBSD": ProductLine("bsd", "https://www.openbsd.org/faq/faq5.html"),
    "NetBSD": ProductLine("bsd", "https://www.netbsd.org/releases/formal.html"),
    "BSD": ProductLine("bsd", "https://www.freebsd.org/security/unsupported/"),
}  # fmt: skip


def identify(product: str | None, release: str | None = None) -> OperatingSystem | None:
    """The operating system of the inventory's canonical product and release; None for others and for none."""
    line = PRODUCT_LINES.get(product or "")
    if line is None:
        return None
    name = f"{product} {release}" if release else f"{product}"
    return OperatingSystem(name, line.family, line.ends.get(release or ""), line.source)
