"""Charts as inline SVG. Colours are classes that the page's style sheet defines, so that dark mode and print fit.

Every chart has a title and a description with its figures for screen readers. Labels are untrusted and escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from services.agent_runner.reporting.wording import percent, risk_band

CHARACTER = 7.2  # width of an average character at 13 px in a sans-serif font


@dataclass(frozen=True)
class Bar:
    """One bar: its value, and how much of it is marked (such as assets past their end of life)."""

    label: str
    value: float
    marked: float = 0


@dataclass(frozen=True)
class Slice:
    """A part of a whole; `kind` is the class that colours it."""

    label: str
    value: float
    kind: str


@dataclass(frozen=True)
class Column:
    """A stacked column with a risk of 0 to 1 below it."""

    label: str
    name: str
    parts: tuple[Slice, ...]
    risk: float

    @property
    def total(self) -> float:
        """The height of the column."""
        return sum(part.value for part in self.parts)


def bar_chart(key: str, title: str, bars: Sequence[Bar], marked_as: str = "") -> Markup:
    """Horizontal bars with their labels left and values right. `key` is unique in the page; `marked_as` names marks."""
    width, label_width, value_width, row = 560, 236, 96, 28
    most = max((bar.value for bar in bars), default=0) or 1
    shapes = []
    for number, bar in enumerate(bars):
        top = number * row
        length = (width - label_width - value_width) * bar.value / most
        marked = length * min(bar.marked, bar.value) / bar.value if bar.value else 0
        note = f"{bar.label}: {bar.value:,.0f}" + (f", {bar.marked:,.0f} {marked_as}" if bar.marked else "")
        shapes.append(
            Markup(
                '<g><title>{}</title><text class="label" x="{}" y="{}" text-anchor="end">{}</text>'
                '<rect class="bar" x="{}" y="{}" width="{:.1f}" height="16" rx="2"/>'
                '<rect class="marked" x="{}" y="{}" width="{:.1f}" height="16" rx="2"/>'
                '<text class="value" x="{:.1f}" y="{}">{}</text></g>'
            ).format(
                note,
                label_width - 10,
                top + 18,
                shorten(bar.label, label_width - 12),
                label_width,
                top + 6,
                length,
                label_width,
                top + 6,
                marked,
                label_width + length + 8,
                top + 18,
                f"{bar.value:,.0f}" + (f" ({bar.marked:,.0f})" if bar.marked else ""),
            )
        )
    told = ", ".join(f"{bar.label} {bar.value:,.0f}" for bar in bars)
    return _svg(key, title, told, width, len(bars) * row + 6, shapes)


def share_chart(key: str, title: str, rows: Sequence[tuple[str, float, float]]) -> Markup:
    """Rows of (label, completeness, validity), both 0 to 1: how full each track is, and how much of it is valid."""
    width, label_width, value_width, row = 1060, 190, 150, 24
    track = width - label_width - value_width
    shapes = [
        Markup(
            '<g><title>{}</title><text class="label" x="{}" y="{}" text-anchor="end">{}</text>'
            '<rect class="track" x="{}" y="{}" width="{}" height="12" rx="2"/>'
            '<rect class="{}" x="{}" y="{}" width="{:.1f}" height="12" rx="2"/>'
            '<text class="value" x="{}" y="{}">{}</text></g>'
        ).format(
            f"{label}: {percent(filled)} filled, {percent(valid)} of the values valid",
            label_width - 10,
            number * row + 16,
            shorten(label, label_width - 12),
            label_width,
            number * row + 6,
            track,
            "good" if filled >= 0.9 else "fair" if filled >= 0.5 else "poor",
            label_width,
            number * row + 6,
            track * min(max(filled, 0.0), 1.0),
            label_width + track + 8,
            number * row + 16,
            percent(filled) + (f", {percent(valid)} valid" if valid < 1 else ""),
        )
        for number, (label, filled, valid) in enumerate(rows)
    ]
    told = ", ".join(f"{label} {percent(filled)}" for label, filled, _ in rows)
    return _svg(key, title, told, width, len(rows) * row + 6, shapes)


def donut_chart(key: str, title: str, slices: Sequence[Slice], noun: str) -> Markup:
    """A ring of shares with the total in its middle, counted in `noun`."""
    total = sum(part.value for part in slices)
    ring = '<circle class="{}" cx="110" cy="110" r="80" fill="none" stroke-width="34"'
    shapes = [Markup(ring + "/>").format("track-line")]  # nosec B704 # format escapes
    starts = accumulate((part.value for part in slices), initial=0.0)
    for part, start in zip(slices, starts, strict=False):
        if part.value:
            arc = 100 * part.value / total
            gap = 0.5 if arc < 100 else 0.0
            shapes.append(
                Markup(  # nosec B704 # format escapes
                    ring + ' pathLength="100" stroke-dasharray="{:.3f} 100" stroke-dashoffset="{:.3f}" '
                    'transform="rotate(-90 110 110)"><title>{}</title></circle>'
                ).format(
                    f"{part.kind}-line",
                    max(arc - gap, 0.2),
                    -100 * start / total,
                    f"{part.label}: {part.value:,.0f} ({percent(part.value / total)})",
                )
            )
    shapes.append(
        Markup(
            '<text class="figure" x="110" y="112" text-anchor="middle">{:,.0f}</text>'
            '<text class="label" x="110" y="134" text-anchor="middle">{}</text>'
        ).format(total, noun)
    )
    told = ", ".join(f"{part.label} {part.value:,.0f}" for part in slices)
    return _svg(key, title, told, 220, 220, shapes)


def wave_chart(key: str, title: str, columns: Sequence[Column], noun: str) -> Markup:
    """Stacked columns from left to right in time, with a strip of their risk below; the scale counts `noun`."""
    width, height, left, top, strip = 1060, 210, 52, 14, 26
    slot = (width - left) / max(len(columns), 1)
    thickness = min(slot * 0.72, 72)
    step = nice_step(max((column.total for column in columns), default=0))
    most = step * max(1, -(-int(max((column.total for column in columns), default=0)) // step))
    shapes = [_grid_line(value, top + height * (1 - value / most), left, width) for value in range(0, most + 1, step)]
    for number, column in enumerate(columns):
        middle = left + slot * (number + 0.5)
        bottom = float(top + height)
        blocks = []
        for part in column.parts:
            part_height = height * part.value / most
            bottom -= part_height
            blocks.append(
                Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    part.kind, middle - thickness / 2, bottom, thickness, part_height
                )
            )
        told = ", ".join(f"{part.label} {part.value:,.0f}" for part in column.parts if part.value)
        shapes.append(
            Markup(
                '<g><title>{}</title>{}<text class="value" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
                '<rect class="risk-{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="2"/>'
                '<text class="on-risk" x="{:.1f}" y="{}" text-anchor="middle">{}</text></g>'
            ).format(
                f"{column.name}: {column.total:,.0f} {noun} ({told}), risk {percent(column.risk)}",
                Markup("").join(blocks),
                middle,
                top + height + 20,
                column.label,
                risk_band(column.risk),
                middle - thickness / 2,
                top + height + 30,
                thickness,
                strip,
                middle,
                top + height + 48,
                f"{column.risk:.0%}" if thickness >= 34 else "",
            )
        )
    if columns:
        captions = Markup('<text class="small" x="0" y="{}">Wave</text><text class="small" x="0" y="{}">Risk</text>')
        shapes.append(captions.format(top + height + 20, top + height + 48))
    told = ", ".join(f"{c.name} {c.total:,.0f} {noun} at risk {percent(c.risk)}" for c in columns)
    return _svg(key, title, told, width, top + height + 30 + strip + 4, shapes)


def nice_step(most: float, lines: int = 5) -> int:
    """The step of a scale of whole numbers up to `most`: 1, 2 or 5 times a power of ten, at most `lines` of them."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power * lines >= most:
                return factor * power
        power *= 10


def shorten(label: str, width: float) -> str:
    """A label that fits into `width` pixels; long ones lose their middle, as the end often tells a version."""
    fits = max(int(width / CHARACTER), 3)
    if len(label) <= fits:
        return label
    end = fits // 3
    return f"{label[: fits - 1 - end].rstrip()}…{label[-end:].lstrip()}"


def _grid_line(value: int, y: float, left: int, width: int) -> Markup:
    """One line of the scale with its value."""
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(left, width, y, y)
    number = Markup('<text class="small" x="{}" y="{:.1f}" text-anchor="end">{:,}</text>')
    return line + number.format(left - 6, y + 4, value)


def _svg(key: str, title: str, told: str, width: int, height: int, shapes: Sequence[Markup]) -> Markup:
    """The frame around a chart; one without shapes says that there is nothing to show."""
    nothing = Markup('<text class="label" x="0" y="20">Nothing to show.</text>')
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-labelledby="{}-title {}-told">'
        '<title id="{}-title">{}</title><desc id="{}-told">{}</desc>{}</svg>'
    ).format(
        width,
        height if shapes else 28,
        key,
        key,
        key,
        title,
        key,
        told or "Nothing to show.",
        Markup("").join(shapes) or nothing,
    )
