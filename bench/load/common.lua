-- What the scripts of this directory share: ids that no other thread and no other run makes, and a
-- last line of JSON with what wrk measured. wrk loads a script once for each thread.

local counter = 0

function setup(thread)
    thread:set("thread_number", counter)
    counter = counter + 1
end

function seed()
    local file = assert(io.open("/dev/urandom", "rb"))
    local a, b, c, d = file:read(4):byte(1, 4)
    file:close()
    run_number = ((a * 256 + b) * 256 + c) * 256 + d
    math.randomseed(run_number)
    made = 0
end

function order_id()
    made = made + 1
    return string.format("%08x-%04x-4000-8000-%012x", run_number, thread_number, made)
end

-- Of `products` products the first sell most, as in real shops: uniform in the logarithm.
function popular(products)
    return math.floor(products ^ math.random())
end

function order(sku)
    local body = string.format('{"id":"%s","customer":"%d","state":"paid","lines":' ..
        '[{"sku":"%s","quantity":1,"unit_price":450}]}', order_id(), math.random(1, 100000), sku)
    return wrk.format("POST", "/v1/orders", {["Content-Type"] = "application/json"}, body)
end

function done(summary, latency, requests)
    io.write(string.format('{"requests":%d,"us":%d,"socket_errors":%d,"mean":%.0f,"p50":%.0f,' ..
        '"p95":%.0f,"p99":%.0f,"max":%.0f}\n', summary.requests, summary.duration,
        summary.errors.connect + summary.errors.read + summary.errors.write +
        summary.errors.timeout, latency.mean, latency:percentile(50), latency:percentile(95),
        latency:percentile(99), latency.max))
end
