"""Counts deltas as count.lua does, with the openai package: python3 openai_sdk.py BASE_URL"""

import sys

from openai import OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
reasoning = content = size = 0
messages = [{"role": "user", "content": "count"}]
for chunk in client.chat.completions.create(model="deepseek-reasoner", messages=messages, stream=True):
    if not chunk.choices:
        continue
    delta = chunk.choices[0].delta
    thought = getattr(delta, "reasoning_content", None)
    if thought:
        reasoning += 1
        size += len(thought.encode())
    if delta.content:
        content += 1
        size += len(delta.content.encode())
print(reasoning, content, size, sep="\t")
