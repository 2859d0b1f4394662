-- Events of a call, into the outbox, in the layout layout.EVENT.
local layout = require('layout')
local attempts = require('attempts')
local hops = require('hops')
local run = require('run')
local A, HOP, S, STATUS = layout.A, layout.HOP, layout.S, layout.STATUS
local band, lshift = bit.band, bit.lshift

-- Our time of a change never goes back within a call, whatever Redis' clock does at a failover.
local function touch(s)
  s[S.UPDATED] = run.now > s[S.UPDATED] and run.now or s[S.UPDATED]
end

-- One event: workers/calls/event.c renders it. `occurred` is the provider's time, 0 without.
local function emit(c, kind, hop, previous, occurred, trace)
  local s, a = c.s, c.a
  s[S.SEQ] = s[S.SEQ] + 1
  touch(s)
  if a and a[A.STATUS] > 0 then
    run.events[#run.events + 1] = {kind, c.id, s[S.SEQ], c.identity, s[S.CAMPAIGN], c.n, a[A.CHANNEL], a[A.PROVIDER],
      a[A.ID], a[A.PLACED], s[S.STATUS], previous, hop, a[A.CODE], a[A.DETAIL], s[S.FINAL], s[S.NEXT_AT], occurred,
      s[S.UPDATED], a[A.RING], a[A.TALK], a[A.COST], a[A.CURRENCY], s[S.DROP], trace}
  else
    run.events[#run.events + 1] = {kind, c.id, s[S.SEQ], c.identity, s[S.CAMPAIGN], 0, s[S.CHANNEL], c.provider or '',
      '', 0, s[S.STATUS], previous, hop, '', '', s[S.FINAL], s[S.NEXT_AT], occurred,
      s[S.UPDATED], -1, -1, -1, '', s[S.DROP], trace}
  end
end

-- Which of the new hops carries a change of the call; -1: none.
local function carrier(status, new)
  local prefer = status == STATUS.COMPLETED and HOP.CONNECTED or
    status >= STATUS.FAILED and HOP.TERMINATE or HOP.MESSAGE_OUT
  if band(new, lshift(1, prefer)) ~= 0 then
    return prefer
  end
  return status >= STATUS.FAILED and status < STATUS.COMPLETED and new % 2 == 1 and HOP.MESSAGE_OUT or -1
end

local function kind_of(c, changed)
  local s = c.s
  if s[S.NEXT_AT] > 0 and s[S.NEXT_AT] ~= c.next_at then
    return 'waiting'
  end
  return s[S.FINAL] == 1 and (c.final == 0 or changed) and 'final' or 'status'
end

-- The call changed: hops before the one that proves it tell of the call as it was, those after it as it is.
local function emit_call_change(c, old, new, at, trace)
  local s = c.s
  local status, final, next_at = s[S.STATUS], s[S.FINAL], s[S.NEXT_AT]
  local kind, carried = kind_of(c, status ~= old.call_status), carrier(status, new)
  local function change()
    s[S.STATUS], s[S.FINAL], s[S.NEXT_AT] = status, final, next_at
    emit(c, kind, carried, old.call_status, at, trace)
  end
  if carried < 0 then
    change()
  else
    s[S.STATUS], s[S.FINAL], s[S.NEXT_AT] = old.call_status, old.final, old.next_at
  end
  for _, hop in ipairs(hops.within(new)) do
    if hop == carried then
      change()
    else
      emit(c, 'hop', hop, s[S.STATUS], at, trace)
    end
  end
end

-- One event per new hop; a change of the call rides on the hop that proves it; nothing new, no event.
local function emit_changes(c, old, new, at, trace)
  local s, a = c.s, c.a
  if s[S.STATUS] ~= old.call_status or s[S.FINAL] ~= old.final or s[S.NEXT_AT] ~= old.next_at then
    return emit_call_change(c, old, new, at, trace)
  end
  for _, hop in ipairs(hops.within(new)) do
    emit(c, 'hop', hop, s[S.STATUS], at, trace)
  end
  if new == 0 and (old.status ~= a[A.STATUS] or old.code ~= a[A.CODE] or old.detail ~= a[A.DETAIL] or
      old.ring ~= a[A.RING] or old.talk ~= a[A.TALK] or old.cost ~= a[A.COST] or old.currency ~= a[A.CURRENCY] or
      old.id ~= a[A.ID]) then
    attempts.with_tail(a)[A.REFINED] = (a[A.REFINED] or 0) + 1
    emit(c, kind_of(c, true), -1, s[S.STATUS], at, trace)
  end
end

return {touch = touch, emit = emit, kind_of = kind_of, carrier = carrier, emit_changes = emit_changes}
