"""What a classifier sees: names as bars, the style in a line; and the way to it from an image that was drawn."""

from streamlit.testing.v1 import AppTest

from components.escape import plain
from models.plain_text import text_output
from tests.components.image.image_steps import PAGE, run
from tests.components.page_steps import messages, press
from tests.fake_pictures import FakePictures

JUDGE = "image/emoji-judge"
SEEN = {
    "seen": [{"label": "red *heart*", "probability": 0.93}, {"label": "rose", "probability": 0.021}],
    "styles": [{"label": "noto", "probability": 0.04}, {"label": "3d", "probability": 0.955},
               {"label": "flat", "probability": 0.005}],
}  # fmt: skip


class ENGINE(FakePictures):
    """Draw, and see in every upload what stands above."""

    def play(self, turn):
        if turn.request.model != JUDGE:
            yield from super().play(turn)
        else:
            yield text_output("red *heart*: 93.0%\nrose: 2.1%", turn.stamp, 0, SEEN)


def test_an_image_is_handed_over_and_what_is_seen_stands_as_bars(pages):
    page = pages.open(PAGE)
    run(pages, page, "red heart")
    see = next(button for button in page.button if button.label == "What does it see?")
    press(page, see.key)
    assert any("Emoji Judge has this image. Press Run" in said for said in messages(page))
    drawn = pages.engine.ran[-1]
    run(pages, page, None)
    asked = pages.engine.ran[-1]
    assert (drawn.model, asked.model) != (JUDGE, drawn.model)
    assert asked.model == JUDGE
    assert asked.inputs["image"].startswith("sha256:")
    assert not page.exception
    assert any("#### red \\*heart\\*" in item.value for item in page.markdown)
    bars = [item.proto.text for item in page.get("progress") if "%" in item.proto.text]
    assert bars == [plain("red *heart* 93.0%"), plain("rose 2.1%")]
    assert any(item.value == plain("Style: 3d 95.5%, noto 4.0%.") for item in page.caption)


def test_a_text_of_another_version_is_drawn_as_it_is():
    def page():
        from components.image import seen_view
        from components.modality import Showing
        from models.types import Output

        seen_view.draw(Showing([Output("text", 0, "a <b> hen")], "k", lambda output: output.data))

    drawn = AppTest.from_function(page).run()
    assert not drawn.exception
    assert [item.value for item in drawn.markdown] == ["#### a \\<b\\> hen"]
