"""Work that was cancelled frees its thread between two columns."""

from typing import cast

import pytest

from services.chassis.leases import LeaseLost
from services.chassis.work import Job
from services.field_mapping.handlers import columns_of


class _Cancelled:
    """A job that is cancelled once so many columns were taken."""

    def __init__(self, after: int) -> None:
        self.after, self.taken = after, 0

    @property
    def cancelled(self) -> bool:
        self.taken += 1
        return self.taken > self.after


def test_an_inventory_that_is_cancelled_reads_no_more_columns() -> None:
    columns = columns_of(cast(Job, _Cancelled(after=2)), str.upper, ["a", "b", "c", "d"])
    assert [next(columns), next(columns)] == ["A", "B"]
    with pytest.raises(LeaseLost):
        next(columns)


def test_an_inventory_that_goes_on_reads_all_columns_in_order() -> None:
    assert list(columns_of(cast(Job, _Cancelled(after=9)), str.upper, ["a", "b", "c"])) == ["A", "B", "C"]
