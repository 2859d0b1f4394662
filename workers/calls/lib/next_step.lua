-- What comes next for a call: another attempt and when, or the end.
local layout = require('layout')
local attempts = require('attempts')
local operators = require('operators')
local reading = require('reading')
local run = require('run')
local A, CLOSED, P, PHASE, S = layout.A, layout.CLOSED, layout.P, layout.PHASE, layout.S
local floor, band, lshift = math.floor, bit.band, bit.lshift

local BACKOFF_FIRST_MS, BACKOFF_MAX_MS = 1000, 300000

-- When placing ends for a call that reaches nobody: expires_at, or give_up after the first attempt that reached nobody.
local function reach_limit(c)
  local expires = reading.policy(c)[P.EXPIRES]
  return expires > 0 and expires or c.s[S.UNREACHED_SINCE] + run.give_up_ms
end

-- The time of the next attempt after this latest one, or nil when none will follow. `jitter` is in thousandths.
-- c.elsewhere: another channel is there to be tried at once.
local function attempt_at(c, jitter)
  local s, a, p = c.s, c.a, reading.policy(c)
  if a[A.UNREACHED] == 1 then
    local limit = reach_limit(c)
    if c.elsewhere then
      return run.now < limit and run.now or nil
    end
    local wait = math.min(BACKOFF_FIRST_MS * 2 ^ math.min(s[S.UNREACHED_N] - 1, 20), BACKOFF_MAX_MS)
    wait = floor(wait * (0.75 + jitter / 2000))
    return run.now < limit and math.min(run.now + wait, limit) or nil
  end
  local asked_for = band(p[P.ON], lshift(1, a[A.STATUS])) ~= 0 and s[S.SPENT] < p[P.MAX]
  if not asked_for or a[A.CLOSED] == CLOSED.NO_REPORT or a[A.PERMANENT] == 1 or
      (attempts.in_doubt(a) and p[P.REDIAL] == 0) then
    return nil
  end
  local delays = p[P.DELAYS]
  -- Up to a tenth later: a crowd that failed together does not come again together.
  local at = run.now + floor((delays[math.min(s[S.SPENT], #delays)] or 0) * (1000 + jitter / 10))
  return (p[P.EXPIRES] == 0 or at < p[P.EXPIRES]) and at or nil
end

local function enter(s, phase, final, next_at)
  s[S.PHASE], s[S.FINAL], s[S.NEXT_AT] = phase, final, next_at
end

-- Derives phase, final and the next attempt from the evidence; the same evidence in any order ends here alike.
local function conclude(c, jitter)
  local s, a = c.s, c.a
  if s[S.WON] > 0 then
    enter(s, s[S.TOKEN] ~= '' and PHASE.PLACING or PHASE.DONE, 1, 0)
    s[S.DROP] = '' -- whatever ended it before, it was answered
  elseif c.n < s[S.ATTEMPT] or s[S.TOKEN] ~= '' then
    return -- an earlier attempt says nothing of what comes next; a claim waits for its outcome
  elseif a[A.TERMINAL] == 1 or attempts.in_doubt(a) then
    local at = s[S.PHASE] == PHASE.WAITING and s[S.NEXT_AT] or nil
    local again = attempt_at(c, jitter)
    if again and operators.control_of(c, s[S.CHANNEL]) == 'cancel' then
      again, s[S.CANCELLED], s[S.DROP] = nil, 1, 'cancelled'
    end
    if again then
      enter(s, PHASE.WAITING, 0, at or again)
    else
      enter(s, PHASE.DONE, 1, 0)
    end
  else
    enter(s, PHASE.PLACED, 0, 0)
  end
end

return {reach_limit = reach_limit, attempt_at = attempt_at, enter = enter, conclude = conclude}
