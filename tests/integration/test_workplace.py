"""The workplace in a real browser: every page does its main job by clicks and typing, for whoever may use it."""

import json
import re
import threading
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from app.hints.hint import Hint
from app.records.model import MedicalRecord
from app.review.transitions import Step
from app.service.desk import Desk
from app.settings import Settings
from app.storage.findings import FindingFilter
from retrieval.search import KnowledgeBase
from tests.retrieval.hashed_bigrams import HashedBigrams
from tests.support.browser import (
    CHROMIUM,
    NEUROLOGIST,
    PASSWORD,
    RUNNING,
    SURGEON,
    LiveService,
    browsing,
    example,
    live_service,
    picture,
    sign_in,
    signed_in,
    visit,
)

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium on this machine"),
]

PAGES = {
    "": "书写助手",
    "review": "质控审核",
    "batch": "批量质控",
    "discharge": "出院小结",
    "knowledge": "知识库",
    "rules": "规则",
    "evaluation": "评测",
    "administration": "管理",
}
PAGES_OF = {
    SURGEON: ["书写助手", "质控审核", "出院小结", "知识库", "规则"],
    "head": ["书写助手", "质控审核", "出院小结", "知识库", "规则"],
    "qc": ["书写助手", "质控审核", "批量质控", "知识库", "规则", "评测", "管理"],
    "evaluator": ["质控审核", "知识库", "规则", "评测"],
    "administrator": ["知识库", "规则", "管理"],
}
GALLSTONES, STROKE, HIP = "ZY2026-003117", "ZY2026-005226", "ZY2026-050862"
CHIEF_COMPLAINT, COURSE, SYMPTOMS = "IC-ZS-01-V1", "IC-XB-03-V1", "EN-XB-01-V1"
LABELS = "h1, h2, h3, th, button:not(.bl-item), summary, legend, .bl-chip, .bl-empty, .bl-title p"
KNOWN_WORDS = {"bingli", "JSON", "JSONL", "Word", "Markdown", "record", "content", "problems"}
SCRIPT = "<script>window.ran=1</script><img src=x onerror='window.ran=1'>{{7*7}}${window.ran=1}"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.service.parts.open_knowledge", without_model)
        with live_service(tmp_path_factory.mktemp("workplace")) as running:
            yield running


def without_model(settings: Settings) -> KnowledgeBase:
    """The knowledge base, with vectors that take no time to compute."""
    return KnowledgeBase(settings.data_dir / "kb", HashedBigrams())


@pytest.fixture(scope="module")
def browser():
    with browsing() as chromium:
        yield chromium


@pytest.fixture
def page_of(browser, service):
    """Signs somebody in at a page; a script error on any page fails the test."""
    errors, contexts = [], []

    def open_page(name: str, path: str = "", width: int = 1280) -> Page:
        page = signed_in(browser, service, name, path, width)
        page.on("pageerror", lambda error: errors.append(str(error)))
        contexts.append(page.context)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


# Signing in


