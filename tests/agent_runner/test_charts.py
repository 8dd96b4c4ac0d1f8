import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from services.agent_runner.reporting.charts import (
    Bar,
    Column,
    Slice,
    bar_chart,
    donut_chart,
    nice_step,
    share_chart,
    shorten,
    wave_chart,
)

ATTACK = '"><script>alert(1)</script><text x="'
# What XML can hold: HTML is more lenient, but this way the standard parser can check the shapes.
labels = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn", "Cc")), max_size=60)
amounts = st.integers(min_value=0, max_value=10**7)


def parse(chart: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def numbers(chart: Markup) -> list[float]:
    parts = re.findall(r' (?:x|y|width|height|stroke-dasharray)="([^"]*)"', str(chart))
    return [float(part.split()[0]) for part in parts]


def wave(number: int, *values: float, risk: float = 0.5) -> Column:
    kinds = ("rehost", "replatform", "refactor", "repurchase")
    parts = tuple(Slice(kind, value, kind) for kind, value in zip(kinds, values, strict=False))
    return Column(str(number), f"Wave {number}", parts, risk)


def test_a_bar_is_as_long_as_its_share_of_the_longest() -> None:
    rects = parse(bar_chart("k", "Assets", [Bar("a", 100), Bar("b", 25)])).iter("rect")
    bars = [float(r.get("width", "")) for r in rects if r.get("class") == "bar"]
    assert bars[1] == pytest.approx(bars[0] / 4, abs=0.1)


def test_a_bar_marks_a_part_of_itself() -> None:
    rects = list(parse(bar_chart("k", "Assets", [Bar("a", 100, 50)], "past the end of life")).iter("rect"))
    whole, marked = (float(r.get("width", "")) for r in rects)
    assert marked == pytest.approx(whole / 2, abs=0.1)
    assert "a: 100, 50 past the end of life" in "".join(
        parse(bar_chart("k", "", [Bar("a", 100, 50)], "past the end of life")).itertext()
    )


@pytest.mark.parametrize(
    "chart",
    [
        bar_chart("k", "t", []),
        share_chart("k", "t", []),
        donut_chart("k", "t", [], "applications"),
        wave_chart("k", "t", [], "applications"),
    ],
)
def test_a_chart_of_nothing_says_so(chart: Markup) -> None:
    assert "Nothing to show." in "".join(parse(chart).itertext())


@pytest.mark.parametrize(
    "chart",
    [
        bar_chart("k", "t", [Bar("none", 0), Bar("none either", 0)]),
        share_chart("k", "t", [("Memory", 0.0, 1.0)]),
        donut_chart("k", "t", [Slice("Rehost", 0, "rehost")], "applications"),
        wave_chart("k", "t", [wave(1, 0, 0, risk=0)], "applications"),
    ],
)
def test_zeros_give_shapes_without_size(chart: Markup) -> None:
    assert "nan" not in chart
    assert all(number >= 0 for number in numbers(chart))


@pytest.mark.parametrize(
    "chart",
    [
        bar_chart("k", ATTACK, [Bar(ATTACK, 1, 1)], ATTACK),
        share_chart("k", ATTACK, [(ATTACK, 0.5, 0.5)]),
        donut_chart("k", ATTACK, [Slice(ATTACK, 1, "rehost")], ATTACK),
        wave_chart("k", ATTACK, [Column(ATTACK, ATTACK, (Slice(ATTACK, 1, "rehost"),), 1)], ATTACK),
    ],
)
def test_labels_are_escaped(chart: Markup) -> None:
    assert "<script" not in chart
    assert {node.tag for node in parse(chart).iter()} <= {"svg", "title", "desc", "g", "text", "rect", "circle", "line"}


def test_every_chart_is_named_for_screen_readers() -> None:
    svg = parse(donut_chart("treatments", "By treatment", [Slice("Rehost", 3, "rehost")], "applications"))
    title, told = svg.find("title"), svg.find("desc")
    assert title is not None
    assert told is not None
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"
    assert (title.text, told.text) == ("By treatment", "Rehost 3")


@given(st.lists(st.builds(Slice, labels, amounts, st.just("rehost")), max_size=8))
def test_the_arcs_of_a_donut_never_overlap(slices: list[Slice]) -> None:
    rings = list(parse(donut_chart("k", "t", slices, "applications")).iter("circle"))[1:]
    arcs = sorted(
        (-float(r.get("stroke-dashoffset", "")), float(r.get("stroke-dasharray", "").split()[0])) for r in rings
    )
    assert all(start + length <= following + 0.21 for (start, length), (following, _) in pairwise(arcs))
    assert all(start + length <= 100.21 for start, length in arcs)


@given(st.lists(st.builds(Bar, labels, amounts, amounts), max_size=15))
def test_bars_stay_inside_the_chart(bars: list[Bar]) -> None:
    svg = parse(bar_chart("k", "t", bars, "marked"))
    _, _, width, height = (float(part) for part in svg.get("viewBox", "").split())
    for rect in svg.iter("rect"):
        assert float(rect.get("x", "")) + float(rect.get("width", "")) <= width
        assert float(rect.get("y", "")) + float(rect.get("height", "")) <= height


@given(st.lists(st.tuples(amounts, amounts, st.floats(0, 1)), min_size=1, max_size=45))
def test_stacked_columns_stay_inside_the_scale(rows: list[tuple[int, int, float]]) -> None:
    columns = [wave(number, a, b, risk=risk) for number, (a, b, risk) in enumerate(rows, start=1)]
    blocks = [
        r
        for r in parse(wave_chart("k", "t", columns, "applications")).iter("rect")
        if r.get("class") in ("rehost", "replatform")
    ]
    assert all(13.8 <= float(r.get("y", "")) <= 224.2 for r in blocks)


@given(st.floats(min_value=0, max_value=1e9))
def test_a_scale_has_round_steps_and_few_lines(most: float) -> None:
    step = nice_step(most)
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert most / step <= 5


@given(st.text(max_size=200), st.floats(min_value=30, max_value=300))
def test_a_shortened_label_fits_and_keeps_both_ends(label: str, width: float) -> None:
    short = shorten(label, width)
    assert len(short) <= max(width / 7, 3)
    assert short == label or "…" in short


def test_the_version_at_the_end_of_a_long_name_stays() -> None:
    assert shorten("SUSE Linux Enterprise Server for SAP Applications 15 SP4", 224).endswith("15 SP4")
