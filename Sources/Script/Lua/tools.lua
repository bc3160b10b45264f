-- The tool loop: the model calls, the functions of the script run, their results are sent, until the model answers.
local host, llm, internal, _ENV = ...
local Failure, Reply, scope = internal.Failure, internal.Reply, internal.scope
local tools = {}

local Tool = { __name = "llm.tool" }
Tool.__tostring = function(self) return "tool (" .. self.name .. ")" end
local OPTIONS = host.options "tool"

-- llm.tool{ name, description, parameters, run }.
function tools.make(options)
  internal.check("llm.tool", options, OPTIONS)
  if not options.name or not string.match(options.name, "^[%w_%-]+$") or #options.name > 64 then
    host.misuse("llm.tool needs a name of letters, digits, _ and -, at most 64")
  end
  if not options.run then host.misuse("llm.tool: '" .. options.name .. "' needs run, the function that does the work") end
  return setmetatable({
    name = options.name, description = options.description, strict = options.strict, run = options.run,
    parameters = internal.schema("llm.tool: parameters of '" .. options.name .. "'", options.parameters or { type = "object" }),
  }, Tool)
end

-- The definition of a tool that is sent to the model.
local function definition(tool)
  return { name = tool.name, description = tool.description, parameters = tool.parameters, strict = tool.strict }
end

-- Whether the tool runs at the provider. Its turn may take several replies.
local function runs_there(tool)
  return type(tool) == "table" and tool.type ~= nil and tool.type ~= "function" and tool["function"] == nil
end

-- The fields of the request with tools as definitions, and, if one of them can run, the tools by name: `true` for those that
-- the script runs itself. A definition that is no llm.tool is sent unchanged.
function tools.params(params, given)
  local runs
  for _, tool in ipairs(given) do runs = runs or getmetatable(tool) == Tool or runs_there(tool) end
  if not runs then return params end
  local definitions, known = {}, {}
  for index, tool in ipairs(given) do
    if getmetatable(tool) == Tool then
      definitions[index], known[tool.name] = definition(tool), tool
    else
      local form = type(tool) == "table" and (tool["function"] or tool)
      definitions[index] = tool
      if type(form) == "table" and form.name then known[form.name] = true end
    end
  end
  local result = {}
  for name, value in next, params do result[name] = value end
  result.tools = definitions
  return result, known
end

-- The error of a tool as text for the model: never an address, always UTF-8.
local function error_text(problem)
  if type(problem) == "table" then
    local metatable = getmetatable(problem)
    if type(metatable) ~= "table" or not metatable.__tostring then
      return host.json_text(problem, "the error") or "an error that is a table"
    end
  end
  local kind = type(problem)
  -- tostring would give only an address.
  if kind == "function" or kind == "thread" or kind == "userdata" then return "an error that is a " .. kind end
  local ok, text = pcall(tostring, problem)
  return (host.utf8(ok and text or "an error that is a " .. kind))
end

-- A result as text for the model, or nil and the reason why JSON cannot hold it.
local function written(value, second)
  if getmetatable(value) == Reply then value = value.text end
  if type(value) == "string" then
    local _, replaced, first = host.utf8(value)
    if replaced > 0 then return nil, "the result: not UTF-8 at byte " .. first .. "; llm.utf8 repairs it" end
    return value
  end
  if value == nil then value = llm.json.null end
  -- The errors of a map { keep_going } are merged into its results.
  if internal.step.has_errors(second) then
    local lines = {}
    for place, err in next, second do lines[tostring(place)] = error_text(err) end
    value = { results = internal.step.filled(value, second), errors = lines }
  end
  return host.json_text(value, "the result")
end

