-- Server-Sent Events: a page of a few lines reads tokens from GET /stream. The provider's key stays in this process.
--
--   moonrill serve --mock examples/serve_stream.lua           then open the URL that it prints
--   curl -N "http://127.0.0.1:8080/stream?prompt=hi"
local llm = require "llm"

local client = llm.client { system = "You answer in a few sentences." }

local html = [[
<!doctype html>
<meta charset="utf-8">
<title>Stream</title>
<form><input name="prompt" value="Why is the moon round?" size="40"> <button>Ask</button></form>
<p id="reply" style="white-space: pre-wrap"></p>
<script>
  const form = document.querySelector("form"), reply = document.querySelector("#reply")
  form.onsubmit = event => {
    event.preventDefault()
    reply.textContent = ""
    const source = new EventSource("/stream?" + new URLSearchParams(new FormData(form)))
    source.onmessage = event => reply.append(JSON.parse(event.data).content)
    source.addEventListener("reset", () => reply.textContent = "")
    source.addEventListener("finish", () => source.close())
    source.addEventListener("failure", event => { source.close(); reply.append(JSON.parse(event.data).message) })
    source.addEventListener("lost", () => source.close())
  }
</script>
]]

assert(llm.serve {
  routes = {
    ["GET /"] = function() return { html = html } end,
    ["GET /stream"] = function(request) return client:stream(request.prompt or "Hello") end,
  },
})
