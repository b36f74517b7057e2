"""The panel of data in a browser: numbers, texts that are texts, and a file."""

from rlhf_kit.studio.workspace import Workspace


def test_labels_are_counted_and_taken_away(serve, visit, tmp_path):
    workspace = Workspace(tmp_path / "studio")
    labels, evil = workspace.labels, '<img src=x onerror="window.pwned=1">'
    labels.add_task(f"=1+1 {evil} ${{window.pwned=1}}", ["a", "b", "c", "d"])
    for name, groups in (("ana", [[0], [1], [2], [3]]), (evil, [[3], [2], [1], [0]])):
        labels.save_ranking(labels.show(1, name), groups, seconds=2.0)
    page = visit(serve("data", workspace=workspace), width=390, height=1400)
    page.get_by_role("cell", name="0 %", exact=True).wait_for(timeout=120_000)       # agreement; imports, once
    page.locator("th", has_text=evil).first.wait_for()
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("combobox", name="File").click()
    page.get_by_role("option", name="Everything, for a spreadsheet (CSV)").click()
    page.get_by_role("button", name="Make the file").click()
    page.get_by_text("labels.csv has 8 lines.").wait_for()
    with page.expect_download() as download:
        page.locator("#rk-download-en").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert ",\"'=1+1 <img" in text
    page.get_by_role("combobox", name="Annotator").click()
    page.get_by_role("option", name="ana").click()
    page.get_by_role("table", name="Labels for each person").get_by_role("row").nth(1).wait_for()
    labels.close()


def test_a_label_is_found_changed_and_taken_back(serve, visit, tmp_path):
    workspace = Workspace(tmp_path / "studio")
    labels, evil = workspace.labels, '<img src=x onerror="window.pwned=1">'
    for i in range(12):
        task = labels.add_task(f"The lamp {i} {evil}", ["a", f"b {evil}", "c", "d"])
        labels.save_ranking(labels.show(task.id, "me"), [[0], [1], [2], [3]])
    page = visit(serve("data", workspace=workspace))
    page.get_by_role("button", name="Look through the labels").click()
    rows = page.locator(".rk-browse .rows > li")
    page.get_by_text("12 labels, the newest first. Page 1 of 2.").wait_for()
    page.get_by_role("button", name="Older").click()
    page.get_by_text("Page 2 of 2.").wait_for()
    page.get_by_label("A word in a prompt").fill("lamp 7 ")
    page.keyboard.press("Enter")
    page.get_by_text("1 label, the newest first.").wait_for()
    assert evil in rows.inner_text()
    rows.locator("summary").focus()
    page.keyboard.press("Enter")
    order = page.get_by_label("Best first")
    order.fill("D > A")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_text("That is no order of these responses").wait_for()
    rows.locator("summary").click()
    order.fill("D > A = B > C")
    page.keyboard.press("Enter")
    page.get_by_text("Changed. The older order").wait_for()
    assert rows.locator(".order").inner_text() == "D > A = B > C"
    rows.locator("summary").click()
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("button", name="Really take it back?").click()
    page.get_by_text("Taken back.").wait_for()
    assert rows.count() == 0
    assert len(labels.judgements()) == 11
    assert page.evaluate("window.pwned") is None


def test_the_teacher_sees_who_labels_as_they_do(serve, visit, tmp_path):
    workspace = Workspace(tmp_path / "studio")
    page = visit(serve("data", workspace=workspace))
    page.get_by_text("There are no labels yet.").wait_for()
    task = workspace.labels.add_task("It", ["a", "b", "c", "d"])
    for name in ("ana", "小明"):
        workspace.labels.save_ranking(workspace.labels.show(task.id, name), [[0], [1], [2], [3]], seconds=2.0)
        page.get_by_role("table", name="For the teacher").get_by_role("row", name=name).wait_for()
    page.get_by_role("row", name="ana 1 2.0 100 % (n = 6) just now").wait_for()


def test_guidelines_that_the_teacher_writes_stand_above_the_lists(serve, visit, stand_in):
    page = visit(serve("rank", "vote", "data", workspace=stand_in))
    page.get_by_role("tab", name="Data").click()
    page.get_by_role("button", name="Change the guidelines").click()
    page.locator("#rk-guide-en textarea").fill("Look at <b>this</b>\nfirst.")
    page.get_by_role("button", name="Save the guidelines").click()
    page.get_by_text("Saved. Everybody sees it").wait_for()
    for tab in ("Rank", "Blind vote"):
        page.get_by_role("tab", name=tab).click()
        page.locator(".rk-guide:visible summary").click()
        page.locator(".rk-guide:visible p", has_text="Look at <b>this</b>").wait_for()