-- Runs one call. Returns the text of the result and whether it is an error; nil if the script answers it.
local function run(call, known)
  local tool = known[call.name]
  if not tool then
    local names = {}
    for name in pairs(known) do names[#names + 1] = name end
    table.sort(names)
    return "there is no tool '" .. call.name .. "'; there are: " .. table.concat(names, ", "), true
  end
  if tool == true then return nil end
  if call.arguments == nil then return "the arguments are not whole JSON: " .. call.arguments_json, true end
  local misfit = host.schema_violations(tool.parameters, call.arguments)
  if misfit then return "the arguments do not fit: " .. misfit, true end
  local where
  local ok, value, err = xpcall(tool.run, function(problem)
    where = host.traceback()
    return problem
  end, call.arguments, call)
  if not ok then
    if getmetatable(value) == Failure and value.kind == "cancelled" then error(value, 0) end
    local problem = error_text(value)
    llm.log.warning("the tool '" .. tool.name .. "' raised an error: " .. problem .. "\n" .. where)
    return "the tool failed: " .. problem, true
  end
  if value == llm.defer then return nil end
  if value == nil and err ~= nil then return "the tool failed: " .. error_text(err), true end
  if getmetatable(value) == Failure then return "the tool failed: " .. error_text(value), true end
  local text, problem = written(value, err)
  if text then return text, false end
  llm.log.warning("the tool '" .. tool.name .. "' returned what cannot be sent: " .. problem)
  return "the tool failed: " .. problem, true
end

-- Runs all calls of a reply concurrently. Results by place; false for one that is left to the script.
local function run_all(number, calls, known)
  local results = {}
  if #calls == 1 then
    local text, is_error = run(calls[1], known)
    results[1] = text and { text = text, is_error = is_error } or false
    return results
  end
  local running = {}
  for index, call in ipairs(calls) do
    scope.begin(running, index, function()
      local text, is_error = run(call, known)
      return text and { text = text, is_error = is_error } or false
    end)
  end
  while running.count > 0 do
    local index, branch = scope.next(number, running)
    if branch[1] == nil then return nil, branch[2] end
    results[index] = branch[1]
  end
  return results
end

-- Finish reasons with which calls are complete.
local WHOLE = { stop = true, tool_calls = true }
local CUT_BY = { length = "was cut by its limit of tokens", content_filter = "was filtered" }
-- Formats whose finish reasons are a closed list: any other reason means a failure
-- (Gemini: MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, TOO_MANY_TOOL_CALLS, https://ai.google.dev/api/generate-content).
local CLOSED = { gemini = true, anthropic = true, cohere = true, responses = true }
-- In the other formats servers have their own words for a regular end too; these parts of words mean a failure.
local TROUBLE = {
  "malform", "unexpected", "invalid", "error", "abort", "cancel", "incomplete", "filter", "block", "safety", "prohibit",
  "recit", "toxic", "timeout", "refus", "violat", "length", "limit", "max_", "too_many", "missing", "interrupt", "fail",
  -- The reply was cut, by the server or a filter.
  "trunc", "cutoff", "cut_off", "repetit", "exceed", "exhaust", "budget", "quota", "overload", "insufficient",
  "unavailable", "terminated", "preempt", "evict", "expire", "deadline", "disconnect", "kill", "crash", "corrupt",
  "partial",
  -- The reply was withheld (Bedrock: guardrail_intervened).
  "guardrail", "intervene", "moderat", "withh", "reject", "denied", "forbid", "unsafe", "harmful", "sensitive", "censor",
  "policy", "spii",
}

local function is_trouble(raw, dialect)
  -- Some servers send no reason. A pause is no end.
  if raw == nil or raw == "pause_turn" then return false end
  if CLOSED[dialect] then return true end
  raw = string.lower(tostring(raw))
  for _, word in ipairs(TROUBLE) do if string.find(raw, word, 1, true) then return true end end
  return false
end

-- The reason why the calls of a reply must not run; nil if they may.
local function refusal(reply, dialect)
  local reason, raw, count = reply.finish_reason, reply.finish_reason_raw, #reply.tool_calls
  if WHOLE[reason] or (reason == "other" and not is_trouble(raw, dialect)) then return nil end
  local words = reply.finish_message and ": " .. reply.finish_message or ""
  return "the model's reply " .. (CUT_BY[reason] or "did not come to a regular end") .. " (finish reason "
    .. tostring(raw or reason) .. words .. "): its " .. (count == 1 and "tool call was" or count .. " tool calls were") .. " not run"
end

-- The error of a reply whose calls must not run.
local function refused(reply, why, messages)
  return setmetatable({
    kind = reply.finish_reason == "length" and "truncated" or "provider", message = why,
    code = reply.finish_reason_raw or reply.finish_reason, retryable = false, provider = reply.provider,
    model = reply.model, attempts = reply.attempts, partial = reply, messages = messages,
  }, Failure)
end

-- Sends requests until the model answers without calls. `once` sends one request; `known` has the tools by name, `true` for
-- those that the script runs itself.
function tools.ask(specified, known, once)
  local messages = table.move(specified.messages, 1, #specified.messages, 1, {})
  local most = specified.max_rounds or 8
  local round, sum, usages = 0, nil, {}
  -- The text before the provider paused its turn.
  local text, reasoning = "", ""
  return scope.run(function() return "round " .. round .. " of tools" end, function(number)
    while true do
      round = round + 1
      specified.messages = messages
      local reply, err = once(specified)
      if not reply then
        err.messages = messages
        return nil, err
      end
      usages[round], sum = reply.usage or false, internal.usage.add(sum, reply.usage)
      if #reply.tool_calls > 0 and reply.finish_reason ~= "cancelled" then
        local why = refusal(reply, specified.endpoint.dialect)
        if why then
          reply.usage, reply.usages, reply.rounds = sum, usages, round
          return nil, refused(reply, why, messages)
        end
      end
      messages[#messages + 1] = reply.message
      local deferred = {}
      -- The calls of a reply that was stopped may be incomplete; they do not run.
      local calls = reply.finish_reason == "cancelled" and {} or reply.tool_calls
      if #calls > 0 then
        local results, failure = run_all(number, calls, known)
        if not results then return nil, failure end
        for index, call in ipairs(calls) do
          local result = results[index]
          if result then
            messages[#messages + 1] = {
              role = "tool", tool_call_id = call.id, name = call.name, content = result.text,
              is_error = result.is_error or nil,
            }
            if specified.on_tool_result then specified.on_tool_result(call, result.text, result.is_error) end
          else
            deferred[#deferred + 1] = call
          end
        end
      end
      -- A tool_choice that forces a call would force one in each round.
      local choice = specified.params.tool_choice
      if choice ~= nil and choice ~= "none" and choice ~= "auto" then
        local params = {}
        for name, value in next, specified.params do params[name] = value end
        params.tool_choice = nil
        specified.params = params
      end
      -- Only Messages pauses: sent again with its text so far, the provider continues the turn.
      -- https://docs.anthropic.com/en/docs/build-with-claude/handling-stop-reasons#pause-turn
      local pauses = #calls == 0 and reply.finish_reason_raw == "pause_turn"
      if #calls > 0 then
        text, reasoning = "", ""
      else
        text, reasoning = text .. reply.text, reasoning .. (reply.reasoning or "")
        reply.text, reply.reasoning = text, reasoning ~= "" and reasoning or reply.reasoning
      end
      -- Calls in the provider's own form must be answered by the script before the next request.
      if not pauses and (#calls == 0 or #deferred > 0 or #reply.native_calls > 0) then
        reply.usage, reply.usages, reply.rounds, reply.messages = sum, usages, round, messages
        if #deferred > 0 then reply.deferred = deferred end
        return reply
      end
      if round >= most then
        return nil, setmetatable({
          kind = "budget", message = "the model still uses tools after " .. round .. " rounds (max_rounds)",
          retryable = false, messages = messages, partial = reply, provider = reply.provider, model = reply.model,
          attempts = reply.attempts,
        }, Failure)
      end
    end
  end)
end

return tools
