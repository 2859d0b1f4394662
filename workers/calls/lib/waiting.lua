-- Calls that wait: until when, what ends them, what keeps them, and how they are offered.
local layout = require('layout')
local attempts = require('attempts')
local events = require('events')
local next_step = require('next_step')
local operators = require('operators')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local P, PHASE, S = layout.P, layout.PHASE, layout.S
local call = redis.call

-- The time of a waiting call's next look: not past its expiry, which is due like an attempt.
local function before_expiry(c, at)
  local expires = reading.policy(c)[P.EXPIRES]
  return expires > 0 and expires < at and expires or at
end

-- Ends a call that waits, without saving it: with its status, or dropped for that reason when it has none.
local function wind_up(c, reason, trace)
  local s, previous = c.s, c.s[S.STATUS]
  if reason ~= 'expired' then
    s[S.CANCELLED] = 1
  end
  if s[S.STATUS] == 0 then
    s[S.PHASE], s[S.FINAL], s[S.NEXT_AT], s[S.DROP] = PHASE.DROPPED, 1, 0, reason
    events.emit(c, 'dropped', -1, previous, 0, trace)
  else
    next_step.enter(s, PHASE.DONE, 1, 0)
    events.emit(c, 'final', -1, previous, 0, trace)
  end
end

-- Ends a waiting call whose expires_at or time to give up has come.
local function run_out(c, trace)
  wind_up(c, 'expired', trace)
  saving.save(c)
end

-- A call that waits, and that may be dialled on the channel as far as its time goes: does what operators said, without
-- saving it. True when it may not be dialled.
local function obey(c, channel, trace)
  local what, key = operators.control_of(c, channel)
  if what == 'cancel' then
    wind_up(c, 'cancelled', trace)
  elseif what == 'pause' then
    operators.hold(c, key)
  else
    operators.let_go(c)
  end
  return what ~= nil
end

local function is_over(c)
  local expires = reading.policy(c)[P.EXPIRES]
  if expires > 0 and expires <= run.now then
    return true
  end
  return c.s[S.UNREACHED_SINCE] > 0 and expires == 0 and next_step.reach_limit(c) <= run.now
end

-- What a dispatch worker needs to dial it: {id, channel, request JSON, number of its next attempt, attempts in a row
-- that reached nobody, or -1 once one may have been placed, claim_no of its next claim}. nil where it ended here (its
-- time ran out), or {id, '', '', 0, 0} where an operator holds it.
local function offer(c, lease_ms)
  local s = c.s
  if is_over(c) then
    return run_out(c, '')
  end
  if obey(c, s[S.CHANNEL], '') then
    saving.save(c)
    return {c.id, '', '', 0, 0}
  end
  call('ZADD', run.shard .. ':due', before_expiry(c, run.now + lease_ms), c.id)
  return {c.id, s[S.CHANNEL], call('HGET', c.key, 'q'), s[S.ATTEMPT] + 1,
    s[S.SPENT] == 0 and s[S.UNREACHED_N] or -1, attempts.claim_no_of(s) + 1}
end

return {
  before_expiry = before_expiry, wind_up = wind_up, run_out = run_out, obey = obey, is_over = is_over, offer = offer,
}
