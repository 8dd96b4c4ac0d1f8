"""What each phase needs of an inventory: our figures, and an engagement's own in their place."""

from collections.abc import Mapping, Sequence

from contracts.catalog import CATALOG
from contracts.discovery import Value

# Figures beside the completeness of a field.
USABLE_ROWS, READABLE_CELLS = "usable_rows", "readable_cells"
FIGURES: Mapping[str, str] = {
    USABLE_ROWS: "rows that could be used",
    READABLE_CELLS: "cells that could be read",
    **{field.id: f"completeness of {field.label}" for field in CATALOG.values()},
}


class Need(Value):
    """A share that a phase needs, 0 to 1, and why: what would be guessed with less."""

    figure: str
    share: float
    reason: str


_GENERAL = (
    Need(figure=USABLE_ROWS, share=0.9, reason="Where more is rejected, most often another column holds the name."),
    Need(figure=READABLE_CELLS, share=0.95, reason="Where more is unreadable, a column has another unit or meaning."),
)
# Below these a result is guessed more often than known, which its readers cannot see. Our figures. What hardly any
# export has, such as a stage of life, is not among them: a gate that always holds tells nothing.
NEEDS: Mapping[str, tuple[Need, ...]] = {
    "assessment": (
        *_GENERAL,
        Need(
            figure="operating_system",
            share=0.8,
            reason="Whether a system is out of support decides most treatments.",
        ),
        Need(figure="environment", share=0.6, reason="Production is treated with more care than test."),
        Need(
            figure="application_name",
            share=0.5,
            reason="Treatments are given to applications; assets of none stand for themselves.",
        ),
    ),
    "planning": (
        *_GENERAL,
        Need(figure="cpu_cores", share=0.8, reason="Waves are sized by what moves."),
        Need(figure="memory_gb", share=0.8, reason="Waves are sized by what moves."),
        Need(figure="storage_gb", share=0.7, reason="How long a move takes depends on its data."),
        Need(figure="application_name", share=0.6, reason="Applications that belong together move together."),
        Need(figure="criticality", share=0.4, reason="What is critical does not move first."),
    ),
}


# Shares by phase and figure, in place of ours.
Thresholds = Mapping[str, Mapping[str, float]]


def checked_thresholds(thresholds: Thresholds) -> Thresholds:
    """The same; raises `ValueError` for a phase, a figure or a share that there is not."""
    for phase, shares in thresholds.items():
        if phase not in NEEDS:
            raise ValueError(f"there is no phase {phase!r} that needs data; there are {', '.join(NEEDS)}")
        for figure, share in shares.items():
            if figure not in FIGURES:
                raise ValueError(f"{figure!r} is neither a canonical field nor {USABLE_ROWS} or {READABLE_CELLS}")
            if not 0 <= share <= 1:
                raise ValueError(f"a share is between 0 and 1, and {figure} of {phase} is {share}")
    return thresholds


def needs_of(phase: str, thresholds: Thresholds) -> Sequence[Need]:
    """What a phase needs with these thresholds; figures that ours do not have come last."""
    own = thresholds.get(phase, {})
    ours = [need.model_copy(update={"share": own.get(need.figure, need.share)}) for need in NEEDS[phase]]
    known = {need.figure for need in ours}
    reason = "This engagement asks for it."
    return [
        *ours,
        *(Need(figure=figure, share=share, reason=reason) for figure, share in own.items() if figure not in known),
    ]