def test_who_signs_in_reaches_the_page_asked_for_and_signs_out(browser, service):
    page = browser.new_context(base_url=service.url, locale="zh-CN").new_page()
    page.goto("/ui/rules")
    assert "/login" in page.url
    page.fill("input[name=name]", "qc")
    page.fill("input[name=password]", "wrong")
    page.press("input[name=password]", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("不对")
    picture(page, "login")
    page.fill("input[name=name]", "qc")
    page.fill("input[name=password]", PASSWORD)
    page.click("button")
    expect(page.locator(".bl-title h1")).to_have_text("规则")
    page.get_by_role("button", name="退出").click()
    page.wait_for_url("**/login*")
    page.goto("/ui/rules")
    assert "/login" in page.url
    page.context.close()


# 书写助手


def test_hints_appear_while_typing_and_lead_to_the_place(page_of):
    page = page_of(SURGEON)
    area = page.locator("textarea.bl-area")
    area.press_sequentially("入院记录\n主诉：右上腹痛。\n现病史：患者半年前进食油腻后出现右上腹痛，")
    hint = page.locator(".bl-hint[data-rule=N-101]")
    expect(hint).to_contain_text("持续时间")
    expect(hint).to_contain_text("病历书写基本规范第十八条")
    expect(page.locator(".bl-ink mark")).to_have_text("右上腹痛。")
    area.press_sequentially("可自行缓解。\n")
    hint.get_by_role("button", name="转到原文").click()
    assert area.evaluate("a => a.value.slice(a.selectionStart, a.selectionEnd)") == "右上腹痛。"
    page.keyboard.type("右上腹痛半年，加重3天。")
    expect(hint).to_have_count(0)


def test_f8_walks_through_the_hints_without_a_mouse(page_of):
    page = page_of(SURGEON)
    area = page.locator("textarea.bl-area")
    area.press_sequentially("入院记录\n主诉：腹痛。\n现病史：患者出现腹痛，为求治疗来院。\n")
    expect(page.locator(".bl-hint").first).to_be_visible()
    area.press("F8")
    assert area.evaluate("a => a.selectionEnd - a.selectionStart") > 0
    expect(page.locator(".bl-hint.now")).to_have_count(1)


def test_a_dismissed_hint_does_not_return(page_of):
    page = page_of(SURGEON)
    note = "入院记录\n主诉：左下腹痛。\n现病史：患者出现左下腹痛，"
    page.locator("textarea.bl-area").press_sequentially(note)
    hint = page.locator(".bl-hint[data-rule=N-101]")
    hint.get_by_role("button", name="忽略…").click()
    hint.get_by_label("忽略的理由").select_option("与患者情况不符")
    hint.get_by_role("button", name="确定忽略").click()
    expect(hint).to_have_count(0)
    page.locator("textarea.bl-area").press_sequentially("无发热。\n")
    expect(page.locator(".count")).to_contain_text("字")
    page.wait_for_timeout(1200)
    expect(hint).to_have_count(0)


def test_the_stay_is_the_context_of_the_note(page_of):
    page = page_of(SURGEON)
    page.get_by_label("患者（不选则只看本篇）").select_option(RUNNING)
    due = page.get_by_label("待完成")
    expect(due).to_contain_text("入院记录")
    expect(due).to_contain_text("还剩")
    lines = due.locator("li > span:first-child").all_text_contents()
    assert lines.count("入院记录等") == 1
    assert not [line for line in lines if "或" in line or lines.count(line) > 1]
    expect(due.get_by_title("入院记录或再次或多次入院记录", exact=True)).to_have_text("入院记录等")
    area = page.locator("textarea.bl-area")
    area.press_sequentially(
        "姓名：贾春来　性别：女　年龄：58岁\n"
        "主诉：右上腹痛。\n"
        "现病史：患者2天前进食油腻后出现左上腹痛，呈持续胀痛，阵发加重，向右肩放射，伴恶心、低热，为求进一步诊治来院。\n"
        "既往史：高血压病史5年，长期服药。"
    )
    expect(page.locator(".bl-hint[data-rule=L-201]")).to_contain_text("性别")
    expect(page.locator(".bl-ink mark")).not_to_have_count(0)
    picture(page, "writing")
    note = page.get_by_label("打开已有文书")
    note.select_option(label=note.locator("option", has_text="首次病程记录").inner_text())
    expect(area).to_have_value(re.compile("右上腹痛2天，加重6小时"))
    expect(page.get_by_label("文书类型")).to_have_value("首次病程记录")


def test_hints_of_the_model_come_one_by_one_and_are_labelled(page_of, monkeypatch):
    goes_on = threading.Event()

    def slowly(desk, request):
        yield model_hint("第一条", request.text)
        goes_on.wait(30)
        yield model_hint("第二条", request.text)

    monkeypatch.setattr(Desk, "model_hints", slowly)
    page = page_of(SURGEON)
    page.locator("textarea.bl-area").press_sequentially("𠮷先生入院记录\n主诉：反复腹痛2月，加重3天。\n")
    first = page.locator(".bl-hint", has_text="第一条")
    expect(first).to_contain_text("AI生成 把握87%，须人工审核")
    expect(page.get_by_text("正在由语言模型继续判断…")).to_be_visible()
    expect(page.locator(".bl-ink mark", has_text="反复腹痛")).to_have_text("反复腹痛")
    goes_on.set()
    expect(page.locator(".bl-hint", has_text="第二条")).to_be_visible()
    expect(page.get_by_text("正在由语言模型继续判断…")).to_be_hidden()


def test_the_model_is_asked_again_about_what_was_written_meanwhile(page_of, monkeypatch):
    goes_on = threading.Event()

    def slowly(desk, request):
        is_whole = "加重" in request.text
        is_whole or goes_on.wait(30)
        yield model_hint("新稿" if is_whole else "旧稿", request.text)

    monkeypatch.setattr(Desk, "model_hints", slowly)
    page = page_of(SURGEON)
    area = page.locator("textarea.bl-area")
    area.press_sequentially("入院记录\n主诉：反复腹痛2月")
    expect(page.get_by_text("正在由语言模型继续判断…")).to_be_visible()
    area.press_sequentially("，加重3天。\n")
    page.wait_for_timeout(2500)
    goes_on.set()
    expect(page.locator(".bl-hint", has_text="新稿")).to_be_visible()
    expect(page.locator(".bl-hint", has_text="旧稿")).to_have_count(0)
    expect(page.get_by_text("正在由语言模型继续判断…")).to_be_hidden()


def model_hint(title: str, text: str) -> Hint:
    """A hint at 反复腹痛, after a character that browsers count as two."""
    start = text.index("反复腹痛")
    return Hint(
        id=title,
        rule="N-109",
        title=title,
        severity="minor",
        confidence=0.87,
        document_type="入院记录",
        section="主诉",
        start=start,
        end=start + 4,
        quote="反复腹痛",
        what="判断的内容。",
        why="病历书写基本规范第十八条",
        how="改法。",
        engine="llm",
    )


def test_scripts_in_a_note_stay_text(page_of):
    page = page_of(SURGEON)
    area = page.locator("textarea.bl-area")
    area.fill(f"入院记录\n主诉：{SCRIPT}腹痛。\n现病史：{SCRIPT}")
    expect(page.locator(".bl-hint").first).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran") is None
    assert page.locator(".bl-ink img, .bl-ink script, .bl-hint img").count() == 0


# 质控审核


def open_finding(page: Page, rule: str, record: str) -> None:
    """Find a finding by the filter, and open it."""
    page.get_by_label("规则").fill(rule)
    page.get_by_label("病案号").fill(record)
    page.get_by_label("病案号").press("Enter")
    items = page.locator("#bl-queue .bl-item")
    expect(items.filter(has_not_text=record)).to_have_count(0)
    items.filter(has_text=rule).first.click()
    expect(page.locator("#finding-title")).to_be_visible()


def test_an_earlier_answer_never_replaces_a_later_one(page_of, monkeypatch):
    findings = Desk.findings

    def slowly(desk, wanted=None, *args, **named):
        if wanted and wanted.rule and not wanted.record_id:
            threading.Event().wait(1.5)
        return findings(desk, wanted, *args, **named)

    monkeypatch.setattr(Desk, "findings", slowly)
    page = page_of("qc", "review")
    page.get_by_label("规则").fill("L-401")
    page.get_by_label("病案号").fill(STROKE)
    page.get_by_label("病案号").press("Enter")
    page.wait_for_timeout(2500)
    items = page.locator("#bl-queue .bl-item")
    expect(items.filter(has_text=STROKE)).to_have_count(1)
    expect(items.filter(has_not_text=STROKE)).to_have_count(0)
    expect(page.locator("[aria-busy]")).to_have_count(0)


def test_a_finding_is_assigned_appealed_and_decided(page_of):
    office, physician = page_of("qc", "review"), page_of(NEUROLOGIST, "review")
    open_finding(office, "L-401", STROKE)
    marks = office.locator("#record-text mark.now")
    expect(marks.first).to_be_visible()
    assert {mark.inner_text()[:2] for mark in marks.all()} == {"右侧", "左侧"}
    office.locator("[data-step=assign]").click()
    expect(office.locator("#bl-finding")).to_contain_text("待整改")

    open_finding(physician, "L-401", STROKE)
    physician.locator("textarea[name=reason]").fill("急诊病历写错，已与患者核对。")
    physician.locator("textarea[name=evidence]").fill("入院记录专科检查：右侧肢体肌力3级。")
    physician.locator("[data-step=appeal]").click()
    expect(physician.locator("#bl-finding")).to_contain_text("申诉中")

    office.locator("[data-step=assign]").click()
    expect(office.locator(".toast-wrap")).to_contain_text("刚被他人处理过")
    visit(office, office.url.split("/ui/")[1])
    expect(office.locator("#bl-finding")).to_contain_text("右侧肢体肌力3级")
    picture(office, "review")
    office.locator("[data-step=reject]").click()
    expect(office.locator(".toast-wrap")).to_contain_text("需要写明理由")
    expect(office.locator("[aria-busy]")).to_have_count(0)
    office.locator("textarea[name=reason]").fill("出院记录仍须更正，矛盾属实。")
    office.locator("[data-step=reject]").click()
    expect(office.locator("#history-title ~ ol")).to_contain_text("申诉中 → 申诉驳回")


def test_a_corrected_note_closes_its_finding(page_of, service):
    record = lacking_duration("ZY2026-MENDED") | {"archived_at": None}
    service.desk("qc").save_record(MedicalRecord.model_validate(record))
    page = page_of(SURGEON, "review")
    open_finding(page, "N-101", "ZY2026-MENDED")
    page.get_by_text("改正文书…").click()
    text = page.locator("textarea[name=text]")
    text.fill(text.input_value().replace("右上腹痛。", "反复右上腹痛半年，再发加重10天。", 1))
    page.get_by_role("button", name="保存并复查").click()
    expect(page.locator("#bl-finding")).to_contain_text("已关闭")
    expect(page.locator("#bl-finding")).to_contain_text("复查已不再发现")


def test_a_filed_record_is_recalled_mended_and_filed_anew(page_of, service):
    file_lacking(service, "ZY2026-FILED")
    physician = page_of(SURGEON, "review")
    open_finding(physician, "N-101", "ZY2026-FILED")
    filed = physician.locator("section[aria-labelledby=recall-title]")
    expect(filed).to_contain_text("病历已归档")
    expect(physician.get_by_text("改正文书…")).to_have_count(0)
    filed.get_by_label("召回理由").fill("主诉漏写持续时间，需补正。")
    filed.get_by_role("button", name="申请召回").click()
    expect(filed).to_contain_text("待批准")
    expect(filed.get_by_role("button", name="批准召回")).to_have_count(0)
    expect(filed.get_by_role("button", name="申请召回")).to_have_count(0)

    office = page_of("qc", "review")
    waiting = office.locator("section[aria-labelledby=recalls-title] details", has_text="ZY2026-FILED")
    waiting.locator("summary").click()
    expect(waiting).to_contain_text("主诉漏写持续时间，需补正。")
    waiting.get_by_label("答复").fill("同意，今日内补正。")
    waiting.get_by_role("button", name="批准召回").click()
    expect(waiting).to_have_count(0)

    visit(physician, physician.url.split("/ui/")[1])
    expect(filed).to_contain_text("已批准：同意，今日内补正。")
    physician.get_by_text("改正文书…").click()
    text = physician.locator("textarea[name=text]")
    text.fill(text.input_value().replace("右上腹痛。", "反复右上腹痛半年，再发加重10天。", 1))
    physician.get_by_role("button", name="保存并复查").click()
    expect(physician.locator("#bl-finding")).to_contain_text("已关闭")
    expect(filed).to_contain_text("病历已归档")


def test_a_refused_recall_leaves_the_record_filed(page_of, service):
    file_lacking(service, "ZY2026-REFUSED")
    physician, office = page_of(SURGEON, "review"), page_of("qc", "review")
    open_finding(physician, "N-101", "ZY2026-REFUSED")
    filed = physician.locator("section[aria-labelledby=recall-title]")
    filed.get_by_label("召回理由").fill("想再看看。")
    filed.get_by_role("button", name="申请召回").click()
    expect(filed).to_contain_text("待批准")
    open_finding(office, "N-101", "ZY2026-REFUSED")
    asked = office.locator("section[aria-labelledby=recall-title]")
    asked.get_by_label("答复").fill("理由不足。")
    asked.get_by_role("button", name="不批准").click()
    expect(asked).to_contain_text("未批准：理由不足。")
    visit(physician, physician.url.split("/ui/")[1])
    expect(filed).to_contain_text("未批准：理由不足。")
    expect(filed.get_by_role("button", name="申请召回")).to_be_visible()
    expect(physician.get_by_text("改正文书…")).to_have_count(0)


def file_lacking(service: LiveService, record_id: str) -> None:
    """A filed record whose chief complaint lacks a duration."""
    service.desk("qc").save_record(MedicalRecord.model_validate(lacking_duration(record_id)))


def lacking_duration(record_id: str) -> dict[str, Any]:
    """The surgical example, with a chief complaint that lacks a duration."""
    record = example("01")
    record["record_id"] = record_id
    for document in record["documents"]:
        if document["type"] == "入院记录":
            document["text"] = document["text"].replace("反复右上腹痛半年，再发加重10天。", "右上腹痛。", 1)
    return record


def test_a_content_finding_is_explained(page_of):
    page = page_of("qc", "review")
    open_finding(page, "N-122", "ZY2026-050862")
    why = page.locator("section[aria-labelledby=why-title]")
    for words in ("事实", "程序", "判为缺陷", "为是", "结论"):
        expect(why).to_contain_text(words)
    picture(page, "explanation")


# 批量质控


def test_a_batch_runs_to_its_report(page_of):
    page = page_of("qc", "batch")
    stays = [example(number) for number in ("01", "02", "03", "04")]
    lines = [json.dumps(stay, ensure_ascii=False) for stay in stays] + ["{这一行坏了"]
    content = "\n".join(lines).encode()
    upload(page, "#bl-batch-upload", "五月病历.jsonl", content)
    expect(page.locator("#bl-jobs")).to_contain_text("五月病历.jsonl")
    expect(page.locator("#job-title")).to_be_visible(timeout=120_000)
    result = page.locator("section[aria-labelledby=job-title]")
    expect(result).to_contain_text("最常见的缺陷")
    expect(result.locator(".bl-tile", has_text="份病历")).to_contain_text("4")
    expect(result.locator(".bl-tile", has_text="未能检查")).to_contain_text("1")
    picture(page, "batch")
    with page.expect_download() as download:
        page.get_by_role("link", name="报告（Excel）").click()
    assert download.value.path().read_bytes()[:2] == b"PK"


def upload(page: Page, button: str, name: str, content: bytes) -> None:
    """Choose a file for an upload button."""
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


# 出院小结


def test_a_draft_is_written_and_decided_about_beside_its_sources(page_of):
    page = page_of(SURGEON, "discharge")
    page.locator("#bl-stays .bl-item", has_text=GALLSTONES).click()
    page.get_by_role("button", name="起草出院小结").click()
    rest = page.get_by_role("button", name="全部接受")
    expect(rest).to_be_visible(timeout=60_000)
    expect(page.locator("#bl-draft")).to_contain_text("AI生成")
    sentence = page.locator(".bl-sentence", has_text="此后进油腻食物")
    choose(sentence)
    expect(page.locator("#source-list mark")).to_contain_text("此后进油腻食物时类似发作共4次")
    expect(page.locator("#source-list")).to_contain_text("入院记录")
    page.get_by_role("button", name="接受", exact=True).click()
    expect(sentence).to_contain_text("接受")

    edited = page.locator(".bl-sentence", has_text="反复右上腹痛半年")
    choose(edited.first)
    words = page.get_by_label("改写后的句子")
    expect(words).to_have_value(re.compile("反复右上腹痛半年"))
    words.fill("因反复右上腹痛半年、再发加重10天入院。")
    page.get_by_role("button", name="按上面的文字修改").click()
    expect(page.locator(".bl-sentence.edited")).to_contain_text("再发加重10天入院")
    picture(page, "discharge")

    choose(page.locator(".bl-sentence").last)
    page.get_by_label("改写后的句子").fill("与患者情况不符")
    page.get_by_role("button", name="弃用").click()
    expect(page.locator(".bl-sentence.rejected")).to_have_count(1)

    page.get_by_text("补写一句…").click()
    page.get_by_label("写入").select_option("出院医嘱")
    page.get_by_label("自己写的句子").fill("如有发热、腹痛加重，随时就诊。")
    page.get_by_role("button", name="补入").click()
    expect(page.locator(".bl-sentence.written")).to_contain_text("随时就诊")

    rest.click()
    expect(page.locator("#bl-draft")).to_contain_text("已逐句审阅")
    with page.expect_download() as download:
        page.get_by_role("link", name="Word").click()
    assert download.value.path().read_bytes()[:2] == b"PK"


def choose(sentence: Locator) -> None:
    """Open a sentence, and wait until its sources are beside it."""
    sentence.click()
    expect(sentence).to_have_attribute("aria-current", "true")


# 知识库


def test_clauses_are_found_and_files_added(page_of):
    page = page_of("qc", "knowledge")
    page.get_by_label("问题、关键词或条款号").fill("抢救记录应在几小时内补记")
    page.get_by_label("问题、关键词或条款号").press("Enter")
    expect(page.get_by_label("检索结果")).to_contain_text("6小时内据实补记")
    picture(page, "knowledge")
    text = "# 本院交接班制度\n\n## 第一条\n\n值班医师须在床旁与白班医师交接危重患者，并在交班本双签名。\n"
    upload(page, "#bl-kb-upload", "本院交接班制度.md", text.encode())
    expect(page.locator(".bl-notice")).to_contain_text("已收入")
    page.get_by_label("问题、关键词或条款号").fill("床旁交接危重患者 双签名")
    page.get_by_label("问题、关键词或条款号").press("Enter")
    expect(page.get_by_label("检索结果")).to_contain_text("交班本双签名")


def test_only_who_may_add_knowledge_sees_the_button(page_of):
    expect(page_of(SURGEON, "knowledge").locator("#bl-kb-upload")).to_have_count(0)


# 规则


def test_a_rule_is_found_read_and_switched(page_of, service):
    page = page_of("qc", "rules")
    page.get_by_label("规则编号或标题").fill("首次病程记录超过8小时")
    page.get_by_label("规则编号或标题").press("Enter")
    page.locator("#rule-F-202").click()
    expect(page.locator("#bl-rule")).to_contain_text("病历书写基本规范第二十二条（一）")
    expect(page.locator("#bl-rule")).to_contain_text("不合格的例子")
    page.get_by_label("启用").uncheck()
    page.get_by_label("扣分").fill("2")
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".bl-notice")).to_contain_text("已保存")
    expect(page.locator("#rule-F-202")).to_contain_text("停用")
    expect(page.locator("#rule-F-202")).to_contain_text("2 分")
    visit(page, "rules?rule=F-202")
    expect(page.get_by_label("启用")).not_to_be_checked()
    expect(page.get_by_label("扣分")).to_have_value("2")
    assert "F-202" not in service.parts.checker.rules
    page.get_by_label("启用").check()
    page.get_by_role("button", name="保存").click()
    expect(page.locator("#rule-F-202")).not_to_contain_text("停用")
    assert service.parts.checker.rules["F-202"].points == 2


