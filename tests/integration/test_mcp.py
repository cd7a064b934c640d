"""``bingli mcp`` as an MCP client sees it: started as a process, spoken to over its standard input and output."""

import json
import subprocess
import sys

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from app.settings import Settings
from retrieval.opening import open_knowledge

pytestmark = pytest.mark.server

NOTE = (
    "主诉：反复上腹痛。\n现病史：患者2月前进食生冷后出现上腹隐痛。\n既往史：否认高血压。\n初步诊断：慢性胃炎"
)
ANSWER_SECONDS = 300
END_SECONDS = 60
RUN = "import sys; from app.cli.main import run; sys.argv = ['bingli', *sys.argv[1:]]; run()"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder that these tests share."""
    return tmp_path_factory.mktemp("mcp")


@pytest.fixture
def ask(data):
    """Calls tools one after another within one session; gives the texts of the answers, and whether they failed."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", RUN, "mcp", "--no-model"],
        env={"BINGLI_DATA_DIR": str(data), "PYTHONPATH": "."},
    )

    def run(*calls):
        async def session():
            async with (
                stdio_client(parameters) as (reading, writing),
                ClientSession(reading, writing, read_timeout_seconds=ANSWER_SECONDS) as client,
            ):
                await client.initialize()
                listed = [tool.name for tool in (await client.list_tools()).tools]
                answers = [await client.call_tool(name, arguments) for name, arguments in calls]
                return listed, [(told(answer), answer.is_error) for answer in answers]

        return anyio.run(session)

    return run


def told(answer):
    return "".join(content.text for content in answer.content)


def test_a_client_checks_explains_verifies_and_drafts(ask, examples):
    stay = json.loads(next(iter(sorted(examples.glob("02-*.json")))).read_text("utf-8"))
    tools, answers = ask(
        ("check", {"text": NOTE, "type": "入院记录"}),
        ("explain", {"code": "N-101"}),
        ("verify", {"claim": "患者3天前受凉后出现咳嗽。", "sources": ["患者3天前受凉后出现咳嗽。"]}),
        ("verify", {"claim": "体温38.5℃。", "sources": ["体温36.5℃。"]}),
        ("draft", {"record": stay}),
    )
    assert tools == ["check", "explain", "search", "draft", "verify"]
    assert not any(is_error for _, is_error in answers)
    checked, explained, kept, wrong, drafted = (text for text, _ in answers)
    finding = next(f for f in json.loads(checked)["result"]["findings"] if f["rule"] == "N-101")
    assert finding["evidence"][0]["quote"] in NOTE
    assert explained.startswith("N-101")
    assert json.loads(kept)["verdict"] == "supported"
    assert json.loads(wrong)["verdict"] == "not_supported"
    draft = json.loads(drafted)
    assert draft["document_type"] == "出院记录"
    assert draft["label"]["AIGC"]["Label"] == "1"


def test_a_client_searches_clauses(ask, data):
    open_knowledge(Settings(data_dir=data)).update_index()
    _, ((found, is_error),) = ask(("search", {"query": "抢救记录几小时内补记", "k": 3}))
    assert not is_error
    assert "6小时" in found


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("check", {}, "只能给出一个"),
        ("check", {"record": {"record_id": 7}}, "record_id"),
        ("explain", {"code": "N-999"}, "没有规则 N-999"),
        ("search", {"query": "病程", "document": "没有这份"}, "没有文件"),
        ("draft", {"record": {"record_id": "A"}}, ""),
    ],
)
def test_a_mistake_is_told_in_its_sentence_and_the_server_goes_on(ask, name, arguments, says):
    _, answers = ask((name, arguments), ("explain", {"code": "N-101"}))
    (text, is_error), (_, still_fails) = answers
    assert is_error
    assert says in text
    assert "Traceback" not in text
    assert not still_fails


def test_the_server_ends_with_its_client_though_a_tool_runs(tmp_path):
    """The first search of a new data folder builds the index, which takes its time."""

    def call(number, method, **params):
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"

    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    command = [sys.executable, "-W", "ignore", "-c", RUN, "mcp", "--no-model"]
    environment = {"BINGLI_DATA_DIR": str(tmp_path), "PYTHONPATH": "."}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            process.stdin.write(call(1, "initialize", **hello))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == 1
            initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            process.stdin.write(json.dumps(initialized) + "\n")
            process.stdin.write(call(2, "tools/call", name="search", arguments={"query": "抢救"}))
            process.stdin.write(call(3, "ping"))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == 3
            process.stdin.close()
            assert process.wait(END_SECONDS) == 0
        finally:
            process.kill()
