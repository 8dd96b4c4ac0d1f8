"""The rules on whether an application moves at all: the first half of the 6R table."""

from services.agent_runner.analysis.rule_conditions import IDLE_PCT, ZOMBIE_PCT, below, engine, important
from services.agent_runner.analysis.scales import DISASTER_RECOVERY, is_retired
from services.agent_runner.analysis.treatment_rule import AWS_7R, AWS_ORACLE, AWS_TREE, AZURE_CAF, GARTNER, Rule

DISPOSITION_RULES: tuple[Rule, ...] = (
    Rule(
        "treatment_recorded",
        "The inventory records a treatment for assets of it, and no two different ones",
        lambda f: len(f.recorded_treatments) == 1,
        "as_recorded",
        0.9,
        "The inventory records the decision to {recorded} {f.name}; it stands until someone changes it.",
        "A decision of the organisation goes before any rule",
    ),
    Rule(
        "decommissioned",
        "Its lifecycle status, or that of every asset it has, says that it is gone or going",
        lambda f: is_retired(f.lifecycle_status) or (f.asset_count > 0 and f.retired_assets == f.asset_count),
        "retire",
        0.95,
        (
            "{f.name} is on its way out already: its lifecycle status is {lifecycle} and {f.retired_assets} of its "
            "{f.asset_count} assets are retired."
        ),
        AWS_7R,
    ),
    Rule(
        "hypervisor_hosts",
        "All its assets are virtualisation hosts",
        lambda f: f.live > 0 and f.hypervisor_hosts == f.live,
        "retire",
        0.85,
        (
            "{f.name} only hosts virtual machines ({systems}); these move on their own, and the host is switched "
            "off after them."
        ),
        AWS_7R,
    ),
    Rule(
        "already_in_cloud",
        "All its assets are cloud instances",
        lambda f: f.live > 0 and f.cloud_assets == f.live,
        "retain",
        0.9,
        (
            "{f.name} runs in the cloud already ({servers} with an instance type and an account or region), so "
            "there is nothing to move."
        ),
        "Nothing to move",
    ),
    Rule(
        "devices",
        "It has assets that are network, storage or other devices, and none with an operating system",
        lambda f: bool(f.devices) and not f.operating_systems,
        "retain",
        0.7,
        (
            "{f.name} is made of devices ({devices}) and not of servers; it stays with the site, and its function "
            "is designed anew in the cloud network."
        ),
        AWS_7R,
        ("operating system",),
    ),
    Rule(
        "powered_off",
        "All its assets are powered off, and it is not of high criticality",
        lambda f: 0 < f.live == f.powered_off and not important(f),
        "retire",
        0.75,
        (
            "Every asset of {f.name} ({servers}) is powered off and its criticality is {criticality}: confirm with "
            "its owner, archive the data and retire it."
        ),
        AWS_7R,
        ("criticality", "environment", "owner"),
    ),
    Rule(
        "zombie",
        f"Its busiest asset uses less than {ZOMBIE_PCT} % CPU and memory, and it is not of high criticality",
        lambda f: below(f, ZOMBIE_PCT) and not important(f),
        "retire",
        0.65,
        (
            "{f.name} does next to nothing ({use} on its busiest asset) and its criticality is {criticality}: ask "
            "its owner whether anyone would miss it."
        ),
        AWS_7R,
        ("criticality", "environment", "dependencies"),
    ),
    Rule(
        "idle",
        f"Its busiest asset uses less than {IDLE_PCT} % CPU and memory, and its criticality is known to be low",
        lambda f: below(f, IDLE_PCT) and f.criticality_level is not None and f.criticality_level <= 0.25,
        "retire",
        0.55,
        (
            "{f.name} is nearly idle ({use} on its busiest asset) and of criticality {criticality}: retire it "
            "unless its owner objects."
        ),
        AWS_7R,
        ("environment", "dependencies", "owner"),
    ),
    Rule(
        "disaster_recovery_copy",
        "It exists for disaster recovery only",
        lambda f: f.environment_rank == DISASTER_RECOVERY,
        "retire",
        0.5,
        (
            "{f.name} is a disaster recovery copy ({f.environment}); in the cloud, recovery is set up anew with "
            "the application it protects."
        ),
        AWS_TREE,
        ("operating system", "dependencies"),
    ),
    Rule(
        "bought_as_a_service",
        "It is a product that its vendor, or a successor, sells as a service",
        lambda f: f.replacement is not None and f.replacement.exact,
        "repurchase",
        0.8,
        (
            "{f.name} is {recognised}, a product that is bought as a service today: move its data to {service} in "
            "place of its {servers}."
        ),
        f"{AWS_7R}; {AZURE_CAF}; {GARTNER}",
        ("criticality", "environment"),
    ),
    Rule(
        "commodity_function",
        "Its name or its servers' roles say that it does what standard services do",
        lambda f: f.replacement is not None,
        "repurchase",
        0.55,
        "{f.name} looks like {recognised}, which is commonly bought: compare {service} with moving its {servers}.",
        f"{AWS_7R}; {AZURE_CAF}; {GARTNER}",
        ("criticality", "environment", "operating system"),
    ),
    Rule(
        "no_assets",
        "No asset of it is known",
        lambda f: f.asset_count == 0,
        "retain",
        0.35,
        (
            "No server of {f.name} is known, so nothing can be planned for it: find out where it runs, then assess "
            "it again."
        ),
        AWS_7R,
        ("criticality", "environment"),
    ),
    Rule(
        "mainframe",
        "It runs on a mainframe or midrange platform",
        lambda f: "mainframe" in f.families,
        "retain",
        0.7,
        (
            "{f.name} runs on {platform}, which no cloud offers as it is; it stays until a programme of its own "
            "rewrites or replaces it."
        ),
        AWS_7R,
        ("criticality", "dependencies"),
        True,
    ),
    Rule(
        "low_value_unix",
        "It runs on UNIX or another platform than x86, and its criticality is known to be low",
        lambda f: (
            bool("unix" in f.families or f.non_x86) and f.criticality_level is not None and f.criticality_level <= 0.25
        ),
        "retain",
        0.55,
        (
            "{f.name} runs on {platform} and would have to be ported; at criticality {criticality} that is not "
            "worth it now."
        ),
        f"{AWS_7R}; {AWS_TREE}",
        ("environment", "dependencies"),
        True,
    ),
    Rule(
        "oracle_rac",
        "It uses Oracle Real Application Clusters",
        lambda f: engine(f, r"rac\b", "real application clusters"),
        "retain",
        0.45,
        (
            "{f.name} uses {engines}; clusters with shared storage do not run on plain cloud servers or managed "
            "Oracle services, so it needs a design first."
        ),
        AWS_ORACLE,
        ("criticality", "dependencies"),
        True,
    ),
    Rule(
        "restricted_data",
        "Its data is of the highest sensitivity and it is of high criticality",
        lambda f: (f.sensitivity or 0) >= 1 and important(f),
        "retain",
        0.5,
        (
            "{f.name} holds {f.data_classification!r} data at criticality {criticality}: where it may lie, and who "
            "may run it, has to be cleared before it moves."
        ),
        AWS_7R,
        ("environment", "operating system"),
        True,
    ),
)
