"""Tests the page of `moonrill serve` in Chromium. Called by scripts/browser, which makes the Python environment first."""

import argparse
import json
import os
import re
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import servers
from chromium import Browser, Failed, chromium
from in_page import BURST, CUT, FORMS, STEPS
from selenium.webdriver.common.keys import Keys

CHECKS = []

# Milliseconds that may lie between two frames while 5,000 tokens a second arrive.
LONGEST_GAP = 200

# Lines of a long answer, with all that costs time to render.
PARAGRAPH = ("The **moon** rises over the *river*, and `light` moves from stone to stone; see [the map](https://example.org/map). "
             "Nobody counts the stones, and the night listens to the water. ")
BLOCKS = ("## Part {n}\n\n" + PARAGRAPH * 3 + "\n\n- first item with **weight**\n- second item\n  - nested item\n\n"
          "| Name | Value |\n|---|---:|\n| river | {n} |\n| stone | 7 |\n\n```python\n"
          + "".join(f"def part_{i}(value):\n    return value * {i}  # a line of code\n" for i in range(8)) + "```\n\n")

HOSTILE = """<img src=x onerror="window.testRan = 'img'"> <svg onload="window.testRan = 'svg'"></svg>

</script><script>window.testRan = 'script'</script>

[link](javascript:window.testRan='link') [data](data:text/html,<script>window.testRan='data'</script>)
[split](java
script:alert(1)) [entity](javascript&#58;alert(1)) [upper](JaVaScRiPt:alert(1)) <javascript:alert(1)>
[relative](/v1/models) [vb](vbscript:x) [file](file:///etc/passwd) [good](https://example.org/good "title")

![image](https://example.org/picture.png) ![data](data:image/png;base64,AAAA) ![script](javascript:alert(1))

<style>body { display: none }</style><iframe src="javascript:window.testRan='frame'"></iframe>
<a href="javascript:window.testRan='a'" onclick="window.testRan='click'">x</a> &lt;b&gt;entities&lt;/b&gt;

```html" onmouseover="window.testRan='fence'
<script>window.testRan = 'code'</script>
```

| a | b |
|---|---|
| <img src=x onerror="window.testRan='cell'"> | [c](javascript:window.testRan='cell') |

The end.
"""

RIGHT_TO_LEFT = """## القمر والنهر

يطلع **القمر** فوق النهر الهادئ، ويتحرك ضوؤه ببطء من حجر إلى حجر. يمكنك استخدام `moonrill serve` مع أي نموذج.

- العنصر الأول
- العنصر الثاني، مع رابط: [الخريطة](https://example.org/map)
  - عنصر متداخل

> اقتباس قصير عن الليل.

| الاسم | القيمة |
|---|---|
| نهر | ٧ |

```lua
print("code stays left to right")
```

月亮从静静的河上升起，光慢慢地从一块石头移到另一块石头。**“强调”**后面的文字也正确。这一段中文很长，用来检查换行是否正确，标点符号不应该出现在一行的开头。

An English paragraph in the same answer reads from left to right.
"""

SHOWCASE = """Moonrill streams language models from Lua. Here is **how a reply reaches you**:

1. The script asks a model:
   ```lua
   local moonrill = require "moonrill"
   local model = moonrill.model("openai/gpt-5")
   for text in model:stream("Why is the moon red?") do
     io.write(text)
   end
   ```
2. The engine sends the request, and *retries* it where that is safe.
3. Each delta is one event, so nothing waits for the end.

### Limits

| Limit | Default | Unit |
|:------|--------:|:----:|
| Requests | 60 | per minute |
| Output | 4,096 | tokens |

> A budget ends a request before it costs more than you allow.

- [x] Resume after a broken connection
- [ ] Anything that needs `eval`

See [the documentation](https://example.org/docs) for the ~~old~~ new options.
"""


def check(function):
    CHECKS.append(function)
    return function


def expect(condition, message: str):
    if not condition:
        raise Failed(message)


class Test:
    """What a check works with."""

    def __init__(self, binary: str, browser: Browser, screenshots: Path, stack: ExitStack):
        self._binary = binary
        self._stack = stack
        self.browser = browser
        self.screenshots = screenshots

    def serve(self, *options: str) -> str:
        """Starts a server for this check. Returns the address of its page."""
        command = [self._binary, "serve", "--port", "0", *options]
        return self._stack.enter_context(servers.child("moonrill serve", command, r"(http://127\.0\.0\.1:\d+/\S*)"))

    def serve_mock(self, *options: str) -> str:
        """Starts a server with the offline provider, and opens its page."""
        url = self.serve("--mock", *options)
        self.browser.open(url)
        return url

    def serve_texts(self, **texts: str) -> str:
        """Starts a server with models that answer each prompt with a text, and opens its page."""
        functions = [f"  {name} = function(request) return [=====[\n{text}]=====] end,\n" for name, text in texts.items()]
        script = self._stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".lua"))
        script.write('local llm = require "llm"\n')
        script.write("assert(llm.serve { models = {\n" + "".join(functions) + "}, routes = { [\"GET /\"] = llm.serve.page {} } })\n")
        script.flush()
        url = self.serve(script.name)
        self.browser.open(url)
        return url

    def save_screenshot(self, name: str):
        self.browser.driver.save_screenshot(str(self.screenshots / f"{name}.png"))


