"""Spellings of values that have a fixed vocabulary. What a vocabulary does not know stays as it was written."""

import re

import polars as pl

# Ways to write "no value"; compared in lower case. Nobody has to be told about these.
EMPTY_WORDS = frozenset(
    [
        "-",
        "--",
        "---",
        "–",
        "—",
        "_",
        ".",
        "..",
        "...",
        "?",
        "??",
        "???",
        "n/a",
        "n.a.",
        "n.a",
        "n\\a",
        "na",
        "n/d",
        "nil",
        "nul",
        "null",
        "<null>",
        "(null)",
        "none",
        "<none>",
        "(none)",
        "nan",
        "nat",
        "undefined",
        "unknown",
        "<unknown>",
        "(unknown)",
        "unk",
        "unspecified",
        "tbd",
        "tbc",
        "t.b.d.",
        "tba",
        "(empty)",
        "<empty>",
        "empty",
        "(blank)",
        "<blank>",
        "blank",
        "unbekannt",
        "keine",
        "keiner",
        "k.a.",
        "k.a",
        "unassigned",
        "inconnu",
        "aucun",
        "desconocido",
        "[]",
        "{}",
        "[];",
    ]
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
# What spreadsheets show for a formula that failed; LibreOffice numbers those that Excel has no name for.
SPREADSHEET_ERRORS = frozenset(
    {"#ref!", "#n/a", "#value!", "#div/0!", "#name?", "#num!", "#null!", "#spill!", "#calc!", "#getting_data"}
    | {f"err:{number}" for number in range(501, 541)}
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
        "Production": (
            "prd,prod,produktion,produktiv,produktivumgebung,productive,live,produccion,producción,"
            "produção,canlı,canli,üretim,"
            "produzione,prod env"
        ),
        "DR": "disaster recovery,dr site,drp,failover,contingency,bcp,dr environment",
        "Staging": (
            "stg,stage,stag,pre production,preproduction,preprod,pre prod,ppd,pprd,ppe,vorproduktion,"
            "préproduction,preproduktion,preproducción,preproduccion,canlı öncesi"
        ),
        "UAT": (
            "user acceptance,user acceptance testing,user acceptance test,acceptance,acceptance test,acc,"
            "acpt,abnahme,abnahmetest,recette"
        ),
        "Test": (
            "tst,testing,qa,qas,quality assurance,qs,sit,system integration test,integration,int,"
            "integration test,quality,testumgebung,pruebas,essai,performance test,perf test"
        ),
        "Development": (
            "geliştirme,gelistirme,dev,develop,entwicklung,ent,entw,développement,desarrollo,sviluppo,dev env,devel"
        ),
        "Sandbox": "sbx,sandpit,poc,proof of concept,lab,demo,playground",
        "Training": "eğitim,egitim,formación,formacion,trn,train,schulung,education,formation",
    }
)

# The environments by the care that they need, the most first.
_CARE = ("Production", "DR", "Staging", "UAT", "Test", "Development", "Training", "Sandbox")
_SEVERAL = re.compile(r"[/,;&+|\n-]|\b(?:and|und|et|y|ve)\b")
_MEANINGLESS = re.compile(
    r"\b(?:environments?|env|umgebung|systeme?s?|servers?|vms?|ortamı|entorno|environnement|use)\b|[()]"
)

POWER_STATES = _spellings(
    {
        "on": (
            "powerstate running,encendido,allumé,allume,açık,acik,poweredon,powered on,power on,poweron,running,"
            "up,started,online,green,ein,eingeschaltet,active,vm running,true,yes"
        ),
        "off": (
            "powerstate deallocated,powerstate stopped,stopped deallocated,shut off,shutoff,apagado,"
            "poweroff,not activated,éteint,eteint,kapalı,kapali,poweredoff,powered off,power off,stopped,down,shutdown,"
            "shut down,offline,deallocated,"
            "vm deallocated,halted,aus,ausgeschaltet,notrunning,not running,terminated,false,no"
        ),
        "suspended": "suspendido,suspendu,askıda,suspend,paused,saved,hibernated,standby",
    }
)

CRITICALITY = _spellings(
    {
        "critical": (
            "critique,crítico,critico,kritik,t1,missioncritical,businesscritical,crit,mission critical,"
            "business critical,very high,"
            "highest,1,p1,tier 1,tier1,tier 0,"
            "tier 1 mission critical,1 most critical,1 critical,kritisch,sehr hoch,platinum,vital,extreme"
        ),
        "high": (
            "élevé,eleve,élevée,haute,haut,alto,alta,yüksek,yuksek,t2,hi,h,2,p2,tier 2,tier2,2 somewhat critical,"
            "2 high,hoch,gold,important,major,essential,"
            "tier 2 business critical"
        ),
        "medium": (
            "moyen,moyenne,medio,media,orta,t3,business operational,businessoperational,med,m,moderate,normal,"
            "average,3,p3,"
            "tier 3,tier3,3 less critical,3 moderate,3 medium,mittel,"
            "silver,standard,tier 3 important"
        ),
        "low": (
            "faible,bas,bajo,baja,düşük,dusuk,t4,administrative services,lo,l,minor,4,p4,tier 4,tier4,"
            "4 not critical,4 low,niedrig,gering,bronze,non critical,"
            "not critical,none critical,negligible"
        ),
    }
)

