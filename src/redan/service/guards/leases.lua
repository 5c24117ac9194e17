-- Settles charges and leases requests for many clients at once; see shared_rates.py.
-- KEYS: 1 names of replicas by when they were last here, 2 prefix of buckets
-- ARGV: 1 msgpack of {replica, step_us, burst, {client, charge, want, known_us, client, ...}}
-- A bucket is the time in microseconds at which it would be full again.
local told = cmsgpack.unpack(ARGV[1])
local replica, step_us, burst, asked = told[1], told[2], told[3], told[4]
local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
redis.call('ZADD', KEYS[1], now_us, replica)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_us - 10000000)
local gave = {}
for i = 1, #asked, 4 do
  local key, charge, want, known_us = KEYS[2] .. asked[i], asked[i + 1], asked[i + 2], asked[i + 3]
  local kept = redis.call('GET', key)
  local full_us = math.max(now_us, kept and tonumber(kept) or now_us + known_us)
  full_us = math.max(now_us, full_us + charge * step_us)
  local room = math.floor((burst * step_us - (full_us - now_us)) / step_us + 1e-6)
  local grant = math.max(0, math.min(want, room))
  full_us = full_us + grant * step_us
  if full_us > now_us then
    redis.call('SET', key, string.format('%.0f', full_us), 'PX', math.ceil((full_us - now_us) / 1000) + 1000)
  else
    redis.call('DEL', key)
  end
  gave[#gave + 1] = grant
  gave[#gave + 1] = math.ceil(full_us - now_us)
end
return cmsgpack.pack({redis.call('ZCARD', KEYS[1]), gave})
