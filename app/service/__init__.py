"""The HTTP service, in small rooms.

- `routes/`: the endpoints, a file for each noun. A new one goes there: parse with a model of `schemas`, make one call
  of the explorer or of a collection in `ServiceState.work`, answer with `encoding.answer`.
  `polysema.app.service.app` lists the routers.
- `middleware`: what happens to every request before a route sees it (keys, body, metrics, log); `worker_pool`: how much
  work runs at once.
- `batching`: texts of concurrent requests are embedded together. `jobs`: long work. `errors`: errors to statuses.
"""
