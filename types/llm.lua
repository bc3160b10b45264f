---@meta llm
-- Annotations of the module `llm` for the Lua language server (https://luals.github.io/wiki/annotations/). This file is
-- never executed. Add its folder to "Lua.workspace.library" and set "Lua.runtime.version" to Lua 5.4.
-- Functions marked @async wait; other tasks continue meanwhile.
-- Not available to scripts: bytecode (`load` refuses it, because a crafted chunk can corrupt memory), debug.sethook,
-- debug.setlocal, debug.setuservalue, debug.setcstacklimit, debug.getregistry and debug.debug. debug.setupvalue and
-- debug.upvaluejoin accept only functions of the script, debug.setmetatable accepts only tables.

---@class llm
---@field version string
---@field json llm.json
---@field log llm.log
---@field defer table a tool's run returns it to leave the call to the script
---@field flow llm.flow combinators of prompt chains
---@field budget fun(options: { tokens?: integer, usd?: number, seconds?: number }): llm.budget
---@field jsonl llm.jsonl files of JSON lines
---@field serve llm.serve HTTP server of the script: handlers, models, the chat page
---@field prices table<string, llm.price> prices by model; assign to add or override one
local llm = {}

---@alias llm.error_kind "config"|"auth"|"permission"|"invalid_request"|"rate_limit"|"quota"|"overloaded"|"timeout"|"network"|"truncated"|"protocol"|"provider"|"cancelled"|"budget"|"journal"|"schema"
---@alias llm.finish_reason "stop"|"length"|"tool_calls"|"content_filter"|"cancelled"|"other"
---@alias llm.after_output "fail"|"restart"|"continue"|"auto"
---@alias llm.status "waiting"|"streaming"|"retrying"|"paused"|"finished"|"failed"

---A message of a conversation. Tool calls with illegal names or arguments are corrected when they are sent, and
---assistant messages without output are left out.
---@class llm.message
---@field role "system"|"developer"|"user"|"assistant"|"tool"
---@field content? string|(string|llm.part)[]
---@field tool_calls? llm.tool_call[] of an assistant message
---@field tool_call_id? string of a tool message: the id of the call
---@field is_error? boolean of a tool message: the tool failed
---@field native? table of reply.message: parts that are sent back to the provider unchanged

---@class llm.part
---@field type "text"|"image"|string any other type is sent unchanged
---@field text? string
---@field path? string image file: PNG, JPEG, GIF or WebP
---@field url? string image address, fetched by the provider
---@field data? string the bytes of the image; if media_type is set, the image in base64
---@field media_type? string
---@field detail? "low"|"high"|"auto"

---@class llm.tool_definition
---@field name string
---@field description? string
---@field parameters? table the JSON Schema of the arguments, an object schema
---@field strict? boolean

---@class llm.timeout
---@field connect? number seconds until the connection is established (10)
---@field first? number seconds until the first output (180)
---@field idle? number seconds of silence after the first output (60); heartbeats end a silence
---@field stall? number seconds without output after the first, with or without heartbeats (600, or idle if longer)
---@field total? number seconds over all attempts (none)

---@class llm.retry
---@field max? integer retries after the first attempt (4)
---@field base? number seconds of the first backoff window (0.5)
---@field cap? number seconds of the widest window (30)
---@field max_wait? number maximum seconds to wait for a limit (Retry-After, rate headers, rate limiter); a longer wait fails at once (120; with a total timeout, the time left)
---@field after_output? llm.after_output what happens if the stream breaks after output was shown ("auto")

---Which recorded replies may answer a request.
---@class llm.cache
---@field ttl? number maximum age of a recorded reply in seconds (no limit)
---@field scope? "job"|"store" replies of this job (without a job: of this run), or of the whole store ("store")
---@field pace? number 1: the text comes as fast as it was recorded, 2: twice as fast (at once)
---@field shared? boolean equal requests of a run get the same reply; else the nth of them gets the nth recorded one (false)

---@class llm.callbacks
---@field on_token? fun(text: string, event: llm.event): boolean? a piece of the text; false stops the stream
---@field on_reasoning? fun(text: string, event: llm.event): boolean? a piece of the reasoning
---@field on_tool_call? fun(call: llm.tool_call): boolean? a complete tool call, after the end of the reply
---@field on_tool_result? fun(call: llm.tool_call, text: string, is_error: boolean) the result of a tool, as it is sent to the model
---@field on_value? fun(path: string, value: any): boolean? with schema: a value of the answer is complete ("people[1].name"); false stops
---@field on_usage? fun(usage: llm.usage): boolean? token counts so far
---@field on_retry? fun(info: llm.retry_info): boolean? an attempt failed and another follows
---@field on_wait? fun(info: llm.wait_info): boolean? the request waits at the rate limiter for more than a second
---@field on_reset? fun(info: llm.reset_info): boolean? the output so far is void
---@field on_event? fun(event: llm.event): boolean? every event
---@field on_chunk? fun(raw: string): boolean? the payload of each frame as sent; with it, text in an unknown place is not an error
---@field on_finish? fun(reply: llm.reply) the end of a successful request
---@field on_error? fun(err: llm.error) the end of a failed request

---Options of clients and of requests; those of a request win.
---@class llm.shared_options: llm.callbacks
---@field model? string
---@field system? string
---@field headers? table<string, string>
---@field timeout? number|llm.timeout a number is the total
---@field retry? llm.retry
---@field params? table<string, any> fields of the body that only this provider has
---@field coalesce? number seconds of text gathered into one callback
---@field lenient? boolean leave out what the provider does not support, instead of failing (false)
---@field think_tags? boolean|"open" read <think>...</think> at the beginning of the text as reasoning (true); "open": the text begins inside the tag (templates that put <think> into the prompt); reasoning ends at a lone </think>, or is the whole text without one
---@field limit? llm.limit|false bounds on requests and tokens, shared by all that use the same limit; false: no rate limiter, and rate headers are ignored
---@field cache? boolean|llm.cache recorded replies to equal requests, where the host has a store; true: with the defaults, or those of the client
---@field max_rounds? integer maximum requests of a tool loop (8)
---@field schema? table JSON Schema of the answer, or its short form; reply.value holds the data

---@class llm.request_options: llm.shared_options
---@field max_tokens? integer
---@field max_completion_tokens? integer
---@field temperature? number
---@field top_p? number
---@field top_k? number
---@field min_p? number
---@field stop? string|string[]
---@field seed? integer
---@field presence_penalty? number
---@field frequency_penalty? number
---@field logit_bias? table
---@field logprobs? any
---@field top_logprobs? integer
---@field n? integer
---@field user? string
---@field tools? (llm.tool|llm.tool_definition|table)[] an llm.tool runs by itself
---@field tool_choice? "auto"|"none"|"required"|table {name = "..."}: that tool
---@field parallel_tool_calls? boolean
---@field response_format? string|table "json", or {type = "json_schema", schema = {...}}
---@field reasoning_effort? "none"|"minimal"|"low"|"medium"|"high"|string
---@field thinking? boolean|integer|table whether to think, or the maximum number of tokens for it
---@field stream_options? table
---@field service_tier? string

---@class llm.client_options: llm.shared_options
---@field provider? string name of a provider: see llm.providers()
---@field base_url? string
---@field dialect? string
---@field key_env? string name of the environment variable with the key

---@class llm.tool
---@field name string
---@field description? string
---@field parameters table the JSON Schema of its arguments
---@field run fun(arguments: table, call: llm.tool_call): any, any

---@class llm.limit
---@field name string
---@field concurrent? integer
---@field rpm? number
---@field tpm? number

---@class llm.usage
---@field input_tokens? integer
---@field output_tokens? integer includes the reasoning tokens, except for Gemini
---@field reasoning_tokens? integer
---@field cached_tokens? integer prompt tokens read from the provider's cache; for Anthropic not included in input_tokens
---@field cache_write_tokens? integer prompt tokens written to the provider's cache; for Anthropic not included in input_tokens
---@field total_tokens? integer
---@field cost? number in US dollars, if the provider reports it (OpenRouter, xAI, Perplexity, Vercel, DeepInfra, Venice)
---@field estimated boolean true if Moonrill estimated the counts, because the provider sent none

---@class llm.tool_call
---@field id string the provider's id, or one made by Moonrill if the provider sends none or sends the same id twice
---@field name string
---@field arguments_json string
---@field arguments table nil if arguments_json is not valid JSON

---@class llm.timing
---@field first_token? number seconds until the first output
---@field total number seconds in all
---@field queue? number seconds in the server's queue, if the server reports them (Groq, Cerebras)
---@field load? number seconds to load the model, if the server reports them
---@field prompt_eval? number seconds to process the prompt, if the server reports them (Ollama, llama.cpp, Groq, Cerebras)
---@field eval? number seconds to generate the reply, if the server reports them (the same servers)

---@class llm.reply
---@field text string
---@field reasoning string
---@field tool_calls llm.tool_call[]
---@field native_calls table[] Responses: unchanged items that wait for the client; send the output item of each in the content of the next message
---@field finish_reason? llm.finish_reason nil in err.partial; also "tool_calls" if a Responses turn waits for the client (mcp_approval_request, computer_call, local_shell_call, apply_patch_call, ...)
---@field finish_reason_raw? string the provider's finish reason
---@field usage? llm.usage
---@field model string
---@field id? string
---@field provider string
---@field attempts integer number of attempts, retries included
---@field refusal? string
---@field finish_message? string the provider's explanation of the finish reason (Gemini, Anthropic)
---@field timing llm.timing
---@field cached boolean true if a cache has answered; usage is then that of the recorded reply, and a budget counts nothing
---@field message llm.message the assistant message, to append to a conversation; it can be edited; it has no tool calls if the reply was stopped
---@field value any with schema: the answer as data
---@field rounds? integer with tools: number of requests of the loop
---@field messages? llm.message[] with tools: the whole conversation, tool results included
---@field usages? (llm.usage|false)[] with tools: the usage of each request; usage is their sum
---@field deferred? llm.tool_call[] with tools: calls left to the script

---The amount of received data.
---@class llm.position
---@field bytes integer
---@field events integer
---@field chars integer

---@class llm.error
---@field kind llm.error_kind
---@field message string
---@field status? integer
---@field code? string
---@field phase? "connect"|"first"|"idle"|"stall"|"total" for kind "timeout": the time limit
---@field retryable boolean
---@field retry_after? number seconds
---@field provider? string
---@field model? string
---@field request_id? string
---@field attempts? integer
---@field partial? any the output received so far: an llm.reply; for budget:run and flow.timeout the results so far, false for an item without a result
---@field position? llm.position
---@field path? string for kind "schema": the path of the value that does not fit
---@field text? string for kind "schema": the answer
---@field step? string from a combinator: the step that failed, for example "seq[2] > map[17]"
---@field others? llm.error[] from a combinator: the errors of the other steps
---@field errors? llm.errors for kind "budget" and "timeout": the errors of a map that was ended
---@field messages? llm.message[] with tools: the conversation up to the request that failed

---@class llm.retry_info
---@field attempt integer number of the attempt that failed, from 1
---@field delay number seconds until the next attempt
---@field err llm.error
---@field received llm.position

---@class llm.wait_info
---@field seconds number estimated seconds until the request starts; reported again if it takes longer
---@field reason string the name of the limit and its value

---@class llm.reset_info
---@field attempt integer number of the attempt that failed, from 1
---@field err llm.error

---@class llm.event
---@field type "start"|"token"|"reasoning"|"tool_call"|"usage"|"retry"|"wait"|"reset"|"heartbeat"|"native"|"finish"|"error"
---@field text string for token and reasoning
---@field phase? "commentary"|"final_answer"|string for token: the phase of the message (Responses)
---@field call llm.tool_call for tool_call
---@field usage llm.usage for usage
---@field reply llm.reply for finish
---@field err llm.error for retry, reset and error
---@field attempt? integer for start, retry and reset
---@field delay? number for retry: seconds until the next attempt
---@field seconds? number for wait: estimated seconds
---@field reason? string for wait: the limit
---@field received? llm.position for retry
---@field id? string for start
---@field cached? boolean for start: a cache answers
---@field model? string for start
---@field name? string for native: the provider's name of the value (a citation, a use of a server tool); with the dialect openai the name of the field, for example "citations", "annotations", "executed_tools", "logprobs", "audio"
---@field value? any for native: the value, unchanged

---@class llm.client
---@field provider string
---@field model? string
---@field base_url string
---@field dialect string
local client = {}

---Sends a request and waits for the whole reply.
---@async
---@param prompt string|llm.reply|llm.message|llm.message[] a string is one user message; a reply is sent as its text
---@param options? llm.request_options
---@return llm.reply? reply
---@return llm.error err if reply is nil; kind "invalid_request" also if the data cannot be sent (text that is not UTF-8)
function client:ask(prompt, options) end

---Starts a conversation. The options of requests apply to every send; they are checked here.
---@param options? { messages?: llm.message[], load?: string }|llm.request_options
---@return llm.chat chat nil if `load` cannot be read
---@return llm.error? err
function client:chat(options) end

---Sends a request and returns an iterator of its events. Leaving the loop cancels the request. If the request fails,
---the iterator raises its error.
---@async
---@param prompt string|llm.reply|llm.message|llm.message[] as for ask
---@param options? llm.request_options
---@return fun(): llm.event? next
---@return nil
---@return nil
---@return llm.call call closed by the loop
function client:stream(prompt, options) end

---Sends a request in the background.
---@param prompt string|llm.reply|llm.message|llm.message[] as for ask
---@param options? llm.request_options
---@return llm.call
function client:start(prompt, options) end

---@class llm.call
---@field status llm.status
local call = {}

---@async
---@return llm.reply? reply
---@return llm.error err if reply is nil
function call:wait() end
function call:cancel() end
function call:pause() end
function call:resume() end

---@class llm.task
---@field status "ready"|"running"|"waiting"|"done"|"failed"|"cancelled"
local task = {}

---Returns the results of the function, or raises the error that it raised. Returns nil and an error if the task was
---cancelled.
---@async
---@return any ...
function task:wait() end
---Raises an error of kind "cancelled" at the current wait of the task and at each later one. Waits inside `__close`
---still work, for 5 seconds in all. See llm.shield.
function task:cancel() end

---@param options? llm.client_options
---@return llm.client
function llm.client(options) end

---Runs a function in a task. If the function fails while nothing waits for the task (it raises, or returns nil and the
---error of a request), the error is logged as a warning with its traceback, and the script fails at its end unless a
---later task:wait() returns the error.
---@param body async fun(...: any): any... its results are returned by task:wait
---@param ... any its arguments
---@return llm.task
function llm.spawn(body, ...) end

---Runs fn to its end even if the task is cancelled: waits inside fn work, and the first wait after it raises. Requests
---and tasks that were started inside are over when fn ends. After a signal or `--timeout`, fn has at most 2 seconds.
---@async
---@generic T
---@param fn fun(...): T
---@param ... any its arguments
---@return T ...
function llm.shield(fn, ...) end

---Runs fn(...) once a job. Its results are recorded, and returned without running fn when the job is resumed. The nth call
---of a name gets the nth record of that name. Results are what JSON can hold; they come back as JSON gives them back, also
---without a job: copies without metatables (return reply.text, not the reply), null as nil. If fn raises, or returns nil
---and an error, nothing is recorded. If the record cannot be read or written, an error of kind "journal" is raised.
---@async
---@param name string
---@param fn fun(...: any): any...
---@param ... any its arguments
---@return any ...
function llm.step(name, fn, ...) end

---@async
---@param seconds number
function llm.sleep(seconds) end

---Repairs a string: each invalid sequence is replaced by U+FFFD. Requests, tools and JSON accept only UTF-8.
---@param text string
---@return string repaired
---@return integer bytes the number of bytes that were replaced
function llm.utf8(text) end

---The monotonic clock in seconds.
---@return number
function llm.now() end

---Seconds since 1970.
---@return number
function llm.time() end

---@class llm.provider
---@field name string
---@field title string
---@field dialect string the default wire format
---@field dialects string[] all wire formats that it supports
---@field base_url? string nil if each customer has its own address
---@field key_env? string the name of the environment variable with the key
---@field model? string the default model
---@field has_key boolean whether that variable is set; true if no key is needed

---@return llm.provider[]
function llm.providers() end

---Makes a tool. client:ask checks the model's arguments, calls run with them and sends the result to the model. A table
---is sent as JSON. An error that run raises, or returns as nil, err, is sent as the result; so is a result that JSON
---cannot hold (with a warning in the log). If run returns llm.defer, the call is left to the script. Tools do not run
---from a reply that was cut, filtered or malformed: ask then returns nil and an error whose code is the finish reason.
---@param options { name: string, description?: string, parameters?: table, strict?: boolean, run: fun(arguments: table, call: llm.tool_call): any, any }
---@return llm.tool
function llm.tool(options) end

---Makes a limit of concurrent requests, requests a minute or tokens a minute. Limits with the same name are one limit.
---The provider's own limits (rate headers, 429) are obeyed without it; `limit = false` on a client or a request turns
---that off.
---@param options { name?: string, concurrent?: integer, rpm?: number, tpm?: number }
---@return llm.limit
function llm.limit(options) end

---@class llm.provider_definition
---@field name string one word; for a known provider only the given fields change
---@field title? string
---@field dialect? string ("openai")
---@field base_url? string
---@field key_env? string|false name of the environment variable with the key; false for none
---@field model? string
---@field documentation? string
---@field quirks? table<string, string|boolean> usage, continuation, key_header, max_tokens, thinking, reasoning_echo, think_tags, ...
---@field dialects? table<string, string|table> further wire formats: a base URL, or {base_url = ..., quirks = ...}

---Adds a provider, or changes the given fields of a known one.
---@param definition llm.provider_definition
function llm.provider(definition) end

---@class llm.json
---@field null table JSON's null
local json = {}

---@param value any
---@param options? { pretty?: boolean }
---@return string
function json.encode(value, options) end

---@param text string
---@return any value, string? message the value, or nil and the reason; NaN, Infinity, 1e400 and invalid UTF-8 are errors
function json.decode(text) end

---Marks a table as an array, so that an empty one is encoded as [].
---@param values? any[]
---@return any[]
function json.array(values) end

---@class llm.jsonl
local jsonl = {}

---Reads a file of JSON lines in blocks: `for value, line in llm.jsonl.read("rows.jsonl") do`. Empty lines are skipped, and
---so is a last line that is cut off, with a warning in the log. A line that is not JSON raises an error with its number.
---@param path string
---@return fun(): any, integer? next the value and the number of its line; null is llm.json.null
---@return nil
---@return nil
---@return userdata handle closed by the loop
function jsonl.read(path) end

---Opens a file of JSON lines for appending, or makes it. A file has one writer at a time. A last line that is cut off is
---removed. Raises an error of kind "journal" if the file cannot be opened, or another process writes to it.
---@param options { path: string, key?: string|string[] } key: the member that identifies a row, or a list of members; the value is a string or an integer
---@return llm.jsonl.writer
function jsonl.writer(options) end

---@class llm.jsonl.writer
---@field path string
local writer = {}

---Appends a row. It is on the disk when this returns. Raises an error of kind "journal" if it cannot be written; the file is
---then as before.
---@param row any what JSON can hold; with a key, a table that has it
---@return boolean written false if the file has a row with that key
function writer:write(row) end

---@param ... string|integer the key, or the values of its members in their order
---@return boolean
function writer:has(...) end
function writer:close() end

---@class llm.log
---@field trace fun(...: any)
---@field debug fun(...: any)
---@field info fun(...: any)
---@field warning fun(...: any)
---@field warn fun(...: any)
---@field error fun(...: any)

return llm