def test_a_rule_tells_how_people_received_it(page_of, service):
    rule, office = "L-501", service.desk("qc")
    page = page_of("qc", f"rules?rule={rule}")
    expect(page.locator("#bl-rule")).to_contain_text("还没有人改正、忽略或裁定过")
    for number in range(2):
        service.desk(SURGEON).dismiss(rule, f"第{number}处", "与患者情况不符")
    visit(page, f"rules?rule={rule}")
    expect(page.locator("#bl-rule")).to_contain_text("改正 0 次，忽略 2 次")
    expect(page.locator("#bl-rule")).to_contain_text("还没有裁定")
    work = office.findings(FindingFilter(rule=rule)).items[0]
    office.act(work.id, Step.FALSE_ALARM, work.version, reason="病例特点已归纳。")
    visit(page, f"rules?rule={rule}")
    expect(page.locator("#bl-rule")).to_contain_text("不成立占 100%（95% 区间 21%–100%）")
    expect(page.locator(f"#rule-{rule}")).to_contain_text("忽略 2 次")
    expect(page.locator(f"#rule-{rule}")).to_contain_text("不成立 1/1（21%–100%）")
    page.locator(f"#rule-{rule}").scroll_into_view_if_needed()
    picture(page, "rules")


def test_who_may_not_change_rules_only_reads_them(page_of):
    page = page_of(SURGEON, "rules?rule=F-202")
    expect(page.locator("#bl-rule h2")).to_contain_text("F-202")
    expect(page.get_by_label("扣分")).to_have_count(0)