# Loading and streaming


@check
def page_loads_without_errors_and_foreign_requests(test: Test):
    browser = test.browser
    browser.logged()
    browser.requested()
    url = test.serve_mock("--rate", "0")
    browser.send("Tell me about the river.")
    browser.await_end()
    origin = url.split("#")[0].rstrip("/")
    foreign = [address for address in browser.requested() if not address.startswith(origin + "/")]
    expect(not foreign, f"requests to {foreign}")
    errors = browser.logged()
    expect(not errors, f"console messages: {errors}")


@check
def answer_grows(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "60")
    browser.run("""
        window.testStates = new Set();
        new MutationObserver(() => {
          const text = document.querySelector('.message.assistant > .markdown')?.textContent;
          if (text) window.testStates.add(text.length);
        }).observe(document.querySelector('#log'), { childList: true, subtree: true, characterData: true });
        """)
    browser.send("Tell me about the river.")
    text = browser.await_end()
    states = browser.run("return [...window.testStates]")
    expect(len(states) >= 5, f"only {len(states)} states were shown")
    expect(len(text) > 100, f"the answer is {text!r}")
    expect(browser.run("return document.querySelector('#stop').hidden"), "the stop button is shown after the end")
    facts = browser.run("return document.querySelector('.facts').textContent")
    expect(re.search(r"\d+ in, \d+ out", facts), f"no token counts: {facts!r}")


@check
def stop_ends_the_request(test: Test):
    browser = test.browser
    url = test.serve_mock("--rate", "20")
    browser.send("Tell me about the river.")
    browser.await_start()
    record = browser.until("the answer is stored", """
        const key = Object.keys(localStorage).find((key) => key.startsWith('moonrill:run:'));
        return key && JSON.parse(localStorage[key]).last;
        """)
    browser.click("#stop")
    browser.until("the page says so", "return document.querySelector('.note')?.textContent.includes('Stopped')")
    text = browser.answer()
    expect(text, "the text before the stop is gone")
    expect(browser.run("return !document.querySelector('#send').hidden"), "the send button does not come back")
    events = read_stream(url, record)
    expect("event: failure" in events and '"cancelled"' in events.replace(" ", ""), f"the stream was not cancelled: {events[-300:]}")
    expect(browser.run("return document.activeElement.id") == "prompt", "the focus is not in the prompt")


