"""Back and Forward: one step for each question."""

import re
from typing import Any

import pytest

from tests.browser.conftest import at_rest
from tests.browser.test_journeys import walk_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def ask(page: Any, label: str, text: str, shown: str) -> None:
    box = page.get_by_role("textbox", name=label, exact=True)
    box.fill(text)
    box.press("Enter")
    page.wait_for_selector(f"text={shown}", timeout=120_000)
    at_rest(page)
    page.wait_for_timeout(500)


def steps(page: Any) -> int:
    return int(page.evaluate("history.length"))


def text_of(page: Any, label: str) -> str:
    return str(page.get_by_role("textbox", name=label, exact=True).input_value())


def back(page: Any, shown: str) -> None:
    page.go_back()
    page.wait_for_selector(f"text={shown}", timeout=120_000)
    at_rest(page)


def test_three_questions_are_three_steps_and_back_gives_the_question_before(page: Any) -> None:
    page.goto("/?q=paris+-+france+%2B+italy")
    page.wait_for_selector("text=paris - france + italy leads nearest to", timeout=120_000)
    at_rest(page)
    page.wait_for_timeout(2_000)  # steps are counted from when the first run has been sent to the page
    start = steps(page)
    for text in ("king - man + woman", "bigger - big + small", "sushi - japan + germany"):
        ask(page, "A sum of words", text, f"{text} leads nearest to")
    assert steps(page) == start + 3
    page.get_by_role("link", name="Neighbors").click()
    page.wait_for_selector("text=whatever the sentence", timeout=120_000)
    at_rest(page)
    ask(page, "Word", "swan", "Nearest to swan")
    assert steps(page) == start + 5
    back(page, "Nearest to bank")
    for text in ("sushi - japan + germany", "bigger - big + small", "king - man + woman", "paris - france + italy"):
        back(page, f"{text} leads nearest to")
        assert text_of(page, "A sum of words") == text
    page.go_forward()
    page.wait_for_selector("text=king - man + woman leads nearest to", timeout=120_000)


def test_a_form_of_several_controls_is_one_step_and_a_click_on_a_point_another(page: Any) -> None:
    page.goto("/neighbors?nk=9999&w=bank")  # what is corrected on arrival is no step
    page.wait_for_selector("text=Nearest to bank", timeout=120_000)
    at_rest(page)
    page.wait_for_timeout(2_000)  # steps are counted from when the first run has been sent to the page
    start = steps(page)
    page.get_by_role("spinbutton", name="Answers").fill("5")
    ask(page, "Word", "swan", "Nearest to swan")
    assert page.locator("[class*=st-key-nearest_] button").count() == 5
    assert steps(page) == start + 1
    page.wait_for_selector(".polysema-scatter[data-ready='1'][data-settled='1']", timeout=120_000)
    nearest = page.locator(".st-key-nearest_0 strong").inner_text()
    walk_to(page, nearest)
    page.wait_for_selector(f"text=Nearest to {nearest}", timeout=120_000)
    at_rest(page)
    assert steps(page) == start + 2
    back(page, "Nearest to swan")
    back(page, "Nearest to bank")


def test_sentences_and_sections_come_back(page: Any) -> None:
    page.goto("/neighbors?mode=A+word+in+a+sentence")
    page.wait_for_selector("text=Nearest to They had a picnic", timeout=180_000)
    at_rest(page)
    page.wait_for_timeout(2_000)  # steps are counted from when the first run has been sent to the page
    start = steps(page)
    ask(page, "Sentence", "The bank raised its rates.", "Nearest to The bank raised")
    ask(page, "Sentence", "A boat lay at the bank.", "Nearest to A boat lay")
    assert steps(page) == start + 2
    back(page, "Nearest to The bank raised")
    back(page, "Nearest to They had a picnic")
    page.goto("/lessons")
    page.get_by_role("button", name=re.compile("^(Start with|Go on with|Next:)")).click()
    page.wait_for_selector("text=All lessons", timeout=120_000)
    at_rest(page)
    page.get_by_role("radio", name="2 · See").click()
    page.wait_for_selector("text=Measured just now", timeout=120_000)
    at_rest(page)
    back(page, "Your guess")
    back(page, "lessons done")


def test_an_unknown_address_is_told_in_a_line(page: Any) -> None:
    page.goto("/analogy?q=1")
    page.wait_for_selector("text=There is no page analogy here", timeout=120_000)
    page.wait_for_selector("text=Learn on live models", timeout=120_000)
    assert page.get_by_text("Page not found").count() == 0


def test_a_door_is_one_step_and_what_was_opened_last_leads_back(page: Any) -> None:
    page.goto("/")
    page.wait_for_selector("text=Learn on live models", timeout=120_000)
    at_rest(page)
    page.get_by_role("link", name="queen - king + man").click()
    page.wait_for_selector("text=leads nearest to", timeout=120_000)
    at_rest(page)
    ask(page, "A sum of words", "king - man + woman", "king - man + woman leads nearest to")
    back(page, "queen - king + man leads nearest to")
    back(page, "Learn on live models")
    page.get_by_role("link", name="Analogies: king - man + woman").click()
    page.wait_for_selector("text=king - man + woman leads nearest to", timeout=120_000)
