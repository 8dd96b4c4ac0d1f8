"""Spellings of values that have a fixed vocabulary. What a vocabulary does not know stays as it was written."""

import re

import polars as pl

# Ways to write "no value"; compared in lower case. Nobody has to be told about these.
EMPTY_WORDS = frozenset(
    """- -- --- – — _ . .. ... ? ?? ??? n/a n.a. n.a n\\a na n/d nil nul null <null> (null) none <none> (none) nan nat undefined unknown
    <unknown> (unknown) unk unspecified tbd tbc t.b.d. tba (empty) <empty> empty (blank) <blank> blank unbekannt keine keiner k.a. k.a
    unassigned inconnu aucun desconocido [] {} [];""".split()
) | {
    "",
    "not available",
    "not applicable",
    "not set",
    "not known",
    "not specified",
    "to be determined",
    "to be defined",
    "not defined",
}
# What spreadsheets show for a formula that failed.
SPREADSHEET_ERRORS = frozenset(
    {"#ref!", "#n/a", "#value!", "#div/0!", "#name?", "#num!", "#null!", "#spill!", "#calc!", "#getting_data"}
)


def _spellings(vocabulary: dict[str, str]) -> dict[str, str]:
    """Spelling to canonical value, from a canonical value and its spellings separated by commas."""
    spellings = {}
    for canonical, others in vocabulary.items():
        for spelling in [canonical, *others.split(",")]:
            spellings[_key(spelling)] = canonical
    return spellings


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


ENVIRONMENTS = _spellings(
    {
        "Production": "prd,prod,produktion,produktiv,produktivumgebung,productive,live,produccion,producción,produção,produzione,prod env",
        "DR": "disaster recovery,dr site,drp,failover,contingency,bcp,dr environment",
        "Staging": "stg,stage,stag,pre production,preproduction,preprod,pre prod,ppd,pprd,ppe,vorproduktion,préproduction,preproduktion",
        "UAT": "user acceptance,user acceptance testing,user acceptance test,acceptance,acceptance test,acc,acpt,abnahme,abnahmetest,recette",
        "Test": "tst,testing,qa,qas,quality assurance,qs,sit,system integration test,integration,int,integration test,quality,testumgebung",
        "Development": "dev,develop,entwicklung,ent,entw,développement,desarrollo,sviluppo,dev env,devel",
        "Sandbox": "sbx,sandpit,poc,proof of concept,lab,demo,playground",
        "Training": "trn,train,schulung,education,formation",
    }
)

POWER_STATES = _spellings(
    {
        "on": "poweredon,powered on,power on,running,up,started,online,green,ein,eingeschaltet,active,vm running,true,yes",
        "off": "poweredoff,powered off,power off,stopped,down,shutdown,shut down,offline,deallocated,vm deallocated,halted,aus,"
        "ausgeschaltet,notrunning,not running,terminated,false,no",
        "suspended": "suspend,paused,saved,hibernated,standby",
    }
)

CRITICALITY = _spellings(
    {
        "critical": "crit,mission critical,business critical,very high,highest,1,p1,tier 1,tier1,tier 0,tier 1 mission critical,"
        "1 most critical,1 critical,kritisch,sehr hoch,platinum,vital,extreme",
        "high": "hi,h,2,p2,tier 2,tier2,2 somewhat critical,2 high,hoch,gold,important,major,essential,tier 2 business critical",
        "medium": "med,m,moderate,normal,average,3,p3,tier 3,tier3,3 less critical,3 moderate,3 medium,mittel,silver,standard,tier 3 important",
        "low": "lo,l,minor,4,p4,tier 4,tier4,4 not critical,4 low,niedrig,gering,bronze,non critical,not critical,none critical,negligible",
    }
)

