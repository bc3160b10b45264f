"""Counts deltas as count.lua does, with httpx and httpx-sse: python3 httpx_sse_client.py BASE_URL"""

import json
import sys

import httpx
from httpx_sse import connect_sse

reasoning = content = size = 0
body = {"model": "deepseek-reasoner", "stream": True, "messages": [{"role": "user", "content": "count"}]}
with httpx.Client(timeout=60) as client:
    with connect_sse(client, "POST", sys.argv[1] + "/chat/completions", json=body) as source:
        for event in source.iter_sse():
            if event.data == "[DONE]":
                break
            chunk = json.loads(event.data)
            if not chunk["choices"]:
                continue
            delta = chunk["choices"][0]["delta"]
            if thought := delta.get("reasoning_content"):
                reasoning += 1
                size += len(thought.encode())
            if text := delta.get("content"):
                content += 1
                size += len(text.encode())
print(reasoning, content, size, sep="\t")