def read_stream(url: str, last: str) -> str:
    """The events of a stream after the given id, read to its end."""
    request = urllib.request.Request(url.split("#")[0] + "stream", headers={"Last-Event-ID": last, "Accept": "text/event-stream"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()


@check
def escape_stops(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "20")
    browser.send("Tell me about the river.")
    browser.await_start()
    browser.key(Keys.ESCAPE)
    browser.until("the page says so", "return document.querySelector('.note')?.textContent.includes('Stopped')")


@check
def stop_before_the_first_event(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "20")
    # Enter and Escape in one task, before the server can have answered.
    browser.run("""
        window.testDeleted = [];
        const realFetch = window.fetch;
        window.fetch = (address, options) => {
          if (options?.method === 'DELETE') window.testDeleted.push(address);
          return realFetch(address, options);
        };
        const press = (element, key) => element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
        document.querySelector('#prompt').value = 'Tell me about the river.';
        press(document.querySelector('#prompt'), 'Enter');
        press(document.querySelector('#prompt'), 'Escape');
        """)
    browser.until("the stream is deleted", "return window.testDeleted.length === 1")
    expect(browser.stored()[0]["messages"][1]["state"] == "stopped", "the answer is not stored as stopped")


# Resuming


@check
def reload_resumes(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "40")
    prompt = "Tell me about the river."
    browser.send(prompt)
    whole = browser.await_end()
    content = browser.stored()[0]["messages"][1]["content"]
    browser.click("#new")
    browser.send(prompt)
    for _ in range(3):
        length = browser.until("the answer begins", "return document.querySelector('.message.assistant > .markdown')?.textContent.length")
        browser.driver.refresh()
        browser.until("the answer grows after the reload", """
            const message = document.querySelector('.message.assistant > .markdown');
            return message?.textContent.length > arguments[0] || document.querySelector('.message .facts');
            """, length)
    text = browser.await_end()
    expect(text == whole, f"resumed: {text!r}, undisturbed: {whole!r}")
    expect(browser.stored()[0]["messages"][1]["content"] == content, "the stored text differs")
    keys = browser.run("return Object.keys(localStorage).filter((key) => key.startsWith('moonrill:run:'))")
    expect(not keys, f"records of running answers are left: {keys}")


@check
def broken_connection_resumes(test: Test):
    browser = test.browser
    with browser.script_in_pages(CUT):
        test.serve_mock("--rate", "40")
        prompt = "Tell me about the river."
        browser.send(prompt)
        text = browser.await_end()
        resumed = browser.run("return window.testResumed")
        expect(len(resumed) == 1, f"resumed from {resumed}")
        browser.click("#new")
        browser.send(prompt)
        expect(text == browser.await_end(), "the resumed text differs from the undisturbed one")


@check
def event_stream_in_all_forms(test: Test):
    browser = test.browser
    with browser.script_in_pages(FORMS):
        test.serve_mock()
        for cut in (1, 2, 3, 5, 7, 64, 100_000):
            browser.run("window.testCut = arguments[0]", cut)
            browser.send("Forms")
            text = browser.await_end()
            expect(text == "one two three Ü月🌙", f"cut after each {cut} bytes: {text!r}")
            browser.click("#new")


EVENTS = [
    ("start", {"stream": "steps", "model": "steps"}),
    ("wait", {"seconds": 40, "reason": "60 requests a minute"}),
    ("reasoning", {"content": "I **should** think."}),
    ("tool_call", {"id": "call-1", "name": "weather", "arguments": {"city": "Oslo"}}),
    ("message", {"content": "Void text."}),
    ("reset", {"attempt": 1, "error": {"kind": "network", "message": "connection reset"}}),
    ("message", {"content": "Valid **te"}),
    ("message", {"content": "xt**."}),
    ("finish", {"finish_reason": "length", "model": "steps", "usage": {"input_tokens": 1234, "output_tokens": 5}, "cost": 0.00123,
                "timing": {"first_token": 0.4, "total": 2.1}}),
]


@check
def events_of_all_kinds(test: Test):
    browser = test.browser
    with browser.script_in_pages(STEPS):
        test.serve_mock()
        browser.run("window.testEvents = arguments[0]", EVENTS)
        browser.send("Steps")

        def step(what: str, condition: str):
            browser.until("the next event is due", "return Boolean(window.testNext)")
            browser.run("const next = window.testNext; window.testNext = null; next()")
            browser.until(what, f"const find = (selector) => document.querySelector(selector); return {condition}")

        browser.until("the page waits", "return document.querySelector('.status:not([hidden]) .dots')")
        step("the wait is shown", "/60 requests a minute.*(40|39) s/.test(find('.status:not([hidden])')?.innerText)")
        step("the reasoning is shown", "find('details.fold:not([hidden], [open]) summary')?.innerText.includes('Reasoning')")
        browser.click("details.fold summary")
        browser.until("the reasoning unfolds", "return document.querySelector('details.fold .inside strong')?.textContent === 'should'")
        step("the tool call is shown", "find('.tools summary')?.innerText.includes('weather')")
        step("the text is shown", "find('.message.assistant > .markdown').innerText === 'Void text.'")
        step("the text is gone", "!find('.message.assistant > .markdown').textContent && !find('.tools summary') && find('.status').innerText.includes('connection reset')")
        step("unfinished strong text is strong", "find('.message.assistant > .markdown strong')?.textContent === 'te'")
        step("the text is right", "find('.message.assistant > .markdown').innerHTML.includes('Valid <strong>text</strong>.')")
        step("the end is shown", "find('.facts')?.textContent === 'steps · 1,234 in, 5 out · $0.0012 · 2.1 s'")
        notes = browser.run("return document.querySelector('.note').textContent")
        expect("maximum number of tokens" in notes, f"the note is {notes!r}")
        totals = browser.run("return document.querySelector('#totals').textContent")
        expect(totals == "Conversation: 1,234 tokens in, 5 out, $0.0012", f"the totals are {totals!r}")


@check
def lost_answers_are_reported(test: Test):
    browser = test.browser
    with browser.script_in_pages(STEPS):
        test.serve_mock()
        browser.run("window.testEvents = arguments[0]", [EVENTS[0], ("lost", {"message": "The rest is no longer kept."})])
        browser.send("Steps")
        browser.until("the next event is due", "return Boolean(window.testNext)")
        browser.run("window.testNext()")
        browser.await_end()
        note = browser.run("return document.querySelector('.note').textContent")
        expect(note == "The rest is no longer kept.", f"the note is {note!r}")


# Errors


@check
def failure_shows_its_hint(test: Test):
    browser = test.browser
    test.serve_mock("--fault", "401")
    browser.send("Tell me about the river.")
    browser.await_end()
    box = browser.run("const box = document.querySelector('.failure'); return [...box.querySelectorAll('h3, p, .hint')].map((e) => e.textContent)")
    hint = browser.run("return document.querySelector('.failure .hint')?.textContent")
    expect("401" in box[0] and len(box) >= 3 and hint, f"the failure is shown as {box}")
    expect(browser.run("return document.querySelector('.failure button').textContent") == "Try again", "no retry button")


@check
def retry_counts_down(test: Test):
    browser = test.browser
    test.serve_mock("--fault", "429:1@2", "--rate", "0")
    browser.run("""
        window.testStates = [];
        new MutationObserver(() => {
          const text = document.querySelector('.status:not([hidden])')?.innerText;
          if (text && text !== window.testStates.at(-1)) window.testStates.push(text);
        }).observe(document.querySelector('#log'), { childList: true, subtree: true, characterData: true });
        """)
    browser.send("Tell me about the river.")
    text = browser.await_end()
    states = browser.run("return window.testStates")
    counts = [int(match.group(1)) for state in states if (match := re.search(r"Attempt 1 failed.*in (\d+) s", state))]
    expect(len(counts) >= 2 and counts == sorted(counts, reverse=True), f"the states were {states}")
    expect(any("429" in state for state in states), f"no reason in {states}")
    expect(len(text) > 100, "no answer after the retry")


@check
def unreachable_server_is_reported(test: Test):
    browser = test.browser
    with ExitStack() as stack:
        Test(test._binary, browser, test.screenshots, stack).serve_mock()
    browser.send("Tell me about the river.")
    browser.await_end()
    expect(browser.run("return document.querySelector('.failure h3').textContent") == "No connection", "no failure is shown")


@check
def token_is_asked_for(test: Test):
    browser = test.browser
    os.environ["BROWSER_TEST_TOKEN"] = "secret-token"
    url = test.serve("--mock", "--rate", "0", "--token-env", "BROWSER_TEST_TOKEN")
    browser.open(url.split("#")[0])
    browser.send("Tell me about the river.")
    browser.until("the page asks", "return document.querySelector('#token-dialog').open")
    browser.key("secret-token", Keys.ENTER)
    expect(len(browser.await_end()) > 100, "no answer with the token")
    browser.open(url.split("#")[0] + "#token=secret-token")
    expect("secret" not in browser.driver.current_url, "the token stays in the address bar")
    browser.send("Tell me about the river.")
    expect(len(browser.await_end()) > 100, "no answer with the token of the address")


# Hostile and long text


@check
def hostile_text_is_text(test: Test):
    browser = test.browser
    browser.requested()
    url = test.serve_texts(evil=HOSTILE)
    browser.send("</script><img src=x onerror=\"window.testRan='prompt'\">")
    text = browser.await_end()
    expect("The end." in text and "<img src=x onerror" in text and "</script><script>" in text, f"text is missing: {text!r}")
    expect("<b>entities</b>" in text, "entities are not decoded")
    allowed = "a,article,blockquote,br,button,code,del,details,div,em,h3,h4,h5,h6,hr,i,li,ol,p,pre,span,strong,summary,svg.icon,table,tbody,td,th,thead,tr,ul,use"
    foreign = browser.run("""
        return [...document.querySelectorAll('#log *')].filter((element) => !element.matches(arguments[0])).map((element) => element.outerHTML)
        """, allowed)
    expect(not foreign, f"elements {foreign}")
    handlers = browser.run("""
        return [...document.querySelectorAll('#log *')].flatMap((element) => [...element.attributes])
          .filter(({ name }) => name.startsWith('on') || name === 'style' || name === 'src' || name === 'srcdoc').map(({ name, value }) => `${name}=${value}`)
        """)
    expect(not handlers, f"attributes {handlers}")
    links = browser.run("return [...document.querySelectorAll('#log a')].map((link) => [link.getAttribute('href'), link.rel, link.target])")
    expect([link[0] for link in links] == ["https://example.org/good", "https://example.org/picture.png"], f"links {links}")
    expect(all(link[1:] == ["noopener noreferrer nofollow", "_blank"] for link in links), f"links {links}")
    expect(browser.run("return window.testRan") is None, "text of the model ran as script")
    foreign = [address for address in browser.requested() if not address.startswith(url)]
    expect(not foreign, f"requests to {foreign}")


@check
def hostile_text_is_quick(test: Test):
    browser = test.browser
    size = 200_000
    texts = {
        "open brackets": "[" * size, "links": "[a](" * (size // 4), "stars": "*a " * (size // 3), "pairs": "*a_ " * (size // 4),
        "strong": "**a" * (size // 3), "ticks": "".join("`" * n + " " for n in range(1, 630)), "quotes": ">" * size, "items": "- " * (size // 2),
        "spaces": "# a" + " " * size + "b", "rule": "a|b\n-" + " " * size + "x", "address": "https://example.org/" + "*." * (size // 2) + "x" + ")" * 1000,
        "code": "` " + " " * size + "x`", "breaks": ("a" + " " * 500 + "x\n") * (size // 500), "cells": "a|" * 5000 + "\n" + "-|" * 5000 + "\n",
        "entities": "&#x41;" * (size // 6), "tags": "<http://" * (size // 8), "images": "![" * (size // 2) + "](" * 1000,
    }
    slow = {}
    with browser.script_in_pages(STEPS):
        test.serve_mock()
        for name, text in texts.items():
            browser.run("window.testEvents = [['start', { stream: 'steps', model: 'steps' }], ['message', { content: arguments[0] }], ['finish', {}]]; window.testNext = null", text)
            browser.send("Steps")
            for _ in range(2):
                browser.until("the next event is due", "return Boolean(window.testNext)")
                began = time.monotonic()
                browser.run("const next = window.testNext; window.testNext = null; next()")
                browser.until("a frame", "return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))))")
                # Linear time is below two seconds on an idle machine; quadratic time is minutes.
                if (seconds := time.monotonic() - began) > 8:
                    slow[name] = f"{seconds:.1f} s"
            browser.await_end()
            browser.click("#new")
    expect(not slow, f"time to render {size // 1000} KB: {slow}")


@check
def markdown_has_its_structure(test: Test):
    browser = test.browser
    test.serve_texts(showcase=SHOWCASE)
    browser.send("Show me.")
    browser.await_end()
    found = browser.run("""
        const count = (selector) => document.querySelectorAll(`.message.assistant > .markdown ${selector}`).length;
        return Object.fromEntries(arguments[0].map((selector) => [selector, count(selector)]));
        """, list(STRUCTURE))
    expect(found == STRUCTURE, f"{ {name: count for name, count in found.items() if STRUCTURE[name] != count} }")
    code = browser.run("return document.querySelector('.code code').textContent")
    expect(code.startswith('local moonrill = require') and "  io.write(text)\n" in code, f"the code is {code!r}")
    growing = browser.run("return document.querySelector('.message.assistant > .markdown').innerHTML")
    browser.driver.refresh()
    browser.await_end()
    whole = browser.run("return document.querySelector('.message.assistant > .markdown').innerHTML")
    expect(growing == whole, f"rendered in pieces: {growing}\nat once: {whole}")


STRUCTURE = {"ol > li": 3, "ol .code": 1, "strong": 1, "em": 1, "h5": 1, "[data-level='3']": 1, "th": 3, "td.end": 2, "td.center": 2, "blockquote": 1,
             "li.task": 2, "del": 1, "a": 1, ":not(pre) > code": 1, "hr": 0, "br": 0}


@check
def burst_stays_smooth(test: Test):
    browser = test.browser
    texts = {
        "blocks": "".join(BLOCKS.format(n=n) for n in range(160)),
        "one paragraph": PARAGRAPH * 1000,
        "one code block": "```python\n" + "".join(f"value_{n} = compute(value_{n - 1}, {n})  # line\n" for n in range(4000)) + "```\n",
        "one list": "".join(f"- item {n} has **weight** and `code`\n" for n in range(4000)),
        # Shorter than the others: each new row makes the browser lay out the whole table.
        "one table": "| Name | Value |\n|---|---|\n" + "".join(f"| item {n} | **{n}** and `code` |\n" for n in range(2000)),
    }
    late = {}
    with browser.script_in_pages(BURST):
        test.serve_mock()
        for name, text in texts.items():
            # Another process may hold the machine for a moment: what the page does itself happens in each run.
            gap = min_until(LONGEST_GAP, 3, lambda text=text: burst(browser, text))
            rate = len(text.split()) / browser.run("return window.testSeconds")
            print(f"   {name}: {len(text) // 1000} KB at {rate:.0f} tokens a second, longest gap between frames {gap:.0f} ms", flush=True)
            if gap > LONGEST_GAP:
                late[name] = gap
    expect(not late, f"gaps of more than {LONGEST_GAP} ms: {late}")


def min_until(limit: float, runs: int, measure) -> float:
    """The least of several measurements. Ends with the first one within the limit."""
    least = float("inf")
    for _ in range(runs):
        least = min(least, measure())
        if least <= limit:
            break
    return least


def burst(browser: Browser, text: str) -> float:
    """Streams a text at 5,000 tokens a second. Returns the longest gap between frames in milliseconds."""
    browser.click("#new")
    browser.run("window.testText = arguments[0]", text)
    browser.send("Go")
    shown = browser.await_end(patience=120)
    stored = browser.stored()[0]["messages"][1]["content"]
    expect(stored.strip() == text.strip(), f"{len(stored)} of {len(text)} characters arrived")
    # The Markdown itself is not shown: less than half of the characters.
    last = re.findall(r"\w+", text)[-1]
    expect(len(shown) > len(text) / 2 and last in shown[-40:], f"of {len(text)} characters {len(shown)} are shown; the end is {shown[-40:]!r}")
    return browser.run("return window.testGap")


# Conversations


@check
def conversations_are_kept(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "0")
    browser.send("First question")
    first = browser.await_end()
    browser.send("Another question")
    browser.await_end()
    browser.click("#new")
    browser.send("Second question")
    browser.await_end()
    browser.driver.refresh()
    titles = browser.run("return [...document.querySelectorAll('.chats .open')].map((button) => button.textContent)")
    expect(titles == ["Second question", "First question"], f"the list has {titles}")
    browser.run("document.querySelectorAll('.chats .open')[1].click()")
    browser.until("four messages", "return document.querySelectorAll('.message').length === 4")
    expect(browser.run("return document.querySelector('.message.assistant > .markdown').textContent") == first, "the first answer changed")
    browser.run("document.querySelector('.chats li.current button[aria-label^=Delete]').click()")
    expect(len(browser.stored()) == 1, "the conversation was not deleted")
    browser.click("#notice-action")
    expect(len(browser.stored()) == 2, "the conversation was not restored")


@check
def tabs_keep_their_conversations(test: Test):
    browser = test.browser
    url = test.serve_mock("--rate", "20")
    browser.send("Question of the first tab")
    browser.await_start()
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    try:
        browser.driver.get(url)
        browser.send("Question of the second tab")
        browser.await_start()
        browser.driver.switch_to.window(first)
        browser.until("the first answer ends", "return document.querySelector('.message .facts')")
        browser.until("both answers are stored", """
            return Object.keys(localStorage).filter((key) => key.startsWith('moonrill:chat:'))
              .filter((key) => JSON.parse(localStorage[key]).messages[1]?.state === 'done').length === 2
            """)
        browser.until("both are in the list", "return document.querySelectorAll('.chats li').length === 2")
    finally:
        for handle in browser.driver.window_handles:
            if handle != first:
                browser.driver.switch_to.window(handle)
                browser.driver.close()
        browser.driver.switch_to.window(first)


@check
def other_tab_shows_a_running_answer(test: Test):
    browser = test.browser
    url = test.serve_mock("--rate", "20")
    browser.send("Tell me about the river.")
    browser.until("the answer is stored", "return Object.keys(localStorage).some((key) => key.startsWith('moonrill:run:') && JSON.parse(localStorage[key]).message.content)")
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    try:
        browser.driver.get(url)
        browser.click(".chats .open")
        browser.until("the tab says where the answer is", "return document.querySelector('.note')?.textContent.includes('another tab')")
        length = len(browser.answer())
        browser.until("the answer grows here too", "return document.querySelector('.message.assistant > .markdown').textContent.length > arguments[0]", length)
        browser.until("the answer has its end", "return document.querySelector('.facts')")
        mirrored = browser.answer()
        browser.driver.close()
        browser.driver.switch_to.window(first)
        expect(mirrored == browser.await_end(), "the tabs show different texts")
    finally:
        for handle in browser.driver.window_handles:
            if handle != first:
                browser.driver.switch_to.window(handle)
                browser.driver.close()
        browser.driver.switch_to.window(first)


@check
def full_storage_is_reported(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "0")
    browser.run("""
        let size = 1 << 20;
        for (let n = 0; size > 50;) {
          try { localStorage[`fill${n++}`] = 'x'.repeat(size); } catch { size >>= 1; }
        }
        """)
    browser.send("Tell me about the river.")
    expect(len(browser.await_end()) > 100, "no answer")
    expect("storage" in browser.run("return document.querySelector('#notice:not([hidden])')?.textContent ?? ''"), "no notice")


@check
def answer_and_prompt_can_be_replaced(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "0")
    browser.send("First question")
    first = browser.await_end()
    browser.click(".again")
    browser.until("the answer is replaced", "return document.querySelector('.message:last-child .facts')")
    expect(browser.await_end() == first, "the same question has another answer")
    browser.run("document.querySelector('.edit').click()")
    browser.key(" about stones", Keys.ENTER)
    browser.until("the prompt is replaced", "return document.querySelector('.bubble').textContent === 'First question about stones'")
    browser.await_end()
    expect(len(browser.stored()[0]["messages"]) == 2, "the conversation has more messages")


@check
def texts_can_be_copied_and_saved(test: Test):
    browser = test.browser
    test.serve_texts(showcase=SHOWCASE)
    browser.run("window.testCopied = []; navigator.clipboard.writeText = async (text) => { window.testCopied.push(text); }")
    browser.send("Show me.")
    browser.await_end()
    browser.click(".code button")
    browser.click(".message.assistant .actions button")
    copied = browser.until("two texts", "return window.testCopied.length === 2 && window.testCopied")
    expect(copied[0].startswith("local moonrill") and copied[0].endswith("end"), f"copied {copied[0]!r}")
    expect(copied[1].strip() == SHOWCASE.strip(), f"copied {copied[1]!r}")
    with tempfile.TemporaryDirectory() as folder:
        browser.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
        browser.click("#export")
        limit = time.monotonic() + 10
        while not (files := list(Path(folder).glob("*.md"))) and time.monotonic() < limit:
            time.sleep(0.02)
        expect([file.name for file in files] == ["Show-me.md"], f"saved {files}")
        text = files[0].read_text()
    expect(SHOWCASE.strip() in text and "## Prompt\n\nShow me.\n" in text, f"saved {text!r}")


# Keyboard, scrolling, layout


@check
def keyboard_sends_and_breaks_lines(test: Test):
    browser = test.browser
    test.serve_mock("--rate", "0")
    expect(browser.run("return document.activeElement.id") == "prompt", "the focus is not in the prompt")
    composing = browser.run("""
        const prompt = document.querySelector('#prompt');
        prompt.value = 'にほ';
        prompt.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }));
        const count = document.querySelectorAll('.message').length;
        prompt.value = '';
        return count;
        """)
    expect(composing == 0, "Enter in a composition sends")
    browser.key("one", Keys.SHIFT, Keys.ENTER, Keys.NULL, "two", Keys.ENTER)
    browser.await_end()
    expect(browser.run("return document.querySelector('.bubble').textContent") == "one\ntwo", "Shift and Enter make no line")


@check
def scrolling_follows_only_at_the_end(test: Test):
    browser = test.browser
    with browser.script_in_pages(BURST):
        test.serve_mock()
        browser.run("window.testText = arguments[0]", "".join(BLOCKS.format(n=n) for n in range(80)))
        browser.send("Go")
        browser.until("the page follows", "const s = document.querySelector('#scroller'); return s.scrollTop > 2000 && s.scrollHeight - s.scrollTop - s.clientHeight < 60")
        browser.run("document.querySelector('#scroller').scrollTop = 500")
        browser.until("the button is shown", "return !document.querySelector('#jump').hidden")
        height = browser.run("return document.querySelector('#scroller').scrollHeight")
        browser.until("the text grows", "return document.querySelector('#scroller').scrollHeight > arguments[0] + 1000", height)
        top = browser.run("return document.querySelector('#scroller').scrollTop")
        expect(top == 500, f"the page scrolled to {top}")
        browser.click("#jump button")
        browser.until("the end is shown", "const s = document.querySelector('#scroller'); return s.scrollHeight - s.scrollTop - s.clientHeight < 60")
        browser.await_end(patience=120)


@check
def controls_have_names_and_contrast(test: Test):
    browser = test.browser
    test.serve_texts(showcase=SHOWCASE, other="x")
    browser.send("Show me.")
    browser.await_end()
    unnamed = browser.run("""
        return [...document.querySelectorAll('button, select, textarea, input')]
          .filter((control) => control.checkVisibility() && !(control.getAttribute('aria-label') || control.labels?.length || control.textContent.trim())).map((control) => control.outerHTML)
        """)
    expect(not unnamed, f"controls without names: {unnamed}")
    for dark in (False, True):
        with browser.screen(1280, 860, dark=dark):
            low = browser.run(CONTRAST)
            expect(not low, f"low contrast {'(dark)' if dark else '(light)'}: {low}")


# The texts whose contrast with their background is below 4.5 to 1 (WCAG 2.2, AA).
CONTRAST = """
const luminance = ([red, green, blue]) => {
  const [r, g, b] = [red, green, blue].map((value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
const background = (element) => {
  for (; element; element = element.parentElement) {
    const color = numbers(getComputedStyle(element).backgroundColor);
    if (color.length < 4 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const low = [];
for (const element of document.querySelectorAll('body *')) {
  if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || !element.checkVisibility({ opacityProperty: true })) continue;
  if (element.matches('script, option, :disabled')) continue;
  const values = [numbers(getComputedStyle(element).color), background(element)].map(luminance).sort((a, b) => b - a);
  const ratio = (values[0] + 0.05) / (values[1] + 0.05);
  if (ratio < 4.5) low.push(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
}
return low;
"""


@check
def narrow_screen_does_not_scroll_sideways(test: Test):
    browser = test.browser
    wide = SHOWCASE + "\n" + "unbroken" * 60 + "\n\n`" + "code" * 80 + "`\n\n| " + "cell | " * 12 + "\n|" + "---|" * 12 + "\n| " + "value | " * 12 + "\n"
    for width in (320, 390, 800):
        with browser.screen(width, 700, phone=True):
            test.serve_texts(wide=wide, **{"a_second_model_with_a_long_name": "x"})
            browser.send("Show me " + "averylongword" * 20)
            browser.await_end()
            size = browser.run("return [document.documentElement.scrollWidth, document.querySelector('#scroller').scrollWidth, document.querySelector('#scroller').clientWidth, innerWidth]")
            expect(size[0] <= width and size[1] <= size[2] and size[3] == width, f"at {width} px the widths are {size}")
            outside = browser.run("""
                return [...document.querySelectorAll('.bar *, .foot *')].filter((element) => element.checkVisibility())
                  .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5).map((element) => element.outerHTML.slice(0, 120))
                """)
            expect(not outside, f"at {width} px outside of the screen: {outside}")


# Screenshots


@check
def screenshots(test: Test):
    browser = test.browser
    test.serve_texts(showcase=SHOWCASE, arabic=RIGHT_TO_LEFT)
    test.save_screenshot("empty")
    browser.send("How does a reply reach me? Please show the code, the limits and what happens when the connection breaks.")
    browser.await_end()
    for name, dark in (("light", False), ("dark", True)):
        with browser.screen(1280, 1400, dark=dark):
            test.save_screenshot(name)
    with browser.screen(390, 844, phone=True, scale=2):
        browser.run("document.querySelector('#scroller').scrollTop = 0")
        test.save_screenshot("phone")
        browser.run("document.querySelector('#scroller').scrollTop = 1e6")
        test.save_screenshot("phone-end")
        browser.click("#show-side")
        test.save_screenshot("phone-side")
        browser.key(Keys.ESCAPE)
    browser.click("#new")
    browser.run("const select = document.querySelector('#model'); select.value = 'arabic'; select.dispatchEvent(new Event('change'))")
    browser.send("أخبرني عن القمر والنهر")
    browser.await_end()
    with browser.screen(1280, 1400):
        test.save_screenshot("right-to-left")
    direction = browser.run("return getComputedStyle(document.querySelector('.message.assistant .markdown ul')).direction")
    expect(direction == "rtl", f"the direction of an Arabic list is {direction}")
    url = test.serve_mock("--fault", "429:1@30,401")
    browser.send("Tell me about the river.")
    browser.until("the countdown is shown", "return document.querySelector('.status:not([hidden])')?.innerText.includes('Attempt')")
    test.save_screenshot("retry")
    test.serve_mock("--fault", "401")
    browser.send("Tell me about the river.")
    browser.await_end()
    with browser.screen(1280, 860, dark=True):
        test.save_screenshot("failure")


def describe(error: Exception) -> str:
    if isinstance(error, (Failed, servers.ServerError)):
        return str(error)
    # The message of chromedriver goes on with its own stack.
    place = next(frame for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename == __file__)
    return f"{type(error).__name__} in line {place.lineno}: {str(error).splitlines()[0] if str(error) else ''}"


def binary_of(path: str | None) -> str:
    if path:
        return os.path.abspath(path)
    for path in (".build/release/moonrill", ".build/debug/moonrill"):
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    sys.exit("scripts/browser: there is no .build/release/moonrill and no .build/debug/moonrill: run `swift build -c release`")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/browser")
    parser.add_argument("--binary")
    parser.add_argument("--screenshots", type=Path, default=Path(".build/browser"))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    binary = binary_of(options.binary)
    options.screenshots.mkdir(parents=True, exist_ok=True)
    chosen = [function for function in CHECKS if options.only in function.__name__]
    failed = 0
    with chromium() as browser:
        for function in chosen:
            name = function.__name__.replace("_", " ")
            began = time.monotonic()
            with ExitStack() as stack:
                try:
                    function(Test(binary, browser, options.screenshots, stack))
                    print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"FAILED {name}: {describe(error)}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} checks passed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
