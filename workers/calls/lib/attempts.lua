-- An attempt while it lives: how it begins, what it holds, how it gives that back, and whether it is in doubt.
local layout = require('layout')
local run = require('run')
local A, CLOSED, PHASE, S, STATUS = layout.A, layout.CLOSED, layout.PHASE, layout.S, layout.STATUS
local call = redis.call

-- Claims stand in :open before all other calls, however long those have waited.
local CLAIMS_FIRST_MS = 2 ^ 43

-- The longest request_timeout that a channel may have (5 minutes), and 10 s.
local CLAIM_LONGEST_MS = 310 * 1000

-- How long an attempt in doubt is asked for at its provider, in pending_check_ms: once in each, and not in the first.
-- What the provider does not show by then, it will not show.
local FIND_CHECKS = 4

-- The fields behind those that every attempt has: an array must not have holes.
local function with_tail(a)
  a[A.CLAIM_NO], a[A.REFINED] = a[A.CLAIM_NO] or 0, a[A.REFINED] or 0
  return a
end

local function new(channel, provider)
  return {0, 0, 0, '', '', channel, provider, '', 0, run.now, -1, -1, -1, '', 0, 0, 0, 0, 0, -1,
    0, 0, '', 0, 0, '', 0, 0, '', 0, 0, '', 0, 0, '', '', 0}
end

-- The number of the claim that the call's latest attempt has. An attempt's number is used again when its claim is given
-- back; this is not, so what is given back twice, or late, is never what a later claim holds. Lines, tickets and
-- contact locks are named by it.
local function claim_no_of(s)
  return s[S.ATTEMPT] + (s[S.BACKS] or 0)
end

-- Begins attempt c.n. `contact`: the number whose contact lock it takes ('' none); `line`: 1 when it has one of its
-- channel; both for hold_ms at most.
local function begin(c, channel, provider, contact, line, hold_ms)
  c.a = new(channel, provider)
  c.a[A.CONTACT], c.a[A.LINE], c.a[A.CLAIM_NO] = contact or '', line or 0, claim_no_of(c.s)
  if line == 1 then
    call('ZADD', run.shard .. ':lined', run.now + hold_ms, channel .. '|' .. c.id .. '/' .. claim_no_of(c.s))
  end
end

-- Gives back what the attempt holds: it is over, or was not placed. Stands in the outbox until it is done
-- (workers/calls/release.h), so that no crash keeps a line. Does not save.
local function release(c)
  local a = c.a
  local contact, line = a[A.CONTACT] or '', a[A.LINE] or 0
  if contact == '' and line == 0 then
    return
  end
  run.events[#run.events + 1] = {'freed', c.id, a[A.CLAIM_NO], a[A.CHANNEL], contact, line}
  if line == 1 then
    call('ZREM', run.shard .. ':lined', a[A.CHANNEL] .. '|' .. c.id .. '/' .. a[A.CLAIM_NO])
  end
  a[A.CONTACT], a[A.LINE], c.dirty = '', 0, true
end

-- Nobody knows whether it was placed.
local function in_doubt(a)
  return a[A.STATUS] == STATUS.GATEWAY_UNAVAILABLE and a[A.REPORTED] == 0 and a[A.UNREACHED] == 0
end

-- The call ended there, and its provider may know more (settle.lua).
local function is_doubtful(s, a, n)
  return a ~= nil and s[S.PHASE] == PHASE.DONE and n == s[S.ATTEMPT] and in_doubt(a)
end

-- It was answered, and its provider has not closed it.
local function is_talking(s, a, n)
  return a ~= nil and s[S.WON] == n and a[A.TERMINAL] == 0 and a[A.CLOSED] ~= CLOSED.NO_REPORT
end

-- A claim that has no outcome by then is settled by whoever looks.
-- An owner that asks again has no answer yet (its replicas are away), so it has not dialled and is alive: its claim
-- counts from the newest question. What it may still send is bounded by its first one (workers/dispatch/attempt.h).
local function claim_until(id, at)
  call('ZADD', run.shard .. ':open', at - CLAIMS_FIRST_MS, id)
end

return {
  new = new, claim_no_of = claim_no_of, begin = begin, release = release, with_tail = with_tail, in_doubt = in_doubt,
  is_doubtful = is_doubtful, is_talking = is_talking, claim_until = claim_until,
  CLAIMS_FIRST_MS = CLAIMS_FIRST_MS, CLAIM_LONGEST_MS = CLAIM_LONGEST_MS, FIND_CHECKS = FIND_CHECKS,
}
