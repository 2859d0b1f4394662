-- Which of some channels have calls under way: being placed, ringing, talking, or in doubt. Page by page.
-- Reads only.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] cursor ('0' first); ARGV[3] about how many calls; ARGV[4..]
-- channels.
-- Returns {'', '', results}; the results are {cursor ('0' after the last page), then the channels that have one on this
-- page}.
local layout = require('layout')
local reading = require('reading')
local run = require('run')
local A, S = layout.A, layout.S
local pack, call = cmsgpack.pack, redis.call

-- The attempt that was answered, else the latest.
local function channel_of(id)
  local c = reading.load(id)
  if c and c.s[S.WON] > 0 and c.s[S.WON] ~= c.n then
    c = reading.load(id, c.s[S.WON])
  end
  return c and c.a and c.a[A.CHANNEL]
end

return function(keys, args)
  run.begin(keys, args)
  local wanted = {}
  for i = 4, #args do
    wanted[args[i]] = true
  end

  local page = call('ZSCAN', run.shard .. ':open', args[2], 'COUNT', args[3])
  local results = {page[1]}
  for i = 1, #page[2], 2 do
    local channel = channel_of(page[2][i])
    if channel and wanted[channel] then
      wanted[channel] = false
      results[#results + 1] = channel
    end
  end
  return {'', '', pack(results)}
end
