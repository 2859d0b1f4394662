-- How a channel stands, for people. Answers as admit.lua does.
-- Reads only.
--
-- KEYS[1] the channel's slot (admit.lua).
-- Returns cmsgpack {queued, lines in use, closed ('', "circuit", "suspended"), why, since, epoch, {}, {}, 0, 0, 0}.
return function(keys)
  local base = keys[1]
  local clock = redis.call('TIME')
  local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
  local s = redis.call('HMGET', base .. ':state', 'queued', 'shut', 'why', 'since', 'epoch')
  local lines = redis.call('ZCOUNT', base .. ':lines', '(' .. now, '+inf')
  return cmsgpack.pack({tonumber(s[1] or 0), lines, s[2] or '', s[3] or '', tonumber(s[4] or 0), tonumber(s[5] or 0),
    {}, {}, 0, 0, 0})
end
