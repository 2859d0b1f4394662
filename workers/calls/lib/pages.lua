-- Callbacks that are parked under an id, in pages.
local pages = {}

-- Some of them: {field, parked, ...}, at most `most`, and no further one once they are `bytes` long. Any of them:
-- whoever takes them removes them, and asks for more.
function pages.of(key, most, bytes)
  local page = {}
  for _, field in ipairs(redis.call('HRANDFIELD', key, most)) do
    if bytes <= 0 then
      break
    end
    local value = redis.call('HGET', key, field)
    page[#page + 1], page[#page + 2], bytes = field, value, bytes - #value
  end
  return page, bytes
end

return pages
