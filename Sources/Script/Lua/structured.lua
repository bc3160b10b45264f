-- Answers as data: the option `schema` of client:ask. The answer is read while it streams, validated, and requested once more
-- if it does not fit.
local host, llm, internal, _ENV = ...
local Failure = internal.Failure
local structured = {}

local function failure(message, text, path, reply, attempts)
  return setmetatable({
    kind = "schema", message = message, retryable = true, path = path, text = text, partial = reply,
    provider = reply.provider, model = reply.model, attempts = attempts,
  }, Failure)
end

-- The fields of the request, with the schema in the provider's form.
function structured.params(where, params, form)
  local schema = internal.schema(where .. ": schema", form)
  local result = {}
  for name, value in next, params do result[name] = value end
  if result.response_format == nil then
    result.response_format = { type = "json_schema", name = "answer", schema = schema }
  end
  return result, schema
end

-- The type of the whole answer, if the schema names one.
local function root_of(schema) return type(schema.type) == "string" and schema.type or nil end

-- One round. With on_value, on_token also feeds a reader, and on_value gets each value that the reader completes.
local function ask(specified, once)
  local on_value = specified.on_value
  if not on_value then return once(specified) end
  local root = root_of(specified.schema)
  local reader <close> = host.json_reader(root)
  local on_token, on_reset = specified.on_token, specified.on_reset
  local request = {}
  for name, value in next, specified do request[name] = value end
  function request.on_token(text, event)
    local continues = true
    local closed = host.json_feed(reader, text)
    for index = 1, #closed, 2 do
      if on_value(closed[index], closed[index + 1]) == false then continues = false break end
    end
    if on_token and on_token(text, event) == false then continues = false end
    return continues
  end
  function request.on_reset(info)
    host.json_restart(reader, root)
    if on_reset then return on_reset(info) end
  end
  return once(request)
end

-- Requests an answer that fits. `once` sends the request and runs its tools.
function structured.ask(specified, once)
  local sum
  -- The messages of both rounds, as in all errors of requests.
  local attempts = 0
  for round = 1, 2 do
    local reply, err = ask(specified, once)
    if not reply then return nil, err end
    attempts = attempts + (reply.attempts or 1)
    sum = internal.usage.add(sum, reply.usage)
    reply.usage = sum
    -- A reply that the script stopped, or whose calls it deferred, is not complete.
    if reply.finish_reason == "cancelled" or reply.deferred or #reply.native_calls > 0 then return reply end
    local text = reply.text
    if reply.finish_reason == "length" then
      return nil, failure("the answer was cut by the limit of tokens", text, nil, reply, attempts)
    end
    local value, problem = host.json_document(text, root_of(specified.schema))
    local misfit, path = problem, nil
    if not problem then misfit, path = host.schema_violations(specified.schema, value) end
    if not misfit then
      reply.value = value
      return reply
    end
    if round == 2 then
      return nil, failure("the answer does not fit the schema, even when asked again: " .. misfit, text, path, reply, attempts)
    end
    if specified.on_reset then
      local unfit = failure("the answer does not fit the schema: " .. misfit, text, path, reply, attempts)
      -- A script that refuses the second try gets the error of the first.
      if specified.on_reset { attempt = round, err = unfit } == false then return nil, unfit end
    end
    local messages = table.move(reply.messages or specified.messages, 1, #(reply.messages or specified.messages), 1, {})
    if not reply.messages then messages[#messages + 1] = reply.message end
    messages[#messages + 1] = {
      role = "user",
      content = "Your answer does not fit the JSON Schema: " .. misfit .. ".\nAnswer again, with the corrected JSON alone.",
    }
    specified.messages = messages
  end
end

return structured
