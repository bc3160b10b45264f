"""Scripts that run in the page before its own: they replace fetch, to give it streams that no server sends at will."""

# Answers each POST with a stream of `window.testStream(push)`, which pushes texts or bytes.
FAKE_STREAM = """
const realFetch = window.fetch;
window.fetch = async (address, options = {}) => {
  if (options.method !== "POST") return realFetch(address, options);
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async start(controller) {
      await window.testStream((part) => controller.enqueue(typeof part === "string" ? encoder.encode(part) : part));
      controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
};
"""

# A stream of `window.testText` as 5,000 events a second, and the longest gap between two frames meanwhile. Each event
# has a word.
BURST = FAKE_STREAM + """
window.testStream = async (push) => {
  const words = window.testText.match(/\\s*\\S+\\s*/g);
  push('id: burst-1\\nevent: start\\ndata: {"stream":"burst","model":"burst"}\\n\\n');
  const began = performance.now();
  window.testGap = 0;
  let last = began, isOver = false;
  const frame = (now) => {
    window.testGap = Math.max(window.testGap, now - last);
    last = now;
    if (!isOver) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  for (let sent = 0; sent < words.length;) {
    await new Promise((resolve) => setTimeout(resolve, 4));
    const due = Math.min(words.length, Math.floor((performance.now() - began) * 5));
    let events = "";
    for (; sent < due; sent++) events += `id: burst-${sent + 2}\\ndata: ${JSON.stringify({ content: words[sent] })}\\n\\n`;
    if (events) push(events);
  }
  window.testSeconds = (performance.now() - began) / 1000;
  push(`id: burst-${words.length + 2}\\nevent: finish\\ndata: {"finish_reason":"stop"}\\n\\n`);
  isOver = true;
};
"""

# The events of one answer in all the forms that the format allows, cut after each `window.testCut` bytes.
FORMS = FAKE_STREAM + """
window.testStream = async (push) => {
  const text = '\\ufeff: comment\\r\\n\\r\\nid: forms-1\\r\\nevent: start\\r\\ndata: {"stream":"forms","model":"forms"}\\r\\n\\r\\n' +
    'id:forms-2\\rdata:{"content":\\rdata:"one "}\\r\\r' +
    ': comment\\n\\nretry: 100\\nid: forms-3\\ndata: {"content":\\ndata: "two "}\\n\\n' +
    'data: {"content":"three "}\\nid: forms-4\\nunknown: field\\nnonsense\\n\\n' +
    'id: forms-4\\ndata: {"content":"REPEATED "}\\n\\n' +
    'event: later\\nid: forms-5\\ndata: {"unknown":true}\\n\\n' +
    'id: forms-6\\r\\ndata: {"content":"Ü月🌙"}\\r\\n\\r\\n' +
    'event: finish\\nid: forms-7\\ndata: {"finish_reason":"stop"}\\n\\n';
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += window.testCut) {
    push(bytes.slice(at, at + window.testCut));
    await null;
  }
};
"""

# The events of `window.testEvents`, each after the call of `window.testNext()`.
STEPS = FAKE_STREAM + """
window.testStream = async (push) => {
  let number = 0;
  for (const [type, data] of window.testEvents) {
    if (type !== "start") await new Promise((resolve) => (window.testNext = resolve));
    push(`id: steps-${++number}\\nevent: ${type}\\ndata: ${JSON.stringify(data)}\\n\\n`);
  }
};
"""

# Breaks the first connection of an answer after 40 chunks, and notes the ids from which it is resumed.
CUT = """
const realFetch = window.fetch;
window.testResumed = [];
let isCut = false;
window.fetch = async (address, options = {}) => {
  const id = options.headers?.["Last-Event-ID"];
  if (id) window.testResumed.push(id);
  const response = await realFetch(address, options);
  if (options.method !== "POST" || isCut) return response;
  isCut = true;
  const reader = response.body.getReader();
  let chunks = 0;
  const body = new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      if (++chunks > 20) {
        reader.cancel();
        return controller.error(new TypeError("network error"));
      }
      controller.enqueue(value);
    },
  });
  return new Response(body, { headers: response.headers });
};
"""
