-- One chat completion, again and again: everything comes from the environment, so that wrk
-- builds the request once. What was measured is printed as one JSON line, times in microseconds.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY")

function done(summary, latency, requests)
    local errors = summary.errors
    local form = 'RESULT {"requests": %d, "duration": %d, "p50": %d, "p99": %d, ' ..
        '"bad_status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n'
    io.write(form:format(summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), errors.status, errors.connect, errors.read, errors.write,
        errors.timeout))
end
