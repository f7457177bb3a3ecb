"""The HTTP service, in small rooms.

- `routes/`: the endpoints, a file for each noun. A new one goes there: parse with a model of `asked`, make one call of
the
  explorer or of a collection in `State.work`, answer with `answers`. `polysema.app.service.app` lists the routers.
- `guard`: what happens to every request before a route sees it (keys, body, metrics, log); `gate`: how much work runs
at once.
- `batching`: texts of concurrent requests are embedded together. `jobs`: long work. `failures`: errors to statuses.
"""
