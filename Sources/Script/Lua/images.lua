-- Reads the images of messages: files and bytes become parts. Loaded when a message first has parts. A wrong option raises;
-- a file or bytes that are no image are returned as an error, and the request fails with it.
local host, _, internal, _ENV = ...
local describe, fail, open = internal.describe, host.misuse, io and io.open

-- The part to send, or nil and the reason why it is not an image.
local function image_of(where, place, part)
  if part.url ~= nil then return part end
  if part.media_type ~= nil and part.path == nil then
    if type(part.data) == "string" and (part.data == "" or string.find(part.data, "[^%w+/=%s]")) then
      return nil, place .. ".data: not base64, which data with a media_type is"
    end
    return part
  end
  local bytes = part.data
  if part.path ~= nil then
    local at = where .. ": " .. place .. ".path"
    if type(part.path) ~= "string" then fail(at .. " must be a file's name, not " .. describe(part.path)) end
    if not open then fail(at .. ": files cannot be read here") end
    local file, why = open(part.path, "rb")
    if not file then return nil, place .. ": the image cannot be read: " .. why end
    bytes, why = file:read("a")
    file:close()
    if not bytes then return nil, place .. ": the image " .. part.path .. " cannot be read: " .. tostring(why) end
  end
  if type(bytes) ~= "string" then
    fail(where .. ": " .. place .. " is an image without a source: give it a path, a url, or data (its bytes)")
  end
  -- Images are sent in base64.
  local base64, media_type = host.image(bytes)
  if not base64 then
    return nil, place .. ": " .. (part.path and "the file " .. part.path or "data") .. " is no image of a known type ("
      .. host.image_types .. ")"
  end
  return { type = "image", data = base64, media_type = media_type, detail = part.detail }
end

-- A copy of the message with its images read. The second result names an image that cannot be sent.
return function(where, place, message)
  local content, parts, fault = message.content, nil, nil
  for index, part in ipairs(content) do
    if type(part) == "table" and part.type == "image" then
      local image, problem = image_of(where, place .. ".content[" .. index .. "]", part)
      fault = fault or problem
      -- The part stays empty: a message with such an image is never sent.
      image = image or { type = "text", text = "" }
      if image ~= part then
        parts = parts or setmetatable(table.move(content, 1, #content, 1, {}), getmetatable(content))
        parts[index] = image
      end
    end
  end
  if not parts then return message, fault end
  local read = {}
  for name, value in next, message do read[name] = value end
  read.content = parts
  return read, fault
end
