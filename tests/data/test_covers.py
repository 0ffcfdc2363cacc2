import random
from io import BytesIO

import pytest
from PIL import Image

from catalog import covers
from catalog.compositions import COMPOSITIONS, Plate
from catalog.covers import choose_inks, draw_card, draw_cover


def opened(data):
    image = Image.open(BytesIO(data))
    image.load()
    return image


def test_a_cover_is_a_webp_of_the_size_asked_for():
    image = opened(draw_cover(key="a", tags=["개발"], size=(400, 300)))

    assert (image.format, image.size) == ("WEBP", (400, 300))


def test_the_same_key_and_tags_always_give_the_same_bytes():
    assert draw_cover(key="a", tags=["개발"]) == draw_cover(key="a", tags=["개발"])


def test_another_key_gives_another_picture():
    pictures = {draw_cover(key=f"key {number}", tags=["개발"], size=(400, 300)) for number in range(12)}

    assert len(pictures) == 12


def test_prompts_on_one_subject_share_their_inks_in_both_languages():
    assert choose_inks(["쇼핑몰"], "a") == choose_inks(["Marketing"], "b")
    assert choose_inks(["쇼핑몰"], "a") != choose_inks(["개발"], "a")


def test_an_unknown_tag_or_no_tag_still_has_inks():
    assert choose_inks(["unheard of"], "a") in covers.INKS
    assert choose_inks([], "a") in covers.INKS


@pytest.mark.parametrize("compose", COMPOSITIONS, ids=lambda compose: compose.__name__)
def test_each_composition_prints_on_both_plates_whatever_the_dice_say(compose):
    for seed in range(12):
        first, second = Plate(1200, 900, 0.1), Plate(1200, 900, 0.1)
        compose(first, second, random.Random(seed))
        for plate in (first, second):
            inked = sum(plate.finished().histogram()[128:]) / (120 * 90)
            assert 0.01 < inked < 0.75


def test_a_card_is_a_png_of_1200_by_630():
    card = opened(draw_card(title="번역기", price_label="9,900원", site_name="프롬프트장", key="a", tags=["번역"]))

    assert (card.format, card.size) == ("PNG", (1200, 630))


@pytest.mark.parametrize(
    "title",
    ["", "🎨", "가" * 400, "가나다 " * 90, "W" * 300, "줄\n바꿈\t탭", "각"],
    ids=["empty", "emoji", "one long word", "many words", "wide letters", "white space", "decomposed"],
)
def test_any_title_can_be_drawn_beside_the_picture(title):
    card = opened(draw_card(title=title, price_label="무료", site_name="프롬프트장", key="a", tags=[]))

    gap = card.crop((covers.CARD_MARGIN + covers.CARD_TEXT_WIDTH + 2, 120, 1200 - covers.CARD_PICTURE_WIDTH - 2, 560))
    assert min(gap.convert("L").get_flattened_data()) > 150  # the ruling of the paper and nothing darker


def test_a_title_takes_three_lines_at_most_and_shows_that_it_was_cut():
    _, lines = covers._fit_title("아주 긴 제목이 이어지고 " * 20)

    assert len(lines) == 3
    assert lines[-1].endswith("…")


def test_a_short_title_is_set_large_and_whole():
    assert covers._fit_title("회의록 정리") == (68, ["회의록 정리"])


def test_korean_is_composed_and_what_the_font_lacks_is_left_out():
    assert covers._printable("각  번역 🎨") == "각 번역"
