-- ARGV: id, status, limit, remaining, reset, retry after (-1 = not told), window, now or ''
local DEFAULT_BLOCK, MAX_BLOCK, MAX_WINDOWS, ROUNDING = 30000000, 3600000000, 5, 1000000
local STALE_PART, STALE_PART_UNTOLD = 4, 30
local id, status, limit, remaining = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local reset, retry, window, now = tonumber(ARGV[5]), tonumber(ARGV[6]), length(tonumber(ARGV[7])), now_from(ARGV[8])
local b = load()
drop_lost(b, now)
local was_out = redis.call('ZREM', KEYS[2], id) == 1
limit = math.min(limit, COUNT_MAX)
local changed = limit > 0 and b.limit > 0 and limit ~= b.limit
if limit > 0 then b.limit = limit end
if reset == 0 then b.rounds_down = 1 end
if reset >= 0 then reset = math.min(reset + b.rounds_down * ROUNDING, window * MAX_WINDOWS) end
if status == 429 or retry >= 0 then
  local pause = DEFAULT_BLOCK
  if retry >= 0 then pause = retry elseif reset >= 0 then pause = reset end
  b.blocked_until = math.max(b.blocked_until, now + math.min(pause, MAX_BLOCK))
  redis.call('DEL', KEYS[3])
end

local function is_young(part) return now >= b.opened and now - b.opened < math.floor(window / part) end
local function begin()
  b.remaining, b.first, b.opened, b.told, b.own = remaining, remaining, now, now, 0
end
-- True: it is one more of the window that was open.
local function see_window()
  local known, quarter, ends = b.opened > 0, math.floor(math.max(b.limit, b.first) / 4), nil
  local half = math.floor(window / 2)
  if reset >= 0 then
    ends = now + reset
    if known and ends + half < b.window_end and is_young(STALE_PART) then return false end
    if known and math.abs(ends - b.window_end) <= half then ends = nil end
  elseif known and remaining > b.remaining + quarter then
    ends = now + window
  elseif now < b.window_end then
    if is_young(STALE_PART_UNTOLD) and remaining < math.floor(b.first / 2) and not changed then return false end
  elseif remaining > quarter then
    ends = now + window
  else
    ends = now + math.floor(window / 4)
  end
  if not ends then
    if reset >= 0 then b.window_end = math.min(b.window_end, now + reset) end
    if changed then
      begin()
      return false
    end
    b.told, b.remaining = now, math.min(b.remaining, remaining)
    return true
  end
  if known and now < b.window_end + window then
    b.others = others_in_a_window(b, now, window, redis.call('ZCARD', KEYS[2]))
  else
    b.others = 0
  end
  b.window_end = ends
  begin()
  return false
end

if remaining >= 0 then
  remaining = math.min(remaining, COUNT_MAX)
  if see_window() and was_out then b.own = b.own + 1 end
elseif was_out then
  spend(b, 1)
end
save(b)
redis.call('PEXPIRE', KEYS[1], KEEP_MS)
return 1
