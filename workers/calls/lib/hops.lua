-- Sets of hops: a bit for each, by its number (layout.HOP).
local layout = require('layout')
local HOP = layout.HOP
local band, lshift = bit.band, bit.lshift

-- The hops of a set, in their order.
local lists = {}
local function within(set)
  local list = lists[set]
  if not list then
    list = {}
    for hop = HOP.MESSAGE_OUT, HOP.SESSION_COMPLETED do
      if band(set, lshift(1, hop)) ~= 0 then
        list[#list + 1] = hop
      end
    end
    lists[set] = list
  end
  return list
end

return {within = within}
