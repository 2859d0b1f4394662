-- Puts due calls off until their calling hours open: their time has come, and nobody may be called now.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {id, opening ms (the asker's clock, wall time), provider}
-- Returns {outbox id, events, results}; a result is 1 (put off) or 0 (not: another has it, its time has moved,
-- it is paused, cancelled or over).
--
-- Promises: only a call that waits and is due is put off, and only to later, so that asking twice puts off once; its
-- expires_at comes first where that is earlier; its time to give up does not run meanwhile.
local layout = require('layout')
local batch = require('batch')
local events = require('events')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local waiting = require('waiting')
local PHASE, S = layout.PHASE, layout.S
local call = redis.call

-- The asker's clock is behind ours: by ours it is open, and it is soon by the asker's. Nothing changes of the call.
local SOON_MS = 1000

local function postpone(r)
  local id, opening, provider = unpack(r)
  local c = reading.load(id)
  if not c or c.s[S.PHASE] ~= PHASE.WAITING or c.s[S.NEXT_AT] > run.now or c.hold ~= '' or c.s[S.CANCELLED] == 1 then
    return 0
  end
  local s = c.s
  if opening <= run.now then
    call('ZADD', run.shard .. ':due', waiting.before_expiry(c, run.now + SOON_MS), id)
    return 0
  end
  if s[S.UNREACHED_SINCE] > 0 then
    s[S.UNREACHED_SINCE] = s[S.UNREACHED_SINCE] + opening - run.now
  end
  s[S.NEXT_AT], s[S.BUSY] = waiting.before_expiry(c, opening), 0
  c.provider = provider
  events.emit(c, 'waiting', -1, s[S.STATUS], 0, '')
  saving.save(c)
  return 1
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(postpone))
end
