"""What a classifier sees: names as bars, the style in a line."""

from streamlit.testing.v1 import AppTest

from components.escape import plain


def test_names_stand_as_bars_the_likeliest_large_and_the_styles_in_a_line():
    def page():
        from components.image import seen_view
        from models.types import Output
        from tests.components.image.seeing import SEEN

        seen_view.draw(Output("text", 0, "red *heart*: 93.0%", meta=SEEN))

    drawn = AppTest.from_function(page).run()
    assert not drawn.exception
    assert [item.value for item in drawn.markdown] == ["#### red \\*heart\\*"]
    bars = [item.proto.text for item in drawn.get("progress")]
    assert bars == [plain("red *heart* 93.0%"), plain("rose 2.1%")]
    assert [item.value for item in drawn.caption] == [plain("Style: 3d 95.5%, noto 4.0%.")]


def test_a_text_of_another_version_is_drawn_as_it_is():
    def page():
        from components.image import seen_view
        from models.types import Output

        seen_view.draw(Output("text", 0, "a <b> hen"))

    drawn = AppTest.from_function(page).run()
    assert not drawn.exception
    assert [item.value for item in drawn.markdown] == ["#### a \\<b\\> hen"]