LIFECYCLE = _spellings(
    {
        "active": (
            "in use,in production,installed,operational,live,production,deployed,in service,in operation,"
            "aktiv,in betrieb,en service,activo,en servicio,aktif,kullanımda,general availability,ga,ready,use,"
            "running,maintained,in maintenance,1"
        ),
        "planned": (
            "plan,planning,proposed,on order,ordered,pending install,pipeline,requested,to be installed,"
            "geplant,design,build,future"
        ),
        "retired": (
            "hors service,retirado,retiré,fuera de servicio,retire,end of life,eol,obsolete,sunset,out of service,"
            "disposed,end of use,archived,absent,stillgelegt"
        ),
        "decommissioned": (
            "decom,decomm,decommission,decommed,dismantled,removed,scrapped,ausser betrieb,außer betrieb,"
            "abgeschaltet,deleted"
        ),
    }
)

ASSET_TYPES = _spellings(
    {
        "server": (
            "physical server,physical,bare metal,rack server,blade,blade server,computer,windows server,"
            "serveur,servidor,sunucu,serveur physique,servidor físico,fiziksel sunucu,fiziksel,domain controller,"
            "rack mount chassis,main server chassis,linux server,unix server,aix server,solaris server,"
            "cmdb ci server,cmdb ci win server,"
            "cmdb ci linux server,cmdb ci unix server,cmdb ci aix server,cmdb ci solaris server,host server,"
            "srv,member server"
        ),
        "vm": (
            "serveur virtuel,machine virtuelle,máquina virtual,maquina virtual,servidor virtual,sanal sunucu,"
            "sanal makine,sanal,microsoft compute virtualmachines,qemu,"
            "virtual machine,virtual server,virtual,guest,instance,vmware virtual machine,"
            "virtual machine instance,ec2 instance,cmdb ci vm instance,cmdb ci vmware instance,"
            "vmware virtual machine instance,virtuelle maschine,cloud server"
        ),
        "host": (
            "hypervisor,esx,esxi,esxi host,esx host,esx server,vm host,vmhost,virtualization host,"
            "cmdb ci esx server,hyper v host"
        ),
        "database": (
            "db,database server,database instance,db instance,datenbank,cmdb ci database,cmdb ci db instance,"
            "db server,sql server instance,oracle instance"
        ),
        "application": (
            "app,business application,application service,service,software,anwendung,applikation,"
            "cmdb ci appl,cmdb ci business app,mapped application service,cmdb ci service discovered"
        ),
        "network_device": (
            "network,network device,networking device,switch,router,firewall,load balancer,network gear,"
            "cmdb ci netgear,"
            "cmdb ci ip switch,cmdb ci ip router,cmdb ci ip firewall,cmdb ci lb,netzwerk"
        ),
        "storage_device": ("storage,storage array,nas,san,storage device,storage server,cmdb ci storage server,filer"),
        "workstation": "desktop,laptop,notebook,pc,client,cmdb ci pc hardware",
        "container": "lxc,pod,docker container,cmdb ci docker container,kubernetes pod",
        "cluster": "cmdb ci cluster,server cluster",
    }
)

BOOLEANS = _spellings(
    {
        "true": "evet,e,yes,y,t,1,ja,j,oui,si,sí,x,on,wahr,vrai,enabled",
        "false": "hayır,hayir,h,no,n,f,0,nein,non,off,falsch,faux,disabled",
    }
)
IS_VIRTUAL = {
    **BOOLEANS,
    **_spellings(
        {
            "true": (
                "virtual,vm,virtual machine,guest,virtuell,virtuel,virtuelle,virtuale,sanal,cloud,"
                "vmware,kvm,qemu,xen,hyper v,hyperv,virtualbox,nutanix,ahv,proxmox"
            ),
            "false": "physical,bare metal,physisch,physique,físico,fisico,física,fiziksel,hardware,host,metal",
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
    """The canonical value of each text; null if unknown.

    Ignored are case, punctuation, a final counter ("PRD-01") and what follows a tier ("Tier 4 - Standard").
    """
    key = pl.col("text").str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    uncounted, tier = key.str.replace(r"\s?\d+$", ""), key.str.extract(r"^(tier \d|[pt]\d)\b")
    read = [part.replace_strict(spellings, default=None, return_dtype=pl.String) for part in (key, uncounted, tier)]
    return pl.DataFrame({"text": text}).select(pl.coalesce(read)).to_series()


def nearest_to_production(text: str) -> str | None:
    """Of a cell that names several environments ("Dev/Test", "UAT & Prod") the one nearest to production.

    A machine that serves several is treated with the care that the most demanding one needs. Also read is one name
    with a word beside it that says no more ("Test environment"). None where a part is no environment that is known.
    """
    parts = [_key(_MEANINGLESS.sub(" ", part)) for part in _SEVERAL.split(text.lower())]
    found = [ENVIRONMENTS.get(part) or ENVIRONMENTS.get(re.sub(r"\s?\d+$", "", part)) for part in parts if part]
    known = [each for each in found if each is not None]
    return min(known, key=_CARE.index) if known and len(known) == len(found) else None
