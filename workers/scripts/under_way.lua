-- Which of some channels have calls under way: being placed, ringing, talking, or in doubt. Page by page.
-- Reads only.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] cursor ('0' first); ARGV[3] about how many calls; ARGV[4..] channels.
-- Returns {'', '', results}; the results are {cursor ('0' after the last page), then the channels that have one on this page}.
--#include lib/call.lua

local asked = {}
for i = 4, #ARGV do
  asked[ARGV[i]] = true
end
-- The attempt that was answered, else the latest.
local function channel_of(id)
  local c = call_load(id)
  if c and c.s[WON] > 0 and c.s[WON] ~= c.n then
    c = call_load(id, c.s[WON])
  end
  return c and c.a and c.a[A_CHANNEL]
end

local page = call('ZSCAN', shard .. ':open', ARGV[2], 'COUNT', ARGV[3])
local results = {page[1]}
for i = 1, #page[2], 2 do
  local channel = channel_of(page[2][i])
  if channel and asked[channel] then
    asked[channel] = false
    results[#results + 1] = channel
  end
end
return {'', '', pack(results)}
