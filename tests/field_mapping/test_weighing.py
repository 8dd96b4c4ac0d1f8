"""Evidence into probabilities."""

from hypothesis import given
from hypothesis import strategies as st

from services.field_mapping.matching import table_evidence
from services.field_mapping.phrase_book import inventory_phrases
from services.field_mapping.weighing import weigh
from tests.field_mapping.test_matching import SERVER, mapped, table

_SAMPLES = st.lists(st.text(max_size=20), max_size=4)


@given(st.text(min_size=1, max_size=30), _SAMPLES)
def test_probabilities_leave_room_for_fields_that_nothing_speaks_for(name: str, samples: list[str]) -> None:
    _, _, evidence = table_evidence(table({**SERVER, name: samples}))
    for item in evidence:
        weighed = weigh(item)
        assert all(0 <= probability <= 1 for probability in (*weighed.fields.values(), weighed.nothing))
        assert 0 < sum(weighed.fields.values()) + weighed.nothing < 1


def test_a_name_that_nobody_understands_is_not_certain_to_mean_nothing() -> None:
    columns = mapped({**SERVER, "Plumbus": ["x-1", "x-2"], "Default Gateway": ["10.0.0.1"]})
    unknown, refused = columns["Plumbus"], columns["Default Gateway"]
    assert unknown.field is None
    assert refused.field is None
    assert unknown.confidence < refused.confidence


def test_values_that_fit_make_a_field_more_likely() -> None:
    likely = {
        values[0]: mapped({**SERVER, "State": values})["State"].confidence
        for values in (["poweredOn", "poweredOff"], ["Ohio", "Texas"])
    }
    assert likely["poweredOn"] > likely["Ohio"]


def test_a_book_without_a_phrase_no_longer_finds_it() -> None:
    words = frozenset({"serial", "number"})
    book = inventory_phrases().without({words})
    assert any(phrase.words == words for phrase in inventory_phrases().matching(words))
    assert not any(phrase.words == words for phrase in book.matching(words))
