"""Spellings that exports have of values with a fixed vocabulary."""

import polars as pl
import pytest

from services.field_mapping.vocabularies import (
    BOOLEANS,
    CRITICALITY,
    ENVIRONMENTS,
    POWER_STATES,
    VOCABULARIES,
    canonical_values,
)


@pytest.mark.parametrize(
    ("vocabulary", "meaning", "spellings"),
    [
        (BOOLEANS, "true", "yes Y TRUE 1 ja evet oui si wahr vrai x on enabled"),
        (BOOLEANS, "false", "no N FALSE 0 nein hayır non falsch faux off disabled"),
        (POWER_STATES, "on", "poweredOn Running PowerState/running up ein encendido allumé açık"),
        (POWER_STATES, "off", "poweredOff stopped PowerState/deallocated shutoff apagado éteint kapalı"),
        (POWER_STATES, "suspended", "suspended paused saved hibernated"),
        (ENVIRONMENTS, "Production", "PRD prod PROD-01 Produktion canlı producción"),
        (ENVIRONMENTS, "Staging", "stg pre-prod PreProd preproducción"),
        (ENVIRONMENTS, "Development", "DEV Entwicklung développement desarrollo geliştirme"),
        (ENVIRONMENTS, "Test", "tst QA SIT pruebas"),
        (CRITICALITY, "critical", "Tier-1 P1 mission-critical kritisch critique crítico"),
        (CRITICALITY, "high", "Gold HIGH hoch élevé alta yüksek"),
        (CRITICALITY, "low", "Bronze low gering faible baja düşük"),
    ],
)
def test_spellings_have_one_meaning(vocabulary: dict[str, str], meaning: str, spellings: str) -> None:
    cells = spellings.split(" ")
    assert dict(zip(cells, canonical_values(pl.Series(cells), vocabulary), strict=True)) == dict.fromkeys(
        cells, meaning
    )


@pytest.mark.parametrize("text", ["Prod/DR", "Production - EMEA", "shared", "non-prod", ""])
def test_what_a_vocabulary_does_not_know_is_left_open(text: str) -> None:
    assert canonical_values(pl.Series([text]), ENVIRONMENTS).to_list() == [None]


@pytest.mark.parametrize("field", VOCABULARIES)
def test_every_canonical_value_means_itself(field: str) -> None:
    meanings = sorted(set(VOCABULARIES[field].values()))
    assert canonical_values(pl.Series(meanings), VOCABULARIES[field]).to_list() == meanings
