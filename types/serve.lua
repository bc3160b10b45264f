---@meta llm.serve
-- Annotations of llm.serve for the Lua language server. Never executed. docs/serve.md describes the server.

---Serves until SIGTERM, SIGINT or server.stop(); other tasks of the script continue. All handlers run in one Lua state, as
---tasks: they share globals and upvalues, and nothing else.
---@class llm.serve
---@overload async fun(options: llm.serve.options): true?, llm.error? nil and an error of kind "config" if it cannot listen
local serve = {}

---A route that answers with the chat page for the models of the server.
---@param options? { title?: string }
---@return llm.serve.target
function serve.page(options) end

---A route that answers with the files below a folder. Its pattern ends with *. Names that begin with a dot, and links that
---lead out of the folder, are not served.
---@param directory string
---@return llm.serve.target
function serve.files(directory) end

---@class llm.serve.target what a route without a handler answers

---The task of a request. It is cancelled when the client is gone; what it has started ends with it in any case. Returns a stream
---(client:stream, or any iterator of strings or events), a reply, a string, a table for the whole response, nil and
---an error of a request, or nothing. An error that it raises is answered with 500 and logged with its traceback; an
---llm.error keeps its status.
---@alias llm.serve.handler async fun(request: llm.serve.request, response: llm.serve.response): ...: any

---@class llm.serve.request
---@field id string the id in logs and in the header X-Request-ID
---@field method string
---@field path string percent-decoded
---@field query table<string, string>
---@field headers table<string, string> names in lower case; without the server's token
---@field params table<string, string> values of :name and * of the route
---@field body string
---@field json any the body decoded; reading it from a body that is not JSON ends the handler with 400
---@field client string the client's address
---@field prompt? string the last message of the user, or the parameter of the query
---@field model? string the model that was asked for
---@field messages? llm.message[] the conversation, for a model
---@field system? string
---@field options? llm.request_options what the caller has asked for (tools, temperature, ...), as options of client:stream
---@field other_options? table<string, any> members of the body that have no common meaning

---@class llm.serve.response
local response = {}

---Sends an event of a stream: Server-Sent Events, or a message of the WebSocket.
---@param name string "message" is the default event
---@param value? any sent as JSON; a string as {"content": value}
function response:event(name, value) end

---Sends a piece of the reply's text.
---@param text string
function response:token(text) end

---Sends a piece of the reply's reasoning.
---@param text string
function response:reasoning(text) end

---@class llm.serve.running
---@field url string "http://127.0.0.1:8080/"
---@field port? integer nil for a Unix socket
---@field stop fun() ends the server as SIGTERM does; llm.serve then returns

---@class llm.serve.options
---@field host? string address to listen on ("127.0.0.1")
---@field port? integer TCP port; 0 lets the system choose (8080)
---@field unix? string path of a Unix socket, in place of host and port
---@field models? table<string, llm.serve.handler|llm.client> handlers of the chat endpoints by the model's name; "*": any other name
---@field default_model? string the model of /stream and /ws without a name (the first name)
---@field routes? table<string, llm.serve.handler|llm.serve.target> handlers by method and path: "GET /notes/:id", "WS /live", "GET /files/*"
---@field limit? llm.serve.limit
---@field budget? llm.serve.budget caps on what all requests to providers may cost
---@field token_env? string name of the environment variable with the token that clients send
---@field open? boolean serve other machines without a token (false)
---@field tls_cert? string file of the certificate chain (PEM)
---@field tls_key? string file of the private key (PEM)
---@field origins? string[] web sites whose pages may use the server (CORS); "*": all
---@field hosts? string[] further names of the server, as in the header Host
---@field trust_proxy? boolean X-Forwarded-For names the client (false)
---@field max_clients? integer open connections (10000)
---@field linger? number seconds that a stream goes on without a reader (10 for clients that reconnect, as EventSource does; else 0.06)
---@field keep? number seconds for which the events of an ended stream can be read again (300)
---@field drain? number seconds that running responses get when the server stops (10)
---@field on_start? fun(server: llm.serve.running) called once the server listens

---@class llm.serve.limit
---@field per_client_rpm? number requests of one client a minute (no limit)
---@field concurrent? integer handlers at a time (10000)
---@field body_bytes? integer size of a request's body (32 MiB)

---@class llm.serve.budget
---@field usd? number
---@field tokens? integer
---@field per_client_usd? number
---@field per_client_tokens? integer

---@class llm.serve.answer
---@field status? integer 200 to 599 (200)
---@field headers? table<string, string>
---@field json? any a value, sent as JSON
---@field text? string
---@field html? string
---@field body? string bytes

return serve
