-- Keeps waiting calls that have a ticket in their channel's queue (admit.lua) from being offered for a while.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each: {id, ms}
-- Returns {'', '', results}; a result is 1 where it waits, else 0.
--
-- Promises: it is offered again after that time at the latest, so a queue that was forgotten costs no more; its expiry
-- stays what it is.
local layout = require('layout')
local batch = require('batch')
local reading = require('reading')
local run = require('run')
local waiting = require('waiting')
local PHASE, S = layout.PHASE, layout.S
local call = redis.call

local function defer(r)
  local id, ms = unpack(r)
  local c = reading.load(id)
  if not c or c.s[S.PHASE] ~= PHASE.WAITING or c.s[S.NEXT_AT] > run.now or c.hold ~= '' or c.s[S.CANCELLED] == 1 then
    return 0
  end
  call('ZADD', run.shard .. ':due', 'XX', waiting.before_expiry(c, run.now + ms), id)
  return 1
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(defer))
end