# 评测


def test_an_evaluation_gives_figures_with_intervals(page_of):
    page = page_of("evaluator", "evaluation")
    upload(
        page, "#bl-chip2025-upload", "标注.json", json.dumps(labelled_notes(), ensure_ascii=False).encode()
    )
    expect(page.locator("#bl-evaluation")).to_contain_text("微平均 F1", timeout=120_000)
    expect(page.locator(".bl-tile", has_text="份病历")).to_contain_text("6")
    row = page.locator("#bl-evaluation tbody tr", has_text=CHIEF_COMPLAINT)
    expect(row).to_contain_text("1.00（0.44–1.00）")
    expect(page.locator(".bl-tile", has_text="查全率")).to_contain_text("n=15")
    picture(page, "evaluation")


def test_the_check_of_claims_is_measured_with_intervals(page_of):
    page = page_of("evaluator", "evaluation")
    upload(page, "#bl-claims-upload", "陈述.jsonl", labelled_claims().encode())
    expect(page.locator("#bl-evaluation")).to_contain_text("量的是陈述核对")
    expect(page.locator(".bl-tile", has_text="条陈述")).to_contain_text("6")
    expect(page.locator(".bl-tile", has_text="准确率")).to_contain_text("0.800")
    expect(page.locator(".bl-tile", has_text="准确率")).to_contain_text("（0.38–0.96；n=5）")
    expect(page.locator(".bl-tile", has_text="条未评")).to_contain_text("1")
    row = page.locator("#bl-evaluation tbody tr", has_text="体温")
    expect(row).to_contain_text("1.000（0.34–1.00）")


