"""Products and functions that are bought as a service today: what "repurchase" can mean for an application."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Replacement:
    """What is recognised in an application's name or roles, and the service that replaces it.

    `exact` is False where only a function is recognised (a CRM), and no product.
    """

    recognised: str
    service: str
    source: str
    exact: bool


# Databases that applications run on, by the inventory's canonical names: what a server's role may name as its engine.
DATABASES = frozenset(
    {
        *("ADABAS", "Apache Cassandra", "EDB Postgres Advanced Server", "Firebird", "IBM Db2", "IBM Informix"),
        *("IBM Netezza", "Ingres", "MariaDB", "Microsoft SQL Server", "MongoDB", "MySQL", "Oracle Database"),
        *("Oracle Real Application Clusters (RAC)", "Percona Server", "PostgreSQL", "Progress OpenEdge", "Redis"),
        *("SAP ASE", "SAP HANA", "SAP MaxDB", "Teradata", "Vertica"),
    }
)

_MICROSOFT = "https://learn.microsoft.com/microsoft-365/enterprise/"
_ATLASSIAN = "https://www.atlassian.com/migration/assess/journey-to-cloud"
_AWS_REPURCHASE = (
    "https://docs.aws.amazon.com/prescriptive-guidance/latest/large-migration-guide/migration-strategies.html"
)

_CATALOGUE: list[tuple[str, Replacement]] = [
    (pattern, Replacement(recognised, service, source, True))
    for pattern, recognised, service, source in (
        (
            r"(ms|microsoft) exchange|\bexchange (server|20\d\d|mailbox|edge|cas|dag|owa)\b|^exchange$",
            "Exchange Server",
            "Exchange Online",
            _MICROSOFT,
        ),
        (r"\bshare ?point\b", "SharePoint Server", "SharePoint Online", _MICROSOFT),
        (r"\bskype for business\b|\blync\b", "Skype for Business", "Microsoft Teams", _MICROSOFT),
        (
            r"\bteam foundation\b|\btfs( ?20\d\d)?\b|\bazure devops server\b",
            "Team Foundation Server",
            "Azure DevOps Services",
            "https://learn.microsoft.com/azure/devops/migrate/migration-overview",
        ),
        (
            r"\bdynamics (crm|365|ax|nav|gp)\b",
            "Microsoft Dynamics",
            "Dynamics 365",
            "https://learn.microsoft.com/dynamics365/",
        ),
        (r"\bsiebel\b", "Siebel CRM", "a CRM service such as Oracle CX or Salesforce", "https://www.oracle.com/cx/"),
        (
            r"\bpeoplesoft\b",
            "PeopleSoft",
            "Oracle Fusion Cloud HCM",
            "https://www.oracle.com/human-capital-management/",
        ),
        (
            r"\b(lotus|ibm|hcl) (notes|domino)\b|\bdomino\b",
            "Notes and Domino",
            "Microsoft 365 or Google Workspace",
            _MICROSOFT,
        ),
        (r"\bjira\b", "Jira Server or Data Center", "Jira Cloud", _ATLASSIAN),
        (r"\bconfluence\b", "Confluence Server or Data Center", "Confluence Cloud", _ATLASSIAN),
        (r"\bbit ?bucket\b", "Bitbucket Server or Data Center", "Bitbucket Cloud", _ATLASSIAN),
        (r"\bremedy\b", "BMC Remedy", "BMC Helix", "https://www.bmc.com/it-solutions/bmc-helix-itsm.html"),
        (r"\bsugar ?crm\b", "SugarCRM", "Sugar Cloud", "https://www.sugarcrm.com/"),
        (r"\bgroupwise\b", "GroupWise", "Microsoft 365 or Google Workspace", _MICROSOFT),
        (r"\bzimbra\b", "Zimbra", "Microsoft 365 or Google Workspace", _MICROSOFT),
    )
] + [
    (pattern, Replacement(function, service, _AWS_REPURCHASE, False))
    for pattern, function, service in (
        (r"\bcrm\b|customer relationship", "customer relationship management", "a CRM service"),
        (r"\bhrms\b|\bhris\b|\bpayroll\b|human (resources|capital)", "human resources", "an HR service"),
        (r"help ?desk|service ?desk|\bitsm\b|trouble ticket|ticketing", "a service desk", "a service desk service"),
        (r"\be-?mail\b|\bmail ?server\b|\bweb ?mail\b", "e-mail", "an e-mail service"),
        (r"(travel|expense)s? (management|report|claim)\w*", "expense management", "an expense service"),
        (r"learning management|\blms\b|e-?learning", "learning management", "a learning service"),
        (r"\bintranet\b|\bwiki\b|collaboration|video conferenc\w+", "collaboration", "a collaboration service"),
    )
]
_ANY = re.compile("|".join(f"(?:{pattern})" for pattern, _ in _CATALOGUE))


def find_replacement(*texts: str | None) -> Replacement | None:
    """The service that replaces what these texts name (an application's name, its servers' roles), or None."""
    text = " | ".join(text.lower().replace("_", " ").replace("-", " ").strip() for text in texts if text)
    if not _ANY.search(text):
        return None
    parts = text.split(" | ")
    return next((service for pattern, service in _CATALOGUE for part in parts if re.search(pattern, part)), None)
