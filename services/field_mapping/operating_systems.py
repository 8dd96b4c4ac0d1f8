"""Names of operating systems as tools write them, reduced to family and major version."""

import re

# Windows Server first: its year, and R2 where it has one. The first pattern that fits decides.
_OPERATING_SYSTEMS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), family)
    for pattern, family in (
        (r"windows.*?server\D*(?P<version>20\d\d|1[0-9]0[39]|\d\dh\d)(?P<r2>\W*r2)?|\bwin\w*\W*(?P<year>20(?!00)\d\d)(?P<release>\W*r2)?",
         "Windows Server"),
        (r"windows\W*nt\W*(?:advanced\W*)?server\W*(?P<kernel>[56]\.\d)", "Windows Server"),
        (r"windows\W*nt\W*workstation\W*(?P<version>10)\.0", "Windows"),
        (r"windows.*?\b2000|windows\W*nt\b", "Windows NT/2000"),
        (r"windows\W*server", "Windows Server"),
        (r"windows\D*(?P<version>7|8\.1|8|10|11)\b", "Windows"),
        (r"windows\W*xp", "Windows XP"),
        (r"windows\W*vista", "Windows Vista"),
        (r"\bwin(?:dows)?\b", "Windows"),
        (r"oracle\W*(?:enterprise\W*)?linux\D*(?P<version>\d+)?|\bol(?:inux)?\W?(?P<short>\d)\b", "Oracle Linux"),
        (r"red\W*hat\D*(?P<version>\d+)?|\brhel\D*(?P<short>\d+)?|\brehel\b", "RHEL"),
        (r"alma\D*(?P<version>\d+)?", "AlmaLinux"),
        (r"rocky\D*(?P<version>\d+)?", "Rocky Linux"),
        (r"cent\W*os(?:\D*(?P<version>\d+)(?!\d*/))?", "CentOS"),
        (r"ubuntu\D*(?P<version>\d\d\.\d\d)?", "Ubuntu"),
        (r"debian\D*(?P<version>\d+)?", "Debian"),
        (r"suse\D*(?P<version>\d+)?|\bsles\D*(?P<short>\d+)?", "SLES"),
        (r"amazon\W*linux\D*(?P<version>\d+)?", "Amazon Linux"),
        (r"photon\D*(?P<version>\d+)?", "Photon OS"),
        (r"esxi?\D*(?P<version>\d+\.\d+|\d+)?", "VMware ESXi"),
        (r"\baix\D*(?P<version>\d+\.\d+|\d+)?", "AIX"),
        (r"solaris\D*(?P<version>\d+)?|\bsunos\D*(?P<short>\d+(?:\.\d+)?)?", "Solaris"),
        (r"hp\W?ux\D*(?P<version>\d+(?:\.\d+|i)?)?", "HP-UX"),
        (r"free\W*bsd\D*(?P<version>\d+)?", "FreeBSD"),
        (r"fedora\D*(?P<version>\d+)?", "Fedora"),
        (r"\bz\W?os\b", "z/OS"),
        (r"ibm\W?i\b|os.?400|as.?400", "IBM i"),
        (r"mac\W?os|os\W?x\b", "macOS"),
        (r"linux", "Linux"),
    )
]  # fmt: skip
# Families whose version may stand in a column of its own, cut to what names a release.
_OWN_VERSION = re.compile(r"^\D{0,12}?(\d+(?:\.\d+)?)")
_MINOR_COUNTS = frozenset({"Ubuntu", "VMware ESXi", "AIX", "HP-UX"})
# Kernel versions of Windows Server that have one meaning (Microsoft, "Operating System Version").
_WINDOWS_KERNELS = {"5.2": "2003", "6.0": "2008", "6.1": "2008 R2", "6.2": "2012", "6.3": "2012 R2"}
_WINDOWS_BUILDS = {"14393": "2016", "17763": "2019", "20348": "2022", "26100": "2025"}


def operating_system_family(name: str | None, version: str | None) -> str:
    """Family and major version, such as "Windows Server 2012 R2" or "Ubuntu 22.04"; "Unknown" without a name."""
    if not name:
        return "Unknown"
    # Some tools write the family as the name and the product as the version.
    product = version if version and re.search(r"[a-zA-Z]{3}", version) else None
    for text in (product, name):
        lowered = re.sub(r"\W*\b(?:32|64)\W?bit\b\W*", " ", text.lower()) if text else ""
        for pattern, family in _OPERATING_SYSTEMS if lowered else []:
            if match := pattern.search(lowered):
                return f"{family} {_written_release(match.groupdict()) or _release(family, version or '')}".strip()
    return name


def _written_release(found: dict[str, str | None]) -> str:
    """The release that the name itself carries."""
    release = (
        found.get("version")
        or found.get("year")
        or found.get("short")
        or _WINDOWS_KERNELS.get(found.get("kernel") or "", "")
    )
    return f"{release} R2" if release and (found.get("r2") or found.get("release")) else release


def _release(family: str, version: str) -> str:
    """The release that a version column names for a family, if it does."""
    if family == "Windows Server":
        lowered = version.lower()
        if year := re.search(r"20\d\d", lowered):
            return year.group() + (" R2" if "r2" in lowered else "")
        build = re.search(r"10\.0\D+(\d{5})", lowered)
        return _WINDOWS_BUILDS.get(build.group(1), "") if build else _WINDOWS_KERNELS.get(lowered[:3], "")
    number = _OWN_VERSION.match(version)
    if not number or family == "Linux" or family.startswith("Windows"):
        return ""
    return number.group(1) if family in _MINOR_COUNTS else number.group(1).split(".")[0]
