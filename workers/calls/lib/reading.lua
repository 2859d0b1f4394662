-- Reading a call for work on it. What is read here is what saving.save() compares with. What cannot be read is
-- reported, and holds up nothing else: batch.one() goes on behind it. run.reading_key and run.reading_field are what is
-- being read at this moment: an error meanwhile is its fault.
local layout = require('layout')
local attempts = require('attempts')
local counters = require('counters')
local run = require('run')
local A, P, PHASE, S, STATUS = layout.A, layout.P, layout.PHASE, layout.S, layout.STATUS
local unpack_value, call = cmsgpack.unpack, redis.call

-- Ends the work on a call, before anything of it is written: one() goes on behind it.
local function cannot(key, why)
  run.reading_key = nil
  error({unreadable = key .. ' cannot be read: ' .. why})
end

-- Each touches every value that is counted with or compared later, as cheaply as that goes: one that is missing or of
-- another type raises an error here, and not in the middle of a change. Those at the end came later, and may be
-- missing.
local function state_fits(s)
  local numbers = s[S.SEQ] + s[S.FINAL] + s[S.ATTEMPT] + s[S.CREATED] + s[S.UPDATED] + s[S.NEXT_AT] + s[S.SPENT] +
    s[S.UNREACHED_SINCE] + s[S.UNREACHED_N] + s[S.SOURCE] + s[S.WON] + (s[S.HELD_AT] or 0) + (s[S.CANCELLED] or 0) +
    (s[S.HUNG_UP] or 0) + (s[S.BUSY] or 0) + (s[S.BACKS] or 0)
  local texts = #s[S.CAMPAIGN] + #s[S.CHANNEL] + #s[S.DROP] + #s[S.TOKEN] + #s[S.REASON] + #(s[S.HOLD] or '') +
    #s[S.UNREACHED_KEPT]
  local phase, status = s[S.PHASE], s[S.STATUS]
  return numbers >= 0 and texts > 0 and phase >= PHASE.WAITING and phase <= PHASE.DROPPED and
    status >= 0 and status <= STATUS.COMPLETED
end

local function attempt_fits(a)
  local numbers = a[A.TERMINAL] + a[A.KIND] + a[A.ID_SURE] + a[A.PLACED] + a[A.RING] + a[A.TALK] + a[A.COST] +
    a[A.ANSWERED] + a[A.REPORTED] + a[A.UNREACHED] + a[A.PERMANENT] + a[A.CLOSED] + a[A.RING_GIVEN] +
    (a[A.LINE] or 0) + (a[A.CLAIM_NO] or 0) + a[A.HOPS] + a[A.HOPS + 1] + a[A.HOPS + 3] + a[A.HOPS + 4] +
    a[A.HOPS + 6] + a[A.HOPS + 7] + a[A.HOPS + 9] + a[A.HOPS + 10] + a[A.HOPS + 12] + a[A.HOPS + 13]
  local texts = #a[A.CODE] + #a[A.DETAIL] + #a[A.CHANNEL] + #a[A.PROVIDER] + #a[A.ID] + #a[A.CURRENCY] +
    #(a[A.CONTACT] or '') + #a[A.HOPS + 2] + #a[A.HOPS + 5] + #a[A.HOPS + 8] + #a[A.HOPS + 11] + #a[A.HOPS + 14]
  local status = a[A.STATUS]
  return numbers >= 0 and texts >= 0 and status >= 0 and status <= STATUS.COMPLETED
end

local function policy_fits(p)
  local sum = p[P.MAX] + p[P.ON] + p[P.REDIAL] + p[P.EXPIRES]
  for i = 1, #p[P.DELAYS] do
    sum = sum + p[P.DELAYS][i]
  end
  return sum >= 0
end

local function decoded(key, field, packed, fits)
  run.reading_key, run.reading_field = key, field
  local value = unpack_value(packed)
  if not fits(value) then
    error('it has no such value')
  end
  run.reading_key = nil
  return value
end

local function state(key, packed)
  return decoded(key, 's', packed, state_fits)
end

-- What `packed` holds, or attempt `n` as it stands in Redis; nil when there is none.
local function attempt(key, n, packed)
  packed = packed or call('HGET', key, 'a' .. n)
  return packed and decoded(key, 'a' .. n, packed, attempt_fits) or nil
end

local function policy(c)
  local p = run.policies[c.packed_policy]
  if not p then
    p = decoded(c.key, 'p', c.packed_policy, policy_fits)
    run.policies[c.packed_policy] = p
  end
  return p
end

-- The call with attempt `n` (nil: its latest), or nil when Redis does not know it; c.a is nil when there is no such
-- attempt. `in_passing`: nothing will be said that ends the attempt, so its policy is not asked for.
local function load(id, n, in_passing)
  local key = run.shard .. ':call:' .. id
  local read = redis.pcall('HMGET', key, 's', 'i', 'p', n and 'a' .. n or 's')
  if read.err then
    cannot(key, read.err)
  elseif not read[1] and not read[2] and not read[3] then
    return nil
  elseif not (read[1] and read[2] and read[3]) then
    cannot(key, 'its field ' .. (read[1] and (read[2] and 'p' or 'i') or 's') .. ' is missing')
  end
  local s = state(key, read[1])
  local a
  if n then
    a = read[4] and attempt(key, n, read[4])
  else
    n = s[S.ATTEMPT]
    a = n > 0 and attempt(key, n)
  end
  a = a or nil -- Redis says false
  local c = {id = id, key = key, s = s, identity = read[2], packed_policy = read[3], n = n, a = a, phase = s[S.PHASE],
    hold = s[S.HOLD] or '', cancelled = s[S.CANCELLED], final = s[S.FINAL], next_at = s[S.NEXT_AT], seq = s[S.SEQ],
    counted = counters.place_of(s), doubtful = attempts.is_doubtful(s, a, n),
    talking = attempts.is_talking(s, a, n)}
  if not (in_passing and a and a[A.TERMINAL] == 0) then
    policy(c)
  end
  return c
end

return {cannot = cannot, attempt = attempt, policy = policy, load = load}
