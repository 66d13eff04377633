import { Counter, Gauge, type Registry } from 'prom-client'
import type { WorkEvent } from '../domain/ports/observe.js'

export type FeedEvent = Extract<WorkEvent, { type: 'exchange' | 'fed' | 'subscriptions' | 'healed' }>

/** Counts what feeds hot rows, and who is told of them, in this process. */
export function feedMetrics(registry: Registry): (event: FeedEvent) => void {
  const registers = [registry]
  const requests = new Counter({
    name: 'candlelake_exchange_requests_total',
    help: 'Requests sent to the exchange, by the status of the answer.',
    labelNames: ['code'],
    registers,
  })
  const rows = new Counter({
    name: 'candlelake_feed_rows_total',
    help: 'Rows of the exchange that were stored hot.',
    labelNames: ['dataset', 'interval'],
    registers,
  })
  const healed = new Counter({
    name: 'candlelake_subscriptions_healed_total',
    help: 'Subscriptions that lost their connection and caught up.',
    registers,
  })
  const gauge = (name: string, help: string): Gauge => new Gauge({ name: `candlelake_${name}`, help, registers })
  const usedWeight = gauge('exchange_used_weight', 'Weight of the minute as the exchange last told it.')
  const weightLimit = gauge('exchange_weight_limit', 'Used weight at which this process waits for the next minute.')
  const subscriptions = gauge('subscriptions', 'Open subscriptions to hot rows, streams among them.')
  // Before the first answer there is none.
  for (const one of [usedWeight, weightLimit]) one.remove()

  return (event) => {
    switch (event.type) {
      case 'exchange':
        requests.inc({ code: event.status === null ? '' : String(event.status) })
        if (event.usedWeight === null) return
        usedWeight.set(event.usedWeight)
        return weightLimit.set(event.weightLimit)
      case 'fed': return rows.inc({ dataset: event.series.dataset, interval: event.series.interval }, event.stored)
      case 'subscriptions': return subscriptions.set(event.open)
      case 'healed': return healed.inc()
    }
  }
}