def labelled_claims() -> str:
    """Five labelled claims, the last label wrong on purpose, and one without a label."""
    source = "查体：体温36.5℃，血压168/96mmHg，左上肢肌力3级。"
    rows = (
        ("体温36.5℃。", "supported", "体温"),
        ("体温38.5℃。", "not_supported", "体温"),
        ("血压168/96mmHg。", "supported", "血压"),
        ("血压186/96mmHg。", "not_supported", "血压"),
        ("左上肢肌力3级。", "not_supported", "侧别"),
        ("血压168/96mmHg。", None, "血压"),
    )
    return "\n".join(
        json.dumps(
            {"id": str(number), "claim": claim, "sources": [source], "label": label, "kind": kind},
            ensure_ascii=False,
        )
        for number, (claim, label, kind) in enumerate(rows)
    )


def test_a_file_that_cannot_be_evaluated_is_refused_in_words(page_of):
    page = page_of("evaluator", "evaluation")
    upload(page, "#bl-chip2025-upload", "<img src=x onerror=window.ran=1>.json", b"[1]")
    expect(page.locator(".toast-wrap")).to_contain_text("record_id")
    assert page.evaluate("window.ran") is None


def labelled_notes() -> list[dict[str, object]]:
    """Admission notes whose chief complaints lack a duration or do not, as the experts of the task label them."""
    complete = "主诉：反复上腹痛2月，加重3天。\n现病史：患者2月前进食生冷后出现上腹隐痛，3天前加重。\n"
    lacking = "主诉：反复上腹痛。\n现病史：患者2月前进食生冷后出现上腹隐痛，3天前加重。\n"
    return [
        {
            "record_id": f"N{number}",
            "emr_content": lacking if number % 2 else complete,
            "problems": [
                {"rule_id": rule} for rule in (*([CHIEF_COMPLAINT] if number % 2 else []), COURSE, SYMPTOMS)
            ],
        }
        for number in range(6)
    ]


