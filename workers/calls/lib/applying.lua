-- What evidence makes of a call: merging, its counters, what comes next, and the events that tell of it.
local layout = require('layout')
local attempts = require('attempts')
local counters = require('counters')
local events = require('events')
local merging = require('merging')
local next_step = require('next_step')
local A, E, PHASE, S, STATUS = layout.A, layout.E, layout.PHASE, layout.S, layout.STATUS

-- True when attempt c.n is there. The one after the latest is made where our own worker brings the outcome of a claim
-- that Redis forgot (a failover): it was sent.
local function known(c, channel, provider)
  local s = c.s
  if c.a or c.n ~= s[S.ATTEMPT] + 1 or s[S.TOKEN] ~= '' then
    return c.a ~= nil
  end
  s[S.ATTEMPT], s[S.BUSY] = c.n, 0
  next_step.enter(s, PHASE.PLACED, 0, 0) -- it does not wait for its retry any more: what comes next has its own time
  c.a = attempts.new(channel, provider)
  return true
end

-- Applies evidence to attempt c.n of the call. `reported`: the provider said it of itself (a callback, a look-up, an
-- accepting response); `response`: it is the placement's response. Does not save; changed() tells whether there is
-- something to.
local function apply(c, e, reported, response, jitter, trace)
  local s, a = c.s, c.a
  local old = {status = a[A.STATUS], code = a[A.CODE], counted = a[A.COUNTED] or a[A.CODE], detail = a[A.DETAIL],
    ring = a[A.RING], talk = a[A.TALK], cost = a[A.COST], currency = a[A.CURRENCY], id = a[A.ID],
    call_status = s[S.STATUS], final = s[S.FINAL], next_at = s[S.NEXT_AT]}
  local unspent = a[A.STATUS] == 0 or a[A.UNREACHED] == 1
  local status = e[E.STATUS]
  if reported and status < STATUS.PENDING then
    status = STATUS.PENDING
  end
  merging.merge(c, e, status, reported, response)
  local new = merging.merge_hops(c, e, status, reported)
  a[A.RING] = merging.ring_of(a)
  if a[A.STATUS] > 0 then
    if unspent and a[A.UNREACHED] == 0 then
      s[S.SPENT] = s[S.SPENT] + 1
      s[S.UNREACHED_SINCE], s[S.UNREACHED_N] = 0, 0 -- somebody was reached, or may have been
    end
    merging.merge_status(c)
    counters.count_attempt(s, a, old, new)
    next_step.conclude(c, jitter)
  end
  events.emit_changes(c, old, new, e[E.AT], trace)
  if a[A.TERMINAL] == 1 then
    attempts.release(c)
  end
end

-- Every visible change emits an event; c.dirty marks the others (a hop's earlier time).
local function changed(c)
  return c.dirty or c.s[S.SEQ] ~= c.seq or c.s[S.PHASE] ~= c.phase
end

return {known = known, apply = apply, changed = changed}
