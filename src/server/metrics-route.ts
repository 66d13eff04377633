import type { Hono } from 'hono'
import type { Metrics } from '../observability/metrics.js'

/** `/metrics` in Prometheus' text format. */
export function metricsRoute(app: Hono, metrics: Metrics): void {
  const headers = { 'content-type': metrics.registry.contentType }
  app.get('/metrics', async (c) => c.text(await metrics.scrape(), 200, headers))
}