# 管理


def test_an_account_is_made_and_its_owner_signs_in(page_of, browser, service):
    page = page_of("administrator", "administration")
    page.get_by_role("button", name="新建账号").click()
    form = page.locator("form[data-act=save]")
    form.get_by_label("工号").fill("D1001")
    form.get_by_label("姓名").fill("丁若水")
    form.get_by_label("科室", exact=True).fill("普外科")
    form.get_by_label("医师", exact=True).check()
    form.get_by_label("医师的到期日").fill("2099-12-31")
    picture(page, "administration")
    form.get_by_role("button", name="保存").click()
    secret = page.locator(".bl-secret").inner_text()
    expect(page.locator("#bl-administration")).to_contain_text("医师，至 2099-12-31")

    own = browser.new_context(base_url=service.url, locale="zh-CN").new_page()
    sign_in(own, "D1001", secret)
    own.fill("input[name=old]", secret)
    own.fill("input[name=new]", "a new long secret")
    own.fill("input[name=again]", "a new long secret")
    own.press("input[name=again]", "Enter")
    expect(own.locator(".bl-who")).to_contain_text("丁若水 · 医师")
    own.context.close()

    page.get_by_role("button", name="核验日志").click()
    expect(page.get_by_text("日志完整，没有改动")).to_be_visible()
    page.get_by_label("操作人（工号）").fill("D1001")
    page.get_by_role("button", name="筛选").click()
    expect(page.locator("section[aria-labelledby=log-title] tbody tr").first).to_contain_text("D1001")


