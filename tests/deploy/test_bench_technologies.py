"""The technologies benchmark: held-out aliases are gone, and what is refused counts as refused."""

import json
from pathlib import Path

import pytest

from deploy.bench.technologies_bench import Labelled, load, measure


def test_our_own_texts_reach_what_the_platform_promises() -> None:
    result = measure(load(None))
    assert result.figures["ours_top1_percent"] >= 85
    assert result.figures["ours_precision_at_75_coverage_percent"] >= 97
    assert result.figures["others_refused_percent"] >= 85
    assert result.figures["ours_milliseconds_each"] < 5
    assert result.figures["releases_right_percent"] >= 95
    assert result.ratios["exact_names_wrong_to_ours"] > result.ratios["token_set_ratio_wrong_to_ours"] > 1


def test_an_alias_that_is_measured_is_not_in_the_catalogue() -> None:
    aliases = {"RHEL": "Red Hat Enterprise Linux", "K8s": "Kubernetes", "SCCM": "x", "AIX": "AIX", "Perl": "Perl"}
    labelled = Labelled(
        {text: frozenset({product}) for text, product in aliases.items()}, {"AIX": ("AIX", None)}, ["x"]
    )
    assert measure(labelled).figures["exact_names_top1_percent"] == 40


def test_a_folder_of_esappmod_files_is_read(tmp_path: Path) -> None:
    content = {"label": "entity_id", "data": {"0": {"entity_id": 445, "mentions": ["Aix unix", "aix UNIX"]}}}
    (tmp_path / "some.json").write_text(json.dumps(content))
    (tmp_path / "other.json").write_text("[]")
    assert load(tmp_path).technologies == {"Aix unix": frozenset({"AIX"})}


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file in the layout of ESAppMod"):
        load(tmp_path)
