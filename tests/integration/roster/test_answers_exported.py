"""Answers by question in exports: a column per question, per answer, or a row per answer."""

from tests.answers_world import LONG, World


def test_an_export_has_a_column_per_question_in_the_order_of_the_form(world: World, token: str) -> None:
    rows = world.exported(token, answers="columns", columns="participant_id,bib,team")
    titles = [LONG + "2", "'=bib", "TEAM (2)", "Shirt size", LONG + "1", "T-shirt size", "2", "Meals"]
    assert list(rows[0]) == ["participant_id", "bib", "team", *titles]
    assert [row["T-shirt size"] for row in rows] == ["M", "L", "M", "", "", ""]
    assert [row["2"] for row in rows] == ["M", "", "", "", "", ""]
    assert [row["Shirt size"] for row in rows] == ["", "", "", "S", "", ""]
    assert [row["Meals"] for row in rows] == ["", "Pasta; Pizza, thin", "Pasta", "", "", ""]
    assert (rows[2]["bib"], rows[4]["'=bib"]) == ("'=3", "+1")
    assert world.exported(token, answers="columns", columns="participant_id,bib,team", as_of=6) == rows
    assert list(world.exported(token, answers="columns", columns="bib", event_id="1")[0]) == ["bib", "1", "2", "Meals"]
    assert "=bib" in world.exported(token, answers="columns", columns="bib", formulas="keep")[0]
    lines = world.lines(token, answers="columns", columns="participant_id")
    assert [(line["participant_id"], line["2"]) for line in lines] == [("1", "M"), *((id_, None) for id_ in "23456")]
    [line] = world.lines(token, answers="columns", columns="bib", participant_id="2")
    nothing = dict.fromkeys(["bib", LONG + "2", "=bib", "TEAM", "Shirt size", LONG + "1"])
    assert line == {**nothing, "T-shirt size": "L", "2": None, "Meals": "Pasta; Pizza, thin"}
    assert list(line) == [*nothing, "T-shirt size", "2", "Meals"]


def test_check_boxes_have_a_column_per_answer_where_that_is_asked_for(world: World, token: str) -> None:
    rows = world.exported(token, answers="one-hot", columns="participant_id", event_id__in="1,2")
    assert list(rows[0]) == ["participant_id", "Shirt size", LONG + "1", "T-shirt size", "2", "Meals: Pasta",
                             "Meals: Pizza, thin"]  # fmt: skip
    assert [row["Meals: Pasta"] for row in rows] == ["0", "1", "1", "", ""]
    assert [row["Meals: Pizza, thin"] for row in rows] == ["0", "1", "0", "", ""]
    assert rows[0]["T-shirt size"] == "M"
    [line] = world.lines(token, answers="one-hot", columns="bib", participant_id="2")
    assert (line["Meals: Pasta"], line["T-shirt size"]) == (1, "L")


def test_rows_are_the_answers_beside_the_columns_that_are_asked_for(world: World, token: str) -> None:
    rows = world.exported(token, answers="rows", event_id="2", sort="-participant_id")
    assert [[*row.values()] for row in rows] == [
        ["4", "", "Shirt size", "S"], ["4", "", LONG + "1", "yes"], ["3", "1", "T-shirt size", "M"],
        ["3", "5", "Meals", "Pasta"],
    ]  # fmt: skip
    assert list(rows[0]) == ["participant_id", "question_id", "question", "answer"]
    [first, *_] = world.lines(token, answers="rows", columns="bib,participant_id", participant_id="1")
    assert first == {"bib": None, "participant_id": "1", "question_id": "1", "question": "T-shirt size", "answer": "M"}
    unanswered = world.lines(token, answers="rows", participant_id="1")[-1]
    assert (unanswered["question"], unanswered["answer"]) == ("Meals", None)
