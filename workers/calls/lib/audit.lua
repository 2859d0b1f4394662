-- What ivr.audit is to say of what somebody did: written by the function that does it (":audit", layout.lua), sent by
-- whichever worker comes by (take_records.lua). A text is "KEY\nJSON"; the JSON lacks its end, which only the function
-- knows.
local call = redis.call

-- `text`: '' where nobody is to be named. `result`: 'done' or 'refused'; `affected`: how many calls or numbers, or nil
-- where the text says it itself.
local function note(shard, text, result, affected)
  if text == nil or text == '' then
    return
  end
  local ending = affected and ',"affected":' .. string.format('%.0f', affected) or ''
  call('ZADD', shard .. ':audit', 0, text .. ending .. ',"result":"' .. result .. '"}')
end

return {
  note = note,
  take = function(shard, text, lease)
    call('ZADD', shard .. ':audit', lease, text)
  end,
  sent = function(shard, text)
    call('ZREM', shard .. ':audit', text)
  end,
}