# Rights


@pytest.mark.parametrize(("name", "titles"), PAGES_OF.items())
def test_everybody_sees_the_pages_of_their_role_and_no_other(page_of, name, titles):
    page = page_of(name)
    assert page.locator(".bl-nav a").all_inner_texts() == titles
    for path, title in PAGES.items():
        if title not in titles:
            visit(page, path)
            expect(page.get_by_role("alert")).to_contain_text("您的角色不能使用本页")
            assert page.locator(".bl-sheet:visible, .bl-editor:visible").count() == 0


def test_nobody_reaches_the_record_of_another_by_address(page_of, service):
    theirs = service.desk("qc").findings(FindingFilter(record_id=HIP)).items[0]
    page = page_of(NEUROLOGIST)
    for path in (f"review?finding={theirs.id}", f"discharge?record={HIP}", f"review?record_id={HIP}"):
        visit(page, path)
        page.wait_for_timeout(300)
        assert "沈秋禾" not in page.locator("body").inner_text()
    visit(page, "review")
    expect(page.locator("#bl-queue .bl-item").first).to_be_visible()
    visit(page, "")
    expect(page.locator("[data-ready]")).to_be_attached()
    assert HIP not in page.get_by_label("患者（不选则只看本篇）").inner_text()


def test_nobody_reaches_the_record_of_another_by_forged_events(page_of, service):
    """The page's own channel, with ids that it never offered."""
    theirs = service.desk("qc").findings(FindingFilter(record_id=HIP)).items[0]
    page = page_of(NEUROLOGIST, "review")
    forge(page, "#bl-queue", {"act": "open", "id": theirs.id})
    expect(page.locator(".toast-wrap")).to_contain_text("没有缺陷")
    visit(page, "discharge")
    forge(page, "#bl-stays", {"act": "stay", "id": HIP})
    expect(page.locator(".toast-wrap")).to_contain_text("没有病案")
    assert "沈秋禾" not in page.locator("body").inner_text()
    assert page.request.get(f"/v1/records/{HIP}").status == 404


