"""Malformed tool calls, as models produce them. No provider accepts them unchanged."""

TOOLS = [{"name": "get_weather", "description": "The weather in a city.",
          "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
NAME = TOOLS[0]["name"]

MALFORMED: dict[str, list[tuple[str, str]]] = {
    "broken arguments": [(NAME, text) for text in ('{"city": "Par', "", "Paris", '{"city": "Paris"}{"city": "Rome"}')],
    "arguments that are no object": [(NAME, text) for text in ('["Paris"]', '"Paris"', "null", "7", "true")],
    "names that are not legal": [(name, '{"city": "Paris"}') for name in (
        "get weather!", "", "x" * 80, "получить", "functions.get_weather:0", "7days", "-get")],
}


def malformed_history(calls: list[tuple[str, str]]) -> list[dict]:
    """A hand-made conversation with one round for each call. The result of each call is an error."""
    messages = []
    for number, (name, arguments) in enumerate(calls, 1):
        call = {"id": f"call_{number}", "name": name, "arguments_json": arguments}
        messages += [{"role": "user", "content": f"Question {number}?"},
                     {"role": "assistant", "content": "", "tool_calls": [call]},
                     {"role": "tool", "tool_call_id": call["id"], "is_error": True,
                      "content": f"error number {number}"}]
    return messages
