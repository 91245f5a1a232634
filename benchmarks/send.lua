-- wrk script: posts the envelopes of a directory in turn, every request with an event
-- id of its own, and prints what it measured as one line of JSON.
-- usage: wrk -t1 -c32 -d20s -s send.lua http://HOST:PORT -- PROJECT_ID PUBLIC_KEY DIR [PAUSE_MS]
local bodies, sent, refused = {}, 0, 0
local path, headers
local pause = 0
shown = 0

function setup(thread)
  sender = thread
end

local function read_parts(name)
  local file = io.open(name, "rb")
  local body = file:read("*a")
  file:close()
  local parts, from = {}, 1
  while true do
    local first, last = body:find("@@EVENT_ID@@", from, true)
    if not first then
      parts[#parts + 1] = body:sub(from)
      return parts
    end
    parts[#parts + 1] = body:sub(from, first - 1)
    from = last + 1
  end
end

function init(args)
  local key, dir = args[2], args[3]
  pause = tonumber(args[4] or 0)
  local seed = io.open("/dev/urandom", "rb"):read(6)
  local number = 0
  for i = 1, #seed do number = number * 256 + seed:byte(i) end
  math.randomseed(number)
  path = "/api/" .. args[1] .. "/envelope/"
  headers = {
    ["Content-Type"] = "application/x-sentry-envelope",
    ["X-Sentry-Auth"] = "Sentry sentry_version=7, sentry_client=bench/1.0, sentry_key=" .. key,
  }
  for name in io.popen("ls " .. dir .. "/*.envelope"):lines() do
    bodies[#bodies + 1] = read_parts(name)
  end
end

local function event_id()
  local r = math.random
  return string.format("%08x%08x%08x%08x", r(0, 0xffffffff), r(0, 0xffffffff), r(0, 0xffffffff), r(0, 0xffffffff))
end

function delay()
  return pause
end

function request()
  sent = sent + 1
  return wrk.format("POST", path, headers, table.concat(bodies[sent % #bodies + 1], event_id()))
end

function response(status, _, body)
  if status ~= 200 then
    shown = shown + 1
    if shown <= 3 then io.stderr:write("status " .. status .. " " .. body:sub(1, 200) .. "\n") end
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"answered": %d, "refused": %d, "broken": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "max": %.3f}',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