LIFECYCLE = _spellings(
    {
        "active": "in use,in production,installed,operational,live,production,deployed,in service,in operation,aktiv,in betrieb,ready,"
        "use,running,maintained,in maintenance,1",
        "planned": "plan,planning,proposed,on order,ordered,pending install,pipeline,requested,to be installed,geplant,design,build,future",
        "retired": "retire,end of life,eol,obsolete,sunset,out of service,disposed,end of use,archived,absent,stillgelegt",
        "decommissioned": "decom,decomm,decommission,decommed,dismantled,removed,scrapped,ausser betrieb,außer betrieb,abgeschaltet,deleted",
    }
)

ASSET_TYPES = _spellings(
    {
        "server": "physical server,physical,bare metal,rack server,blade,blade server,computer,windows server,linux server,unix server,"
        "aix server,solaris server,cmdb ci server,cmdb ci win server,cmdb ci linux server,cmdb ci unix server,cmdb ci aix server,"
        "cmdb ci solaris server,host server,srv,member server",
        "vm": "virtual machine,virtual server,virtual,guest,instance,vmware virtual machine,virtual machine instance,ec2 instance,"
        "cmdb ci vm instance,cmdb ci vmware instance,vmware virtual machine instance,virtuelle maschine,cloud server",
        "host": "hypervisor,esx,esxi,esxi host,esx host,esx server,vm host,vmhost,virtualization host,cmdb ci esx server,hyper v host",
        "database": "db,database server,database instance,db instance,datenbank,cmdb ci database,cmdb ci db instance,db server,"
        "sql server instance,oracle instance",
        "application": "app,business application,application service,service,software,anwendung,applikation,cmdb ci appl,"
        "cmdb ci business app,mapped application service,cmdb ci service discovered",
        "network_device": "network,network device,switch,router,firewall,load balancer,network gear,cmdb ci netgear,cmdb ci ip switch,"
        "cmdb ci ip router,cmdb ci ip firewall,cmdb ci lb,netzwerk",
        "storage_device": "storage,storage array,nas,san,storage device,storage server,cmdb ci storage server,filer",
        "workstation": "desktop,laptop,notebook,pc,client,cmdb ci pc hardware",
        "container": "pod,docker container,cmdb ci docker container,kubernetes pod",
        "cluster": "cmdb ci cluster,server cluster",
    }
)

BOOLEANS = _spellings(
    {"true": "yes,y,t,1,ja,j,oui,si,sí,x,on,wahr,vrai,enabled", "false": "no,n,f,0,nein,non,off,falsch,faux,disabled"}
)
IS_VIRTUAL = {
    **BOOLEANS,
    **_spellings(
        {
            "true": "virtual,vm,virtual machine,guest,virtuell,cloud",
            "false": "physical,bare metal,physisch,hardware,host,metal",
        }
    ),
}

# Canonical fields whose values are read with a vocabulary.
VOCABULARIES = {
    "environment": ENVIRONMENTS,
    "power_state": POWER_STATES,
    "criticality": CRITICALITY,
    "lifecycle_status": LIFECYCLE,
    "asset_type": ASSET_TYPES,
}


def canonical_values(text: pl.Series, spellings: dict[str, str]) -> pl.Series:
    """The canonical value of each text, ignoring case, punctuation and a counter at the end ("PRD-01"); null if unknown."""
    key = pl.col("text").str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    uncounted = key.str.replace(r"\s?\d+$", "")
    exact, counted = (part.replace_strict(spellings, default=None, return_dtype=pl.String) for part in (key, uncounted))
    return pl.DataFrame({"text": text}).select(pl.coalesce(exact, counted)).to_series()


# Windows Server first: its year, and R2 where it has one. The first pattern that fits decides.
_OPERATING_SYSTEMS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), family)
    for pattern, family in (
        (r"windows.*?server\D*(?P<version>20\d\d|1[0-9]0[39]|\d\dh\d)(?P<r2>\W*r2)?|\bwin\w*\W*(?P<year>20(?!00)\d\d)(?P<release>\W*r2)?",
         "Windows Server"),
        (r"windows\W*nt\W*(?:advanced\W*)?server\W*(?P<kernel>[56]\.\d)", "Windows Server"),
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
    """Family and major version, such as "Windows Server 2012 R2", "RHEL 7" or "Ubuntu 22.04"; "Unknown" without a name."""
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
