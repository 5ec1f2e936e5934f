"""What was asked once is not asked again."""

from __future__ import annotations

from tfx_janitor.survey.crew import Failed, Threads
from tfx_janitor.survey.one_look import OneLook

asked: list[str] = []


def length(name: str) -> int:
    asked.append(name)
    if name == "none":
        raise OSError("nothing there")
    return len(name)


def first_letter(name: str) -> str:
    return name[0]


def test_answers_come_in_the_order_of_the_items_and_each_item_is_looked_at_once() -> None:
    asked.clear()
    crew = OneLook(Threads(2))

    assert crew.run("measure", length, ["a", "bbb", "a"]) == [1, 3, 1]
    assert crew.run("measure", length, ["cc", "bbb"]) == [2, 3]
    assert sorted(asked) == ["a", "bbb", "cc"]


def test_a_failure_is_an_answer_too() -> None:
    asked.clear()
    crew = OneLook(Threads(2))

    answers = [crew.run("measure", length, ["none"]) for _ in range(2)]

    assert answers == [[Failed("nothing there")]] * 2
    assert asked == ["none"]


def test_another_question_about_the_same_item_is_asked() -> None:
    crew = OneLook(Threads(2))

    assert crew.run("measure", length, ["abc"]) == [3]
    assert crew.run("read", first_letter, ["abc"]) == ["a"]
