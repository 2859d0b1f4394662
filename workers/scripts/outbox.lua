-- Finds outbox entries that their worker did not produce: it died, or its reply was lost.
-- Reads only.
--
-- KEYS[1] the shard; ARGV[1] age in ms from which an entry counts as left behind; ARGV[2] most entries.
-- Returns {outbox id, events, outbox id, events, ...}.
local clock = redis.call('TIME')
local before = clock[1] * 1000 + math.floor(clock[2] / 1000) - tonumber(ARGV[1])
local found = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1] .. ':out', '-', string.format('%.0f', before), 'COUNT', ARGV[2])) do
  found[#found + 1] = entry[1]
  found[#found + 1] = entry[2][2]
end
return found
