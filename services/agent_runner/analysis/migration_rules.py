"""The rules on how an application moves: the second half of the 6R table; its last rule always applies."""

from services.agent_runner.analysis.rule_conditions import (
    ENGINES_ELSEWHERE,
    MANAGED_ENGINES,
    SUPPORT_HORIZON_DAYS,
    engine,
    is_oracle_suite,
    support_ends_soon,
)
from services.agent_runner.analysis.treatment_rule import AWS_7R, AWS_ORACLE, AWS_TREE, AZURE_CAF, GARTNER, Rule

_GENERAL = ("operating system", "environment", "criticality", "dependencies")

MIGRATION_RULES: tuple[Rule, ...] = (
    Rule(
        "unix_porting",
        "It runs on UNIX or another platform than x86",
        lambda f: bool("unix" in f.families or f.non_x86),
        "refactor",
        0.6,
        "{f.name} runs on {platform}; the large clouds offer x86 and Arm servers, so it has to be ported to Linux.",
        AWS_TREE,
        ("criticality", "environment", "dependencies"),
    ),
    Rule(
        "oracle_suite",
        "It is an Oracle business suite on its Oracle database",
        is_oracle_suite,
        "rehost",
        0.6,
        (
            "{f.name} is a packaged suite on {engines}; managed database services do not support it, so its "
            "servers move as they are."
        ),
        AWS_ORACLE,
        _GENERAL,
    ),
    Rule(
        "exadata",
        "It uses Oracle Exadata",
        lambda f: engine(f, "exadata"),
        "replatform",
        0.6,
        "{f.name} uses {engines}; the appliance cannot be rehosted, so its databases move to a managed service.",
        AWS_ORACLE,
        _GENERAL,
    ),
    Rule(
        "unsupported_system",
        "An operating system of it is out of its vendor's support",
        lambda f: bool(f.unsupported),
        "replatform",
        0.7,
        (
            "{f.name} runs {unsupported} on {affected}: that moves onto a supported release, so that the risk is "
            "not carried into the cloud."
        ),
        f"{AWS_7R}; {AZURE_CAF}",
        ("environment", "criticality", "dependencies"),
    ),
    Rule(
        "engine_without_service",
        "It has a database engine that clouds offer no managed service for",
        lambda f: engine(f, *ENGINES_ELSEWHERE),
        "replatform",
        0.55,
        "{f.name} uses {engines}; its data moves to a managed engine of a kind that its vendor or the cloud supports.",
        AWS_TREE,
        _GENERAL,
    ),
    Rule(
        "managed_database",
        "It has a database engine that clouds run as a managed service",
        lambda f: engine(f, *MANAGED_ENGINES),
        "replatform",
        0.65,
        (
            "{f.name} uses {engines}, which clouds run as a managed service: its databases go there, and the rest "
            "of its {servers} moves as it is."
        ),
        f"{AWS_7R}; {AZURE_CAF}",
        _GENERAL,
    ),
    Rule(
        "support_ends_soon",
        f"Support of an operating system of it ends within {SUPPORT_HORIZON_DAYS} days",
        support_ends_soon,
        "replatform",
        0.55,
        "{f.name} runs {ending}: its support would end soon after the move, so the upgrade is part of it.",
        AZURE_CAF,
        ("environment", "criticality", "dependencies"),
    ),
    Rule(
        "old_hardware",
        "It runs on hardware of its own that is past its end of life date",
        lambda f: f.physical > 0 and f.eol_date is not None and f.eol_date <= f.today,
        "rehost",
        0.7,
        (
            "{f.name} runs {systems} on hardware that reached its end of life on {f.eol_date}: moving it as it is "
            "saves buying new."
        ),
        AWS_7R,
        _GENERAL,
    ),
    Rule(
        "supported_virtual",
        "It runs x86 systems with known support on virtual machines",
        lambda f: f.known["end of support"] and f.virtual == f.live,
        "rehost",
        0.8,
        (
            "{f.name} runs {systems} on {machines}, all of it supported beyond {horizon}: it moves as it is and is "
            "optimised afterwards."
        ),
        f"{AWS_7R}; {AZURE_CAF}; {GARTNER}",
        (*_GENERAL, "utilisation"),
    ),
    Rule(
        "known_system",
        "It runs x86 systems, none of them known to be out of support",
        lambda f: bool(f.operating_systems),
        "rehost",
        0.65,
        (
            "{f.name} runs {systems}, none of it known to be out of support: it moves as it is and is optimised "
            "afterwards."
        ),
        f"{AWS_7R}; {AZURE_CAF}; {GARTNER}",
        (*_GENERAL, "end of support", "virtual or physical", "utilisation"),
    ),
    Rule(
        "little_known",
        "Nothing above holds",
        lambda f: True,
        "rehost",
        0.35,
        (
            "Too little is known about {f.name} ({servers}) for more than the default: move it as it is, once its "
            "operating system is known."
        ),
        AWS_7R,
        (*_GENERAL, "utilisation"),
    ),
)
