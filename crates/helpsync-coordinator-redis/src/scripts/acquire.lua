-- ARGV: id, ceiling, concurrency, reserve percent, time to live, patience, window, now or ''
-- Gives {0} granted, {1} granted before, {2 pace | 3 window | 4 in flight | 5 blocked, microseconds to wait}.
local BURSTS_PER_WINDOW, WAITING_MAX, IN_FLIGHT_POLL, TURN = 60, 1000, 100000, 1000000
local CODES = {pace = 2, window = 3, in_flight = 4, blocked = 5}
local id, ceiling, concurrency = ARGV[1], tonumber(ARGV[2]), math.max(1, tonumber(ARGV[3]))
local reserve_percent, ttl, patience = math.min(90, tonumber(ARGV[4])), tonumber(ARGV[5]), tonumber(ARGV[6])
local window, now = length(tonumber(ARGV[7])), now_from(ARGV[8])
local slack = math.floor(window / BURSTS_PER_WINDOW)
local b = load()
drop_lost(b, now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', keep(now - LATE))

local function grant()
  redis.call('ZADD', KEYS[2], keep(now + math.max(1, ttl)), id)
  redis.call('PEXPIRE', KEYS[2], keep(math.max(KEEP_MS, math.ceil(ttl / 1000))))
  redis.call('HINCRBY', KEYS[1], 'granted', 1)
  return {0, 0}
end
local function place(time)
  redis.call('ZADD', KEYS[3], keep(time), id)
  redis.call('PEXPIRE', KEYS[3], KEEP_MS)
end

local function decide()
  if redis.call('ZSCORE', KEYS[2], id) then return {1, 0} end
  local flying = redis.call('ZCARD', KEYS[2])
  local limit = ceiling
  if b.limit > 0 then limit = b.limit end
  limit = math.min(COUNT_MAX, math.max(1, limit))
  local reserve = math.min(math.floor((limit * reserve_percent + 99) / 100), limit - 1)
  local rate = limit - reserve
  local open = b.window_end > now
  local turning = not open and b.opened > 0 and b.window_end + TURN > now and b.remaining <= flying
  local emptied = open and b.remaining <= reserve + flying

  local mine = redis.call('ZSCORE', KEYS[3], id)
  if mine then
    redis.call('ZREM', KEYS[3], id)
    if b.blocked_until <= now and not turning and not emptied then
      local time, full = tonumber(mine), flying >= concurrency
      if time <= now and not full then return grant() end
      if time <= now then time = now + IN_FLIGHT_POLL end
      place(time)
      if full then return {time - now, 'in_flight'} end
      return {time - now, 'pace'}
    end
  end

  local in_line = redis.call('ZCARD', KEYS[3])
  local start, reason = now, 'pace'
  if b.blocked_until > now then start, reason = b.blocked_until, 'blocked' end
  local interval = math.floor((window + slack + LATE + rate - 1) / rate)
  if b.window_end > start then
    local spoken_for = reserve + flying + redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. keep(b.window_end))
    local others = math.floor(others_in_a_window(b, now, window, flying) * math.max(0, b.window_end - b.told) / window)
    if b.remaining <= spoken_for then
      start, reason = b.window_end, 'window'
    elseif b.remaining <= spoken_for + others then
      return {math.min(b.window_end - now, slack), 'window'}
    elseif b.tat < b.window_end then
      local left = b.window_end - math.max(b.tat, now)
      interval = math.max(1, math.floor(window / (2 * rate)), math.floor(left / (b.remaining - spoken_for - others)))
    end
  elseif turning and b.window_end + TURN > start then
    start, reason = b.window_end + TURN, 'window'
  end
  local burst = math.max(0, slack - interval)
  local earliest = now
  if start > now then earliest = start + burst end
  local tat = math.min(math.max(b.tat, earliest), start + burst + interval * (in_line + 1))
  local time = tat - burst
  if time <= now then
    if flying + redis.call('ZCOUNT', KEYS[3], '-inf', keep(now)) < concurrency then
      b.tat = tat + interval
      return grant()
    end
    time, reason = now + IN_FLIGHT_POLL, 'in_flight'
  end
  if time - now <= patience and in_line < WAITING_MAX then
    b.tat = tat + interval
    place(time)
  end
  return {time - now, reason}
end

local answer = decide()
if answer[2] ~= 0 then
  redis.call('HINCRBY', KEYS[1], 'waits_' .. answer[2], 1)
  answer = {CODES[answer[2]], answer[1]}
end
save(b)
redis.call('PEXPIRE', KEYS[1], KEEP_MS)
return answer
