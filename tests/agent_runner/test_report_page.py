"""The report as a page: one file that needs nothing else and takes nothing from the data as markup."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import polars as pl

from services.agent_runner.reporting.html import render_html
from services.agent_runner.reporting.summary import summarise
from tests.agent_runner.sample_plan import GENERATED_AT, SamplePlan, sample_plan
from tests.agent_runner.test_report import small_plan

ATTACK = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"


# The page


class Page(HTMLParser):
    """The tags, ids, references and headings of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def all(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


def poisoned(plan: SamplePlan) -> SamplePlan:
    """The plan with an attack in every string that comes from a file."""

    def poison(table: pl.DataFrame) -> pl.DataFrame:
        uids = {"asset_uid", "application_uid", "source_application_uid", "target_application_uid"}
        kept = uids | {"strategy", "suggestion", "risk_level", "risk_suggestion"}
        names = [name for name, kind in table.schema.items() if kind == pl.String and name not in kept]
        return table.with_columns(pl.lit(ATTACK).alias(name) for name in names)

    inputs = plan.report
    column = (
        inputs.mappings[0]
        .columns[0]
        .model_copy(update={"column": ATTACK, "field": ATTACK, "reason": ATTACK, "unit": ATTACK})
    )
    mapping = inputs.mappings[0].model_copy(update={"columns": [column], "file_name": ATTACK, "sheet": ATTACK})
    return SamplePlan(
        assets=poison(plan.assets),
        applications=poison(plan.applications),
        dependencies=poison(plan.dependencies),
        assessments=poison(plan.assessments),
        plan=poison(plan.plan),
        waves=[wave.model_copy(update={"name": ATTACK, "reason": ATTACK}) for wave in plan.waves],
        unplanned={ATTACK: 3},
        report=inputs.model_copy(update={"mappings": [mapping], "files": [ATTACK]}),
    )


def test_nothing_from_a_file_becomes_markup() -> None:
    clean = Page(render_html(sample_plan(120).summarise()))
    page = render_html(poisoned(sample_plan(120)).summarise())
    attacked = Page(page)
    assert "<script" not in page
    assert set(attacked.tags) <= set(clean.tags) | {"small"}
    assert not [name for name, _ in attacked.attributes if name.startswith("on")]
    assert page.count("&lt;script&gt;") > 50


def test_the_page_needs_no_network() -> None:
    page = render_html(sample_plan(120).summarise())
    parsed = Page(page)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not {"script", "link", "iframe", "img", "object"} & set(parsed.tags)
    assert all(link.startswith("#") for link in parsed.all("href"))
    assert "default-src 'none'" in page


def test_ids_are_unique_and_every_reference_has_its_target() -> None:
    page = Page(render_html(sample_plan(120).summarise()))
    ids = page.all("id")
    references = [name for names in page.all("aria-labelledby") for name in names.split()]
    assert len(ids) == len(set(ids))
    assert set(references) | {link[1:] for link in page.all("href")} <= set(ids)


def test_the_page_has_one_first_heading_and_named_charts() -> None:
    page = Page(render_html(sample_plan(120).summarise()))
    assert page.tags.count("h1") == 1
    assert page.tags.count("svg") == page.tags.count("desc") > 5
    assert page.all("lang") == ["en"]


def test_a_plan_of_many_waves_is_cut_and_says_so() -> None:
    page = render_html(sample_plan(900, wave_size=5).summarise())
    assert re.search(r"The first 40 of \d+ waves\.", page)
    assert re.search(r"The first 100 of \d+ waves; the workbook has all\.", page)


def test_the_time_of_the_report_is_the_one_given() -> None:
    plan = small_plan()
    report = summarise(
        plan.assets, plan.applications, plan.dependencies, plan.assessments, plan.plan, plan.waves, plan.unplanned,
        plan.report, datetime(2027, 1, 2, 3, 4, tzinfo=UTC),
    )  # fmt: skip
    assert "02 January 2027, 03:04 UTC" in render_html(report)
    assert report.generated_at != GENERATED_AT
