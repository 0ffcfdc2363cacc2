"""What stands round every page: theme, menus, search key, Korean typing, dialogs, toasts, failed requests.

The style guide carries every component, so axe looks at all of them at once.
"""

import pytest

from tests.factories import make_prompt

PHONE = {"width": 360, "height": 740}
RECORD_SEARCHES = """
() => {
  window.heard = [];
  document.querySelector("#q").addEventListener("input", ({ target }) => window.heard.push(target.value));
}
"""
ADD_DIALOG = """
() => {
  const button = Object.assign(document.createElement("button"), { id: "opener", textContent: "열기" });
  button.dataset.dialogOpen = "box";
  const dialog = Object.assign(document.createElement("dialog"), { id: "box", className: "dialog" });
  const close = Object.assign(document.createElement("button"), { textContent: "닫기" });
  close.dataset.dialogClose = "";
  dialog.append(close);
  document.querySelector("#main").replaceChildren(button, dialog);
}
"""
ADD_TOAST = """
() => {
  const toast = Object.assign(document.createElement("div"), { className: "toast", textContent: "담았어요" });
  toast.dataset.toast = "pass";
  document.querySelector("#messages").append(toast);
}
"""


def theme(page) -> str | None:
    return page.locator("html").get_attribute("data-theme")


@pytest.mark.urls("tests.design.urls")
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_every_component_is_accessible_and_fits(transactional_db, open_page, check_accessibility, colours, width):
    page = open_page(color_scheme=colours, viewport={"width": width, "height": 900})

    page.goto("/styleguide/")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    check_accessibility(page)


def test_a_chosen_theme_is_there_before_the_first_paint_of_the_next_page(transactional_db, page):
    page.goto("/terms/")
    page.get_by_role("contentinfo").get_by_role("button", name="어둡게").click()
    assert theme(page) == "dark"

    page.goto("/privacy/", wait_until="commit")
    page.wait_for_selector("body", state="attached")

    assert theme(page) == "dark"
    page.get_by_role("contentinfo").get_by_role("button", name="자동").click()
    assert theme(page) is None


def test_the_language_is_a_form_that_needs_no_script(transactional_db, plain_page):
    plain_page.goto("/terms/")
    plain_page.get_by_role("contentinfo").get_by_role("button", name="English").click()

    assert plain_page.locator("html").get_attribute("lang") == "en"
    assert plain_page.url.endswith("/terms/")
    assert plain_page.get_by_role("button", name="Dark").count() == 0


def test_escape_closes_the_menu_and_gives_the_focus_back(transactional_db, page):
    page.goto("/terms/")
    menu = page.locator("details.menu")
    menu.locator("summary").click()
    menu.get_by_role("link", name="로그인").focus()

    page.keyboard.press("Escape")

    assert menu.get_attribute("open") is None
    assert page.evaluate("document.activeElement.matches('details.menu > summary')")


def test_a_click_elsewhere_closes_the_menu(transactional_db, page):
    page.goto("/terms/")
    page.locator("details.menu > summary").click()

    page.get_by_role("heading", level=1).click()

    assert page.locator("details.menu").get_attribute("open") is None


def test_the_slash_goes_to_the_search_box_unless_switched_off(transactional_db, page):
    page.goto("/terms/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"

    page.keyboard.type("a/b")
    assert page.locator("#q").input_value() == "a/b"

    page.get_by_role("contentinfo").locator("[data-shortcut-switch]").click()
    page.reload()
    page.keyboard.press("/")

    assert page.evaluate("document.activeElement.id") != "q"


def test_half_typed_korean_is_not_heard_and_the_whole_word_is_once(transactional_db, page):
    page.goto("/terms/")
    page.evaluate(RECORD_SEARCHES)
    page.locator("#q").focus()
    typing = page.context.new_cdp_session(page)

    for part in ["ㅍ", "펴", "편"]:
        typing.send("Input.imeSetComposition", {"text": part, "selectionStart": 1, "selectionEnd": 1})
    assert page.evaluate("window.heard") == []
    typing.send("Input.insertText", {"text": "편"})

    page.wait_for_function("window.heard.length > 0")
    assert set(page.evaluate("window.heard")) == {"편"}


def test_closing_a_dialog_gives_the_focus_back_to_its_opener(transactional_db, page):
    page.goto("/terms/")
    page.evaluate(ADD_DIALOG)
    page.locator("#opener").click()
    assert page.evaluate("document.querySelector('#box').matches(':modal')")

    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "opener"

    page.locator("#opener").click()
    page.mouse.click(3, 450)  # beside the dialog
    assert not page.evaluate("document.querySelector('#box').open")


def test_a_toast_leaves_after_five_seconds_but_not_under_the_pointer(transactional_db, page):
    page.clock.install()
    page.goto("/terms/")
    page.evaluate(ADD_TOAST)
    toast = page.locator("#messages .toast")
    toast.hover()

    page.clock.run_for(6_000)
    assert toast.count() == 1

    page.mouse.move(0, 0)
    page.clock.run_for(6_000)
    assert toast.count() == 0


def test_a_failed_request_is_said_aloud_and_can_be_repeated(transactional_db, new_context):
    page = new_context(locale="ko-KR").new_page()  # not a watched one: htmx rightly logs the failure
    make_prompt(title="한 장 보고서", tags=["업무"])
    page.goto("/prompts/")
    page.route("**/prompts/?*", lambda route: route.abort())
    page.locator("#sort").select_option("newest")
    alert = page.locator("#alerts [data-toast]")
    alert.wait_for()
    assert "연결이 끊겼어요" in alert.inner_text()

    page.unroute("**/prompts/?*")
    with page.expect_response("**/prompts/?*") as answer:
        alert.get_by_role("button", name="다시 시도").click()

    assert "sort=newest" in answer.value.url
    assert answer.value.ok
    assert page.locator("#alerts [data-toast]").count() == 0


def test_filters_open_as_a_sheet_on_a_phone_without_a_script(transactional_db, open_page):
    make_prompt(title="한 장 보고서", tags=["업무"])
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True, java_script_enabled=False)
    page.goto("/prompts/")
    assert not page.locator("#filters").is_visible()

    page.locator(".facets__open").click()

    assert page.locator("#filters").is_visible()
    assert page.locator("#filters").bounding_box()["width"] == 360
