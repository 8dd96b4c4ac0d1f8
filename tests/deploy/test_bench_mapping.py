"""The mapping benchmark: what it counts, what it hides from the product, and what fitting does."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from deploy.bench.mapping_bench import measure
from deploy.bench.mapping_fit import Choice, as_weights, fit, kinds, written
from deploy.bench.mapping_peers import best_right_percent, simple_peers
from deploy.bench.mapping_score import Answer, calibration_error, confusions, figures
from deploy.bench.mapping_sets import OWN_SETS, LabelledTable, load, phrases_without
from services.field_mapping.column_names import read_name
from services.field_mapping.phrase_book import inventory_phrases
from services.field_mapping.weighing import Weights, fitted_weights

NOTHING = frozenset({None})


@pytest.fixture(scope="module")
def own_tables() -> list[LabelledTable]:
    return load(OWN_SETS)


def labelled(folder: Path, labels: dict[str, dict[str, str | None]]) -> list[LabelledTable]:
    for name, columns in labels.items():
        (folder / name).write_text(",".join(columns) + "\n" + ",".join("ab12" for _ in columns) + "\n")
    (folder / "labels.json").write_text(json.dumps(labels))
    (folder / "units.json").write_text("{}")
    return load(folder)


def test_vendors_the_product_knows_nothing_of_are_mapped_well(own_tables: list[LabelledTable]) -> None:
    result = measure(own_tables, simple_peers(own_tables))
    assert result.figures["unseen_right_percent"] >= 87
    assert result.figures["unseen_accepted_right_percent"] >= 97
    assert result.figures["unseen_mapped_accepted_percent"] >= 70
    assert result.figures["unseen_units_right_percent"] >= 98
    assert result.figures["unseen_calibration_error_percent"] <= 5
    assert result.figures["seen_right_percent"] > result.figures["unseen_right_percent"]
    assert result.figures["unseen_right_percent"] > result.figures["rapidfuzz_right_percent"] + 20
    assert result.confused


def test_only_phrases_that_no_other_vendor_supports_are_taken_away(tmp_path: Path) -> None:
    tables = labelled(
        tmp_path,
        {
            "one_a.csv": {"Start on boot": None, "Serial number": "serial_number"},
            "two_b.csv": {"Serial Number": "serial_number", "Model": "model"},
        },
    )
    book = phrases_without("one", tables)
    words = read_name("Serial number").words
    assert any(phrase.words == words for phrase in book.matching(words))
    boot = read_name("Start on boot").words
    assert any(phrase.words == boot for phrase in inventory_phrases().matching(boot))
    assert not any(phrase.words == boot for phrase in book.matching(boot))


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no labels\.json"):
        load(tmp_path)


def test_a_label_for_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    labelled(tmp_path, {"one_a.csv": {"Name": "hostname"}})
    (tmp_path / "labels.json").write_text(json.dumps({"one_a.csv": {"Nme": "hostname"}}))
    with pytest.raises(ValueError, match="no column 'Nme'"):
        load(tmp_path)


def test_figures_count_what_they_say() -> None:
    given = [
        Answer("memory_gb", 0.95, True, "MiB", frozenset({"memory_gb"}), "MB"),
        Answer("hostname", 0.95, True, None, frozenset({"fqdn"}), None),
        Answer(None, 0.6, False, None, frozenset({"model"}), None),
        Answer(None, 0.95, True, None, NOTHING, None),
        Answer("cost", 0.5, False, None, NOTHING, None),
    ]
    found = figures(given)
    assert found["right_percent"] == 40
    assert found["accepted_fields_right_percent"] == 50
    assert found["accepted_right_percent"] == pytest.approx(200 / 3)
    assert found["mapped_accepted_percent"] == pytest.approx(100 / 3)
    assert found["needless_fields_percent"] == 50
    assert found["units_right_percent"] == 100
    assert confusions(given) == [("fqdn", "hostname", 1), ("model", "nothing", 1), ("nothing", "cost", 1)]


def test_calibration_error_is_the_gap_between_confidence_and_truth() -> None:
    rights = ("model", "model", "cost", "cost")
    always_sure = [Answer("model", 0.9, True, None, frozenset({right}), None) for right in rights]
    assert calibration_error(always_sure) == pytest.approx(0.4)
    assert calibration_error([]) == 0


def test_a_peer_gets_the_threshold_that_suits_it_best(tmp_path: Path) -> None:
    tables = labelled(tmp_path, {"one_a.csv": {"A": "model", "B": None, "C": None}})
    assert best_right_percent(tables, [[("model", 0.9), ("cost", 0.2), ("cost", 0.1)]]) == 100
    assert best_right_percent(tables, [[("cost", 0.9), ("cost", 0.2), ("cost", 0.1)]]) == pytest.approx(200 / 3)


def test_fitting_finds_what_separates_right_from_wrong() -> None:
    helpful, useless = 0, 1
    examples = [
        Choice("x", [{helpful: 1.0, useless: 1.0}, {useless: 1.0}], [True, False]),
        Choice("x", [{useless: 1.0}, {helpful: 1.0, useless: 1.0}], [False, True]),
    ]
    fitted = fit(examples, [0.0, 0.0], 20)
    assert fitted[helpful] > 1
    assert fitted[useless] == pytest.approx(0)


def test_the_weights_that_ship_are_as_the_fit_writes_them() -> None:
    weights = fitted_weights()
    order = kinds(weights)
    values = [number for part in (weights.field, weights.nothing, weights.unheard) for number in part.values()]
    assert as_weights(order, values) == Weights(dict(weights.field), dict(weights.nothing), dict(weights.unheard))
    text = files("services.field_mapping").joinpath("evidence_weights.toml").read_text(encoding="utf-8")
    assert written(weights) == text
