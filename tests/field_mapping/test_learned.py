"""What counts is a fold over what was taught: the last word wins, and every word can be taken back."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts.learning import Learning, Lesson, Teaching
from services.field_mapping.learned import contradict, difference, forgetting, lessons_in_force
from services.field_mapping.taught import column_key
from tests.field_mapping.teachings import HISTORIES, SAID, learning, taught

MEMORY = Teaching(column="RAM_GB", field="memory_gb")
NOT_MEMORY = Teaching(column="Ram (GB)", verdict="is_not", field="memory_gb")
STORAGE = Teaching(column="ram gb", field="storage_gb")


def said(learnings: list[Learning]) -> list[tuple[str, str | None]]:
    return sorted((lesson.verdict, lesson.field) for lesson in lessons_in_force(learnings))


def test_the_last_word_about_a_column_counts() -> None:
    assert said([taught(1, (None, MEMORY)), taught(2, (None, STORAGE))]) == [("is", "storage_gb")]
    assert said([taught(1, (None, MEMORY)), taught(2, (None, NOT_MEMORY))]) == [("is_not", "memory_gb")]
    assert said([taught(1, (None, NOT_MEMORY)), taught(2, (None, MEMORY))]) == [("is", "memory_gb")]


def test_what_does_not_contradict_counts_together() -> None:
    assert said([taught(1, (None, NOT_MEMORY)), taught(2, (None, STORAGE))]) == [
        ("is", "storage_gb"),
        ("is_not", "memory_gb"),
    ]
    assert len(said([taught(1, (None, MEMORY)), taught(2, (UUID(int=1), STORAGE))])) == 2


def test_undoing_the_last_word_brings_back_the_one_before() -> None:
    undone = taught(2, (None, STORAGE)).model_copy(update={"status": "undone"})
    assert said([taught(1, (None, MEMORY)), undone]) == [("is", "memory_gb")]


def test_what_was_said_twice_still_counts_when_one_of_them_is_undone() -> None:
    undone = taught(1, (None, MEMORY)).model_copy(update={"status": "undone"})
    assert said([undone, taught(2, (None, MEMORY))]) == [("is", "memory_gb")]


def test_to_forget_is_to_forget_whoever_said_it() -> None:
    history = [taught(1, (None, MEMORY)), taught(2, (None, MEMORY))]
    (lesson,) = lessons_in_force(history)
    forgets = forgetting(history, [lesson.lesson_id])
    assert len(forgets) == 2
    assert said([*history, learning(3, forgets=forgets)]) == []
    assert said([*history, learning(3, forgets=forgets), taught(4, (None, MEMORY))]) == [("is", "memory_gb")]


def meanings(lessons: list[Lesson]) -> set[tuple[UUID | str | None, ...]]:
    return {(each.source_id, column_key(each.column), each.verdict, each.field, each.unit) for each in lessons}


@given(HISTORIES, SAID)
def test_to_learn_and_then_forget_changes_nothing(
    history: list[Learning], sayings: list[tuple[UUID | None, Teaching]]
) -> None:
    new = taught(99, *sayings)
    forgotten = learning(100, forgets=[lesson.lesson_id for lesson in new.lessons])
    assert lessons_in_force([*history, new, forgotten]) == lessons_in_force(history)


@given(HISTORIES, SAID)
def test_to_learn_and_then_undo_changes_nothing(
    history: list[Learning], sayings: list[tuple[UUID | None, Teaching]]
) -> None:
    undone = taught(99, *sayings).model_copy(update={"status": "undone"})
    assert lessons_in_force([*history, undone]) == lessons_in_force(history)


@given(HISTORIES, st.data())
def test_to_forget_and_then_undo_changes_nothing(history: list[Learning], data: st.DataObject) -> None:
    ids = [lesson.lesson_id for each in history for lesson in each.lessons]
    wanted = data.draw(st.lists(st.sampled_from(ids))) if ids else []
    undone = learning(99, forgets=forgetting(history, wanted)).model_copy(update={"status": "undone"})
    assert lessons_in_force([*history, undone]) == lessons_in_force(history)


@given(HISTORIES, st.data())
def test_what_is_forgotten_is_not_said_any_more(history: list[Learning], data: st.DataObject) -> None:
    lessons = lessons_in_force(history)
    gone = data.draw(st.lists(st.sampled_from(lessons))) if lessons else []
    forgets = forgetting(history, [lesson.lesson_id for lesson in gone])
    assert not meanings(gone) & meanings(lessons_in_force([*history, learning(99, forgets=forgets)]))


@given(HISTORIES)
def test_no_two_lessons_that_count_contradict_each_other(history: list[Learning]) -> None:
    lessons = lessons_in_force(history)
    for one in lessons:
        for other in lessons:
            same = (one.source_id, column_key(one.column)) == (other.source_id, column_key(other.column))
            assert one is other or not (same and contradict(one, other))


@given(HISTORIES, SAID)
def test_the_difference_leads_from_one_state_to_the_next(
    history: list[Learning], sayings: list[tuple[UUID | None, Teaching]]
) -> None:
    before, after = lessons_in_force(history), lessons_in_force([*history, taught(99, *sayings)])
    added, removed = difference(before, after)
    kept = [lesson for lesson in before if lesson.lesson_id not in removed]
    assert sorted([*kept, *added], key=lambda lesson: lesson.lesson_id) == after
