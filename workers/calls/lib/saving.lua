-- Writing a call back: its state and attempt, the indexes it stands in, its place in the counters.
local layout = require('layout')
local attempts = require('attempts')
local counters = require('counters')
local events = require('events')
local reading = require('reading')
local reasons = require('reasons')
local records = require('records')
local run = require('run')
local A, P, PHASE, S = layout.A, layout.P, layout.PHASE, layout.S
local pack, call = cmsgpack.pack, redis.call

-- Where a waiting call stands: in :due, or where a pause keeps it until its expiry.
local function index_waiting(c)
  local s, was = c.s, c.phase == PHASE.WAITING
  local waits, hold = s[S.PHASE] == PHASE.WAITING, s[S.HOLD] or ''
  if was then
    counters.add(run.waiting, c.counted[S.CHANNEL], -1)
    if c.hold ~= '' and not (waits and hold == c.hold) then
      call('ZREM', run.shard .. ':hold:' .. c.hold, c.id)
    elseif c.hold == '' and not (waits and hold == '') then
      call('ZREM', run.shard .. ':due', c.id)
    end
  end
  if waits then
    counters.add(run.waiting, s[S.CHANNEL], 1)
  end
  if waits and hold == '' then
    call('ZADD', run.shard .. ':due', s[S.NEXT_AT], c.id)
  elseif waits and not (was and hold == c.hold) then
    local expires = reading.policy(c)[P.EXPIRES]
    call('ZADD', run.shard .. ':hold:' .. hold, expires > 0 and expires or '+inf', c.id)
    call('SADD', run.shard .. ':holds', hold)
  end
end

-- What no operator said, and no other call keeps waiting, is not stored.
local function trim_controls(s)
  local waits = s[S.PHASE] == PHASE.WAITING
  local hold, busy = waits and s[S.HOLD] or '', waits and s[S.BUSY] or 0
  if hold == '' and s[S.CANCELLED] ~= 1 and busy == 0 and (s[S.BACKS] or 0) == 0 then
    s[S.HOLD], s[S.HELD_AT], s[S.CANCELLED], s[S.HUNG_UP], s[S.BUSY], s[S.BACKS] = nil, nil, nil, nil, nil, nil
  else
    s[S.HOLD], s[S.HELD_AT], s[S.CANCELLED], s[S.HUNG_UP], s[S.BUSY], s[S.BACKS] =
      hold, hold ~= '' and s[S.HELD_AT] or 0, s[S.CANCELLED] or 0, s[S.HUNG_UP] or 0, busy, s[S.BACKS] or 0
  end
end

-- Writes the call back, with its indexes and its place in the counters. c.fresh: the fields of one that was not there.
-- The call itself comes last: until then whoever asks again finds it as it was, and does all of it.
local function save(c)
  local s = c.s
  events.touch(s)
  trim_controls(s)
  if not counters.same_place(c.counted, s) then
    counters.count_call(c.counted, -1)
    s[S.REASON] = reasons.name(run.shard .. ':n:' .. s[S.CAMPAIGN], s[S.CHANNEL] .. '|', s[S.REASON])
    counters.count_call(s, 1)
  end
  index_waiting(c)
  if s[S.PHASE] == PHASE.PLACED and s[S.CANCELLED] == 1 and (c.phase ~= PHASE.PLACED or c.cancelled ~= 1) then
    call('ZADD', run.shard .. ':hangups', run.now, c.id)
  end
  local doubtful, talking = attempts.is_doubtful(s, c.a, c.n), attempts.is_talking(s, c.a, c.n)
  if c.phase ~= PHASE.PLACED and (s[S.PHASE] == PHASE.PLACED or (talking and not c.talking)) then
    call('ZADD', run.shard .. ':open', c.a[A.PLACED] + math.min(run.pending_check_ms, run.pending_limit_ms), c.id)
  elseif doubtful and not c.doubtful then
    call('ZADD', run.shard .. ':open', run.now + run.pending_check_ms, c.id)
  elseif s[S.PHASE] ~= PHASE.PLACED and s[S.PHASE] ~= PHASE.PLACING and not doubtful and not talking and
    (c.phase == PHASE.PLACED or c.phase == PHASE.PLACING or c.doubtful or c.talking) then
    call('ZREM', run.shard .. ':open', c.id)
  end
  local fields = c.fresh or {}
  fields[#fields + 1], fields[#fields + 2] = 's', pack(s)
  if c.a then
    fields[#fields + 1], fields[#fields + 2] = 'a' .. c.n, pack(c.a)
  end
  if s[S.FINAL] == 1 or c.final == 1 then
    records.mark(c.id)
    if (c.trace or '') ~= '' then
      fields[#fields + 1], fields[#fields + 2] = 't', c.trace
    end
  end
  call('HSET', c.key, unpack(fields))
  if s[S.FINAL] == 1 and c.final == 0 then
    call('HSETNX', c.key, 'z', counters.text_of(run.now))
    call('PEXPIRE', c.key, run.retention_ms)
  elseif s[S.FINAL] == 0 and c.final == 1 then
    call('PERSIST', c.key)
  end
end

return {save = save}
