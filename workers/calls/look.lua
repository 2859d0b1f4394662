-- Looks at the calls behind tickets that a worker has in hand (admit.lua), before a send time is spent on them.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {id, claim_no that the ticket bears, lease ms, channel}
-- Returns {outbox id, events, results}; a result is
--   {'ready', then what offer() of lib/waiting.lua offers}: the claim of that number may be made,
--   {'live', ms that its line may still be held}: that claim was made, its call is under way, with a line of the channel,
--   {'gone'}: the ticket is good for nothing.
--
-- Promises: a call that is paused, cancelled or over is done with here and costs no send time.
local layout = require('layout')
local attempts = require('attempts')
local batch = require('batch')
local counters = require('counters')
local reading = require('reading')
local run = require('run')
local waiting = require('waiting')
local A, PHASE, S = layout.A, layout.PHASE, layout.S
local call = redis.call

local function look(r)
  local id, claim_no, lease_ms, channel = unpack(r)
  local c = reading.load(id)
  if not c then
    return {'gone'}
  end
  local s = c.s
  if s[S.PHASE] == PHASE.WAITING and attempts.claim_no_of(s) + 1 == claim_no and s[S.NEXT_AT] <= run.now then
    local offered = waiting.offer(c, lease_ms)
    if offered and offered[4] > 0 then
      return {'ready', unpack(offered)}
    end
  elseif c.a and c.a[A.CLAIM_NO] == claim_no and c.a[A.LINE] == 1 and c.a[A.CHANNEL] == channel then
    local deadline = call('ZSCORE', run.shard .. ':lined', channel .. '|' .. id .. '/' .. counters.text_of(claim_no))
    return {'live', deadline and math.max(tonumber(deadline) - run.now, 1) or 1}
  end
  return {'gone'}
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(look))
end
