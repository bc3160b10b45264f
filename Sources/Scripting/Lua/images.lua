-- Images in messages: files and bytes are turned into what is sent. Loaded when a message first has parts.
local host, _, shared, _ENV = ...
local describe, fail, open = shared.describe, host.misuse, io and io.open

-- The bytes of an image travel in base64; a file is read here, before anything is sent.
local function image_of(place, part)
  if part.url ~= nil or part.media_type ~= nil and part.path == nil then return part end
  local bytes = part.data
  if part.path ~= nil then
    if type(part.path) ~= "string" then fail(place .. ".path must be a file's name, not " .. describe(part.path)) end
    if not open then fail(place .. ".path: files cannot be read here") end
    local file, why = open(part.path, "rb")
    if not file then fail(place .. ": the image cannot be read: " .. why) end
    bytes, why = file:read("a")
    file:close()
    if not bytes then fail(place .. ": the image " .. part.path .. " cannot be read: " .. tostring(why)) end
  end
  if type(bytes) ~= "string" then
    fail(place .. " is an image without a source: give it a path, a url, or data (its bytes)")
  end
  local base64, media_type = host.image(bytes)
  if not base64 then
    fail(place .. ": " .. (part.path and "the file " .. part.path or "data") .. " is no image of a known type ("
      .. host.image_types .. ")")
  end
  return { type = "image", data = base64, media_type = media_type, detail = part.detail }
end

-- The message with its images read; the script's own table stays as it is.
return function(place, message)
  local content, parts = message.content, nil
  for index, part in ipairs(content) do
    if type(part) == "table" and part.type == "image" then
      local image = image_of(place .. ".content[" .. index .. "]", part)
      if image ~= part then
        parts = parts or setmetatable(table.move(content, 1, #content, 1, {}), getmetatable(content))
        parts[index] = image
      end
    end
  end
  if not parts then return message end
  local read = {}
  for name, value in next, message do read[name] = value end
  read.content = parts
  return read
end
