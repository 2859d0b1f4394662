-- Claims waiting calls for dialling: the last step before the HTTP request leaves.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {id, token, claim ms, channel, provider, trace, contact, line, hold ms}; the last three: begin()
--   of lib/attempts.lua
-- Returns {outbox id, events, results}; a result is {what, attempt, claim_no}:
--   'claimed' (dial it as that attempt), 'halted' (the same, but operators paused or cancelled it since: give it back),
--   'no' (another has it, it is paused, or it is over; attempt is 0, and claim_no that of the claim that has a line of
--   this channel, 0 or absent without),
--   'over' (its time ran out, or it is cancelled: it ended here, not dialled; attempt is 0).
--
-- Promises: of all who ask, one may dial; the same token asks twice for one claim; what is paused or cancelled is not
-- claimed, and who asks again gets the same answer.
local layout = require('layout')
local attempts = require('attempts')
local batch = require('batch')
local next_step = require('next_step')
local operators = require('operators')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local waiting = require('waiting')
local A, PHASE, S = layout.A, layout.PHASE, layout.S

local function claim(r)
  local id, token, claim_ms, channel, provider, trace, contact, line, hold_ms = unpack(r)
  local c = reading.load(id)
  if not c then
    return {'no', 0}
  end
  local s = c.s
  c.provider = provider
  if s[S.PHASE] == PHASE.PLACING and s[S.TOKEN] == token then
    attempts.claim_until(id, run.now + claim_ms)
    return {operators.control_of(c, channel) and 'halted' or 'claimed', s[S.ATTEMPT], attempts.claim_no_of(s)}
  end
  if s[S.PHASE] ~= PHASE.WAITING or s[S.NEXT_AT] > run.now then
    local a = c.a
    return {'no', 0, a and a[A.LINE] == 1 and a[A.CHANNEL] == channel and a[A.CLAIM_NO] or 0}
  end
  if waiting.is_over(c) then
    waiting.run_out(c, trace)
    return {'over', 0}
  end
  if waiting.obey(c, channel, trace) then
    saving.save(c)
    return {s[S.FINAL] == 1 and 'over' or 'no', 0}
  end
  s[S.ATTEMPT] = s[S.ATTEMPT] + 1
  next_step.enter(s, PHASE.PLACING, 0, 0)
  s[S.TOKEN], s[S.BUSY] = token, 0
  if s[S.STATUS] == 0 then
    s[S.CHANNEL] = channel
  end
  c.n = s[S.ATTEMPT]
  attempts.begin(c, channel, provider, contact, line, hold_ms)
  attempts.claim_until(id, run.now + claim_ms)
  saving.save(c)
  return {'claimed', s[S.ATTEMPT], attempts.claim_no_of(s)}
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(claim))
end
