"""A client with plain exponential backoff: python3 backoff_client.py BASE_URL ITEMS AT_ONCE

Sends one request for each item, AT_ONCE at a time, on AT_ONCE connections that are kept open. A refused request is
retried up to four times. It waits for the time in Retry-After, else for 0.5 s, doubled with each retry up to 8 s, minus
up to a quarter at random. Prints the number of good replies, and the seconds.
"""

import asyncio
import json
import random
import re
import sys
import time
from urllib.parse import urlsplit

RETRIES = 4
FIRST, WIDEST = 0.5, 8.0


async def ask(connection, url, item: int) -> bool:
    """Sends one request with its retries. Returns whether there was a reply."""
    reader, writer = connection
    messages = [{"role": "user", "content": f"item {item}"}]
    body = json.dumps({"model": "m", "stream": True, "messages": messages}).encode()
    head = (f"POST {url.path}/chat/completions HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    for attempt in range(RETRIES + 1):
        writer.write(head + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        reply = await reader.readexactly(int(re.search(r"content-length: *(\d+)", answer).group(1)))
        if answer.split(" ", 2)[1] == "200":
            return b"[DONE]" in reply
        if attempt < RETRIES:
            named = re.search(r"\r\nretry-after: *([\d.]+)", answer)
            window = min(WIDEST, FIRST * 2 ** attempt)
            await asyncio.sleep(float(named.group(1)) if named else window * random.uniform(0.75, 1))
    return False


async def main():
    url, items, at_once = urlsplit(sys.argv[1]), iter(range(int(sys.argv[2]))), int(sys.argv[3])
    good = 0

    async def work():
        nonlocal good
        connection = await asyncio.open_connection(url.hostname, url.port)
        for item in items:
            good += await ask(connection, url, item)
        connection[1].close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    print(good, f"{time.perf_counter() - began:.3f}")


asyncio.run(main())
