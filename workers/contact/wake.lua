-- Makes calls due that wait for a contact lock (contact.lua): it is free.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each: {id}
-- Returns {'', '', results}; a result is 1 where it was woken, else 0.
--
-- Promises: a call that waits for anything else (a retry, its hours, an operator) is left alone.
local layout = require('layout')
local batch = require('batch')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local PHASE, S = layout.PHASE, layout.S

local function wake(r)
  local c = reading.load(r[1])
  local s = c and c.s
  if not c or s[S.PHASE] ~= PHASE.WAITING or s[S.BUSY] ~= 1 or c.hold ~= '' then
    return 0
  end
  s[S.BUSY], s[S.NEXT_AT] = 0, math.min(run.now, s[S.NEXT_AT])
  saving.save(c)
  return 1
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(wake))
end
