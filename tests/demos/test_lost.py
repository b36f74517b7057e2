"""A server that goes away: the page says so in its language, and keeps what the person did until it is back."""

from rlhf_kit.studio import pages as studio


def test_the_page_says_it_and_goes_on_by_itself(browser, stand_in):
    pages, address = studio.serve(stand_in, ["rank"])
    port = int(address.rstrip("/").rsplit(":", 1)[1])
    page = browser.new_page()
    page.goto(address + "zh")
    page.locator(".card").first.wait_for()
    said = page.get_by_text("连接已断开。")
    assert not said.is_visible()
    pages.close(verbose=False)
    page.locator(".card").first.focus()
    page.keyboard.press("4")
    page.keyboard.press("Control+Enter")
    said.wait_for()
    assert page.locator(".card strong").all_inner_texts() == ["B", "C", "D", "A"]
    pages, _ = studio.serve(stand_in, ["rank"], port=port)
    said.wait_for(state="hidden", timeout=60_000)               # Gradio looks again and again, and loads the page
    page.locator(".card").first.wait_for()
    assert page.locator(".card strong").all_inner_texts() == ["B", "C", "D", "A"]
    page.keyboard.press("Control+Enter")
    page.get_by_text("已保存：").wait_for()
    assert len(stand_in.labels.judgements()) == 1
    pages.close(verbose=False)
    page.close()
