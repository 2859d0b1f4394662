-- The record of a call, its row on ivr.call-records. A change of a call that is final, or was, marks it (":records",
-- layout.lua); take_records.lua makes the row when it is sent, of what the call is by then, so that changes which
-- follow each other make one.
local layout = require('layout')
local attempts = require('attempts')
local reading = require('reading')
local run = require('run')
local A, HOP, P, S, STATUS = layout.A, layout.HOP, layout.P, layout.S, layout.STATUS
local call = redis.call

-- How long a row waits for a further change of its call.
local DELAY_MS = 1000

-- A mark's score is when the row is next to be looked at, in ms, and its fraction says how it stands: so whoever comes
-- with a lease that is over mistakes no later mark for its own.
--   .00  in hand: the lease of whoever sends it
--   .25  it waits for somebody
--   .50  in hand, and to be sent again behind that: the call has changed, or another row of it may be on its way
local WAITS, AGAIN = 0.25, 0.5

local function score(id)
  return tonumber(call('ZSCORE', run.shard .. ':records', id) or nil)
end

local function set(id, at)
  call('ZADD', run.shard .. ':records', string.format('%.2f', at), id)
end

-- A row is to be sent.
local function mark(id)
  local at = score(id)
  if not at then
    set(id, run.now + DELAY_MS + WAITS)
  elseif at % 1 == 0 then
    set(id, at + AGAIN)
  end
end

-- Takes a call in hand until `lease`, when it is anybody's again.
local function take(id, lease)
  set(id, lease)
end

-- Whoever comes by next has it.
local function wait(id)
  set(id, run.now + WAITS)
end

-- What was taken until `lease` is on the topic (`sure`), or may be, or may come yet. Where the call changed meanwhile,
-- or somebody else has it in hand or had it (the lease was over: which of the two rows comes last nobody knows), it is
-- sent again, behind both.
local function sent(id, lease, sure)
  local at = score(id)
  if at == lease and sure then
    call('ZREM', run.shard .. ':records', id)
  elseif at == lease then
    set(id, run.now + DELAY_MS + WAITS)
  elseif not at or at == lease + AGAIN then
    wait(id)
  elseif at % 1 == 0 then
    set(id, at + AGAIN)
  end
end

-- All attempts that are kept: of those that reached nobody a call keeps the first and the last nine.
local function all_attempts(c)
  if c.s[S.ATTEMPT] <= 1 then
    return {c.a}
  end
  local found = {}
  for _, field in ipairs(call('HKEYS', c.key)) do
    local n = tonumber(string.match(field, '^a(%d+)$'))
    if n then
      found[#found + 1] = n == c.n and c.a or reading.attempt(c.key, n)
    end
  end
  return found
end

-- Seconds and costs of all attempts together; -1 where no attempt has any. Costs: {currency, millionths, ...}.
local function sums_of(all)
  local ring, talk, costs, place = -1, -1, {}, {}
  for _, a in ipairs(all) do
    ring = a[A.RING] >= 0 and math.max(ring, 0) + a[A.RING] or ring
    talk = a[A.TALK] >= 0 and math.max(talk, 0) + a[A.TALK] or talk
    if a[A.COST] >= 0 then
      local at = place[a[A.CURRENCY]] or #costs + 1
      place[a[A.CURRENCY]] = at
      costs[at], costs[at + 1] = a[A.CURRENCY], (costs[at + 1] or 0) + a[A.COST]
    end
  end
  return ring, talk, costs
end

-- The provider's time of a hop, ours where it tells none; 0 where the hop was not seen.
local function hop_at(a, hop)
  local i = A.HOPS + 3 * hop
  return a[i + 1] > 0 and a[i] > 0 and a[i] or a[i + 1]
end

local function answered_at(a)
  if a[A.STATUS] ~= STATUS.COMPLETED then
    return 0
  end
  return a[A.ANSWERED] > 0 and a[A.ANSWERED] or hop_at(a, HOP.CONNECTED)
end

local function ended_at(a)
  local at = hop_at(a, HOP.TERMINATE)
  return at > 0 and at or hop_at(a, HOP.SESSION_COMPLETED)
end

-- The attempt that gave the call its status, or nil where it had none.
local function source_of(c)
  local s = c.s
  local n = s[S.STATUS] > 0 and (s[S.WON] > 0 and s[S.WON] or s[S.SOURCE]) or 0
  if n == 0 then
    return nil
  end
  return n == c.n and c.a or reading.attempt(c.key, n)
end

-- The row (layout.RECORD) of a call that was read with its latest attempt.
local function row(c)
  local s, first = c.s, nil
  local kept = call('HMGET', c.key, 'z', 't')
  local a, all = source_of(c), all_attempts(c)
  local ring, talk, costs = sums_of(all)
  if s[S.ATTEMPT] > 0 then
    first = s[S.ATTEMPT] == 1 and c.a or reading.attempt(c.key, 1)
  end
  return {c.id, s[S.SEQ], c.identity, s[S.STATUS], s[S.DROP], a and attempts.in_doubt(a) and 1 or 0,
    a and a[A.CODE] or '', a and a[A.DETAIL] or '', a and a[A.CHANNEL] or s[S.CHANNEL], a and a[A.PROVIDER] or '',
    a and a[A.ID] or '', s[S.ATTEMPT], reading.policy(c)[P.PRIORITY] or -1, s[S.CREATED],
    first and first[A.PLACED] or 0, s[S.ATTEMPT] > 0 and c.a and c.a[A.PLACED] or 0,
    a and answered_at(a) or 0, a and ended_at(a) or 0,
    tonumber(kept[1] or 0), s[S.UPDATED], ring, talk, costs, kept[2] or ''}
end

return {mark = mark, take = take, wait = wait, sent = sent, row = row}