def forge(page: Page, region: str, fields: dict[str, str]) -> None:
    """Click an element that the page never drew."""
    page.locator(f"{region} .bl-panel").evaluate(
        """(root, fields) => {
            const forged = document.createElement("button");
            Object.assign(forged.dataset, fields);
            root.append(forged);
            forged.click();
        }""",
        fields,
    )


def test_without_a_session_no_event_is_answered(service):
    answer = httpx.post(f"{service.url}/ui/gradio_api/component_server", json={})
    assert answer.status_code == 401
    assert httpx.get(f"{service.url}/ui/config").status_code == 401


def test_scripts_of_a_record_stay_text_on_every_page(page_of, service):
    record = example("01")
    record["record_id"], record["archived_at"] = "ZY2026-SCRIPT", None
    record["patient"]["name"] = SCRIPT[:60]
    for document in record["documents"]:
        document["title"] = SCRIPT
        document["text"] = document["text"].replace("现病史：", f"现病史：{SCRIPT}")
    service.desk("qc").save_record(MedicalRecord.model_validate(record))
    page = page_of("qc", "review?record_id=ZY2026-SCRIPT")
    page.locator("#bl-queue .bl-item").first.click()
    expect(page.locator("#record-text")).to_contain_text("{{7*7}}${window.ran=1}")
    surgeon = page_of(SURGEON, "discharge?record=ZY2026-SCRIPT")
    surgeon.get_by_role("button", name="起草出院小结").click()
    expect(surgeon.get_by_role("button", name="全部接受")).to_be_visible(timeout=60_000)
    for one in (page, surgeon):
        assert one.evaluate("window.ran") is None
        assert one.locator(".bl-panel img, .bl-panel script").count() == 0


# How it looks


@pytest.mark.parametrize("name", [SURGEON, "qc", "administrator"])
def test_pages_read_well_on_a_phone_and_speak_chinese(page_of, name):
    page = page_of(name, width=390)
    for path in [path for path, title in PAGES.items() if title in PAGES_OF[name]]:
        visit(page, path)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        labels = " ".join(page.locator(LABELS).all_inner_texts())
        assert set(re.findall(r"[A-Za-z]{4,}", labels)) <= KNOWN_WORDS
        assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_a_phone_goes_to_the_finding_that_is_opened(page_of):
    page = page_of("qc", f"review?record_id={STROKE}&rule=L-401", width=390)
    page.locator("#bl-queue .bl-item").first.click()
    expect(page.locator("#finding-title")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture(page, "phone")


def test_pages_can_be_used_soon(page_of):
    """Alone on two cores a page is ready within one second; the limit leaves room for what runs beside the tests."""
    page = page_of("qc")
    for path in [path for path, title in PAGES.items() if title in PAGES_OF["qc"]]:
        visit(page, path)
        assert page.evaluate("performance.now()") < 10_000
