-- Turns prompts into messages. Used by every request and by conversations.
local host, llm, internal, _ENV = ...
local describe, Failure, Reply, fail = internal.describe, internal.Failure, internal.Reply, host.misuse
local prompt = {}

local ROLES = { system = true, developer = true, user = true, assistant = true, tool = true, ["function"] = true }

-- The problem of a message, appended to its place ("message 2") in an error; nil if it is valid.
function prompt.message_problem(message)
  if type(message) ~= "table" then return " must be a table with role and content, not " .. describe(message) end
  if message.role == nil and message.type ~= nil then return " is a part: parts go into the content of a message" end
  if not ROLES[message.role] then
    local near = type(message.role) == "string" and host.nearest(message.role, internal.names(ROLES))
    return ": unknown role " .. describe(message.role) .. (near and " (did you mean '" .. near .. "'?)" or "")
  end
  local content = message.content
  if content ~= nil and type(content) ~= "string" and type(content) ~= "table" and content ~= llm.json.null then
    return ": content must be a string or an array of parts, not " .. describe(content)
  end
  if message.tool_calls ~= nil and type(message.tool_calls) ~= "table" and message.tool_calls ~= llm.json.null then
    return ": tool_calls must be an array, not " .. describe(message.tool_calls)
  end
end

-- A reply is used as its message, or as its text where a text is wanted.
local function message_of(message)
  if getmetatable(message) == Reply then return message.message end
  if type(message) == "table" and getmetatable(message.content) == Reply then
    local copy = {}
    for name, value in next, message do copy[name] = value end
    copy.content = message.content.text
    return copy
  end
  return message
end

-- The messages of an array, checked. `what` is the name of the array in errors.
function prompt.checked(where, what, array)
  if type(array) ~= "table" then fail(where .. ": " .. what .. " must be an array of messages, not " .. describe(array)) end
  local last, messages = 0, {}
  for place in next, array do
    if math.type(place) == "integer" and place > 0 then
      last = math.max(last, place)
    elseif place ~= "n" then
      fail(where .. ": " .. what .. " must be an array of messages; there is a value at " .. describe(place))
    end
  end
  for place = 1, last do
    local message = message_of(array[place])
    local problem = prompt.message_problem(message)
    if problem then fail(where .. ": message " .. place .. problem) end
    messages[place] = message
  end
  return messages
end

-- The messages with their images read, from the one with that number on, and the reason why one cannot be sent.
local function with_images(where, messages, first)
  local fault
  for index = first, #messages do
    local message = messages[index]
    if type(message.content) == "table" then
      local read, problem = internal.images(where, "messages[" .. index .. "]", message)
      messages[index], fault = read, fault or problem
    end
  end
  return messages, fault
end

-- The messages of a prompt, and the reason why they cannot be sent (a file that cannot be read is no misuse of the API).
-- `known`: of the messages of a conversation, which are checked, so many are already converted.
function prompt.messages(where, given, known)
  if known then return with_images(where, table.move(given, 1, #given, 1, {}), known + 1) end
  if getmetatable(given) == Reply then given = given.text end
  if type(given) == "string" then return { { role = "user", content = given } } end
  if type(given) ~= "table" or getmetatable(given) == Failure then
    fail(where .. ": the prompt must be a string or an array of messages, not "
      .. (type(given) == "table" and "an error: " .. tostring(given) or describe(given)))
  end
  if given.role ~= nil then given = { given } end
  if next(given) == nil then fail(where .. ": the array of messages is empty") end
  return with_images(where, prompt.checked(where, "the prompt", given), 1)
end

return prompt
