"""What stands around the panels."""


def test_english_at_the_root_and_chinese_at_zh(serve, visit):
    page = visit(serve("rank"))
    assert page.locator("h1").inner_text() == "rlhf-kit studio"
    page.get_by_role("link", name="简体中文").click()
    page.get_by_role("heading", name="rlhf-kit 工作室").wait_for()
    assert page.url.endswith("/zh")
    page.get_by_role("link", name="English").click()
    page.get_by_role("heading", name="rlhf-kit studio").wait_for()
