-- Product lookup: one product after the other, the popular ones more often.
dofile("bench/load/common.lua")

function init(arguments)
    seed()
end

function request()
    return wrk.format("GET", "/v1/products/p" .. popular(10000))
end
