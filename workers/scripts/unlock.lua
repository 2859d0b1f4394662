-- Frees lines to contacts (contact.lua): the attempts that had them are over, or were not placed.
--
-- KEYS[1] the shard of the numbers; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each:
--   {line "TENANT|CHANNEL|NUMBER", "tenant/call_id/attempt"}
-- Returns {'', '', results}; a result is the call that waited longest for the line, '' where none did or it was not theirs.
--
-- Promises: only what the attempt has is freed, so twice is once. Who waits is named once: told or not, it asks again by itself
-- (outcome.lua, 'busy').
local results = {}
for i = 2, #ARGV do
  local line, holder = unpack(cmsgpack.unpack(ARGV[i]))
  local key = KEYS[1] .. ':lock:' .. line
  results[i - 1] = ''
  if redis.call('GET', key) == holder then
    redis.call('DEL', key)
    results[i - 1] = redis.call('ZPOPMIN', key .. ':w')[1] or ''
  end
end
return {'', '', cmsgpack.pack(results)}
