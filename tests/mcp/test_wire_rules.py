"""Each rule of the wire, put to the protocol itself; `test_demo_mcp_server.py` puts the same table to a real server."""

import json
import logging
from io import BytesIO

import pytest

from mcp.demo.demo_tools import DemoService
from mcp.serving.protocol import MAX_BODY_BYTES, answer_request
from mcp.serving.service import (
    BadParams,
    Prompt,
    PromptArgument,
    PromptPage,
    ServerInfo,
    Service,
    Tool,
    ToolAnswer,
    ToolFailed,
)
from tests.mcp.wire_rules import JSON, RULES, Request, Target, check_rule, legacy, modern

TARGET = Target(
    tool="count_text",
    arguments={"text": "안녕하세요"},
    wrong_arguments={"text": 7},
    prompt="polite_reply",
    values={"message": "안녕하세요"},
)


class FakeService(Service):
    """One tool that does what the test says, and prompts in pages of two."""

    info = ServerInfo(name="fake", version="1")

    def __init__(self, call=lambda arguments: ToolAnswer(text="done"), prompt_count=0):
        self.tools = (Tool(name="do", description="Does it.", input_schema={"type": "object"}, call=call),)
        self.names = [f"prompt-{number}" for number in range(prompt_count)]

    def list_prompts(self, after):
        if after is not None and after not in self.names:
            raise BadParams("unknown cursor")
        begin = 0 if after is None else self.names.index(after) + 1
        names = self.names[begin : begin + 2]
        return PromptPage([Prompt(name=name) for name in names], names[-1] if begin + 2 < len(self.names) else None)


def send_to(service: Service):
    def send(request: Request):
        read = BytesIO(request.body).read
        answer = answer_request(method=request.method, headers=request.headers, read=read, service=service)
        return answer.status, answer.headers, answer.body

    return send


def ask(service: Service, make_request) -> dict:
    return json.loads(send_to(service)(make_request(TARGET))[2])


DO = {"name": "do", "arguments": {}}


@pytest.mark.parametrize("name", RULES)
def test_the_wire_keeps_the_rule(name):
    check_rule(RULES[name], send_to(DemoService()), TARGET)


def test_header_names_are_read_in_any_case():
    request = modern("tools/list")(TARGET)
    shouted = {name.upper(): value for name, value in request.headers.items()}

    assert send_to(DemoService())(Request(request.body, shouted))[0] == 200


def test_a_body_that_says_it_is_too_large_is_not_read():
    def read(count):
        raise AssertionError("the body was read")

    headers = {**JSON, "Content-Length": str(MAX_BODY_BYTES + 1)}
    answer = answer_request(method="POST", headers=headers, read=read, service=DemoService())

    assert answer.status == 413


def test_no_more_of_an_endless_body_is_read_than_the_limit():
    counts = []

    def read(count):
        counts.append(min(count, 65_536))
        return b" " * counts[-1]

    answer = answer_request(method="POST", headers=JSON, read=read, service=DemoService())

    assert (answer.status, sum(counts)) == (413, MAX_BODY_BYTES + 1)


def test_a_body_of_exactly_the_limit_is_read():
    message = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'

    assert send_to(DemoService())(Request(message.ljust(MAX_BODY_BYTES)))[0] == 200
    assert send_to(DemoService())(Request(message.ljust(MAX_BODY_BYTES + 1)))[0] == 413


def test_a_body_that_comes_in_pieces_is_put_together():
    pieces = iter([b'{"jsonrpc":"2.0",', b'"id":1,"method":"ping"}', b""])
    answer = answer_request(method="POST", headers=JSON, read=lambda count: next(pieces), service=DemoService())

    assert json.loads(answer.body) == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_pages_of_prompts_follow_their_cursors_without_a_gap():
    service, found, params = FakeService(prompt_count=5), [], {}
    while True:
        result = ask(service, legacy("prompts/list", params))["result"]
        found += [prompt["name"] for prompt in result["prompts"]]
        if "nextCursor" not in result:
            break
        params = {"cursor": result["nextCursor"]}

    assert found == service.names


def test_a_cursor_does_not_show_the_key_in_it():
    result = ask(FakeService(prompt_count=3), legacy("prompts/list"))["result"]

    assert "prompt-1" not in result["nextCursor"]


def test_a_cursor_of_something_that_is_gone_is_refused():
    cursor = ask(FakeService(prompt_count=3), legacy("prompts/list"))["result"]["nextCursor"]

    assert ask(FakeService(), legacy("prompts/list", {"cursor": cursor}))["error"]["code"] == -32602


def test_what_is_empty_is_left_out():
    assert Prompt(name="a", arguments=[PromptArgument("b", is_required=False)]).to_wire() == {
        "name": "a",
        "arguments": [{"name": "b"}],
    }


def test_a_tool_that_takes_nothing_still_has_a_schema():
    assert FakeService().tools[0].to_wire()["inputSchema"] == {"type": "object"}


def test_a_failed_tool_is_a_result_to_act_on():
    def fail(arguments):
        raise ToolFailed("너무 길어요")

    assert ask(FakeService(fail), legacy("tools/call", DO))["result"] == {
        "content": [{"type": "text", "text": "너무 길어요"}],
        "isError": True,
    }


def test_structured_content_is_given_as_text_too():
    result = ask(FakeService(lambda arguments: ToolAnswer({"수": 1})), legacy("tools/call", DO))["result"]

    assert result == {"content": [{"type": "text", "text": '{"수": 1}'}], "structuredContent": {"수": 1}}


@pytest.mark.parametrize("make_request", [legacy, modern])
def test_whatever_breaks_is_an_internal_error_that_tells_and_logs_nothing_of_the_request(make_request, caplog):
    def fail(arguments):
        raise KeyError(arguments["secret"])

    with caplog.at_level(logging.ERROR, logger="mcp.serving.protocol"):
        answer = ask(FakeService(fail), make_request("tools/call", {**DO, "arguments": {"secret": "hush"}}))

    assert answer["error"] == {"code": -32603, "message": "internal error"}
    assert "method=tools/call error=KeyError" in caplog.text
    assert "in fail" in caplog.text
    assert "hush" not in caplog.text


def test_a_result_that_is_no_json_is_an_internal_error():
    answer = ask(FakeService(lambda arguments: ToolAnswer({"n": float("nan")})), legacy("tools/call", DO))

    assert answer["error"]["code"] == -32603


def test_half_a_character_in_an_answer_does_not_break_it():
    result = ask(FakeService(lambda arguments: ToolAnswer(text="a\ud800b")), legacy("tools/call", DO))["result"]

    assert result["content"][0]["text"] == "a?b"


def test_modern_results_say_who_answered():
    result = ask(DemoService(), modern("tools/list"))["result"]

    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "promptjang-demo"
